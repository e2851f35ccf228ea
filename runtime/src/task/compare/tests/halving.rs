//! Successive halving: what goes on is what whole runs say, and nothing else decides: no worker, no shard, no interruption.

use super::*;
use serde_json::Value;

/// Nine rates for two parameterizations, three seeds, nine epochs under a schedule that depends on how many there are.
fn axes() -> Axes {
    let rates = "0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1e30";
    Axes { choose: vec!["train.optimizer.lr".into()], halve: Some(3), ..super::axes("sp,gmp", rates) }
}

fn request() -> Request {
    let mut request = super::request();
    let set = [
        ("train.epochs", "9"),
        ("train.schedule", "cosine()"),
        ("train.stop", "early_stop(valid.rmse, patience = 6, restore_best = true)"),
    ];
    request.overrides.set.extend(set.map(|(key, value)| (key.to_string(), value.to_string())));
    request
}

/// A comparison without what depends on the clock; `stop_after` ends it when so many runs have been told.
fn run_with(axes: &Axes, keep: Option<&Path>, threads: usize, stop_after: usize) -> Comparison {
    let (stop, mut count) = (AtomicBool::new(false), 0);
    let mut told = |_: &Step| {
        count += 1;
        stop.store(count >= stop_after, Ordering::Relaxed);
    };
    let (mut found, _) = compare(&request(), axes, keep, threads, &mut told, &stop).unwrap();
    found.cells.iter_mut().flat_map(|cell| &mut cell.outcomes).for_each(|outcome| outcome.seconds = 0.0);
    found
}

fn halved(folder: &Path, threads: usize) -> Comparison {
    run_with(&axes(), Some(folder), threads, usize::MAX)
}

/// What a comparison says, with numbers that are none made equal to themselves.
fn said(found: &Comparison) -> String {
    format!("{found:?}")
}

/// The figure that values are chosen by of a whole run, after so many epochs: that of the best of them, whose weights it would end with.
fn after(lines: &str, epochs: usize) -> f64 {
    let figures = lines.lines().take(epochs).map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["valid.rmse"].as_f64().unwrap()
    });
    figures.fold(f64::INFINITY, f64::min)
}

#[test]
fn what_goes_on_is_what_whole_runs_say_after_as_many_epochs() {
    let (folder, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let found = halved(folder.path(), 2);
    run_with(&Axes { halve: None, ..axes() }, Some(whole.path()), 2, usize::MAX);
    let kept = Kept::open(whole.path()).unwrap();
    let rungs: Vec<(u64, usize)> =
        found.halving.as_ref().unwrap().rungs.iter().map(|rung| (rung.epochs, rung.values)).collect();
    assert_eq!(rungs, [(1, 9), (3, 3), (9, 1)]);
    for param in ["sp", "gmp"] {
        let own: Vec<usize> = (0..found.cells.len()).filter(|k| found.cells[*k].param == param).collect();
        let mut left: Vec<usize> = own.iter().copied().filter(|k| found.cells[*k].over[0].1 != "1e30").collect();
        for (epochs, next) in [(1, 3), (3, 1)] {
            let mean = |k: usize| kept.epochs[k].iter().map(|lines| after(lines, epochs)).sum::<f64>() / 3.0;
            left.sort_by(|a, b| mean(*a).total_cmp(&mean(*b)));
            for stopped in left.split_off(next) {
                assert_eq!(
                    found.cells[stopped].stopped,
                    Some(epochs as u64),
                    "{param} {:?}",
                    found.cells[stopped].over
                );
                assert!((found.cells[stopped].choice - mean(stopped)).abs() < 1e-12);
            }
        }
        // What is left is bit for bit the run that was never paused.
        let (ours, theirs) = (&found.cells[left[0]], &kept.comparison.cells[left[0]]);
        assert_eq!((ours.stopped, &ours.values, ours.choice), (None, &theirs.values, theirs.choice));
        let lines = Kept::open(folder.path()).unwrap().epochs[left[0]].clone();
        let figures = |all: &[String]| all.iter().map(|lines| after(lines, 9)).collect::<Vec<f64>>();
        assert_eq!(figures(&lines), figures(&kept.epochs[left[0]]));
        let broken = own.iter().find(|k| found.cells[**k].over[0].1 == "1e30").unwrap();
        assert_eq!(found.cells[*broken].stopped, Some(1), "a value that diverges never goes on");
    }
    let chosen: Vec<Option<usize>> = found.chosen().iter().map(|one| one.cell).collect();
    assert!(chosen.iter().all(|cell| cell.is_some_and(|cell| found.cells[cell].stopped.is_none())));
    assert_eq!(said(&Kept::open(folder.path()).map(without_time).unwrap()), said(&found), "the folder says the same");
    let left = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
    let left: Vec<_> =
        left.filter(|path| path.extension().is_some_and(|e| e == "safetensors" || e == "lock")).collect();
    assert!(left.is_empty(), "checkpoints that nobody needs: {left:?}");
}

fn without_time(kept: Kept) -> Comparison {
    let mut found = kept.comparison;
    found.cells.iter_mut().flat_map(|cell| &mut cell.outcomes).for_each(|outcome| outcome.seconds = 0.0);
    found
}

#[test]
fn neither_workers_nor_interruptions_nor_lost_checkpoints_change_it() {
    let folder = || tempfile::tempdir().unwrap();
    let expected = said(&halved(folder().path(), 1));
    assert_eq!(said(&halved(folder().path(), 5)), expected);
    for stop_after in [1, 20, 55, 60, 73] {
        let folder = folder();
        let part = run_with(&axes(), Some(folder.path()), 2, stop_after);
        assert!(!part.complete, "{stop_after}");
        // A checkpoint that is damaged or gone costs time and no more.
        let all = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
        let checkpoints = all.filter(|path| path.extension().is_some_and(|e| e == "safetensors"));
        for (k, path) in checkpoints.enumerate().filter(|(k, _)| k % 2 == 0) {
            if k % 4 == 0 { std::fs::write(path, "damaged") } else { std::fs::remove_file(path) }.unwrap();
        }
        assert_eq!(said(&halved(folder.path(), 3)), expected, "{stop_after}");
    }
}

#[test]
fn whole_runs_that_are_kept_already_decide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    run_with(&Axes { halve: None, ..axes() }, Some(folder.path()), 2, usize::MAX);
    let expected = said(&halved(tempfile::tempdir().unwrap().path(), 2));
    assert_eq!(said(&halved(folder.path(), 2)), expected);
}

#[test]
fn several_processes_and_shards_of_any_order_come_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let expected = said(&halved(folder.path(), 2));
    let shared = tempfile::tempdir().unwrap();
    // Threads stand for processes: claims are per open file.
    std::thread::scope(|scope| {
        let one = |part: &str| {
            let axes = Axes { shard: Shard::parse(part).ok(), ..axes() };
            run_with(&axes, Some(shared.path()), 1, usize::MAX)
        };
        let parts: Vec<_> = ["1/3", "2/3"].map(|part| scope.spawn(move || one(part))).into_iter().collect();
        for part in parts {
            assert!(part.join().unwrap().complete, "a shard takes over what nobody has begun");
        }
    });
    assert!(!Kept::is_in(shared.path()));
    assert_eq!(said(&halved(shared.path(), 1)), expected);
}

#[test]
fn what_cannot_be_halved_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |axes: &Axes, request: &Request, keep: Option<&Path>| {
        let told = &mut |_: &Step| panic!("nothing should run");
        let failure = compare(request, axes, keep, 1, told, &AtomicBool::new(false)).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        format!("{failure}; {}", failure.help().unwrap_or_default())
    };
    let (axes, keep) = (axes(), Some(folder.path()));
    assert!(fails(&axes, &request(), None).contains("`--out DIR`"));
    assert!(fails(&Axes { choose: vec![], ..axes.clone() }, &request(), keep).contains("--choose"));
    assert!(fails(&Axes { halve: Some(20), ..axes.clone() }, &request(), keep).contains("would have none"));
    let single = Axes { over: vec![("train.optimizer.lr".into(), vec!["0.1".into()])], ..axes.clone() };
    assert!(fails(&single, &request(), keep).contains("one value"));
    let mut other = request();
    other.overrides.set.retain(|(key, _)| key != "train.epochs");
    let over = vec![("train.epochs".to_string(), split_list("3,9"))];
    let epochs = Axes { over: [over, axes.over.clone()].concat(), ..axes };
    assert!(fails(&epochs, &other, keep).contains("train.epochs"));
}
