//! The train loop: epochs of steps, judged after each epoch, stopped between any two steps and continued as if nothing had
//! happened.
//!
//! Everything that decides what comes next is in [`Progress`] and the session's states; orders of rows and random numbers
//! are functions of the seed, the epoch and the step. Nothing is allocated in a step.

mod judge;
mod pace;
mod plan;
mod progress;
mod recording;
mod replay;

pub use plan::Tables;
pub use progress::Progress;

use crate::data::order_into;
use crate::device::{Numbers, Slice, States};
use crate::event::{Epoch, Event, Listener, Moved, Steps, StoppedBy};
use crate::exact::Exact;
use crate::failure::Failure;
use crate::metrics::Sums;
use crate::rows::{Pick, Rows};
use crate::schedule::should_stop;
use crate::session::{Clock, Session};
use crate::trajectory::kept;
use gmpc_compiler::experiment::TrainSpec;
use judge::Judge;
use pace::Pace;
use plan::Plan;
use recording::Recording;
use replay::Snapshot;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Steps between two looks at the clock, which asks the system.
const STEPS_PER_LOOK: u64 = 16;

/// What a checkpoint holds.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Every counter.
    pub progress: &'a Progress,
    /// Parameters, statistics, optimizer state.
    pub states: &'a States,
    /// Parameters and statistics of the best epoch, once there is one.
    pub best: Option<&'a States>,
}

/// Keeps what a run must not lose. A run that is not kept uses [`Forget`].
pub trait Keep {
    /// Is it time to save?
    fn is_due(&mut self) -> bool;

    /// Saves, all or nothing; returns the file.
    ///
    /// # Errors
    /// Nothing was saved; what was saved before is still there.
    fn save(&mut self, standing: Standing<'_>) -> Result<std::path::PathBuf, Failure>;

    /// Notes an epoch's result.
    ///
    /// # Errors
    /// It could not be written.
    fn note(&mut self, epoch: &Epoch) -> Result<(), Failure>;

    /// Are the boundaries of the first layers kept, where the file asks for them?
    fn records(&self) -> bool {
        false
    }

    /// Keeps the boundaries of one first layer as they are now, `[fan_in + 1, units]`.
    ///
    /// # Errors
    /// They could not be written.
    fn record(&mut self, _layer: usize, _numbers: &Slice<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Keeps the whole network as it is now, where the file asks for that.
    ///
    /// # Errors
    /// It could not be written.
    fn record_states(&mut self, _states: &States) -> Result<(), Failure> {
        Ok(())
    }

    /// How far the recorded boundaries moved since this was asked for last, where that is followed.
    fn movement(&mut self) -> Vec<Moved> {
        Vec::new()
    }
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forget;

impl Keep for Forget {
    fn is_due(&mut self) -> bool {
        false
    }

    fn save(&mut self, _: Standing<'_>) -> Result<std::path::PathBuf, Failure> {
        Ok(std::path::PathBuf::new())
    }

    fn note(&mut self, _: &Epoch) -> Result<(), Failure> {
        Ok(())
    }
}

/// A run that is going on.
pub struct Trainer<'a> {
    /// The network. Its states are the run's.
    pub session: Session,
    spec: &'a TrainSpec,
    tables: &'a Tables,
    plan: Plan,
    judge: Judge,
    progress: Progress,
    sums: Sums,
    /// The learning rate of this epoch.
    lr: f64,
    /// Rows of this epoch in the order they are trained on; empty where the order does not matter.
    order: Vec<u32>,
    best: Option<States>,
    snapshot: Option<Snapshot>,
    recording: Option<Recording>,
    /// Since when the time counts that `progress.seconds` does not hold yet.
    since: Instant,
}

impl<'a> Trainer<'a> {
    /// A run from its beginning: `session` has been initialized with the same seed.
    ///
    /// # Errors
    /// The training program cannot be compiled or loaded; a monitored part has no rows.
    pub fn new(session: Session, spec: &'a TrainSpec, tables: &'a Tables, seed: u64) -> Result<Self, Failure> {
        let progress = Progress::new(seed, spec.lr);
        Self::resume(session, spec, tables, progress, None)
    }

    /// A run that goes on where a checkpoint was written: the session's states, `progress` and `best` are from there.
    ///
    /// # Errors
    /// As [`Trainer::new`]; and a checkpoint whose counters do not fit the file's settings.
    pub fn resume(
        mut session: Session,
        spec: &'a TrainSpec,
        tables: &'a Tables,
        progress: Progress,
        best: Option<States>,
    ) -> Result<Self, Failure> {
        let plan = Plan::new(&mut session, spec, tables)?;
        let judge = Judge::new(&session, &plan, spec, tables)?;
        let mut sums = session.empty_sums(plan.full);
        if progress.batch > 0 {
            sums = plan.resumed_sums(&progress, &sums)?;
        }
        let (order, since, lr) = (Vec::new(), Instant::now(), spec.lr);
        let (snapshot, recording) = (None, None);
        let mut trainer =
            Trainer { session, spec, tables, plan, judge, progress, sums, lr, order, best, snapshot, recording, since };
        trainer.begin_epoch();
        Ok(trainer)
    }

    /// Trains until the run has ended or `stop` is set, which is looked at before every step.
    ///
    /// # Errors
    /// [`Failure::Diverged`] in the step in which the loss is not finite, with the last finite state saved; a fault of the
    /// device or of `keep`.
    pub fn run(
        &mut self,
        keep: &mut dyn Keep,
        listener: &mut dyn Listener,
        stop: &AtomicBool,
    ) -> Result<StoppedBy, Failure> {
        self.recording = Recording::new(&mut self.session, self.spec, keep)?;
        if self.progress.step == 0 {
            self.record(keep, false)?;
        }
        let ended = self.epochs(keep, listener, stop);
        if matches!(ended, Err(Failure::Diverged(_))) && self.session.states.first_not_finite().is_none() {
            self.save(keep, listener)?;
        }
        ended
    }

    fn epochs(
        &mut self,
        keep: &mut dyn Keep,
        listener: &mut dyn Listener,
        stop: &AtomicBool,
    ) -> Result<StoppedBy, Failure> {
        loop {
            if let Some(ended) = self.progress.ended {
                return Ok(ended);
            }
            if !self.steps(keep, listener, stop)? {
                self.save(keep, listener)?;
                return Ok(StoppedBy::Signal);
            }
            let mut epoch = self.close_epoch()?;
            self.record(keep, true)?;
            epoch.movement = keep.movement();
            keep.note(&epoch)?;
            listener.hear(&Event::Epoch(epoch));
            if self.progress.ended.is_none() && keep.is_due() {
                self.save(keep, listener)?;
            }
        }
    }

    /// The rest of an epoch's steps; false where `stop` came first.
    fn steps(&mut self, keep: &mut dyn Keep, listener: &mut dyn Listener, stop: &AtomicBool) -> Result<bool, Failure> {
        let mut pace = Pace::new();
        while self.progress.batch < self.plan.batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if !self.step()? {
                return Err(self.diagnose());
            }
            self.record(keep, false)?;
            if let Some(rows_per_second) = pace.step(self.plan.batch(self.progress.batch - 1).1.len()) {
                let (epoch, total) = (self.progress.epoch + 1, self.plan.batches);
                listener.hear(&Event::Steps(Steps { epoch, done: self.progress.batch, total, rows_per_second }));
            }
            if self.progress.step.is_multiple_of(STEPS_PER_LOOK) && keep.is_due() {
                self.save(keep, listener)?;
            }
        }
        Ok(true)
    }

    /// The next step of this epoch; false where its loss is not finite.
    fn step(&mut self) -> Result<bool, Failure> {
        let (handle, range) = self.plan.batch(self.progress.batch);
        let clock = Clock { lr: self.lr, step: self.progress.step + 1, seed: self.progress.seed };
        let next = self.plan.after(self.progress.batch).unwrap_or(0..0);
        let pick = |range| if self.order.is_empty() { Pick::Range(range) } else { Pick::These(&self.order[range]) };
        let picks = [&pick(range), &pick(next)];
        let finite = self.session.step_before(handle, &self.tables.train, picks, clock, &mut self.sums)?;
        self.progress.step += 1;
        self.progress.batch += 1;
        Ok(finite)
    }

    /// Makes everything ready that is fixed during an epoch. To be called again after a resume in mid-epoch.
    fn begin_epoch(&mut self) {
        let Progress { seed, epoch, batch, .. } = self.progress;
        self.lr = self.progress.rate.at(&self.spec.schedule, self.spec.lr, epoch, self.spec.epochs);
        if self.spec.shuffle && !self.plan.is_whole {
            order_into(&mut self.order, seed, epoch, self.plan.rows);
        }
        if epoch < self.spec.epochs {
            let order = Some(self.order.as_slice()).filter(|order| !order.is_empty());
            self.tables.train.begin(seed, epoch, order, self.plan.place(batch));
        }
        if batch == 0 {
            self.sums.totals.fill(0.0);
            self.sums.rows = 0;
            Snapshot::refresh(&mut self.snapshot, &self.progress, &self.session.states);
        } else if self.snapshot.is_none() {
            self.progress.keep(&self.sums);
            Snapshot::refresh(&mut self.snapshot, &self.progress, &self.session.states);
        }
    }

    /// Judges the epoch whose steps are done and goes on to the next.
    fn close_epoch(&mut self) -> Result<Epoch, Failure> {
        let epoch = self.progress.epoch;
        let (figures, finite) = self.judge.figures(&mut self.session, &self.plan, self.tables, &self.sums)?;
        if !finite && self.session.states.first_not_finite().is_some() {
            return Err(self.diagnose());
        }
        let better = self.judge.observe(&mut self.progress, self.spec, epoch, &figures);
        if better {
            copy_best(&self.session.states, &mut self.best);
        }
        let lr = self.lr;
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.progress.ended = self.end();
        if self.progress.ended.is_some() && self.session.states.first_not_finite().is_some() {
            return Err(self.diagnose());
        }
        self.begin_epoch();
        Ok(Epoch { epoch: epoch + 1, lr, figures, best: better, seconds: self.seconds(), movement: vec![] })
    }

    /// Records the boundaries, where that is asked for and due.
    fn record(&mut self, keep: &mut dyn Keep, epoch_ended: bool) -> Result<(), Failure> {
        match self.recording.filter(|recording| recording.is_due(&self.progress, epoch_ended)) {
            Some(recording) => recording.record(&mut self.session, keep),
            None => Ok(()),
        }
    }

    fn end(&self) -> Option<StoppedBy> {
        if should_stop(self.spec.stop.as_ref(), &self.progress.best) {
            Some(StoppedBy::EarlyStop)
        } else {
            (self.progress.epoch >= self.spec.epochs).then_some(StoppedBy::Epochs)
        }
    }

    /// Saves the run as it stands, unless it is broken.
    fn save(&mut self, keep: &mut dyn Keep, listener: &mut dyn Listener) -> Result<(), Failure> {
        if self.session.states.first_not_finite().is_some() {
            return Err(self.diagnose()); // the checkpoint that is there is better than this
        }
        let path = keep.save(self.standing())?;
        listener.hear(&Event::Checkpoint { path, step: self.progress.step });
        Ok(())
    }

    /// What a checkpoint holds now.
    pub fn standing(&mut self) -> Standing<'_> {
        self.progress.keep(&self.sums);
        self.progress.seconds = Exact(self.seconds());
        self.since = Instant::now();
        Standing { progress: &self.progress, states: &self.session.states, best: self.best.as_ref() }
    }

    /// Puts the best epoch's parameters and statistics in place, where `stop` says `restore_best`.
    pub fn restore_best(&mut self) {
        if self.spec.stop.as_ref().is_some_and(|stop| stop.restore_best)
            && let Some(best) = &self.best
        {
            copy_kept(best, &mut self.session.states);
        }
    }

    /// Loss and metrics of a part with the states as they are, under full names: `test.rmse`.
    ///
    /// # Errors
    /// The device failed.
    pub fn evaluate(&mut self, part: &str, rows: &Rows) -> Result<Vec<(String, f64)>, Failure> {
        let figures = self.session.evaluate(rows)?;
        Ok(figures.into_iter().map(|(name, value)| (format!("{part}.{name}"), value)).collect())
    }

    /// Optimizer steps of an epoch.
    #[must_use]
    pub fn steps_in_an_epoch(&self) -> u64 {
        self.plan.batches
    }

    /// How far the run is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Time spent, stops not counted.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.progress.seconds.0 + self.since.elapsed().as_secs_f64()
    }
}

fn copy_best(states: &States, best: &mut Option<States>) {
    match best {
        Some(best) => copy_kept(states, best),
        None => *best = Some(states.clone()),
    }
}

/// Copies parameters and statistics; they come before the optimizer's states, which need not be kept.
fn copy_kept(from: &States, to: &mut States) {
    copy_numbers(from.data(), to.data_mut(), kept(&from.layout));
}

/// Copies the first `end` numbers; both have the same precision and length.
fn copy_numbers(from: &Numbers, to: &mut Numbers, end: usize) {
    match (from, to) {
        (Numbers::F32(from), Numbers::F32(to)) => to[..end].copy_from_slice(&from[..end]),
        (Numbers::F64(from), Numbers::F64(to)) => to[..end].copy_from_slice(&from[..end]),
        (from, to) => to.clone_from(from),
    }
}

#[cfg(test)]
mod tests;
