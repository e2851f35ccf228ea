//! One run of a comparison.

use super::store;
use crate::event::{Done, Event, Figure, StoppedBy};
use crate::failure::Failure;
use crate::launch::train_prepared;
use crate::request::{Request, prepare};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What to run.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) seed: u64,
    pub(super) combination: super::Combination,
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The run's seed.
    pub seed: u64,
    /// `valid.…` and `test.…` with the weights it ended with; or why there are none.
    pub figures: Result<Vec<Figure>, String>,
    /// Epochs done.
    pub epochs: u64,
    /// Wall-clock time.
    pub seconds: f64,
}

/// A job that has been done.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// Was it found on the disk?
    pub(super) kept: bool,
    /// Its name in the folder; `None` where it never began.
    pub(super) key: Option<String>,
}

/// Runs a job unless its outcome is kept already. `None` where `stop` came before its end.
///
/// # Errors
/// The outcome could not be kept. Everything else that goes wrong is an outcome.
pub(super) fn run(job: &Job, keep: Option<&Path>, stop: &AtomicBool) -> Result<Option<Ran>, Failure> {
    let prepared = match prepare(&job.request) {
        Ok(prepared) => prepared,
        Err(failure) => return Ok(Some(Ran { outcome: failed(job, &failure), kept: false, key: None })),
    };
    let key = store::key(&prepared);
    if let Some(outcome) = keep.and_then(|folder| store::load(folder, &key)) {
        return Ok(Some(Ran { outcome, kept: true, key: Some(key) }));
    }
    let mut epochs = Vec::new();
    let mut listener = |event: &Event| {
        if let (Event::Epoch(epoch), true) = (event, keep.is_some()) {
            let _ = epoch.write_line(&mut epochs); // into memory, which does not fail
        }
    };
    let (outcome, lasts) = match train_prepared(&prepared, &mut listener, stop) {
        Ok(done) if done.stopped_by == StoppedBy::Signal => return Ok(None),
        Ok(done) => {
            let Done { figures, epochs, seconds, .. } = done;
            (Outcome { seed: job.seed, figures: Ok(figures), epochs, seconds }, true)
        }
        // The same every time, so it need not be found out again.
        Err(failure @ Failure::Diverged(_)) => (failed(job, &failure), true),
        Err(failure) => (failed(job, &failure), false),
    };
    if let Some(folder) = keep.filter(|_| lasts) {
        store::save(folder, &key, &outcome, &epochs)?;
    }
    Ok(Some(Ran { outcome, kept: false, key: Some(key) }))
}

fn failed(job: &Job, failure: &Failure) -> Outcome {
    Outcome { seed: job.seed, figures: Err(failure.to_string()), epochs: 0, seconds: 0.0 }
}
