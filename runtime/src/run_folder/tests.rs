//! Runs in real folders: stopped, resumed, locked, diverged.

use super::*;
use crate::data::Directories;
use crate::device::Device;
use crate::device::cpu::Cpu;
use crate::event::{Done, Event, StoppedBy};
use crate::launch::{Out, resume, train};
use crate::request::Request;
use gmpc_compiler::resolve::Overrides;
use gmpc_grammar::source::Source;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const FILE: &str = "\
param = gmp
data = wave(validation = 0.2)
dataset wave {
    y = sin(x) + x / 2
    file = formula(y, x = [-10, 10], points = 22, noise = 0.1, test = 500, draw = 0)
    features = 1
    task = regression
    split = given
    standardize = none
}
model levy { input -> dense(5) -> relu -> linear(1) }
train {
    loss = mae
    optimizer = adam(lr = 0.05)
    batch = 4
    epochs = 7
    metrics = [rmse]
    schedule = reduce_on_plateau(valid.rmse, factor = 0.5, patience = 1)
    stop = early_stop(valid.rmse, patience = 4, restore_best = true)
}
";

fn request(text: &str) -> Request {
    let file = Source { name: "levy.gmpnet".into(), text: text.into() };
    let directories = Directories { data: "nowhere".into(), beside: None };
    Request { file, overrides: Overrides::default(), directories, device: Arc::new(Cpu::default()) }
}

fn device() -> Arc<dyn Device> {
    Arc::new(Cpu::default())
}

/// Trains in a folder; the stop flag goes up after `stop_after` epochs.
fn run(request: &Request, folder: &Path, stop_after: Option<usize>) -> Result<Done, Failure> {
    let stop = AtomicBool::new(stop_after == Some(0));
    let mut epochs = 0;
    let mut listener = |event: &Event| {
        if let Event::Epoch(_) = event {
            epochs += 1;
            stop.store(Some(epochs) == stop_after, Ordering::Relaxed);
        }
    };
    train(request, Out::Folder(folder), CADENCE, &mut listener, &stop).map(|(done, _)| done)
}

fn go_on(folder: &Path, stop_after: Option<usize>) -> Result<(Done, Vec<Event>), Failure> {
    let stop = AtomicBool::new(false);
    let mut events = vec![];
    let mut epochs = 0;
    let mut listener = |event: &Event| {
        events.push(event.clone());
        if let Event::Epoch(_) = event {
            epochs += 1;
            stop.store(Some(epochs) == stop_after, Ordering::Relaxed);
        }
    };
    let directories = Directories { data: "nowhere".into(), beside: None };
    let (done, _) = resume(folder, &directories, &device(), CADENCE, &mut listener, &stop)?;
    Ok((done, events))
}

/// Lines of `metrics.jsonl` without the seconds.
fn metrics(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| line.split(",\"seconds\"").next().unwrap().to_string()).collect()
}

fn weights(folder: &Path) -> (crate::states::Named, crate::states::Named) {
    let (folder, _) = RunFolder::open(folder).unwrap();
    let best = checkpoint::read(&folder.file("best.safetensors")).unwrap();
    (folder.last().unwrap().0.tensors, best.tensors)
}

#[test]
fn a_run_that_is_stopped_and_resumed_ends_like_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let expected = run(&request(FILE), &whole, None).unwrap();
    assert!(expected.figures.iter().any(|(name, value)| name == "test.rmse" && value.is_finite()));
    let stopped = run(&request(FILE), &broken, Some(0)).unwrap();
    assert_eq!((stopped.stopped_by, stopped.epochs), (StoppedBy::Signal, 0));
    let done = loop {
        let (done, _) = go_on(&broken, Some(2)).unwrap();
        if done.stopped_by != StoppedBy::Signal {
            break done;
        }
    };
    assert_eq!(
        (done.epochs, done.best_epoch, done.stopped_by),
        (expected.epochs, expected.best_epoch, expected.stopped_by)
    );
    assert_eq!(done.figures, expected.figures);
    assert_eq!(metrics(&broken), metrics(&whole));
    assert_eq!(weights(&broken), weights(&whole));
    // A run that has ended is only evaluated again.
    let (again, events) = go_on(&broken, None).unwrap();
    assert_eq!(again.figures, expected.figures);
    assert!(!events.iter().any(|event| matches!(event, Event::Epoch(_))));
}

#[test]
fn a_damaged_checkpoint_is_passed_over_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    run(&request(FILE), &whole, None).unwrap();
    run(&request(FILE), &broken, Some(2)).unwrap();
    go_on(&broken, Some(2)).unwrap();
    std::fs::write(broken.join("last.safetensors"), b"half a file").unwrap();
    let (_, events) = go_on(&broken, None).unwrap();
    let warned =
        |event: &Event| matches!(event, Event::Warning { message, .. } if message.contains("no usable checkpoint"));
    assert!(events.iter().any(warned));
    assert_eq!(metrics(&broken), metrics(&whole));
    assert_eq!(weights(&broken), weights(&whole));
}

#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    run(&request(FILE), &whole, None).unwrap();
    run(&request(FILE), &broken, Some(2)).unwrap();
    std::fs::remove_file(broken.join("last.safetensors")).unwrap();
    std::fs::remove_file(broken.join("best.safetensors")).unwrap();
    go_on(&broken, None).unwrap();
    assert_eq!(metrics(&broken), metrics(&whole));
    assert_eq!(weights(&broken), weights(&whole));
}

#[test]
fn one_folder_holds_one_run_and_one_process() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    run(&request(FILE), &path, Some(1)).unwrap();
    let error = run(&request(FILE), &path, None).unwrap_err();
    assert!(matches!(&error, Failure::Usage(told) if told.message.ends_with("already holds a run")), "{error}");
    let (folder, about) = RunFolder::open(&path).unwrap();
    assert_eq!((about.model.as_str(), about.param.as_str(), about.rows), ("levy", "gmp", [18, 4, 500]));
    let lock = folder.lock().unwrap();
    let error = go_on(&path, None).unwrap_err().to_string();
    assert!(error.starts_with(&format!("process {} is training in", std::process::id())), "{error}");
    drop(lock);
    go_on(&path, None).unwrap();
}

#[test]
fn a_changed_source_and_other_data_are_noticed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    run(&request(FILE), &path, Some(1)).unwrap();
    let source = path.join("source.gmpnet");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, text.replace("dense(5)", "dense(6)")).unwrap();
    assert!(go_on(&path, None).unwrap_err().to_string().ends_with("is not what the run was started with"));
    std::fs::write(&source, &text).unwrap();
    let about = std::fs::read_to_string(path.join("run.json")).unwrap();
    let (_, known) = RunFolder::open(&path).unwrap();
    std::fs::write(path.join("run.json"), about.replace(&known.data_sha256, &"0".repeat(64))).unwrap();
    let error = go_on(&path, None).unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string().as_str()),
        (3, "the rows of wave are not those the run was started with")
    );
}

#[test]
fn a_diverging_run_leaves_its_last_finite_state() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let text =
        FILE.replace("adam(lr = 0.05)", "sgd(lr = 1e30)").replace("mae", "mse").replace("param = gmp", "param = sp");
    let error = run(&request(&text), &path, None).unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    let (checkpoint, _) = RunFolder::open(&path).unwrap().0.last().unwrap();
    for (name, stored) in &checkpoint.tensors {
        assert!(stored.numbers.as_slice().to_f64().iter().all(|number| number.is_finite()), "{name}");
    }
}

#[test]
fn folders_are_named_after_what_they_hold() {
    let about = |model: &str, data: &str, param: &str| {
        let text = |t: &str| t.to_string();
        About { model: text(model), data: text(data), param: text(param), seed: 3, ..About::new() }.folder_name()
    };
    assert_eq!(about("levy", "levy", "gmp + mn"), "levy-gmp-mn-seed3");
    assert_eq!(about("net", "uci.yacht", "sp"), "net-uci.yacht-sp-seed3");
    assert_eq!(about("net", "../my data.csv", "sp"), "net-..-my-data.csv-sp-seed3");
    let place = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..3).map(|_| free(place.path(), "a").unwrap()).collect();
    assert_eq!(names, ["a", "a-2", "a-3"].map(|name| place.path().join(name)));
}

#[test]
fn what_is_no_run_folder_is_told() {
    let place = tempfile::tempdir().unwrap();
    let error = RunFolder::open(place.path()).unwrap_err();
    assert!(error.to_string().ends_with("is no run folder: it has no run.json"), "{error}");
    std::fs::write(place.path().join("run.json"), "{").unwrap();
    assert_eq!(RunFolder::open(place.path()).unwrap_err().exit_code(), 6);
}

#[test]
fn a_finished_run_is_evaluated_predicted_with_and_converted() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let text = FILE.replace("standardize = none", "standardize = all");
    let done = run(&request(&text), &path, None).unwrap();
    let directories = Directories { data: "nowhere".into(), beside: None };
    let (figures, _) = crate::evaluate::evaluate(&path, &directories, &device()).unwrap();
    for (name, value) in &done.figures {
        let found = figures.iter().find(|(known, _)| known == name).unwrap().1;
        assert_eq!(found, *value, "{name}");
    }
    let input = place.path().join("new.csv");
    std::fs::write(&input, "x\n-10\n0.5\n10\n").unwrap();
    let (found, _) = crate::predict::predict(&path, &[input], &directories, &device()).unwrap();
    assert_eq!((found.rows, found.outputs), (3, 1));
    // In the file's units: y runs from about -5 to 5 over this range.
    assert!(found.values[2] - found.values[0] > 3.0, "{:?}", found.values);
    let (written, _) = crate::convert::convert(&path, "sp", None).unwrap();
    assert_eq!(written, path.join("best.sp.safetensors"));
    let plain = checkpoint::read(&written).unwrap().tensors;
    assert_eq!(plain["dense1.w"].shape, [5, 1]);
    // Folded by hand: standardize, relu(w x + b), linear, back to the file's units.
    let (_, about) = RunFolder::open(&path).unwrap();
    let (input, target) = (about.inputs.input_scale.unwrap(), about.inputs.target_scale.unwrap());
    let all = |name: &str| plain[name].numbers.as_slice().to_f64();
    let (w, b, v, c) = (all("dense1.w"), all("dense1.b"), all("linear1.w"), all("linear1.b"));
    for (x, expected) in [-10.0, 0.5, 10.0].iter().zip(&found.values) {
        let x = (x - input.mean[0]) / input.deviation[0];
        let y = (0..5).map(|i| v[i] * (w[i] * x + b[i]).max(0.0)).sum::<f64>() + c[0];
        let y = y * target.deviation[0] + target.mean[0];
        assert!((y - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{y} and {expected}");
    }
}
