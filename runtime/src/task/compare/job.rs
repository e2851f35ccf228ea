//! One run of a comparison.

use super::claim::Claim;
use super::store;
use crate::event::{Done, Event, Figure, StoppedBy};
use crate::failure::Failure;
use crate::program::session::Programs;
use crate::task::experiment::{Prepared, Request, prepare};
use crate::task::start::begin;
use crate::task::train::{Part, train_part};
use gmpc_compiler::ir::experiment::Batch;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::lower::cost::flops;
use gmpc_data::Rows;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What to run.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) seed: u64,
    pub(super) param: String,
    pub(super) over: Vec<(String, String)>,
    /// Is it the first of its cell?
    pub(super) is_first: bool,
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
    /// How large it is; `None` where it could not be prepared, or was kept by a gmpc that did not write it down.
    pub size: Option<Size>,
    /// `valid.…` and `test.…` before the first step: what training that helps is better than. Measured for the first seed of a
    /// cell; empty elsewhere.
    pub start: Vec<Figure>,
}

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Rows to train, to choose and to report on.
    pub rows: [u64; 3],
    /// Learned numbers.
    pub parameters: u64,
    /// Floating-point operations of a prediction, for each row of a batch; 0 where they were not counted.
    pub flops: u64,
}

impl Size {
    fn of(prepared: &Prepared) -> Self {
        let tables = &prepared.tables;
        let count = |rows: Option<&Rows>| rows.map_or(0, |rows| rows.count() as u64);
        let rows = [count(Some(&tables.train)), count(tables.valid.as_ref()), count(Some(&tables.test))];
        let batch = match prepared.network.module.experiment.train.as_ref().map(|train| train.batch) {
            Some(Batch::Size(size)) => size.min(tables.train.count()).max(1),
            Some(Batch::All) | None => tables.train.count().max(1),
        };
        // A network that cannot be compiled fails in its run, with the reason.
        let program = prepared.network.program(Goal::Predict, batch);
        let flops = program.map_or(0, |program| flops(&program.graph) / batch as u64);
        Size { rows, parameters: prepared.network.parameters() as u64, flops }
    }
}

/// What came of a job.
pub(super) enum Came {
    /// It is done.
    Done(Box<Ran>),
    /// Another process is running it: to be asked for again.
    Elsewhere,
    /// `stop` came before its end.
    Stopped,
}

/// A job that has been done.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// Was it found on the disk?
    pub(super) kept: bool,
    /// Names of the run and of its outcome in the folder; `None` where it never began.
    pub(super) names: Option<Names>,
}

/// What a run is called in the folder.
pub(super) struct Names {
    /// The run.
    pub(super) key: String,
    /// Its outcome: that of its end, or of a rung.
    pub(super) outcome: String,
}

/// How far to go with a run: to a rung of `--halve`, or to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rung<'a> {
    /// Epochs to pause after; `None` for all of them.
    pub(super) pause: Option<u64>,
    /// The rungs below, after whose epochs the run may have paused.
    pub(super) below: &'a [u64],
}

impl Rung<'_> {
    /// A run from its beginning to its end.
    pub(super) const WHOLE: Rung<'static> = Rung { pause: None, below: &[] };
}

/// Takes a run as far as a rung, unless its outcome there is kept already or another process is at it.
///
/// # Errors
/// The outcome could not be kept. Everything else that goes wrong is an outcome.
pub(super) fn run(job: &Job, rung: Rung<'_>, keep: Option<&Path>, stop: &AtomicBool) -> Result<Came, Failure> {
    let done = |outcome, kept, names| Ok(Came::Done(Box::new(Ran { outcome, kept, names })));
    let prepared = match prepare(&job.request) {
        Ok(prepared) => prepared,
        Err(failure) => return done(failed(job, &failure), false, None),
    };
    let key = store::key(&prepared);
    let found = || keep.and_then(|folder| found(folder, &key, rung));
    if let Some((outcome, names)) = found() {
        return done(outcome, true, Some(names));
    }
    let claim = match keep.map(|folder| Claim::of(folder, &key)).transpose()? {
        Some(None) => return Ok(Came::Elsewhere),
        Some(Some(claim)) => Some(claim),
        None => None,
    };
    // Another process may have ended it between the look and the claim.
    if let Some((outcome, names)) = found() {
        return done(outcome, true, Some(names));
    }
    let (from, mut epochs) = match keep.and_then(|folder| store::paused(folder, &key, rung.below)) {
        Some((checkpoint, lines)) => (Some(checkpoint), lines.into_bytes()),
        None => (None, Vec::new()),
    };
    let mut listener = |event: &Event| {
        if let (Event::Epoch(epoch), true) = (event, keep.is_some()) {
            let _ = epoch.write_line(&mut epochs); // into memory, which does not fail
        }
    };
    let (outcome, paused, lasts) = match train_part(&prepared, from.as_ref(), rung.pause, &mut listener, stop) {
        Ok(part) if part.done.stopped_by == StoppedBy::Signal => return Ok(Came::Stopped),
        Ok(Part { done: Done { figures, epochs, seconds, .. }, checkpoint }) => {
            let outcome = Outcome { figures: Ok(figures), epochs, seconds, ..measured(job, &prepared) };
            (outcome, checkpoint, true)
        }
        // The same every time, so it need not be found out again.
        Err(failure @ Failure::Diverged(_)) => {
            (Outcome { figures: Err(failure.to_string()), ..measured(job, &prepared) }, None, true)
        }
        Err(failure) => (failed(job, &failure), None, false),
    };
    let mut names = Names { outcome: key.clone(), key };
    if let (Some(checkpoint), Some(pause)) = (&paused, rung.pause) {
        names.outcome = store::paused_name(&names.key, pause);
        if let Some(folder) = keep {
            store::save_checkpoint(folder, &names.key, pause, checkpoint)?;
        }
    }
    if let Some(folder) = keep.filter(|_| lasts) {
        store::save(folder, &names.outcome, &outcome, &epochs)?;
        store::forget(folder, &names.key, rung.below);
    }
    drop(claim);
    done(outcome, false, Some(names))
}

/// What is kept of a run at a rung: its end, where that came before, or its pause there.
fn found(folder: &Path, key: &str, rung: Rung<'_>) -> Option<(Outcome, Names)> {
    let named = |outcome, name: &str| (outcome, Names { key: key.into(), outcome: name.into() });
    let ended = store::load(folder, key);
    let Some(pause) = rung.pause else { return Some(named(ended?, key)) };
    // The end of a run that went on beyond the rung does not say how it stood there.
    let last_epoch = |outcome: &Outcome| match outcome.figures {
        Ok(_) => outcome.epochs,
        Err(_) => store::epochs(folder, key).lines().count() as u64 + 1, // it failed in the epoch after these
    };
    if let Some(outcome) = ended.filter(|outcome| last_epoch(outcome) <= pause) {
        return Some(named(outcome, key));
    }
    let name = store::paused_name(key, pause);
    Some(named(store::load(folder, &name)?, &name))
}

/// What is known of a run without training it.
fn measured(job: &Job, prepared: &Prepared) -> Outcome {
    let start = if job.is_first { start(prepared).unwrap_or_default() } else { vec![] };
    let nothing = Err("it has not ended".to_string());
    Outcome { seed: job.seed, figures: nothing, epochs: 0, seconds: 0.0, size: Some(Size::of(prepared)), start }
}

/// Figures of the network as it was initialized.
///
/// # Errors
/// As an evaluation.
fn start(prepared: &Prepared) -> Result<Vec<Figure>, Failure> {
    let mut session = prepared.session();
    begin(&prepared.beginning(), &mut session)?;
    let mut found = Vec::new();
    for (part, rows) in [("valid", prepared.tables.valid.as_ref()), ("test", Some(&prepared.tables.test))] {
        if let Some(rows) = rows {
            let figures = session.evaluate(rows)?;
            found.extend(figures.into_iter().map(|(name, value)| (format!("{part}.{name}"), value)));
        }
    }
    Ok(found)
}

fn failed(job: &Job, failure: &Failure) -> Outcome {
    Outcome { seed: job.seed, figures: Err(failure.to_string()), epochs: 0, seconds: 0.0, size: None, start: vec![] }
}
