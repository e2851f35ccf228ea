//! Training as a command does it: from a request to a run folder with a result, and on from a folder that is there.

use crate::checkpoint;
use crate::data::Directories;
use crate::device::{Device, States};
use crate::event::{Done, Event, Listener, Start, StoppedBy};
use crate::failure::{Failure, Told};
use crate::network::Network;
use crate::request::{Facts, Prepared, Request, Warnings, network_for, prepare};
use crate::run_folder::{About, Inputs, Keeper, RunFolder, restore};
use crate::session::{Programs, Session};
use crate::tensorboard::Events;
use crate::train::{Forget, Keep, Progress, Trainer};
use crate::trajectory::{kept, records_after};
use gmpc_compiler::boundary::{First, first_layers};
use gmpc_compiler::experiment::{DataFacts, Followed, Select};
use gmpc_compiler::program::Goal;
use gmpc_compiler::resolve::Overrides;
use gmpc_grammar::source::Source;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Records that take more bytes than this are worth a warning.
const MUCH: u64 = 4 << 30;

/// Where a run is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Out<'a> {
    /// In a folder of its own below `runs`.
    Runs,
    /// In this folder (`--out DIR`), which holds no run yet.
    Folder(&'a Path),
    /// Nowhere.
    Nowhere,
}

/// What is kept of a run on the way, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Time between checkpoints.
    pub every: Duration,
    /// An event file for TensorBoard; a resumed run that has one goes on with it in any case.
    pub tensorboard: bool,
    /// Epochs say how far recorded boundaries moved, for somebody who watches.
    pub following: bool,
}

impl From<Duration> for Keeping {
    /// Checkpoints this far apart, and nothing else.
    fn from(every: Duration) -> Self {
        Keeping { every, tensorboard: false, following: false }
    }
}

/// Trains from the beginning.
///
/// `stop` may be set at any time: the step that runs is finished, the run is saved, and the result says
/// [`StoppedBy::Signal`]. It is saved as often as `keeping` says, too. `listener` hears `Start`, `Warning`s, an `Epoch` each,
/// `Checkpoint`s and `Done`.
///
/// # Errors
/// Everything a [`Failure`] can be.
pub fn train(
    request: &Request,
    out: Out<'_>,
    keeping: impl Into<Keeping>,
    listener: &mut dyn Listener,
    stop: &AtomicBool,
) -> Result<(Done, Warnings), Failure> {
    let prepared = prepare(request)?;
    let warnings = prepared.warnings.clone();
    let mut session = prepared.session();
    session.initialize(prepared.seed())?;
    let trainer = Trainer::new(session, prepared.spec()?, &prepared.tables, prepared.seed())?;
    let about = about(&prepared, request);
    let source = &prepared.network.module.effective_source;
    let folder = match out {
        Out::Runs => Some(RunFolder::create(None, &about, source)?),
        Out::Folder(path) => Some(RunFolder::create(Some(path), &about, source)?),
        Out::Nowhere => None,
    };
    let keeper = match &folder {
        Some(folder) => Some(keeping_all(folder, Keeper::new(folder)?, keeping.into(), &prepared, trainer.progress())?),
        None => None,
    };
    let done =
        Run { prepared: &prepared, about: &about, folder: folder.as_ref(), trainer }.go(keeper, listener, stop)?;
    Ok((done, warnings))
}

/// Trains a network whose data are loaded, and keeps nothing: what `compare` does many times.
///
/// # Errors
/// As [`train`].
pub fn train_prepared(prepared: &Prepared, listener: &mut dyn Listener, stop: &AtomicBool) -> Result<Done, Failure> {
    let mut session = prepared.session();
    session.initialize(prepared.seed())?;
    let trainer = Trainer::new(session, prepared.spec()?, &prepared.tables, prepared.seed())?;
    Run { prepared, about: &About::new(), folder: None, trainer }.go(None, listener, stop)
}

/// Goes on with a run that was stopped, bit for bit as if it had not been; one that has ended is only evaluated again.
///
/// # Errors
/// As [`train`]; no checkpoint that is whole; data that have changed.
pub fn resume(
    path: &Path,
    directories: &Directories,
    device: &Arc<dyn Device>,
    keeping: impl Into<Keeping>,
    listener: &mut dyn Listener,
    stop: &AtomicBool,
) -> Result<(Done, Warnings), Failure> {
    let (folder, about, prepared) = reopen(path, directories, device)?;
    if about.device != device.name() {
        let told = Told::new(format!("the run was started on `{}`, not on `{}`", about.device, device.name()));
        return Err(Failure::Usage(told.help(format!("resume it with `--device {}`", about.device))));
    }
    if about.gmpc != env!("CARGO_PKG_VERSION") {
        listener.hear(&other_version(&about));
    }
    let warnings = prepared.warnings.clone();
    let lock = folder.lock()?;
    let mut session = prepared.session();
    let (progress, best) = standing(&folder, &prepared, &mut session, listener)?;
    let keeper = Keeper::locked(&folder, progress.epoch, lock)?;
    let keeper = keeping_all(&folder, keeper, keeping.into(), &prepared, &progress)?;
    let trainer = Trainer::resume(session, prepared.spec()?, &prepared.tables, progress, best)?;
    let run = Run { prepared: &prepared, about: &about, folder: Some(&folder), trainer };
    Ok((run.go(Some(keeper), listener, stop)?, warnings))
}

/// Has everything kept that is asked for: checkpoints, an event file, the boundaries where the file says so.
fn keeping_all(
    folder: &RunFolder,
    keeper: Keeper,
    keeping: Keeping,
    prepared: &Prepared,
    progress: &Progress,
) -> Result<Keeper, Failure> {
    let mut keeper = keeper.every(keeping.every);
    let events = keeping.tensorboard || Events::exist(&folder.path);
    if let Some(record) = prepared.spec()?.record {
        let records = records_after(record.every, progress.epoch, progress.step);
        let network = &prepared.network;
        keeper = keeper.recording(&first_layers(&network.net), records)?;
        if record.followed == Followed::All {
            keeper = keeper.recording_states(network.layout(), network.precision(), records)?;
        }
    }
    if keeping.following || events {
        keeper = keeper.following()?;
    }
    if events { keeper.with_events(progress.epoch) } else { Ok(keeper) }
}

/// Where a run stands: its newest whole checkpoint, or its beginning if it was ended before the first one.
fn standing(
    folder: &RunFolder,
    prepared: &Prepared,
    session: &mut Session,
    listener: &mut dyn Listener,
) -> Result<(Progress, Option<States>), Failure> {
    if !folder.has_checkpoint() {
        session.initialize(prepared.seed())?;
        return Ok((Progress::new(prepared.seed(), prepared.spec()?.lr), None));
    }
    let (checkpoint, skipped) = folder.last()?;
    for reason in skipped {
        let help = Some("going on from the generation before".to_string());
        listener.hear(&Event::Warning { code: "checkpoint".into(), message: reason, help });
    }
    let progress = checkpoint.progress.ok_or_else(|| unusable(folder, "it has no counters"))?;
    let best = restore(&mut session.states, &checkpoint.tensors).map_err(|reason| unusable(folder, &reason))?;
    Ok((progress, best))
}

fn other_version(about: &About) -> Event {
    let (then, now) = (&about.gmpc, env!("CARGO_PKG_VERSION"));
    Event::Warning {
        code: "version".into(),
        message: format!("the run was started by gmpc {then}, and this is {now}: the rest may differ in the last bits"),
        help: None,
    }
}

/// A run folder's file, network and data.
///
/// # Errors
/// No run folder; a file that no longer compiles; data that are missing or have changed.
pub fn reopen(
    path: &Path,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<(RunFolder, About, Prepared), Failure> {
    let (folder, about) = RunFolder::open(path)?;
    let request = reopened_request(&folder, &about, directories, device)?;
    let prepared = prepare(&request)?;
    if prepared.data_sha256 != about.data_sha256 {
        let told = Told::new(format!("the rows of {} are not those the run was started with", about.data));
        return Err(Failure::Data(told.help("bring the data files back as they were, or start a new run")));
    }
    Ok((folder, about, prepared))
}

/// What to ask for to get a run folder's network again.
///
/// # Errors
/// The source cannot be read.
pub fn reopened_request(
    folder: &RunFolder,
    about: &About,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<Request, Failure> {
    let name = folder.file("source.gmpnet").display().to_string();
    let file = Source { name, text: folder.source()? };
    let directories = Directories { data: directories.data.clone(), beside: about.beside.clone() };
    Ok(Request { file, overrides: Overrides::default(), directories, device: Arc::clone(device) })
}

/// A run folder's network without its data: shapes and scales stand in `run.json`.
///
/// # Errors
/// A file that no longer compiles.
pub fn reopened_network(
    folder: &RunFolder,
    about: &About,
    directories: &Directories,
    device: &Arc<dyn Device>,
) -> Result<(Arc<Network>, Warnings), Failure> {
    network_for(&reopened_request(folder, about, directories, device)?, &facts(about))
}

/// What shape inference needs to know of a run's data.
#[must_use]
pub fn facts(about: &About) -> Facts {
    let Inputs { features, shape, outputs, classes, target_scale, .. } = &about.inputs;
    let rows = Some(about.rows.iter().sum());
    // Runs of before there were images have no shape.
    let shape = if shape.is_empty() { vec![*features] } else { shape.clone() };
    let shape = DataFacts { rows, shape, outputs: *outputs, classes: *classes };
    Facts { shape, target_scale: target_scale.clone() }
}

fn unusable(folder: &RunFolder, reason: &str) -> Failure {
    let path = folder.file("last.safetensors");
    Failure::Io(Told::new(format!("{} does not fit the run: {reason}", path.display())))
}

/// A run that is about to go on.
struct Run<'a> {
    prepared: &'a Prepared,
    about: &'a About,
    folder: Option<&'a RunFolder>,
    trainer: Trainer<'a>,
}

impl Run<'_> {
    fn go(mut self, keeper: Option<Keeper>, listener: &mut dyn Listener, stop: &AtomicBool) -> Result<Done, Failure> {
        let start = self.start()?;
        listener.hear(&Event::Start(start));
        if self.prepared.spec()?.select == Select::Test {
            listener.hear(&chosen_on_test());
        }
        if let Some(bytes) = self.recorded_bytes()?.filter(|bytes| keeper.is_some() && *bytes > MUCH) {
            listener.hear(&much_recorded(bytes));
        }
        let mut keep: Box<dyn Keep> = match keeper {
            Some(keeper) => Box::new(keeper),
            None => Box::new(Forget),
        };
        let ended_before = self.trainer.progress().ended.is_some();
        let stopped_by = self.trainer.run(keep.as_mut(), listener, stop)?;
        if stopped_by != StoppedBy::Signal && !ended_before {
            let path = keep.save(self.trainer.standing())?;
            if self.folder.is_some() {
                listener.hear(&Event::Checkpoint { path, step: self.trainer.progress().step });
            }
        }
        let done = self.done(stopped_by)?;
        if let Some(folder) = self.folder.filter(|_| stopped_by != StoppedBy::Signal) {
            folder.write("result.json", format!("{}\n", Event::Done(done.clone()).to_json()).as_bytes())?;
        }
        listener.hear(&Event::Done(done.clone()));
        Ok(done)
    }

    /// What records take on the disk when the run has done all its epochs; `None` where nothing is recorded.
    fn recorded_bytes(&self) -> Result<Option<u64>, Failure> {
        let spec = self.prepared.spec()?;
        let Some(record) = spec.record else { return Ok(None) };
        let network = &self.prepared.network;
        let steps = spec.epochs.saturating_mul(self.trainer.steps_in_an_epoch());
        let layer = |first: &First| (first.fan_in + 1).saturating_mul(first.units).saturating_mul(4);
        let mut each: usize = first_layers(&network.net).iter().map(layer).sum();
        if record.followed == Followed::All {
            each = each.saturating_add(kept(network.layout()) * network.precision().bytes());
        }
        Ok(Some(records_after(record.every, spec.epochs, steps).saturating_mul(each as u64)))
    }

    fn start(&mut self) -> Result<Start, Failure> {
        let spec = self.prepared.spec()?;
        Ok(Start {
            model: self.about.model.clone(),
            seed: self.about.seed,
            param: self.about.param.clone(),
            data: self.about.data.clone(),
            device: self.about.device.clone(),
            precision: self.about.precision.clone(),
            parameters: self.prepared.network.parameters(),
            planned_bytes: planned_bytes(&self.trainer.session),
            source_sha256: self.about.source_sha256.clone(),
            rows: self.about.rows,
            epochs: spec.epochs,
            resumed_from: self.trainer.progress().epoch,
        })
    }

    fn done(&mut self, stopped_by: StoppedBy) -> Result<Done, Failure> {
        let mut figures = vec![];
        if stopped_by != StoppedBy::Signal {
            self.trainer.restore_best();
            let tables = &self.prepared.tables;
            if let Some(valid) = &tables.valid {
                figures.extend(self.trainer.evaluate("valid", valid)?);
            }
            figures.extend(self.trainer.evaluate("test", &tables.test)?);
        }
        let progress: &Progress = self.trainer.progress();
        let best_epoch = progress.best.value.map_or(0, |_| progress.best.epoch + 1);
        let run = self.folder.map(|folder| folder.path.clone());
        Ok(Done { epochs: progress.epoch, best_epoch, stopped_by, figures, run, seconds: self.trainer.seconds() })
    }
}

fn much_recorded(bytes: u64) -> Event {
    Event::Warning {
        code: "records".into(),
        message: format!("the records of boundaries will take {} GiB on the disk", bytes >> 30),
        help: Some("record less often, as with `boundaries(epochs = 10)`, or of the first layers only".into()),
    }
}

fn chosen_on_test() -> Event {
    Event::Warning {
        code: "select_test".into(),
        message:
            "the schedule, the stop rule and the best weights are chosen on the test rows (`select = test`), so the \
                  figures on them are better than on new data"
                .into(),
        help: Some("leave `select` out to hold validation rows out of the training rows instead".into()),
    }
}

/// States and the training programs' own memory.
#[must_use]
pub fn planned_bytes(session: &Session) -> usize {
    let states = session.states.layout.elements * session.precision().bytes();
    let training = session.loaded_programs().filter(|program| program.goal == Goal::Train);
    let own = |program: &Arc<gmpc_compiler::program::Program>| {
        program.code.scratch_bytes + session.device().working_bytes(program)
    };
    states + training.map(own).sum::<usize>()
}

fn about(prepared: &Prepared, request: &Request) -> About {
    let module = &prepared.network.module;
    let experiment = &module.experiment;
    let stop = experiment.train.as_ref().and_then(|train| train.stop.as_ref());
    let (tables, parts) = (&prepared.tables, &prepared.described);
    About {
        model: experiment.model.clone(),
        param: experiment.param.clone(),
        data: experiment.data.as_ref().map(|data| data.name.clone()).unwrap_or_default(),
        seed: experiment.seed,
        device: prepared.device().into(),
        precision: experiment.precision_word().into(),
        rows: [tables.train.count(), tables.valid.as_ref().map_or(0, crate::rows::Rows::count), tables.test.count()],
        data_sha256: prepared.data_sha256.clone(),
        source_sha256: checkpoint::sha256(module.effective_source.as_bytes()),
        file: request.file.name.clone(),
        beside: request
            .directories
            .beside
            .as_ref()
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        inputs: Inputs {
            features: parts.facts.features(),
            shape: parts.facts.shape.clone(),
            outputs: parts.facts.outputs,
            classes: parts.facts.classes,
            labels: parts.labels.clone(),
            input_scale: parts.input_scale.clone(),
            target_scale: parts.target_scale.clone(),
        },
        ends_with_best: stop.is_some_and(|stop| stop.restore_best),
        ..About::new()
    }
}
