//! Runs in real folders: stopped, resumed, locked, diverged.

use super::create::free;
use super::*;
use crate::event::{Done, Event, StoppedBy};
use crate::run::checkpoint;
use crate::task::experiment::Request;
use crate::task::resume::resume;
use crate::task::train::{Out, train};
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
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
    Request {
        file,
        overrides: Overrides::default(),
        directories,
        device: Arc::new(Cpu::default()),
        observer: Arc::new(Silent),
    }
}

fn device() -> Arc<dyn Device> {
    Arc::new(Cpu::default())
}

/// Trains in a folder. The stop flag is set after `stop_after` epochs.
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

fn weights(folder: &Path) -> (gmpc_device::states::named::Named, gmpc_device::states::named::Named) {
    let (folder, about) = RunFolder::open(folder).unwrap();
    let best = checkpoint::read(&folder.file("best.safetensors")).unwrap();
    (folder.last(&about).unwrap().0.tensors, best.tensors)
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
        |event: &Event| matches!(event, Event::Warning { message, .. } if message.contains("not a usable checkpoint"));
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
    assert!(matches!(&error, Failure::Usage(message) if message.message.ends_with("already holds a run")), "{error}");
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
    assert!(go_on(&path, None).unwrap_err().to_string().ends_with("has changed since the run began"));
    std::fs::write(&source, &text).unwrap();
    let text = std::fs::read_to_string(path.join("run.json")).unwrap();
    let (_, known) = RunFolder::open(&path).unwrap();
    std::fs::write(path.join("run.json"), text.replace(&known.data_sha256, &"1".repeat(64))).unwrap();
    let error = go_on(&path, None).unwrap_err();
    assert!(error.exit_code() == 6 && error.to_string().contains("it was edited or damaged"), "{error}");
    let other = About { data_sha256: "1".repeat(64), ..known };
    std::fs::write(path.join("run.json"), other.sealed().unwrap()).unwrap();
    let error = go_on(&path, None).unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string().as_str()),
        (3, "the rows of wave have changed since the run began")
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
    let (folder, about) = RunFolder::open(&path).unwrap();
    let (checkpoint, _) = folder.last(&about).unwrap();
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
    assert!(error.to_string().ends_with("is not a run folder: it has no run.json"), "{error}");
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
    let figures = crate::task::evaluate::evaluate(&path, &directories, &device()).unwrap().figures;
    for (name, value) in &done.figures {
        let found = figures.iter().find(|(known, _)| known == name).unwrap().1;
        assert_eq!(found, *value, "{name}");
    }
    let input = place.path().join("new.csv");
    std::fs::write(&input, "x\n-10\n0.5\n10\n").unwrap();
    let (found, _) = crate::task::predict::predict(&path, &[input], &[], &directories, &device()).unwrap();
    assert_eq!((found.rows, found.outputs), (3, 1));
    // In the units of the file: y goes from about -5 to 5 over this range.
    assert!(found.values[2] - found.values[0] > 3.0, "{:?}", found.values);
    let (written, _) = crate::task::convert::convert(&path, "sp", None, None).unwrap();
    assert_eq!(written, path.join("best.sp.safetensors"));
    let plain = checkpoint::read(&written).unwrap().tensors;
    assert_eq!(plain["dense1.w"].shape, [5, 1]);
    // Folded by hand: standardize, relu(w x + b), linear, and back to the units of the file.
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

/// The message and the next step of a failure, in one line.
fn message(failure: &Failure) -> String {
    format!("{failure} | {}", failure.help().unwrap_or_default())
}

fn evaluated(path: &Path) -> Result<Vec<crate::event::Figure>, Failure> {
    let directories = Directories { data: "nowhere".into(), beside: None };
    crate::task::evaluate::evaluate(path, &directories, &device()).map(|found| found.figures)
}

#[test]
fn the_best_weights_are_never_replaced_by_others() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    run(&request(FILE), &path, None).unwrap();
    let figures = evaluated(&path).unwrap();
    let best = path.join("best.safetensors");
    let whole = std::fs::read(&best).unwrap();
    std::fs::remove_file(&best).unwrap();
    let missing = message(&evaluated(&path).unwrap_err());
    assert!(missing.contains("is missing") && missing.contains("--resume"), "{missing}");
    go_on(&path, None).unwrap();
    assert_eq!((std::fs::read(&best).unwrap(), evaluated(&path).unwrap()), (whole.clone(), figures));
    std::fs::write(&best, &whole[..whole.len() / 2]).unwrap();
    let damaged = message(&evaluated(&path).unwrap_err());
    assert!(damaged.contains("not a usable checkpoint") && damaged.contains("--resume"), "{damaged}");
    let (_, events) = go_on(&path, None).unwrap();
    assert!(events.iter().any(|e| matches!(e, Event::Warning { message, .. } if message.contains("was restored"))));
    assert_eq!(std::fs::read(&best).unwrap(), whole);
    // Without both versions of `last`, one next step is left, and the message names it.
    for name in ["best.safetensors", "last.safetensors", "last.previous.safetensors"] {
        std::fs::write(path.join(name), b"nothing").unwrap();
    }
    let lost = message(&evaluated(&path).unwrap_err());
    assert!(lost.contains("source.gmpnet --out OTHER"), "{lost}");
    let lost = message(&go_on(&path, None).unwrap_err());
    assert!(lost.contains("source.gmpnet --out OTHER"), "{lost}");
}

#[test]
fn weights_of_another_run_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (mine, other) = (place.path().join("mine"), place.path().join("other"));
    run(&request(FILE), &mine, None).unwrap();
    let more = FILE.replace("epochs = 7", "epochs = 9");
    run(&request(&more), &other, None).unwrap();
    std::fs::copy(other.join("best.safetensors"), mine.join("best.safetensors")).unwrap();
    assert!(message(&evaluated(&mine).unwrap_err()).contains("belongs to another run"));
    std::fs::copy(other.join("last.safetensors"), mine.join("last.safetensors")).unwrap();
    assert!(message(&go_on(&mine, None).unwrap_err()).contains("belongs to another run"));
    // A repetition of the same run is not another run.
    let again = place.path().join("again");
    run(&request(FILE), &again, None).unwrap();
    for name in ["best.safetensors", "last.safetensors"] {
        std::fs::copy(again.join(name), mine.join(name)).unwrap();
    }
    assert_eq!(evaluated(&mine).unwrap(), evaluated(&again).unwrap());
}

#[test]
fn converted_weights_are_not_trained_over() {
    let place = tempfile::tempdir().unwrap();
    let (path, converted) = (place.path().join("run"), place.path().join("plain"));
    run(&request(FILE), &path, None).unwrap();
    crate::task::convert::convert(&path, "sp", Some(&converted), None).unwrap();
    let before = std::fs::read(converted.join("best.safetensors")).unwrap();
    let error = go_on(&converted, None).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("converted weights"), "{error}");
    assert_eq!(std::fs::read(converted.join("best.safetensors")).unwrap(), before);
    assert!(evaluated(&converted).unwrap().iter().all(|(_, value)| value.is_finite()));
    // A conversion does not overwrite files that a run needs, or write files with the extension of another format.
    for name in ["best.safetensors", "last.safetensors"] {
        let error = crate::task::convert::convert(&path, "sp", Some(&path.join(name)), None).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("would be overwritten"), "{error}");
    }
    assert_eq!(
        crate::task::convert::convert(&path, "sp", Some(&place.path().join("w.onnx")), None).unwrap_err().exit_code(),
        2
    );
    evaluated(&path).unwrap();
}

#[test]
fn a_file_of_converted_weights_says_how_rows_are_scaled() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    run(&request(&FILE.replace("standardize = none", "standardize = all")), &path, None).unwrap();
    let (written, _) = crate::task::convert::convert(&path, "sp", None, None).unwrap();
    let inputs: Inputs = serde_json::from_str(&checkpoint::read(&written).unwrap().inputs.unwrap()).unwrap();
    assert_eq!(inputs, RunFolder::open(&path).unwrap().1.inputs);
    assert!(inputs.input_scale.is_some());
}

#[test]
fn a_trainer_whose_folder_was_replaced_stops() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    let mut replaced = false;
    let mut listener = |event: &Event| {
        if matches!(event, Event::Epoch(_)) && !replaced {
            replaced = true;
            std::fs::remove_dir_all(&path).unwrap();
            run(&request(&FILE.replace("epochs = 7", "epochs = 3")), &path, None).unwrap();
        }
    };
    let files = |path: &Path| std::fs::read(path.join("best.safetensors")).unwrap();
    let ended = train(&request(FILE), Out::Folder(&path), Duration::ZERO, &mut listener, &AtomicBool::new(false));
    let error = ended.map(|(done, _)| done).unwrap_err();
    assert!(error.exit_code() == 6 && error.to_string().contains("removed or replaced"), "{error}");
    let alone = place.path().join("alone");
    run(&request(&FILE.replace("epochs = 7", "epochs = 3")), &alone, None).unwrap();
    assert_eq!(files(&path), files(&alone), "nothing of the older trainer is in the newer run");
}

#[test]
fn an_edited_line_is_told_by_resuming_once() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    run(&request(FILE), &path, Some(4)).unwrap();
    let file = path.join("metrics.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.find("train.loss\":").unwrap() + "train.loss\":".len();
    let (before, rest) = text.split_at(at);
    std::fs::write(&file, format!("{before}1{rest}")).unwrap();
    let told = |events: &[Event]| {
        let said =
            |e: &&Event| matches!(e, Event::Warning { message, .. } if message.contains("is not what gmpc wrote"));
        events.iter().filter(said).count()
    };
    let (_, events) = go_on(&path, Some(5)).unwrap();
    assert_eq!(told(&events), 1, "{events:?}");
    let (_, events) = go_on(&path, None).unwrap();
    assert_eq!(told(&events), 0, "what was told is kept as it is: {events:?}");
}

#[test]
fn no_line_is_lost_by_resuming() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    run(&request(FILE), &path, Some(4)).unwrap();
    let file = path.join("metrics.jsonl");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[30] = 0xff;
    std::fs::write(&file, &bytes).unwrap();
    let (_, events) = go_on(&path, None).unwrap();
    let after = std::fs::read(&file).unwrap();
    assert!(after.starts_with(&bytes), "every earlier line is there as it was");
    assert_eq!(crate::run::metrics::lines(&after).1, [1]);
    let warned =
        |what: &str| events.iter().any(|e| matches!(e, Event::Warning { message, .. } if message.contains(what)));
    assert!(warned("line 1 cannot be read") && warned("no line for epoch 1"), "{events:?}");
    // An existing file that cannot be read must not be replaced by a new one.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(go_on(&path, None).unwrap_err().exit_code(), 6);
}

#[test]
fn a_table_is_found_from_anywhere_and_after_moving() {
    let place = tempfile::tempdir().unwrap();
    let project = place.path().join("project");
    std::fs::create_dir(&project).unwrap();
    let rows: String = (0..30).map(|i| format!("{i},{}\n", i * i)).collect();
    std::fs::write(project.join("t.csv"), "x,y\n".to_string() + &rows).unwrap();
    let text = "\
data = table(\"t.csv\", target = \"y\")
model m { input -> dense(4) -> relu -> linear(1) }
train { loss = mse optimizer = sgd(lr = 0.001) batch = 10 epochs = 2 }
";
    let mut request = request(text);
    request.directories.beside = Some(project.clone());
    let path = project.join("runs/a");
    run(&request, &path, None).unwrap();
    let figures = evaluated(&path).unwrap();
    let (folder, about) = RunFolder::open(&path).unwrap();
    assert!(about.beside.as_ref().is_some_and(|path| path.is_absolute()));
    assert_eq!(about.beside_from_run.as_deref(), Some(Path::new("../..")));
    assert_eq!(folder.beside(&about).len(), 2);
    // First the run alone is moved, then everything.
    let alone = place.path().join("alone");
    std::fs::rename(&path, &alone).unwrap();
    assert_eq!(evaluated(&alone).unwrap(), figures);
    std::fs::rename(&alone, &path).unwrap();
    let elsewhere = place.path().join("elsewhere");
    std::fs::rename(&project, &elsewhere).unwrap();
    assert_eq!(evaluated(&elsewhere.join("runs/a")).unwrap(), figures);
    let source = elsewhere.join("runs/a/source.gmpnet");
    let places = crate::task::reopen::places_of_source(&source, &request.directories);
    assert!(places.iter().any(|d| d.beside.as_ref().is_some_and(|path| path.join("t.csv").is_file())), "{places:?}");
    assert!(crate::task::reopen::places_of_source(Path::new("source.gmpnet"), &request.directories).is_empty());
}
