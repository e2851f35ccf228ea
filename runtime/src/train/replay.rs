//! Finds the step in which a number first was not finite, by repeating steps.
//!
//! A check of every value in every step would cost more than the steps. So a run copies its states from time to time.
//! When a loss is not finite, the run is repeated from the last copy with a check after each step. The results are
//! bit-identical, and the first failing step is run again with a check of every value.

use super::{Progress, Trainer, copy_numbers};
use crate::diverge::{Divergence, Origin, locate};
use crate::failure::Failure;
use gmpc_compiler::ir::graph::Random;
use gmpc_device::{Numbers, States};

/// Steps between two copies of the states. A copy takes about a microsecond for a small network, less than one step, so
/// its cost is negligible.
const STEPS_BETWEEN: u64 = 256;

/// The state of a run at the beginning of an epoch.
#[derive(Debug, Clone)]
pub(super) struct ReplayPoint {
    progress: Progress,
    states: Numbers,
}

impl ReplayPoint {
    /// Replaces the copy if it is old enough.
    pub(super) fn refresh(replay_point: &mut Option<ReplayPoint>, progress: &Progress, states: &States) {
        match replay_point {
            Some(old) if progress.step < old.progress.step + STEPS_BETWEEN => {}
            Some(_) if states.first_not_finite().is_some() => {} // the failing step comes before this moment
            Some(old) => {
                old.progress.clone_from(progress);
                copy_numbers(states.data(), &mut old.states, states.layout.elements);
            }
            None => *replay_point = Some(ReplayPoint { progress: progress.clone(), states: states.data().clone() }),
        }
    }
}

impl Trainer<'_> {
    /// Finds where the run failed, and restores the states before the failing step.
    pub(super) fn diagnose(&mut self) -> Failure {
        let last = self.progress.step;
        match self.replay(last) {
            Ok(Some(divergence)) => Failure::Diverged(Box::new(divergence)),
            Ok(None) => {
                Failure::Diverged(Box::new(self.divergence(Origin { what: "the loss".into(), ..Origin::default() })))
            }
            Err(failure) => failure,
        }
    }

    /// Repeats the steps from the last copy up to step `last`, and examines the first one after which a number is not
    /// finite.
    fn replay(&mut self, last: u64) -> Result<Option<Divergence>, Failure> {
        let Some(replay_point) = self.replay_point.take() else { return Ok(None) };
        *self.session.states.data_mut() = replay_point.states;
        self.progress = replay_point.progress;
        if self.progress.batch > 0 {
            self.sums = self.progress.sums();
        }
        self.begin_epoch();
        while self.progress.step < last {
            let before = (self.session.states.clone(), self.sums.clone());
            let finite = self.step()?;
            if !finite || self.session.states.first_not_finite().is_some() {
                let divergence = self.look_through(&before.0)?;
                // Restores the state before the failing step, which is finite and can be saved.
                (self.session.states, self.sums) = before;
                self.progress.step -= 1;
                self.progress.batch -= 1;
                return Ok(Some(divergence));
            }
            if self.progress.batch == self.plan.batches {
                self.pass_epoch()?;
            }
        }
        Ok(None)
    }

    /// Ends an epoch as `close_epoch` does, without events or a best epoch.
    fn pass_epoch(&mut self) -> Result<(), Failure> {
        self.averages.swap(&mut self.session.states);
        let judged = self.judge.figures(&mut self.session, &self.plan, self.tables, &self.sums);
        self.averages.swap(&mut self.session.states);
        let (figures, _) = judged?;
        let epoch = self.progress.epoch;
        self.judge.observe(&mut self.progress, self.spec, epoch, &figures);
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.begin_epoch();
        Ok(())
    }

    /// Repeats the last step with a check of every value.
    fn look_through(&mut self, before: &States) -> Result<Divergence, Failure> {
        let (handle, _) = self.plan.batch(self.progress.batch - 1);
        let inputs = self.session.inputs(handle)?;
        let program = self.session.program(handle).clone();
        let random = Random { seed: self.progress.seed, step: self.progress.step };
        let layers = self.session.programs().clone();
        let threads = self.session.device().threads();
        // The repeated step adds numbers in another order, and a device may round differently. If the repeated step
        // stays finite, or there is too little memory for it, the state that is not finite is named.
        let origin = locate(&program, &inputs, before, random, layers.layers(), threads).unwrap_or_default();
        let origin = origin.unwrap_or_else(|| match self.session.states.first_not_finite() {
            Some(state) => {
                let what = format!("the new value of {}", state.name);
                Origin { what, state: Some(state.name.clone()), ..Origin::default() }
            }
            None => Origin { what: "the loss".into(), ..Origin::default() },
        });
        Ok(self.divergence(origin))
    }

    fn divergence(&self, origin: Origin) -> Divergence {
        let Progress { epoch, batch, step, .. } = self.progress;
        Divergence { epoch: epoch + 1, batch, step, origin }
    }
}
