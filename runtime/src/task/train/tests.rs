//! Settings of the training block that change what a step is: whole runs in real folders, compared with runs that must be equal.

use super::{Out, train};
use crate::event::{Event, StoppedBy};
use crate::failure::Failure;
use crate::run::folder::RunFolder;
use crate::task::experiment::{Request, prepare};
use crate::task::resume::resume;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_device::states::named::Named;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::source::Source;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::tempdir;

/// A small experiment in double precision with these lines in its `train` block.
fn file(settings: &str) -> String {
    format!(
        "precision = f64
        data = levy(points = 22, noise = 0.1, validation = 0)
        model m {{ input -> dense(6) as first -> tanh -> dense(4) as second -> tanh -> linear(1) as out }}
        train {{ loss = mse  metrics = [rmse]  {settings} }}"
    )
}

fn request(text: &str) -> Request {
    let file = Source { name: "m.gmpnet".into(), text: text.into() };
    let directories = Directories { data: "nowhere".into(), beside: None };
    let (device, observer) = (device(), Arc::new(Silent));
    Request { file, overrides: Overrides::default(), directories, device, observer }
}

fn device() -> Arc<dyn Device> {
    Arc::new(Cpu::default())
}

/// Trains in a folder until the end, or until so many epochs are done; returns every tensor of `last.safetensors`.
fn trained(text: &str, folder: &Path, epochs: Option<usize>) -> Result<Named, Failure> {
    let stop = AtomicBool::new(false);
    let mut done = 0;
    let mut listener = |event: &Event| {
        done += usize::from(matches!(event, Event::Epoch(_)));
        stop.store(epochs == Some(done), Ordering::Relaxed);
    };
    train(&request(text), Out::Folder(folder), Duration::from_secs(1000), &mut listener, &stop)?;
    Ok(last(folder))
}

fn last(folder: &Path) -> Named {
    let (folder, about) = RunFolder::open(folder).expect("a run");
    folder.last(&about).expect("a checkpoint").0.tensors
}

/// Every tensor of a run that is trained to its end.
fn whole(text: &str) -> Named {
    let folder = tempdir().expect("a folder");
    trained(text, &folder.path().join("run"), None).expect("a run")
}

fn numbers(tensors: &Named, name: &str) -> Vec<f64> {
    tensors[name].numbers.as_slice().to_f64()
}

fn close(a: &Named, b: &Named, names: &[&str], tolerance: f64) {
    for name in names {
        let (a, b) = (numbers(a, name), numbers(b, name));
        let near = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= tolerance);
        assert!(near, "{name}: {a:?}\n{b:?}");
    }
}

const NAMES: [&str; 4] = ["first.w", "second.w", "second.b", "out.w"];

#[test]
fn accumulated_batches_are_one_large_batch() {
    // 22 rows: three batches of 4, then 4, 4 and 2, against batches of 12 and 10.
    for optimizer in ["sgd(lr = 0.1, momentum = 0.9)", "adam(lr = 0.05)"] {
        let rest = format!("optimizer = {optimizer}  epochs = 5  schedule = cosine(per = step)  clip_norm = 0.5");
        let parts = whole(&file(&format!("batch = 4  accumulate = 3  {rest}")));
        let large = whole(&file(&format!("batch = 12  {rest}")));
        close(&parts, &large, &NAMES, 1e-12);
    }
}

#[test]
fn the_average_of_epochs_is_their_mean() {
    let run = |epochs: u64, more: &str| {
        whole(&file(&format!("optimizer = sgd(lr = 0.1)  batch = 4  epochs = {epochs}  {more}")))
    };
    let average = run(5, "average = swa(start = 1, every = 2)");
    let parts = [run(1, ""), run(3, ""), run(5, "")];
    for name in NAMES {
        let found = numbers(&average, &format!("average/{name}"));
        let parts: Vec<Vec<f64>> = parts.iter().map(|part| numbers(part, name)).collect();
        for (i, found) in found.iter().enumerate() {
            let mean = parts.iter().map(|part| part[i]).sum::<f64>() / 3.0;
            assert!((found - mean).abs() < 1e-14, "{name}: {found} {mean}");
        }
    }
    close(&average, &parts[2], &NAMES, 0.0); // the weights themselves go on
}

#[test]
fn an_exponential_average_follows_its_recurrence() {
    // One step an epoch, so that runs of 1, 2 and 3 epochs have the weights after each step.
    let run = |epochs: u64, more: &str| {
        whole(&file(&format!("optimizer = sgd(lr = 0.1)  batch = all  epochs = {epochs}  {more}")))
    };
    let average = run(3, "average = ema(0.8)");
    let [a, b, c] = [run(1, ""), run(2, ""), run(3, "")].map(|run| numbers(&run, "first.w"));
    let found = numbers(&average, "average/first.w");
    for (i, found) in found.iter().enumerate() {
        let expected = 0.8 * (0.8 * a[i] + 0.2 * b[i]) + 0.2 * c[i];
        assert!((found - expected).abs() < 1e-15, "{found} {expected}");
    }
}

#[test]
fn what_is_evaluated_and_used_is_the_average() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("run");
    let settings = "optimizer = adam(lr = 0.1)  batch = 4  epochs = 4  average = ema(0.9)";
    let tensors = trained(&file(settings), &path, None).unwrap();
    let (run, about) = RunFolder::open(&path).unwrap();
    let used = run.weights(&about).unwrap().tensors;
    assert_eq!(used["first.w"], tensors["average/first.w"]);
    assert_ne!(used["first.w"], tensors["first.w"]);
    let figures = crate::task::evaluate::evaluate(&path, &request("").directories, &device()).unwrap().figures;
    let told = std::fs::read_to_string(path.join("result.json")).unwrap();
    let test = figures.iter().find(|(name, _)| name == "test.rmse").unwrap().1;
    assert!(told.contains(&test.to_string()), "{told} has no {test}");
}

#[test]
fn every_state_of_a_step_survives_a_stop() {
    let settings = "optimizer = nadam(lr = 0.02)  batch = 4  accumulate = 2  epochs = 6  average = swa(start = 2)
        schedule = warm_up(1, per = step, then = one_cycle)  clip_norm = 1  groups = [out(lr = 0.01)]  freeze = [second]
        stop = early_stop(train.loss, patience = 50)";
    let folder = tempdir().unwrap();
    let unbroken = trained(&file(settings), &folder.path().join("a"), None).unwrap();
    let path = folder.path().join("b");
    trained(&file(settings), &path, Some(3)).unwrap();
    let listener = &mut |_: &Event| {};
    let directories = request("").directories;
    let never = AtomicBool::new(false);
    let done = resume(&path, &directories, &device(), Duration::from_secs(1000), listener, &never).unwrap().0;
    assert_eq!(done.stopped_by, StoppedBy::Epochs);
    assert!(last(&path) == unbroken, "the bits differ");
}

#[test]
fn a_longer_run_from_a_finished_one_is_the_long_run() {
    let folder = tempdir().unwrap();
    let text = |epochs: u64, more: &str| {
        file(&format!("optimizer = adam(lr = 0.05)  batch = 4  epochs = {epochs}  average = ema(0.9)  {more}"))
    };
    let long = whole(&text(5, ""));
    let short = folder.path().join("short");
    trained(&text(2, ""), &short, None).unwrap();
    let from = format!("start = run({:?}, whole = true)", short.display().to_string());
    let path = folder.path().join("more");
    assert!(trained(&text(5, &from), &path, None).unwrap() == long, "the bits differ");
    let parent = RunFolder::open(&path).unwrap().1.parent.expect("a parent");
    assert_eq!(parent.identity, RunFolder::open(&short).unwrap().1.identity());
    // Stopped in between and resumed, it is the same.
    let stopped = folder.path().join("stopped");
    trained(&text(5, &from), &stopped, Some(1)).unwrap();
    let (directories, never) = (request("").directories, AtomicBool::new(false));
    let mut warnings = Vec::new();
    let listener = &mut |event: &Event| {
        if let Event::Warning { message, .. } = event {
            warnings.push(message.clone());
        }
    };
    resume(&stopped, &directories, &device(), Duration::from_secs(1000), listener, &never).unwrap();
    assert!(last(&stopped) == long, "the bits differ");
    assert_eq!(warnings, [] as [String; 0]);
    let error = trained(&text(2, &from), &folder.path().join("none"), None).unwrap_err().to_string();
    assert!(error.contains("it has done 2 epochs"), "{error}");
}

#[test]
fn a_start_takes_weights_by_name_and_draws_what_is_excepted() {
    let folder = tempdir().unwrap();
    let first = folder.path().join("first");
    let settings = "optimizer = adam(lr = 0.05)  batch = 4  epochs = 3";
    let other = trained(&file(settings), &first, None).unwrap();
    // A rate of nearly nothing leaves the first weights as they are.
    let still = |start: &str| {
        format!("optimizer = sgd(lr = 1e-300)  epochs = 1  start = run({:?}{start})", first.display().to_string())
    };
    let path = folder.path().join("second");
    let own = trained(&file(&still(", except = [out]")), &path, None).unwrap();
    assert_eq!((&own["first.w"], &own["second.b"]), (&other["first.w"], &other["second.b"]));
    assert_eq!(own["out.w"], whole(&file("optimizer = sgd(lr = 1e-300)  epochs = 1"))["out.w"]);
    let wider = file(&still("")).replace("dense(4) as second", "dense(5) as second");
    let error = trained(&wider, &folder.path().join("third"), None).unwrap_err().to_string();
    assert!(error.contains("`second.w` is [4, 6] in it, where the network has [5, 6]"), "{error}");
}

#[test]
fn seeds_of_data_weights_and_order_are_apart() {
    let text = |seed: &str| {
        format!("seed = {seed}\n{}", file("optimizer = sgd(lr = 0.1)").replace("validation = 0", "validation = 0.3"))
    };
    let prepared = |seed: &str| prepare(&request(&text(seed))).map_err(|failure| failure.to_string()).unwrap();
    let (a, b) = (prepared("seeds(data = 5, weights = 1, order = 2)"), prepared("5"));
    assert_eq!((a.weights_seed(), a.seed(), &a.data_sha256), (1, 2, &b.data_sha256));
    assert_ne!(prepared("seeds(weights = 5)").data_sha256, b.data_sha256);
}

#[test]
fn parameterizations_can_start_as_the_same_function() {
    let text = |param: &str| {
        format!(
            "defaults = [sp(init = he_normal), wn(init = he_normal), gmp(init = he_normal, scale = \"drawn\")]
            param = {param}
            {}",
            file("optimizer = sgd(lr = 0.1)").replace("tanh", "relu")
        )
    };
    let loss = |param: &str| {
        let prepared = prepare(&request(&text(param))).map_err(|failure| failure.to_string()).unwrap();
        let mut session = prepared.session();
        session.initialize(prepared.weights_seed()).unwrap();
        session.evaluate(&prepared.tables.test).unwrap()[0].1
    };
    let expected = loss("sp");
    assert!((loss("wn") - expected).abs() < 1e-12 && (loss("gmp") - expected).abs() < 1e-12);
    assert!((loss("bn") - expected).abs() > 1e-3, "another function");
}

#[test]
fn measures_over_all_rows_agree_with_the_predictions() {
    let folder = tempdir().unwrap();
    let line = |i: u32| {
        let x = f64::from(i * 37 % 100) / 50.0 - 1.0;
        format!("{x},{}\n", if x + (f64::from(i) * 1.7).sin() > 0.2 { "yes" } else { "no" })
    };
    let rows: String = (0..300).map(line).collect();
    std::fs::write(folder.path().join("rows.csv"), format!("x,kind\n{rows}")).unwrap();
    let text = "precision = f64
        data = table(\"rows.csv\", target = \"kind\", classes = 2, task = classification)
        model m { input -> dense(4) -> tanh -> linear(2) }
        train { loss = cross_entropy  optimizer = adam(lr = 0.05)  batch = 16  epochs = 5
            metrics = [auc, macro_f1, accuracy]  stop = early_stop(valid.auc) }";
    let mut request = request(text);
    request.directories.beside = Some(folder.path().to_path_buf());
    let path = folder.path().join("run");
    let never = AtomicBool::new(false);
    train(&request, Out::Folder(&path), Duration::from_secs(1000), &mut |_: &Event| {}, &never).unwrap();
    let directories = request.directories.clone();
    let figures = crate::task::evaluate::evaluate(&path, &directories, &device()).unwrap().figures;
    let figure = |name: &str| figures.iter().find(|(known, _)| known == name).expect("a figure").1;
    let found = crate::task::evaluate::confusion(&path, &directories, &device()).unwrap();
    assert_eq!(found.labels, ["no", "yes"]);
    let [[a, b], [c, d]] = [0, 1].map(|k| [0, 1].map(|l| found.counts[k][l] as f64));
    assert!((figure("test.accuracy") - (a + d) / (a + b + c + d)).abs() < 1e-6);
    let f1 = |hit: f64, other: f64| 2.0 * hit / (2.0 * hit + other);
    assert!((figure("test.macro_f1") - (f1(a, b + c) + f1(d, b + c)) / 2.0).abs() < 1e-6);
    assert!((figure("test.auc") - area_by_pairs(&path, &directories)).abs() < 1e-9);
}

/// The area under the ROC curve of the test rows by looking at every pair of a true and a false one.
fn area_by_pairs(path: &Path, directories: &Directories) -> f64 {
    let (folder, about, prepared) = crate::task::reopen::reopen(path, directories, &device()).unwrap();
    let mut session = prepared.session();
    crate::task::evaluate::put_weights(&mut session, &folder, &about).unwrap();
    let rows = &prepared.tables.test;
    let scores = session.predict(rows).unwrap();
    let score = |row: usize| scores[2 * row + 1] - scores[2 * row];
    let (mut wins, mut pairs) = (0.0, 0.0);
    for a in (0..rows.count()).filter(|&row| rows.target(row) == 1.0) {
        for b in (0..rows.count()).filter(|&row| rows.target(row) == 0.0) {
            pairs += 1.0;
            wins += if score(a) > score(b) { 1.0 } else { 0.5 * f64::from(u8::from(score(a) == score(b))) };
        }
    }
    wins / pairs
}

#[test]
fn averages_begin_at_what_the_first_batch_sets() {
    let text = file("optimizer = sgd(lr = 0.1)  batch = 8  average = ema(0.9)  freeze = [first]")
        .replace("precision = f64", "precision = f64\nparam = wn_data");
    let prepared = prepare(&request(&text)).map_err(|failure| failure.to_string()).unwrap();
    let mut session = prepared.session();
    crate::task::start::begin(&prepared.beginning(), &mut session).unwrap();
    let states = session.states.named(|_| true);
    assert_eq!(states["average/first.l"], states["first.l"]);
    assert!(numbers(&states, "first.l").iter().all(|l| *l != 1.0), "the first batch has set them");
}

#[test]
fn a_name_of_except_that_means_no_layer_is_told_with_the_nearest() {
    let folder = tempdir().unwrap();
    let first = folder.path().join("first");
    trained(&file("optimizer = adam(lr = 0.05)  epochs = 1"), &first, None).unwrap();
    let start = format!("start = run({:?}, except = [ouut])", first.display().to_string());
    let text = file(&format!("optimizer = adam(lr = 0.05)  epochs = 1  {start}"));
    let error = trained(&text, &folder.path().join("second"), None).unwrap_err();
    assert!(format!("{error:?}").contains("did you mean `out`?"), "{error:?}");
}

#[test]
fn a_run_that_continues_another_one_keeps_its_best_epoch_until_there_is_a_better_one() {
    let folder = tempdir().unwrap();
    let text = |optimizer: &str, epochs: u64, more: &str| {
        file(&format!(
            "optimizer = {optimizer}  batch = 4  epochs = {epochs}  select = test
            stop = early_stop(test.loss, patience = 50)  {more}"
        ))
    };
    let first = folder.path().join("first");
    trained(&text("adam(lr = 0.05)", 2, ""), &first, None).unwrap();
    let from = format!("start = run({:?}, whole = true)", first.display().to_string());
    let second = folder.path().join("second");
    // With a rate of nearly nothing no epoch is better.
    trained(&text("adam(lr = 1e-300)", 4, &from), &second, None).unwrap();
    let weights = |path: &Path| {
        let (run, about) = RunFolder::open(path).unwrap();
        run.weights(&about).unwrap().tensors
    };
    assert_eq!(weights(&first), weights(&second));
}
