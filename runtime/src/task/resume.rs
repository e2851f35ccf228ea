//! Continues a run that was stopped, as if it had not been stopped.

use crate::event::{Done, Event, Listener};
use crate::failure::{Failure, Message};
use crate::program::session::Session;
use crate::run::checkpoint::again;
use crate::run::folder::{About, RunFolder, RunWriter, WarningLog, restore};
use crate::task::experiment::{Prepared, Warnings};
use crate::task::reopen::reopened;
use crate::task::start::{begin, same_parent};
use crate::task::train::{Run, WriterOptions, with_options};
use crate::train::{Progress, Trainer};
use gmpc_data::Directories;
use gmpc_data::digest::DataFile;
use gmpc_device::{Device, States};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Continues a run that was stopped. The result is bit-identical to that of a run that was not stopped. A run that has
/// ended is only evaluated again.
///
/// # Errors
/// The errors of [`train`](super::train::train); no checkpoint is undamaged; data have changed.
pub fn resume(
    path: &Path,
    directories: &Directories,
    device: &Arc<dyn Device>,
    options: impl Into<WriterOptions>,
    listener: &mut dyn Listener,
    stop: &AtomicBool,
) -> Result<(Done, Warnings), Failure> {
    let (folder, about) = RunFolder::open(path)?;
    folder.check_that_it_was_trained(&about)?;
    let prepared = reopened(&folder, &about, directories, device)?;
    if about.device != device.name() {
        let message = Message::new(format!("the run was started on `{}`, not on `{}`", about.device, device.name()));
        let message = message.at("E0809", path).help(format!("resume it with `--device {}`", about.device));
        return Err(Failure::Usage(message));
    }
    if about.gmpc != env!("CARGO_PKG_VERSION") {
        listener.on_event(&other_version(&about));
    }
    // All reasons to refuse are looked for before the folder is locked and changed.
    folder.check_best(&about)?;
    let warnings = prepared.warnings.clone();
    let lock = folder.lock()?;
    let mut session = prepared.session();
    let (progress, best, files) = resumed(&folder, &about, &prepared, &mut session, listener)?;
    let mut writer = RunWriter::locked(&folder, &about, progress.epoch, &files, lock)?;
    if let Some(best) = &best {
        writer.restore_best_file(best)?;
    }
    let writer = with_options(&folder, writer, options.into(), &prepared, &progress)?;
    let trainer = Trainer::resume(session, prepared.spec()?, &prepared.tables, progress, best)?;
    let run = Run { prepared: &prepared, about: &about, folder: Some(&folder), trainer };
    let mut log = WarningLog::new(Some(&folder), listener);
    let done = run.go(Some(writer), &mut log, stop)?;
    log.finish()?;
    Ok((done, warnings))
}

/// The state of a run: its newest undamaged checkpoint, or its beginning if it was stopped before the first one. With the
/// checksums of the files that grew until then.
fn resumed(
    folder: &RunFolder,
    about: &About,
    prepared: &Prepared,
    session: &mut Session,
    listener: &mut dyn Listener,
) -> Result<(Progress, Option<States>, Vec<DataFile>), Failure> {
    if !folder.has_checkpoint() {
        same_parent(&prepared.beginning(), about)?;
        let (progress, best) = begin(&prepared.beginning(), session)?;
        return Ok((progress, best, vec![]));
    }
    let (checkpoint, skipped) = folder.last(about)?;
    for reason in skipped {
        let help = Some("going on from the checkpoint before it".to_string());
        listener.on_event(&Event::Warning { code: "W0802".into(), message: reason, help });
    }
    let progress = checkpoint.progress.ok_or_else(|| unusable(folder, "it has no counters"))?;
    let best = restore(&mut session.states, &checkpoint.tensors).map_err(|reason| unusable(folder, &reason))?;
    Ok((progress, best, checkpoint.files))
}

fn other_version(about: &About) -> Event {
    let (then, now) = (&about.gmpc, env!("CARGO_PKG_VERSION"));
    Event::Warning {
        code: "W0803".into(),
        message: format!("the run was started by gmpc {then}, and this is {now}: the rest may differ in the last bits"),
        help: None,
    }
}

fn unusable(folder: &RunFolder, reason: &str) -> Failure {
    let path = folder.file("last.safetensors");
    let message = Message::new(format!("{} does not fit the run: {reason}", path.display())).at("E0805", &path);
    Failure::Io(message.help(again(&path)))
}
