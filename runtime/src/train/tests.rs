//! The train loop on a network that is small enough to be computed by hand.

use super::{CheckpointSink, NoCheckpoint, Progress, Snapshot, Tables, Trainer};
use crate::event::{Epoch, Event, StoppedBy};
use crate::failure::Failure;
use crate::testing::{Tiny, rows, schedule};
use gmpc_compiler::ir::experiment::{
    Batch, EarlyStop, MetricSpec, Monitor, Part, Precision, Schedule, Select, TrainSpec,
};
use gmpc_device::{Numbers, States};
use gmpc_grammar::source::{SourceId, Span};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

fn monitor(part: Part, quantity: &str) -> Monitor {
    Monitor { part, quantity: quantity.into(), higher_is_better: false }
}

fn spec() -> TrainSpec {
    let monitored = monitor(Part::Valid, "rmse");
    TrainSpec {
        loss: "mse".into(),
        optimizer: "sgd".into(),
        lr: 0.3,
        metrics: vec![MetricSpec { name: "rmse".into(), higher_is_better: false }],
        batch: Batch::Size(4),
        epochs: 12,
        schedule: Schedule::ReduceOnPlateau {
            monitor: monitored.clone(),
            factor: 0.5,
            patience: 2,
            min_delta: 0.0,
            min_lr: 0.0,
        },
        stop: Some(EarlyStop { monitor: monitored, patience: 5, min_delta: 0.0, restore_best: true }),
        select: Select::Valid,
        shuffle: true,
        keep_last_batch: true,
        augment: vec![],
        clip_norm: None,
        accumulate: 1,
        average: None,
        start: None,
        record: None,
        span: Span { source: SourceId(0), start: 0, end: 0 },
    }
}

fn tables() -> Tables {
    let precision = Precision::F32;
    Tables { train: rows(precision, 14, 0), valid: Some(rows(precision, 5, 1)), test: rows(precision, 6, 2) }
}

/// A checkpoint in memory.
#[derive(Clone)]
struct Held {
    progress: Progress,
    states: States,
    best: Option<States>,
}

/// Saves to memory when a run is stopped, in the form of a file: counters as text, states as bits.
#[derive(Default)]
struct Memory {
    last: Option<Held>,
    epochs: Vec<Epoch>,
}

impl CheckpointSink for Memory {
    fn is_due(&mut self) -> bool {
        false
    }

    fn save(&mut self, snapshot: Snapshot<'_>) -> Result<PathBuf, Failure> {
        let text = serde_json::to_string(snapshot.progress).unwrap();
        let progress = serde_json::from_str(&text).unwrap();
        let (states, best) = (snapshot.states.clone(), snapshot.best.cloned());
        self.last = Some(Held { progress, states, best });
        Ok(PathBuf::new())
    }

    fn note(&mut self, epoch: &Epoch) -> Result<(), Failure> {
        self.epochs.push(epoch.clone());
        Ok(())
    }
}

fn start<'a>(spec: &'a TrainSpec, tables: &'a Tables) -> Trainer<'a> {
    let mut session = Tiny::session(Precision::F32);
    session.initialize(11).unwrap();
    Trainer::new(session, spec, tables, 11).unwrap()
}

fn go_on<'a>(spec: &'a TrainSpec, tables: &'a Tables, held: Held) -> Trainer<'a> {
    let mut session = Tiny::session(Precision::F32);
    session.states = held.states;
    Trainer::resume(session, spec, tables, held.progress, held.best).unwrap()
}

/// The results of a finished run without the seconds.
#[derive(Debug, PartialEq)]
struct End {
    states: Numbers,
    best: Option<Numbers>,
    epochs: Vec<Epoch>,
    progress: Progress,
}

fn end(trainer: &mut Trainer<'_>, epochs: &[Epoch]) -> End {
    let snapshot = trainer.snapshot();
    let (states, best) = (snapshot.states.data().clone(), snapshot.best.map(|best| best.data().clone()));
    let mut progress = snapshot.progress.clone();
    progress.seconds = crate::exact::Exact(0.0);
    let epochs = epochs.iter().map(|epoch| Epoch { seconds: 0.0, ..epoch.clone() }).collect();
    End { states, best, epochs, progress }
}

fn unbroken(spec: &TrainSpec, tables: &Tables) -> (End, StoppedBy) {
    let (mut trainer, mut memory) = (start(spec, tables), Memory::default());
    let ended = trainer.run(&mut memory, &mut |_: &Event| {}, &AtomicBool::new(false)).unwrap();
    (end(&mut trainer, &memory.epochs), ended)
}

/// Stops after every `every` steps and continues from the saved state.
fn broken(spec: &TrainSpec, tables: &Tables, every: u64) -> End {
    let (stop, mut memory) = (AtomicBool::new(true), Memory::default());
    let mut trainer = start(spec, tables);
    loop {
        for _ in 0..every {
            if trainer.progress.ended.is_some() {
                return end(&mut trainer, &memory.epochs);
            }
            assert!(trainer.step().unwrap());
            if trainer.progress.batch == trainer.plan.batches {
                let epoch = trainer.close_epoch().unwrap();
                memory.note(&epoch).unwrap();
            }
        }
        // The stop flag is set, so the run saves at once, within an epoch or between two epochs.
        trainer.run(&mut memory, &mut |_: &Event| {}, &stop).unwrap();
        match memory.last.take() {
            Some(held) => trainer = go_on(spec, tables, held),
            None => return end(&mut trainer, &memory.epochs),
        }
    }
}

#[test]
fn a_run_stopped_anywhere_ends_with_the_same_bits() {
    let (spec, tables) = (spec(), tables());
    let (expected, ended) = unbroken(&spec, &tables);
    assert!(expected.epochs.len() > 6, "{}", expected.epochs.len());
    assert!(matches!(ended, StoppedBy::Epochs | StoppedBy::EarlyStop));
    for every in 1..=9 {
        assert_eq!(broken(&spec, &tables, every), expected, "stopped after every {every} steps");
    }
}

#[test]
fn dropping_the_last_batch_and_every_schedule_resume_too() {
    let tables = tables();
    let schedules = [
        Schedule::Constant,
        schedule("step(every = 2, factor = 0.5)"),
        schedule("warm_up(2, then = cosine(final = 0.1))"),
        schedule("warm_up(1, per = step, then = one_cycle)"),
        schedule("cosine_restarts(first = 2, longer = 2, per = step)"),
    ];
    for schedule in schedules {
        let spec = TrainSpec { schedule, keep_last_batch: false, stop: None, epochs: 5, ..spec() };
        let (expected, ended) = unbroken(&spec, &tables);
        assert_eq!((ended, expected.progress.step), (StoppedBy::Epochs, 15));
        assert_eq!(broken(&spec, &tables, 2), expected);
    }
}

#[test]
fn one_batch_of_everything_takes_one_step_an_epoch() {
    let spec = TrainSpec { batch: Batch::All, epochs: 7, stop: None, ..spec() };
    let tables = tables();
    let (expected, _) = unbroken(&spec, &tables);
    assert_eq!(expected.progress.step, 7);
    assert_eq!(broken(&spec, &tables, 3), expected);
}

#[test]
fn the_best_epoch_s_weights_come_back() {
    let spec = TrainSpec { lr: 0.9, schedule: Schedule::Constant, ..spec() };
    let tables = tables();
    let (mut trainer, mut memory) = (start(&spec, &tables), Memory::default());
    trainer.run(&mut memory, &mut |_: &Event| {}, &AtomicBool::new(false)).unwrap();
    let best = memory.epochs.iter().rfind(|epoch| epoch.best).unwrap().clone();
    assert_eq!(trainer.progress().best.epoch + 1, best.epoch);
    trainer.end_with();
    let figures = trainer.evaluate("valid", tables.valid.as_ref().unwrap()).unwrap();
    assert_eq!(figures[1].1, best.figure("valid.rmse").unwrap());
    assert!(memory.epochs.iter().all(|epoch| epoch.figure("valid.rmse").unwrap() >= figures[1].1));
}

#[test]
fn early_stopping_counts_epochs_without_improvement() {
    let monitored = monitor(Part::Valid, "rmse");
    let stop = Some(EarlyStop { monitor: monitored, patience: 3, min_delta: 1e9, restore_best: false });
    let spec = TrainSpec { stop, ..spec() };
    let (end, ended) = unbroken(&spec, &tables());
    assert_eq!((ended, end.epochs.len()), (StoppedBy::EarlyStop, 4)); // epoch 1 is the best, 2, 3 and 4 are not better
}

#[test]
fn test_rows_decide_only_where_the_file_says_so() {
    let tables = tables();
    let names = |select| {
        let spec = TrainSpec { select, epochs: 1, ..spec() };
        let (mut end, _) = unbroken(&spec, &tables);
        end.epochs.remove(0).figures.into_iter().map(|figure| figure.0).collect::<Vec<_>>()
    };
    assert_eq!(names(Select::Valid), ["train.loss", "train.rmse", "valid.loss", "valid.rmse"]);
    assert_eq!(names(Select::Test), ["train.loss", "train.rmse", "test.loss", "test.rmse"]);
}

#[test]
fn monitoring_what_is_not_there_is_told() {
    let build = |spec: &TrainSpec, tables: &Tables| {
        let session = Tiny::session(Precision::F32);
        Trainer::new(session, spec, tables, 0).err().map(|failure| failure.to_string()).unwrap_or_default()
    };
    let none = Tables { valid: None, ..tables() };
    assert_eq!(build(&spec(), &none), "`valid.rmse` is monitored, but no rows are held out");
    let stop = EarlyStop { monitor: monitor(Part::Train, "top1"), patience: 1, min_delta: 0.0, restore_best: true };
    let error = build(&TrainSpec { stop: Some(stop), ..spec() }, &tables());
    assert_eq!(error, "`top1` is monitored, but the run does not measure it");
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_is_located() {
    let spec = TrainSpec { lr: 1e25, epochs: 50, stop: None, ..spec() };
    let tables = tables();
    let (mut trainer, mut memory) = (start(&spec, &tables), Memory::default());
    let failure = trainer.run(&mut memory, &mut |_: &Event| {}, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(failure.exit_code(), 4);
    let Failure::Diverged(divergence) = failure else { panic!("{failure}") };
    assert_eq!((divergence.epoch, divergence.batch, divergence.step), (1, 2, 2), "{divergence}");
    assert_eq!(divergence.origin.what, "the result of mul", "the square of a large error overflows first");
}

#[test]
fn a_nan_among_the_rows_is_named_as_the_input() {
    let spec = TrainSpec { shuffle: false, ..spec() };
    let mut inputs = vec![0.5; 14 * 3];
    inputs[3 * 9 + 1] = f64::NAN;
    let train = gmpc_data::Rows::new(Precision::F32, 14, &inputs, &[1.0; 14]);
    let tables = Tables { train, ..tables() };
    let failure =
        start(&spec, &tables).run(&mut NoCheckpoint, &mut |_: &Event| {}, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(failure.to_string(), "training diverged in step 3 (epoch 1, batch 3): the input x is not finite");
}
