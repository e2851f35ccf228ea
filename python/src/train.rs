//! `train`: a file to a run folder.

use crate::diagnostic::Diagnostic;
use crate::failure::{raised, warn};
use crate::request::{Set, device, of_file, overrides};
use crate::work::long;
use gmpc_runtime::event::{Done, Event};
use gmpc_runtime::failure::Failure;
use gmpc_runtime::run::folder::CADENCE;
use gmpc_runtime::task;
use gmpc_runtime::task::experiment::read;
use gmpc_runtime::task::resume::resume;
use gmpc_runtime::task::train::{Out, WriterOptions};
use pyo3::prelude::*;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What `gmpc.train` and `gmpc.resume` ask for, a dictionary in Python.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked {
    /// The file to train from the beginning.
    file: Option<PathBuf>,
    /// The run to go on with.
    run: Option<PathBuf>,
    param: Option<String>,
    set: Set,
    seed: Option<u64>,
    out: Option<PathBuf>,
    force: bool,
    save_every: Option<u64>,
    tensorboard: bool,
    data_dir: Option<PathBuf>,
    threads: Option<NonZero<usize>>,
    /// Called with the JSON line of each epoch.
    on_epoch: Option<Py<PyAny>>,
}

/// Trains a file, or goes on with a run; gives the run's folder and why it ended.
#[pyfunction]
pub fn train(py: Python<'_>, asked: Asked) -> PyResult<(PathBuf, &'static str)> {
    let Asked { file, run, param, set, seed, out, force, save_every, tensorboard, data_dir, threads, on_epoch } = asked;
    let stop = AtomicBool::new(false);
    let mut told = Told { on_epoch, stop: &stop, raised: None, warnings: vec![] };
    let every = save_every.map_or(CADENCE, Duration::from_secs);
    let options = WriterOptions { every, tensorboard, following: false };
    let done = long(py, &stop, || {
        let device = device(threads);
        let mut listener = |event: &Event| told.on_event(event);
        if let Some(run) = run {
            let directories = crate::request::directories(data_dir.as_ref());
            return Ok(resume(&run, &directories, &device, options, &mut listener, &stop)?.0);
        }
        let file = file.unwrap_or_default();
        let request = of_file(&file, overrides(param, set, seed), data_dir.as_deref(), device)?;
        // Read once more than needed: what is told of the file comes before what is told of its training.
        let (_, warnings) = read(&request)?;
        told.warnings.extend(Diagnostic::all(&warnings));
        let out = match &out {
            None => Out::Runs,
            Some(folder) if force => Out::Replacing(folder),
            Some(folder) => Out::Folder(folder),
        };
        let mut listener = |event: &Event| told.on_event(event);
        Ok(task::train::train(&request, out, options, &mut listener, &stop)?.0)
    });
    let (raised_by, warnings) = (told.raised.take(), std::mem::take(&mut told.warnings));
    warn(py, warnings)?;
    if let Some(error) = raised_by {
        return Err(error);
    }
    ended(py, done?)
}

/// The folder and why it ended.
fn ended(py: Python<'_>, done: Done) -> PyResult<(PathBuf, &'static str)> {
    let Done { run: Some(run), stopped_by, .. } = done else {
        return Err(raised(py, &Failure::Bug("a run was kept nowhere".into())));
    };
    Ok((run, stopped_by.word()))
}

/// What a run tells, for Python.
struct Told<'a> {
    on_epoch: Option<Py<PyAny>>,
    stop: &'a AtomicBool,
    /// What `on_epoch` raised.
    raised: Option<PyErr>,
    warnings: Vec<Diagnostic>,
}

impl Told<'_> {
    fn on_event(&mut self, event: &Event) {
        match event {
            Event::Warning { code, message, help } => {
                self.warnings.push(Diagnostic::warning(code, message, help.as_deref()));
            }
            Event::Epoch(_) => self.epoch(event),
            Event::Start(_) | Event::Steps(_) | Event::Checkpoint { .. } | Event::Done(_) => {}
        }
    }

    /// Calls `on_epoch`; what it raises stops the run, which is saved first.
    fn epoch(&mut self, event: &Event) {
        let Some(on_epoch) = self.on_epoch.as_ref().filter(|_| self.raised.is_none()) else { return };
        let line = event.to_json().to_string();
        if let Err(error) = Python::attach(|py| on_epoch.call1(py, (line,)).map(drop)) {
            self.raised = Some(error);
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}
