//! The beginning of a training: from a request to a run folder. `train/run.rs` has what a run does after that, and
//! `resume.rs` continues a run of an existing folder.

mod part;
mod run;
mod warnings;

pub(super) use part::{Part, train_part};
pub(super) use run::Run;
pub use run::planned_bytes;

use crate::event::{Done, Listener};
use crate::failure::Failure;
use crate::memory::fits;
use crate::program::session::Programs;
use crate::run::folder::{About, Inputs, RunFolder, RunWriter, WarningLog};
use crate::run::records::records_after;
use crate::run::tensorboard::Events;
use crate::task::experiment::{Prepared, Request, Warnings, prepare};
use crate::task::start::{begin, parent};
use crate::train::{Progress, Trainer};
use gmpc_compiler::graphs::boundary::first_layers;
use gmpc_compiler::ir::experiment::{Batch, Followed};
use gmpc_compiler::ir::program::Goal;
use gmpc_data::data_files;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Where the files of a run go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out<'a> {
    /// Into a new folder below `runs`.
    Runs,
    /// Into this folder (`--out DIR`), which holds no run yet.
    Folder(&'a Path),
    /// Into this folder, where they replace an existing run (`--force`).
    Replacing(&'a Path),
    /// Nowhere: the run writes no files.
    Nowhere,
}

/// Which files a run writes while it goes on, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// Time between checkpoints.
    pub every: Duration,
    /// Write an event file for TensorBoard. A resumed run that has one continues it in any case.
    pub tensorboard: bool,
    /// Report in each epoch how far recorded boundaries moved.
    pub following: bool,
}

impl From<Duration> for WriterOptions {
    /// Checkpoints at this interval, and nothing else.
    fn from(every: Duration) -> Self {
        WriterOptions { every, tensorboard: false, following: false }
    }
}

/// Trains a network from the beginning.
///
/// `stop` may be set at any time: the present step is finished, the run is saved, and the result says
/// `StoppedBy::Signal`. `options` says how often the run is saved. `listener` receives `Start`, each `Warning`, one
/// `Epoch` for each epoch, each `Checkpoint`, and `Done`.
///
/// # Errors
/// Every kind of [`Failure`].
pub fn train(
    request: &Request,
    out: Out<'_>,
    options: impl Into<WriterOptions>,
    listener: &mut dyn Listener,
    stop: &AtomicBool,
) -> Result<(Done, Warnings), Failure> {
    let prepared = prepare(request)?;
    let warnings = prepared.warnings.clone();
    fits(&prepared.network, first_batch(&prepared)?)?;
    let mut session = prepared.session();
    let (progress, best) = begin(&prepared.beginning(), &mut session)?;
    let first_best = best.clone();
    let trainer = Trainer::resume(session, prepared.spec()?, &prepared.tables, progress, best)?;
    if prepared.spec()?.record.is_some() {
        prepared.network.program(Goal::Boundaries, 1)?;
    }
    let about = About { parent: parent(&prepared.beginning())?, ..about(&prepared, request) };
    let source = &prepared.network.module.effective_source;
    // The folder is created last, so that a run that cannot begin leaves no folder behind.
    let folder = match out {
        Out::Runs => Some(RunFolder::create(None, false, &about, source)?),
        Out::Folder(path) => Some(RunFolder::create(Some(path), false, &about, source)?),
        Out::Replacing(path) => Some(RunFolder::create(Some(path), true, &about, source)?),
        Out::Nowhere => None,
    };
    if let (Some(folder), Some(spec)) = (&folder, &prepared.network.module.experiment.data) {
        folder.write_data_files(&data_files(spec, &request.directories)?)?;
    }
    let writer = match &folder {
        Some(folder) => {
            let writer = RunWriter::new(folder, &about)?;
            if let Some(best) = &first_best {
                writer.begin_with_best(best)?;
            }
            Some(with_options(folder, writer, options.into(), &prepared, trainer.progress())?)
        }
        None => None,
    };
    let mut log = WarningLog::new(folder.as_ref(), listener);
    log.keep(&warnings.diagnostics);
    let run = Run { prepared: &prepared, about: &about, folder: folder.as_ref(), trainer };
    let done = run.go(writer, &mut log, stop)?;
    log.finish()?;
    Ok((done, warnings))
}

/// Number of rows in a full batch.
fn first_batch(prepared: &Prepared) -> Result<usize, Failure> {
    let rows = prepared.tables.train.count();
    Ok(match prepared.spec()?.batch {
        Batch::Size(size) => size.min(rows),
        Batch::All => rows,
    })
}

/// Switches on what is asked for: checkpoints at an interval, an event file, and records of boundaries.
pub(super) fn with_options(
    folder: &RunFolder,
    writer: RunWriter,
    options: WriterOptions,
    prepared: &Prepared,
    progress: &Progress,
) -> Result<RunWriter, Failure> {
    let mut writer = writer.every(options.every);
    let events = options.tensorboard || Events::exist(&folder.path);
    if let Some(record) = prepared.spec()?.record {
        let records = records_after(record.every, progress.epoch, progress.step);
        let network = &prepared.network;
        writer = writer.recording(&first_layers(&network.net), records)?;
        if record.followed == Followed::All {
            writer = writer.recording_states(network.layout(), network.precision(), records)?;
        }
    }
    if options.following || events {
        writer = writer.following()?;
    }
    if events { writer.with_events(progress.epoch) } else { Ok(writer) }
}

/// What a new run is.
pub(super) fn about(prepared: &Prepared, request: &Request) -> About {
    let module = &prepared.network.module;
    let experiment = &module.experiment;
    let stop = experiment.train.as_ref().and_then(|train| train.stop.as_ref());
    let (tables, parts) = (&prepared.tables, &prepared.described);
    About {
        model: experiment.model.clone(),
        param: experiment.param.clone(),
        data: experiment.data.as_ref().map(|data| data.name.clone()).unwrap_or_default(),
        seed: experiment.seeds.order,
        device: prepared.device().into(),
        precision: experiment.precision_word().into(),
        rows: [tables.train.count(), tables.valid.as_ref().map_or(0, gmpc_data::Rows::count), tables.test.count()],
        data_sha256: prepared.data_sha256.clone(),
        // With all overrides, so that other settings have another digest.
        source_sha256: gmpc_data::digest::sha256(module.effective_source.as_bytes()),
        file: request.file.name.clone(),
        beside: request.directories.beside.clone(),
        data_directory: Some(request.directories.data.clone()),
        inputs: Inputs {
            features: parts.facts.features(),
            shape: parts.facts.shape.clone(),
            outputs: parts.facts.outputs,
            classes: parts.facts.classes,
            labels: parts.labels.clone(),
            feature_names: parts.feature_names.clone(),
            target_names: parts.target_names.clone(),
            input_scale: parts.input_scale.clone(),
            target_scale: parts.target_scale.clone(),
        },
        ends_with_best: stop.is_some_and(|stop| stop.restore_best),
        ..About::new()
    }
}

#[cfg(test)]
mod tests;
