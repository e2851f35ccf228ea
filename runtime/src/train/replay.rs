//! Going back to where a number first was not finite.
//!
//! Looking through every value of every step would cost more than the steps. So a run keeps a copy of its states now and
//! then, and when a loss is not finite it is run again from there, one careful step after another: the same bits come out,
//! and the witness looks through the first step that breaks something.

use super::{Progress, Trainer, copy_numbers};
use crate::device::{Numbers, States};
use crate::diverge::{Divergence, Origin, locate};
use crate::failure::Failure;
use gmpc_compiler::graph::Random;

/// Copying the states takes about a microsecond for a small network, less than a step; every so many steps it is free.
const STEPS_BETWEEN: u64 = 256;

/// A run at the beginning of an epoch.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    progress: Progress,
    states: Numbers,
}

impl Snapshot {
    /// Takes a new copy where the one there is old.
    pub(super) fn refresh(snapshot: &mut Option<Snapshot>, progress: &Progress, states: &States) {
        match snapshot {
            Some(old) if progress.step < old.progress.step + STEPS_BETWEEN => {}
            Some(_) if states.first_not_finite().is_some() => {} // the step that broke it lies before
            Some(old) => {
                old.progress.clone_from(progress);
                copy_numbers(states.data(), &mut old.states, states.layout.elements);
            }
            None => *snapshot = Some(Snapshot { progress: progress.clone(), states: states.data().clone() }),
        }
    }
}

impl Trainer<'_> {
    /// Says where the run broke, and goes back to the step before.
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

    /// Steps again from the last copy to step `last`; the first step after which something is not finite is looked through.
    fn replay(&mut self, last: u64) -> Result<Option<Divergence>, Failure> {
        let Some(snapshot) = self.snapshot.take() else { return Ok(None) };
        *self.session.states.data_mut() = snapshot.states;
        self.progress = snapshot.progress;
        if self.progress.batch > 0 {
            self.sums = self.progress.sums();
        }
        self.begin_epoch();
        while self.progress.step < last {
            let before = (self.session.states.clone(), self.sums.clone());
            let finite = self.step()?;
            if !finite || self.session.states.first_not_finite().is_some() {
                let divergence = self.look_through(&before.0)?;
                // Back to the last step after which everything was finite, to be saved.
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

    /// As at the end of an epoch, but nobody is told and nothing is kept.
    fn pass_epoch(&mut self) -> Result<(), Failure> {
        let (figures, _) = self.judge.figures(&mut self.session, &self.plan, self.tables, &self.sums)?;
        let epoch = self.progress.epoch;
        self.judge.observe(&mut self.progress, self.spec, epoch, &figures);
        self.progress.epoch += 1;
        self.progress.batch = 0;
        self.begin_epoch();
        Ok(())
    }

    /// Lets the witness repeat the step just done.
    fn look_through(&mut self, before: &States) -> Result<Divergence, Failure> {
        let (handle, _) = self.plan.batch(self.progress.batch - 1);
        let inputs = self.session.inputs(handle)?;
        let program = self.session.program(handle).clone();
        let random = Random { seed: self.progress.seed, step: self.progress.step };
        let layers = self.session.programs().clone();
        let origin = locate(&program.graph, &inputs, before, random, layers.layers())?;
        // The witness sums in another order; where it stays finite by a hair, the state that broke is named.
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
