//! The train loop: epochs of steps, with an evaluation after each epoch. It can be stopped between any two steps and be
//! resumed with bit-identical results.
//!
//! [`Progress`] and the session's states determine everything that follows. The orders of rows and the random numbers
//! are functions of the seed, the epoch and the step. A step allocates nothing.

mod average;
mod judge;
mod pace;
mod plan;
mod progress;
mod recording;
mod replay;
pub mod schedule;
mod turn;

pub use plan::Tables;
pub use progress::Progress;

use crate::event::{Epoch, Event, Listener, Moved, Steps, StoppedBy};
use crate::exact::Exact;
use crate::failure::{Failure, Message};
use crate::program::metrics::Sums;
use crate::program::session::{Clock, Session};
use crate::train::schedule::should_stop;
use average::Averages;
use gmpc_compiler::ir::experiment::{Moment, TrainSpec};
use gmpc_data::order_into;
use gmpc_data::{Pick, Rows};
use gmpc_device::{Numbers, Slice, States};
use judge::Judge;
use pace::Pace;
use plan::Plan;
use recording::Recording;
use replay::ReplayPoint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Steps between two checks whether a checkpoint is due. Each check reads the clock.
const STEPS_PER_LOOK: u64 = 16;

/// The contents of a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// All counters.
    pub progress: &'a Progress,
    /// Parameters, statistics and the states of the optimizer.
    pub states: &'a States,
    /// Parameters and statistics of the best epoch; `None` before there is one.
    pub best: Option<&'a States>,
}

/// Receives what a run must store. A run without files uses [`NoCheckpoint`].
pub trait CheckpointSink {
    /// True if it is time to save.
    fn is_due(&mut self) -> bool;

    /// Saves a snapshot atomically, and returns the path of the file.
    ///
    /// # Errors
    /// Nothing was saved; the checkpoint before is undamaged.
    fn save(&mut self, snapshot: Snapshot<'_>) -> Result<std::path::PathBuf, Failure>;

    /// Checks that the folder still belongs to this process.
    ///
    /// # Errors
    /// It does not, so nothing more may be written to it.
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Stores the result of an epoch.
    ///
    /// # Errors
    /// It cannot be written.
    fn note(&mut self, epoch: &Epoch) -> Result<(), Failure>;

    /// True if the boundaries of the first layers are recorded, provided that the file asks for records.
    fn records(&self) -> bool {
        false
    }

    /// Records the present boundaries of one first layer, `[fan_in + 1, units]`.
    ///
    /// # Errors
    /// They cannot be written.
    fn record(&mut self, _layer: usize, _numbers: &Slice<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Records the present states of the whole network, if the file asks for it.
    ///
    /// # Errors
    /// They cannot be written.
    fn record_states(&mut self, _states: &States) -> Result<(), Failure> {
        Ok(())
    }

    /// How far the recorded boundaries moved since the last call; empty if this is not measured.
    fn drift(&mut self) -> Vec<Moved> {
        Vec::new()
    }
}

/// Stores nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCheckpoint;

impl CheckpointSink for NoCheckpoint {
    fn is_due(&mut self) -> bool {
        false
    }

    fn save(&mut self, _: Snapshot<'_>) -> Result<std::path::PathBuf, Failure> {
        Ok(std::path::PathBuf::new())
    }

    fn note(&mut self, _: &Epoch) -> Result<(), Failure> {
        Ok(())
    }
}

/// A run that is going on.
pub struct Trainer<'a> {
    /// The network. Its states are those of the run.
    pub session: Session,
    spec: &'a TrainSpec,
    tables: &'a Tables,
    plan: Plan,
    judge: Judge,
    progress: Progress,
    sums: Sums,
    /// The learning rate of the next step.
    lr: f64,
    /// Working memory of the schedule's formula.
    registers: Vec<f64>,
    /// True if the rate changes from step to step.
    every_step: bool,
    /// Rows of this epoch in the order of training; empty if the order makes no difference.
    order: Vec<u32>,
    best: Option<States>,
    averages: Averages,
    replay_point: Option<ReplayPoint>,
    recording: Option<Recording>,
    /// Number of epochs after which to pause, if the run does not end before.
    pause: Option<u64>,
    /// The time up to which `progress.seconds` counts.
    since: Instant,
}

impl<'a> Trainer<'a> {
    /// A run from its beginning. `session` was initialized with the same seed.
    ///
    /// # Errors
    /// The training program cannot be compiled or loaded; a monitored part has no rows.
    pub fn new(session: Session, spec: &'a TrainSpec, tables: &'a Tables, seed: u64) -> Result<Self, Failure> {
        let progress = Progress::new(seed, spec.lr);
        Self::resume(session, spec, tables, progress, None)
    }

    /// A run that continues from a checkpoint, which gave the session's states, `progress` and `best`.
    ///
    /// # Errors
    /// The errors of [`Trainer::new`]; the checkpoint's counters do not fit the settings of the file.
    pub fn resume(
        mut session: Session,
        spec: &'a TrainSpec,
        tables: &'a Tables,
        mut progress: Progress,
        best: Option<States>,
    ) -> Result<Self, Failure> {
        let plan = Plan::new(&mut session, spec, tables)?;
        // A run that continues another one may have batches of another size. Between two epochs that makes no difference.
        if progress.batch == 0 && spec.start.as_ref().is_some_and(|start| start.whole) {
            progress.step = progress.epoch.saturating_mul(plan.batches);
        }
        plan.check(&progress, spec.epochs)?;
        let judge = Judge::new(&session, &plan, spec, tables)?;
        let mut sums = session.empty_sums(plan.full);
        // A checkpoint from within an epoch contains sums of the epoch's first steps.
        if progress.batch > 0 {
            sums = plan.resumed_sums(&progress, &sums)?;
        }
        let averages = Averages::new(&session.states.layout);
        let (order, since, lr) = (Vec::new(), Instant::now(), spec.lr);
        let (replay_point, recording, pause) = (None, None, None);
        let mut trainer = Trainer {
            session,
            spec,
            tables,
            plan,
            judge,
            progress,
            sums,
            lr,
            registers: Vec::new(),
            every_step: schedule::every_step(&spec.schedule),
            order,
            best,
            averages,
            replay_point,
            recording,
            pause,
            since,
        };
        trainer.begin_epoch();
        Ok(trainer)
    }

    /// Lets the run pause after this number of epochs in all. Schedules are those of the whole run, so it continues from
    /// [`Trainer::snapshot`] as if it had not paused.
    pub fn pause_after(&mut self, epochs: u64) {
        self.pause = Some(epochs);
    }

    /// Trains until the run ends, pauses, or `stop` is set. `stop` is checked before every step.
    ///
    /// # Errors
    /// [`Failure::Diverged`] in the step in which the loss is not finite; the last finite states are saved. A failure
    /// of the device or of `sink`.
    pub fn run(
        &mut self,
        sink: &mut dyn CheckpointSink,
        listener: &mut dyn Listener,
        stop: &AtomicBool,
    ) -> Result<StoppedBy, Failure> {
        self.recording = Recording::new(&mut self.session, self.spec, sink)?;
        if self.progress.step == 0 {
            self.record(sink, false)?;
        }
        let ended = self.epochs(sink, listener, stop);
        // The states that were restored before the failing step are finite: a checkpoint of them is useful.
        if matches!(ended, Err(Failure::Diverged(_))) && self.session.states.first_not_finite().is_none() {
            self.save(sink, listener)?;
        }
        ended
    }

    fn epochs(
        &mut self,
        sink: &mut dyn CheckpointSink,
        listener: &mut dyn Listener,
        stop: &AtomicBool,
    ) -> Result<StoppedBy, Failure> {
        loop {
            if let Some(ended) = self.progress.ended {
                return Ok(ended);
            }
            if self.pause.is_some_and(|epochs| self.progress.epoch >= epochs) {
                // A state that is not finite stays so: the run would fail at its end, and is said to have failed here.
                let broken = self.session.states.first_not_finite().is_some();
                return if broken { Err(self.diagnose()) } else { Ok(StoppedBy::Pause) };
            }
            if !self.steps(sink, listener, stop)? {
                self.save(sink, listener)?;
                return Ok(StoppedBy::Signal);
            }
            let mut epoch = self.close_epoch()?;
            self.record(sink, true)?;
            epoch.drift = sink.drift();
            sink.note(&epoch)?;
            listener.on_event(&Event::Epoch(epoch));
            if self.progress.ended.is_none() && sink.is_due() {
                self.save(sink, listener)?;
            }
        }
    }

    /// The remaining steps of an epoch. Returns false if `stop` was set before the end.
    fn steps(
        &mut self,
        sink: &mut dyn CheckpointSink,
        listener: &mut dyn Listener,
        stop: &AtomicBool,
    ) -> Result<bool, Failure> {
        let mut pace = Pace::new();
        while self.progress.batch < self.plan.batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if !self.step()? {
                return Err(self.diagnose());
            }
            // Records come before a checkpoint, so that the checkpoint's files contain them.
            self.record(sink, false)?;
            if let Some(rows_per_second) = pace.step(self.plan.batch(self.progress.batch - 1).1.len()) {
                let (epoch, total) = (self.progress.epoch + 1, self.plan.batches);
                listener.on_event(&Event::Steps(Steps { epoch, done: self.progress.batch, total, rows_per_second }));
            }
            if self.progress.step.is_multiple_of(STEPS_PER_LOOK) && sink.is_due() {
                self.save(sink, listener)?;
            }
        }
        Ok(true)
    }

    /// The next step of this epoch. Returns false if its loss is not finite.
    fn step(&mut self) -> Result<bool, Failure> {
        let (handle, range) = self.plan.batch(self.progress.batch);
        if self.every_step {
            self.set_rate();
        }
        self.check_rate()?;
        self.session.turn = turn::turn(self.spec, &self.plan, &self.progress);
        let clock = Clock { lr: self.lr, step: self.progress.step + 1, seed: self.progress.seed };
        let next = self.plan.after(self.progress.batch).unwrap_or(0..0);
        let pick = |range| if self.order.is_empty() { Pick::Range(range) } else { Pick::These(&self.order[range]) };
        let picks = [&pick(range), &pick(next)];
        let finite = self.session.step_before(handle, &self.tables.train, picks, clock, &mut self.sums)?;
        self.progress.step += 1;
        self.progress.batch += 1;
        Ok(finite)
    }

    /// Sets the learning rate of the step that comes next.
    fn set_rate(&mut self) {
        let Progress { epoch, rate, .. } = &self.progress;
        let step = turn::updates_before(self.spec, &self.plan, &self.progress);
        let steps = self.spec.epochs.saturating_mul(turn::updates_in_an_epoch(self.spec, &self.plan));
        let moment = Moment { epoch: *epoch, epochs: self.spec.epochs, step, steps };
        self.lr = rate.at(&self.spec.schedule, self.spec.lr, &moment, &mut self.registers);
    }

    /// A formula of the file can give anything. Only a rate that is a number and not negative makes a step.
    fn check_rate(&self) -> Result<(), Failure> {
        if self.lr.is_finite() && self.lr >= 0.0 {
            return Ok(());
        }
        let (lr, epoch, step) = (self.lr, self.progress.epoch + 1, self.progress.step + 1);
        let message = Message::new(format!("the schedule gives the rate {lr} for step {step}, in epoch {epoch}"));
        Err(Failure::Usage(
            message.code("E0822").help("a learning rate is a number, 0 or more: change the formula of the schedule"),
        ))
    }

    /// Prepares everything that is fixed during an epoch. Also called when a run is resumed within an epoch.
    fn begin_epoch(&mut self) {
        let Progress { seed, epoch, batch, .. } = self.progress;
        self.set_rate();
        if self.spec.shuffle && !self.plan.is_whole {
            order_into(&mut self.order, seed, epoch, self.plan.rows);
        }
        if epoch < self.spec.epochs {
            let order = Some(self.order.as_slice()).filter(|order| !order.is_empty());
            self.tables.train.begin(seed, epoch, order, self.plan.start(batch));
        }
        // A new epoch begins with empty sums. A resumed epoch keeps the sums of its checkpoint.
        if batch == 0 {
            self.sums.totals.fill(0.0);
            self.sums.rows = 0;
            ReplayPoint::refresh(&mut self.replay_point, &self.progress, &self.session.states);
        } else if self.replay_point.is_none() {
            self.progress.keep(&self.sums);
            ReplayPoint::refresh(&mut self.replay_point, &self.progress, &self.session.states);
        }
    }

    /// Evaluates the epoch whose steps are done, and begins the next.
    fn close_epoch(&mut self) -> Result<Epoch, Failure> {
        let epoch = self.progress.epoch;
        // The average is evaluated, and kept if it is the best. Then training continues with the weights.
        self.averages.swap(&mut self.session.states);
        let judged = self.judge.figures(&mut self.session, &self.plan, self.tables, &self.sums);
        let observed = judged.map(|(figures, finite)| {
            let broken = !finite && self.session.states.first_not_finite().is_some();
            let better = !broken && self.judge.observe(&mut self.progress, self.spec, epoch, &figures);
            if better {
                copy_best(&self.session.states, &mut self.best);
            }
            (figures, broken, better)
        });
        self.averages.swap(&mut self.session.states);
        let (figures, broken, better) = observed?;
        if broken {
            return Err(self.diagnose());
        }
        let lr = self.lr;
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.progress.ended = self.end();
        if self.progress.ended.is_some() && self.session.states.first_not_finite().is_some() {
            return Err(self.diagnose());
        }
        self.begin_epoch();
        Ok(Epoch { epoch: epoch + 1, lr, figures, best: better, seconds: self.seconds(), drift: vec![] })
    }

    /// Records the boundaries, if records are asked for and one is due.
    fn record(&mut self, sink: &mut dyn CheckpointSink, epoch_ended: bool) -> Result<(), Failure> {
        match self.recording.filter(|recording| recording.is_due(&self.progress, epoch_ended)) {
            Some(recording) => recording.record(&mut self.session, sink),
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

    /// Saves the run in its present state, unless a state is not finite.
    fn save(&mut self, sink: &mut dyn CheckpointSink, listener: &mut dyn Listener) -> Result<(), Failure> {
        if self.session.states.first_not_finite().is_some() {
            return Err(self.diagnose()); // the existing checkpoint is better than this state
        }
        let path = sink.save(self.snapshot())?;
        listener.on_event(&Event::Checkpoint { path, step: self.progress.step });
        Ok(())
    }

    /// The contents of a checkpoint at this moment.
    pub fn snapshot(&mut self) -> Snapshot<'_> {
        self.progress.keep(&self.sums);
        self.progress.seconds = Exact(self.seconds());
        self.since = Instant::now();
        Snapshot { progress: &self.progress, states: &self.session.states, best: self.best.as_ref() }
    }

    /// Puts the weights in place that the run ends with: those of the best epoch if `stop` says `restore_best`, else the
    /// average of the weights if the file asks for one.
    pub fn end_with(&mut self) {
        self.averages.swap(&mut self.session.states);
        if self.spec.stop.as_ref().is_some_and(|stop| stop.restore_best)
            && let Some(best) = &self.best
        {
            copy_kept(best, &mut self.session.states);
        }
    }

    /// Loss and metrics of a part with the present states, under full names such as `test.rmse`.
    ///
    /// # Errors
    /// The device failed.
    pub fn evaluate(&mut self, part: &str, rows: &Rows) -> Result<Vec<(String, f64)>, Failure> {
        let figures = self.session.evaluate(rows)?;
        Ok(figures.into_iter().map(|(name, value)| (format!("{part}.{name}"), value)).collect())
    }

    /// Number of batches in an epoch, each of which is an optimizer step unless gradients are accumulated.
    #[must_use]
    pub fn steps_in_an_epoch(&self) -> u64 {
        self.plan.batches
    }

    /// How far the run has come.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Wall-clock seconds of the run. Time between a stop and a resumption does not count.
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

/// Copies parameters and statistics. They come before the optimizer's states, which the best epoch does not need.
fn copy_kept(from: &States, to: &mut States) {
    copy_numbers(from.data(), to.data_mut(), from.layout.parameters_and_statistics());
}

/// Copies the first `end` numbers. Both have the same precision and length.
fn copy_numbers(from: &Numbers, to: &mut Numbers, end: usize) {
    match (from, to) {
        (Numbers::F32(from), Numbers::F32(to)) => to[..end].copy_from_slice(&from[..end]),
        (Numbers::F64(from), Numbers::F64(to)) => to[..end].copy_from_slice(&from[..end]),
        (from, to) => to.clone_from(from),
    }
}

#[cfg(test)]
mod tests;
