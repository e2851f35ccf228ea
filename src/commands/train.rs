//! `gmpc train FILE` and `gmpc train --resume RUN`: trains a network, reports its progress, and writes a run folder.

use crate::args::{DataDirArgs, TrainArgs};
use crate::failure::Failure;
use crate::interrupt::{self, Interrupt};
use crate::output::table::{bytes, thousands};
use crate::output::watch::Watch;
use crate::output::{CHOSEN_ON_TEST, Output, figures, timings};
use crate::project::{clock, device, once, overrides, remark, request_for, tell};
use gmpc_data::Directories;
use gmpc_runtime::event::{Done, Event, Start, StoppedBy};
use gmpc_runtime::run::folder::CADENCE;
use gmpc_runtime::task::experiment;
use gmpc_runtime::task::resume;
use gmpc_runtime::task::train::{self, Out, WriterOptions};
use std::path::Path;
use std::time::Duration;

/// Trains from the beginning, or continues a run that was stopped.
///
/// # Errors
/// The file, the data, the device or the disk; training diverges; a signal stopped it after everything was saved.
pub fn run(args: &TrainArgs, output: &Output) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let mut printer = EventPrinter { output: *output, watch: None };
    let mut listener = |event: &Event| {
        if matches!(event, Event::Start(_)) {
            interrupt.begun();
        }
        printer.on_event(event);
    };
    let done = match (&args.resume, &args.file) {
        (Some(folder), _) => resume(args, folder, output, &mut listener, &interrupt)?,
        (None, Some(file)) => start(args, file, output, &mut listener, &interrupt)?,
        (None, None) => return Err(Failure::new(crate::failure::Kind::Usage, "name a file to train")),
    };
    if done.stopped_by == StoppedBy::Signal {
        let folder = done.run.as_deref().unwrap_or(Path::new("RUN")).display().to_string();
        let message = format!("after {} epochs, everything saved", done.epochs);
        return Err(interrupt.stopped(message, format!("continue with `gmpc train --resume {folder}`")));
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
    if let Some(run) = &args.from {
        overrides.set.push(("train.start".to_string(), whole_run(run)));
    }
    once(overrides.set.iter().map(|(key, _)| key.as_str()))?;
    let mut request = request_for(file, overrides, &args.data, device(args.device)?)?;
    // The file is read a second time here, so that its warnings come before the training.
    tell(experiment::read(&request)?.1, output);
    let (times, observer) = clock(args.timings);
    request.observer = observer;
    let out = match &args.out {
        None => Out::Runs,
        Some(folder) if args.force => Out::Replacing(folder),
        Some(folder) => Out::Folder(folder),
    };
    let done = train::train(&request, out, writer_options(args, output), listener, &interrupt.stop)?.0;
    remark(request.device.as_ref(), output);
    timings::print(times.as_deref(), output);
    Ok(done)
}

/// `run("…", whole = true)`. The path is made absolute: in the file it would be relative to the file.
fn whole_run(run: &Path) -> String {
    let path = std::path::absolute(run).unwrap_or_else(|_| run.to_path_buf()).display().to_string();
    format!("run(\"{}\", whole = true)", path.replace('\\', "\\\\").replace('"', "\\\""))
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
    let done =
        resume::resume(folder, &directories, &device, writer_options(args, output), listener, &interrupt.stop)?.0;
    remark(device.as_ref(), output);
    Ok(done)
}

/// What the run writes while it goes on.
fn writer_options(args: &TrainArgs, output: &Output) -> WriterOptions {
    let every = args.save_every.map_or(CADENCE, Duration::from_secs);
    WriterOptions { every, tensorboard: args.tensorboard, following: !output.json && !output.quiet }
}

/// The data folder of a command about a run, whose own file says the rest.
pub fn data_directories(args: &DataDirArgs) -> Directories {
    Directories::new(args.data_dir.as_deref(), None)
}

/// Prints events for people, and as JSON lines.
struct EventPrinter {
    output: Output,
    watch: Option<Watch>,
}

impl EventPrinter {
    fn on_event(&mut self, event: &Event) {
        if self.output.json && !matches!(event, Event::Checkpoint { .. } | Event::Steps(_)) {
            self.output.line(&event.to_json());
        }
        match event {
            Event::Start(start) => self.start(start),
            Event::Steps(steps) => self.watch.iter_mut().for_each(|watch| watch.steps(steps)),
            Event::Epoch(epoch) => self.watch.iter_mut().for_each(|watch| watch.epoch(epoch)),
            Event::Warning { code, message, help } => self.warning(code, message, help.as_deref()),
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
        self.output.note(format_args!("rows: {train} for training, {valid} for validation, {test} for testing"));
        if !start.features.is_empty() {
            self.output.note(format_args!("features: {}", some(start.features.iter().map(|name| named(name)))));
        }
        if !start.classes.is_empty() {
            let class =
                |(name, [train, valid, test]): &(String, [usize; 3])| format!("{name} ({})", train + valid + test);
            self.output.note(format_args!("classes, with rows: {}", some(start.classes.iter().map(class))));
        }
        if start.resumed_from > 0 {
            self.output.note(format_args!("continuing after epoch {}", start.resumed_from));
        }
        // Last, because from now on it redraws the lowest line: the notes stand above it.
        self.watch = Some(Watch::new(&self.output, start));
    }

    fn warning(&mut self, code: &str, message: &str, help: Option<&str>) {
        let output = self.output;
        let say = || {
            output.warn_of(code, message);
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
            StoppedBy::Epochs | StoppedBy::Signal | StoppedBy::Pause => "",
        };
        self.output.note(format_args!(
            "{} in {:.1} s{why}; best epoch {}",
            epochs(done.epochs),
            done.seconds,
            done.best_epoch
        ));
        let beside = if done.chosen_on_test { CHOSEN_ON_TEST } else { "" };
        self.output.say_bold(&figures(&done.figures), beside);
        if let Some(run) = &done.run {
            self.output.note(format_args!("saved in {}", run.display()));
        }
    }
}

/// The name of a column, which may be empty.
fn named(name: &str) -> String {
    if name.is_empty() { "(no name)".to_string() } else { name.to_string() }
}

/// The first names, and the number of the others.
fn some(all: impl ExactSizeIterator<Item = String>) -> String {
    const SHOWN: usize = 12;
    let rest = all.len().saturating_sub(SHOWN);
    let shown = all.take(SHOWN).collect::<Vec<_>>().join(", ");
    if rest > 0 { format!("{shown} and {rest} more") } else { shown }
}

/// `one epoch`, `2 epochs`
fn epochs(count: u64) -> String {
    if count == 1 { "one epoch".into() } else { format!("{count} epochs") }
}
