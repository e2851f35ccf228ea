//! `gmpc train FILE` and `gmpc train --resume RUN`: trains, tells how it goes, keeps everything in a run folder.

use crate::args::{DataDirArgs, TrainArgs};
use crate::failure::Failure;
use crate::interrupt::{self, Interrupt};
use crate::output::table::{bytes, thousands};
use crate::output::watch::Watch;
use crate::output::{Output, figures, stdout_is_colourful};
use crate::project::{device, overrides, remark, request_for, tell};
use gmpc_runtime::data::Directories;
use gmpc_runtime::event::{Done, Event, Start, StoppedBy};
use gmpc_runtime::launch::{self, Keeping, Out};
use gmpc_runtime::request;
use gmpc_runtime::run_folder::CADENCE;
use std::path::Path;
use std::time::Duration;

/// Trains, from the beginning or from where a run was stopped.
///
/// # Errors
/// The file, the data, the device, the disk; training that diverges; a signal, after everything was saved.
pub fn run(args: &TrainArgs, output: &Output) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let mut teller = Teller { output: *output, watch: None };
    let mut listener = |event: &Event| teller.hear(event);
    let done = match (&args.resume, &args.file) {
        (Some(folder), _) => resume(args, folder, output, &mut listener, &interrupt)?,
        (None, Some(file)) => start(args, file, output, &mut listener, &interrupt)?,
        (None, None) => return Err(Failure::new(crate::failure::Kind::Usage, "name a file to train")),
    };
    if done.stopped_by == StoppedBy::Signal {
        let folder = done.run.as_deref().unwrap_or(Path::new("RUN")).display().to_string();
        let message = format!("after {} epochs, everything saved", done.epochs);
        return Err(interrupt.stopped(message, format!("go on with `gmpc train --resume {folder}`")));
    }
    Ok(())
}

fn start(
    args: &TrainArgs,
    file: &Path,
    output: &Output,
    listener: &mut dyn gmpc_runtime::event::Listener,
    interrupt: &Interrupt,
) -> Result<Done, Failure> {
    let mut overrides = overrides(args.param.as_deref(), &args.overrides)?;
    overrides.set.extend(args.record.iter().map(|what| ("train.record".to_string(), what.clone())));
    let request = request_for(file, overrides, &args.data, device(args.device)?)?;
    // Read once more than needed, so that warnings come before the training they are about.
    tell(request::read(&request)?.1, output);
    let out = args.out.as_deref().map_or(Out::Runs, Out::Folder);
    let done = launch::train(&request, out, keeping(args, output), listener, &interrupt.stop)?.0;
    remark(request.device.as_ref(), output);
    Ok(done)
}

fn resume(
    args: &TrainArgs,
    folder: &Path,
    output: &Output,
    listener: &mut dyn gmpc_runtime::event::Listener,
    interrupt: &Interrupt,
) -> Result<Done, Failure> {
    let directories = data_directories(&args.data);
    let device = device(args.device)?;
    let done = launch::resume(folder, &directories, &device, keeping(args, output), listener, &interrupt.stop)?.0;
    remark(device.as_ref(), output);
    Ok(done)
}

/// What is kept on the way.
fn keeping(args: &TrainArgs, output: &Output) -> Keeping {
    let every = args.save_every.map_or(CADENCE, Duration::from_secs);
    Keeping { every, tensorboard: args.tensorboard, following: !output.json && !output.quiet }
}

/// The data folder for a run that knows its own file.
pub fn data_directories(args: &DataDirArgs) -> Directories {
    Directories::new(args.data_dir.as_deref(), None)
}

/// Tells events, to people and as JSON lines.
struct Teller {
    output: Output,
    watch: Option<Watch>,
}

impl Teller {
    fn hear(&mut self, event: &Event) {
        if self.output.json && !matches!(event, Event::Checkpoint { .. } | Event::Steps(_)) {
            self.output.line(&event.to_json());
        }
        match event {
            Event::Start(start) => self.start(start),
            Event::Steps(steps) => self.watch.iter_mut().for_each(|watch| watch.steps(steps)),
            Event::Epoch(epoch) => self.watch.iter_mut().for_each(|watch| watch.epoch(epoch)),
            Event::Warning { message, help, .. } => self.warning(message, help.as_deref()),
            Event::Checkpoint { .. } => {}
            Event::Done(done) => self.done(done),
        }
    }

    fn start(&mut self, start: &Start) {
        let [train, valid, test] = start.rows;
        self.output.note(format_args!(
            "{}, param {}, data {}, seed {}: {} parameters, {} planned, on {} in {}",
            start.model,
            start.param,
            start.data,
            start.seed,
            thousands(start.parameters as u64),
            bytes(start.planned_bytes as u64),
            start.device,
            start.precision,
        ));
        self.output.note(format_args!("rows: {train} to train on, {valid} to choose on, {test} to report on"));
        if start.resumed_from > 0 {
            self.output.note(format_args!("going on after epoch {}", start.resumed_from));
        }
        self.watch = Some(Watch::new(&self.output, start));
    }

    fn warning(&mut self, message: &str, help: Option<&str>) {
        let output = self.output;
        let say = || {
            output.warn(message);
            if let Some(help) = help {
                output.note(format_args!("  help: {help}"));
            }
        };
        match &mut self.watch {
            Some(watch) => watch.above(say),
            None => say(),
        }
    }

    fn done(&mut self, done: &Done) {
        self.watch = None;
        if done.stopped_by == StoppedBy::Signal {
            return;
        }
        let why = match done.stopped_by {
            StoppedBy::EarlyStop => ", stopped early",
            StoppedBy::Epochs | StoppedBy::Signal => "",
        };
        let (bold, plain) = if stdout_is_colourful() { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        self.output.note(format_args!(
            "{} in {:.1} s{why}; best epoch {}",
            epochs(done.epochs),
            done.seconds,
            done.best_epoch
        ));
        self.output.say(format_args!("{bold}{}{plain}", figures(&done.figures)));
        if let Some(run) = &done.run {
            self.output.note(format_args!("kept in {}", run.display()));
        }
    }
}

/// `one epoch`, `2 epochs`
fn epochs(count: u64) -> String {
    if count == 1 { "one epoch".into() } else { format!("{count} epochs") }
}
