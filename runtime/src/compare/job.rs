//! One run of a comparison.

use super::store;
use crate::event::{Figure, Listener, StoppedBy};
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

/// Runs a job unless its outcome is kept already; says whether it was. `None` where `stop` came before its end.
///
/// # Errors
/// The outcome could not be kept. Everything else that goes wrong is an outcome.
pub(super) fn run(job: &Job, keep: Option<&Path>, stop: &AtomicBool) -> Result<Option<(Outcome, bool)>, Failure> {
    let prepared = match prepare(&job.request) {
        Ok(prepared) => prepared,
        Err(failure) => return Ok(Some((failed(job, &failure), false))),
    };
    let place = keep.map(|folder| folder.join(store::key(&prepared)));
    if let Some(outcome) = place.as_deref().and_then(store::load) {
        return Ok(Some((outcome, true)));
    }
    let mut nobody = |_: &crate::event::Event| {};
    let listener: &mut dyn Listener = &mut nobody;
    let outcome = match train_prepared(&prepared, listener, stop) {
        Ok(done) if done.stopped_by == StoppedBy::Signal => return Ok(None),
        Ok(done) => Outcome { seed: job.seed, figures: Ok(done.figures), epochs: done.epochs, seconds: done.seconds },
        // The same every time, so it need not be found out again.
        Err(failure @ Failure::Diverged(_)) => failed(job, &failure),
        Err(failure) => return Ok(Some((failed(job, &failure), false))),
    };
    if let Some(place) = place {
        store::save(&place, &outcome)?;
    }
    Ok(Some((outcome, false)))
}

fn failed(job: &Job, failure: &Failure) -> Outcome {
    Outcome { seed: job.seed, figures: Err(failure.to_string()), epochs: 0, seconds: 0.0 }
}
