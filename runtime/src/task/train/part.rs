//! Trains a part of a run: from the start or a pause to the next pause or the end. `compare --halve` does this
//! repeatedly.

use super::{Run, first_batch};
use crate::event::{Done, Listener, StoppedBy};
use crate::failure::Failure;
use crate::memory::fits;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::{About, restore, tensors_of};
use crate::task::experiment::Prepared;
use crate::task::start::begin;
use crate::train::{NoCheckpoint, Trainer};
use std::sync::atomic::AtomicBool;

/// The result of a part of a run.
pub(in crate::task) struct Part {
    /// The metrics of the weights that the run would end with now, or has ended with.
    pub(in crate::task) done: Done,
    /// The state from which the run continues; `None` if it has ended.
    pub(in crate::task) checkpoint: Option<Checkpoint>,
}

/// Trains until the run has done `pause` epochs in total, or to its end if that comes first or `pause` is `None`.
/// `from` is the checkpoint of the part before; `None` starts the run.
///
/// # Errors
/// As [`train`](super::train); [`Failure::Bug`]: the checkpoint is of another network.
pub(in crate::task) fn train_part(
    prepared: &Prepared,
    from: Option<&Checkpoint>,
    pause: Option<u64>,
    listener: &mut dyn Listener,
    stop: &AtomicBool,
) -> Result<Part, Failure> {
    fits(&prepared.network, first_batch(prepared)?)?;
    let mut session = prepared.session();
    let (spec, tables) = (prepared.spec()?, &prepared.tables);
    let mut trainer = match from.and_then(|from| Some((from, from.progress.clone()?))) {
        Some((from, progress)) => {
            let best = restore(&mut session.states, &from.tensors).map_err(Failure::Bug)?;
            Trainer::resume(session, spec, tables, progress, best)?
        }
        None => {
            let (progress, best) = begin(&prepared.beginning(), &mut session)?;
            Trainer::resume(session, spec, tables, progress, best)?
        }
    };
    if let Some(epochs) = pause {
        trainer.pause_after(epochs);
    }
    let stopped_by = trainer.run(&mut NoCheckpoint, listener, stop)?;
    // Taken before the metrics are computed, because these replace the last weights by those of the best epoch.
    let checkpoint = (stopped_by == StoppedBy::Pause).then(|| {
        let snapshot = trainer.snapshot();
        let (progress, tensors) = (Some(snapshot.progress.clone()), tensors_of(&snapshot));
        Checkpoint { progress, tensors, ..Checkpoint::default() }
    });
    let mut run = Run { prepared, about: &About::new(), folder: None, trainer };
    Ok(Part { done: run.done(stopped_by)?, checkpoint })
}
