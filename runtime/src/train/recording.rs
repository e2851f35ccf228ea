//! Records boundaries: a small program computes them from the states between steps. If the file asks for all layers,
//! the states themselves are copied.

use super::{CheckpointSink, Progress};
use crate::failure::Failure;
use crate::program::session::{Handle, Session};
use gmpc_compiler::ir::experiment::{Every, TrainSpec};
use gmpc_compiler::ir::graph::Random;
use gmpc_compiler::ir::program::Goal;

/// What is recorded, and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recording {
    handle: Handle,
    every: Every,
    layers: usize,
}

impl Recording {
    /// Compiles and loads the program, if the file asks for records and `sink` stores them.
    pub(super) fn new(
        session: &mut Session,
        spec: &TrainSpec,
        sink: &dyn CheckpointSink,
    ) -> Result<Option<Self>, Failure> {
        let Some(record) = spec.record.filter(|_| sink.records()) else { return Ok(None) };
        let handle = session.load(Goal::Boundaries, 1)?;
        let layers = session.program(handle).graph.outputs.len();
        Ok(Some(Recording { handle, every: record.every, layers }))
    }

    /// True if a record is due: before the first step, after this step, or at the end of this epoch.
    pub(super) fn is_due(self, progress: &Progress, epoch_ended: bool) -> bool {
        match self.every {
            _ if progress.step == 0 => true,
            Every::Epochs(interval) => epoch_ended && progress.epoch.is_multiple_of(interval),
            Every::Steps(interval) => !epoch_ended && progress.step.is_multiple_of(interval),
        }
    }

    /// Computes the boundaries from the present states and gives them to `sink`.
    pub(super) fn record(self, session: &mut Session, sink: &mut dyn CheckpointSink) -> Result<(), Failure> {
        let (executable, states) = session.executable(self.handle);
        executable.run(states, Random::default())?;
        (0..self.layers).try_for_each(|layer| sink.record(layer, &executable.output(layer)))?;
        sink.record_states(states)
    }
}
