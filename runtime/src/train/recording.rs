//! Recording where units switch: a small program that runs on the states between steps, and a copy of them where all layers
//! are followed.

use super::{Keep, Progress};
use crate::failure::Failure;
use crate::session::{Handle, Session};
use gmpc_compiler::experiment::{Every, TrainSpec};
use gmpc_compiler::graph::Random;
use gmpc_compiler::program::Goal;

/// What is recorded, and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recording {
    handle: Handle,
    every: Every,
    layers: usize,
}

impl Recording {
    /// Compiles and loads the program, where the file asks for it and somebody keeps what it gives.
    pub(super) fn new(session: &mut Session, spec: &TrainSpec, keep: &dyn Keep) -> Result<Option<Self>, Failure> {
        let Some(record) = spec.record.filter(|_| keep.records()) else { return Ok(None) };
        let handle = session.load(Goal::Boundaries, 1)?;
        let layers = session.program(handle).graph.outputs.len();
        Ok(Some(Recording { handle, every: record.every, layers }))
    }

    /// Is there something to record after a step, after an epoch, or before the first of them?
    pub(super) fn is_due(self, progress: &Progress, epoch_ended: bool) -> bool {
        match self.every {
            _ if progress.step == 0 => true,
            Every::Epochs(interval) => epoch_ended && progress.epoch.is_multiple_of(interval),
            Every::Steps(interval) => !epoch_ended && progress.step.is_multiple_of(interval),
        }
    }

    /// Hands over the boundaries as the states give them now.
    pub(super) fn record(self, session: &mut Session, keep: &mut dyn Keep) -> Result<(), Failure> {
        let (executable, states) = session.executable(self.handle);
        executable.run(states, Random::default())?;
        (0..self.layers).try_for_each(|layer| keep.record(layer, &executable.output(layer)))?;
        keep.record_states(states)
    }
}
