//! Comparisons of small networks: axes, order, what fails, what is kept.

mod halving;

use super::claim::Claim;
use super::*;
use gmpc_compiler::front::resolve::Overrides;
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::source::Source;
use std::sync::atomic::Ordering;

const FILE: &str = "\
data = wave(validation = 0.2)
dataset wave {
    y = sin(x) + x / 2
    file = formula(y, x = [-3, 3], points = 16, noise = 0.1, test = 9, draw = 0)
    features = 1
    task = regression
    split = given
    standardize = none
}
model m { input -> dense(4) -> relu -> linear(1) }
train {
    loss = mse
    optimizer = sgd(lr = 0.01)
    batch = 5
    epochs = 3
    metrics = [rmse]
}
";

fn request() -> Request {
    let file = Source { name: "m.gmpnet".into(), text: FILE.into() };
    let directories = Directories { data: "nowhere".into(), beside: None };
    Request {
        file,
        overrides: Overrides::default(),
        directories,
        device: Arc::new(Cpu::default()),
        observer: Arc::new(Silent),
    }
}

fn axes(params: &str, lr: &str) -> Axes {
    let over = vec![("train.optimizer.lr".to_string(), split_list(lr))];
    Axes { params: split_list(params), over, repeats: 3, ..Axes::default() }
}

fn run_with(axes: &Axes, keep: Option<&Path>, threads: usize) -> (Comparison, Vec<Step>) {
    let mut steps = vec![];
    let mut told = |step: &Step| steps.push(step.clone());
    let (mut found, _) = compare(&request(), axes, keep, threads, &mut told, &AtomicBool::new(false)).unwrap();
    found.cells.iter_mut().flat_map(|cell| &mut cell.outcomes).for_each(|outcome| outcome.seconds = 0.0);
    (found, steps)
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let axes = axes("sp, gmp", "0.01, 0.02");
    let (one, steps) = run_with(&axes, None, 1);
    assert_eq!((one.cells.len(), steps.len(), one.complete), (4, 12, true));
    assert_eq!((one.metric.as_str(), one.chosen_by.as_str()), ("test.rmse", "valid.rmse"));
    assert_eq!(one.cells[1].param, "gmp");
    assert_eq!(one.cells[2].over, [("train.optimizer.lr".to_string(), "0.02".to_string())]);
    assert!(one.cells.iter().all(|cell| cell.values.len() == 3 && cell.statistics.stderr > 0.0));
    assert_eq!(one.cells.iter().map(|cell| u8::from(cell.best)).sum::<u8>(), 2, "one in each group");
    assert_eq!(run_with(&axes, None, 5).0, one);
}

#[test]
fn finished_runs_are_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, steps) = run_with(&axes("sp", "0.01"), Some(folder.path()), 2);
    assert!(steps.iter().all(|step| !step.kept));
    let (both, steps) = run_with(&axes("sp", "0.01,0.1"), Some(folder.path()), 2);
    assert_eq!(steps.iter().filter(|step| step.kept).count(), 3, "{steps:?}");
    assert_eq!(both.cells[0], Cell { best: both.cells[0].best, ..first.cells[0].clone() });
    // A damaged file is as good as none.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::write(entry.unwrap().path(), "{").unwrap();
    }
    let (again, steps) = run_with(&axes("sp", "0.01,0.1"), Some(folder.path()), 2);
    assert!(steps.iter().all(|step| !step.kept));
    assert_eq!(again, both);
}

#[test]
fn a_diverging_cell_is_told_and_stops_nothing() {
    let (found, _) = run_with(&axes("sp,gmp", "0.01,1e30"), None, 2);
    let (fine, broken) = (&found.cells[..2], &found.cells[2..]);
    assert!(fine.iter().all(|cell| cell.values.len() == 3));
    for cell in broken {
        assert!(cell.values.is_empty() && !cell.best);
        let reason = cell.outcomes[0].figures.as_ref().unwrap_err();
        assert!(reason.starts_with("training diverged in step"), "{reason}");
    }
    let found = Comparison { choose: vec!["train.optimizer.lr".into()], ..found };
    assert_eq!(rates(&found), ["sp 0.01 Some(0)", "gmp 0.01 Some(1)"]);
}

#[test]
fn the_best_rate_is_chosen_on_validation_rows() {
    let (mut found, _) = run_with(&axes("sp,gmp", "0.01,0.1"), None, 2);
    for (cell, (choice, value)) in found.cells.iter_mut().zip([(1.0, 9.0), (2.0, 9.0), (3.0, 1.0), (1.5, 1.0)]) {
        cell.choice = choice;
        cell.statistics.mean = value;
    }
    assert_eq!(found.chosen().len(), 4, "without anything to choose every cell stands for itself");
    assert_eq!(found.chosen()[3].cell, Some(3));
    found.choose = vec!["train.optimizer.lr".into()];
    assert_eq!(rates(&found), ["sp 0.01 Some(0)", "gmp 0.1 Some(3)"]);
    let edges: Vec<bool> = found.chosen().iter().flat_map(|one| &one.edges).map(|edge| edge.highest).collect();
    assert_eq!(edges, [false, true], "of two values each is at an end");
    found.cells[0].choice = f64::NAN;
    found.cells[2].choice = f64::NAN;
    assert_eq!(found.chosen()[0].cell, None);
}

/// What was chosen: the parameterization, the rate, the cell.
fn rates(found: &Comparison) -> Vec<String> {
    let one = |one: &Chosen| format!("{} {} {:?}", one.param, one.values[0].1, one.cell);
    found.chosen().iter().map(one).collect()
}

#[test]
fn a_choice_between_the_ends_is_at_no_edge_and_ties_go_to_the_first() {
    let (mut found, _) = run_with(&axes("sp", "0.001,0.01,0.1"), None, 2);
    found.choose = vec!["train.optimizer.lr".into()];
    for (cell, choice) in found.cells.iter_mut().zip([2.0, 1.0, 1.0]) {
        cell.choice = choice;
    }
    let chosen = found.chosen().remove(0);
    assert_eq!((chosen.cell, chosen.edges.len(), chosen.tried.len()), (Some(1), 0, 3));
    assert_eq!(chosen.over, []);
    assert_eq!(chosen.values, [("train.optimizer.lr".to_string(), "0.01".to_string())]);
}

#[test]
fn points_are_drawn_for_every_parameterization_alike_and_more_begin_with_the_same() {
    let drawn = |count: u32| {
        let range = Range { log: true, low: 1e-3, high: 1e-1 };
        let drawn = Drawn { count, seed: 0, ranges: vec![("train.optimizer.lr".into(), range)] };
        let axes = Axes { params: split_list("sp,gmp"), drawn: Some(drawn), repeats: 2, ..Axes::default() };
        run_with(&axes, None, 2).0
    };
    let (few, more) = (drawn(2), drawn(3));
    assert_eq!((few.cells.len(), more.cells.len(), more.over[0].1.len()), (4, 6, 3));
    assert_eq!(few.cells[0].over, few.cells[1].over);
    assert_eq!(few.cells[..], more.cells[..4]);
}

#[test]
fn what_is_chosen_and_compared_with_has_to_be_there() {
    let fails = |axes: Axes| {
        let failure =
            compare(&request(), &axes, None, 1, &mut |_: &Step| panic!("runs"), &AtomicBool::new(false)).unwrap_err();
        assert_eq!(failure.exit_code(), 2, "{failure:?}");
        format!("{failure}; {}", failure.help().unwrap_or_default())
    };
    let over = || axes("sp,gmp + mn", "0.01,0.02");
    let choose = |keys: &[&str]| Axes { choose: keys.iter().map(ToString::to_string).collect(), ..over() };
    assert!(fails(choose(&["train.optimiser.lr"])).contains("did you mean `--choose train.optimizer.lr`"));
    assert!(fails(choose(&["lr"])).contains("did you mean `--choose train.optimizer.lr`"));
    assert!(fails(choose(&["train.batch"])).contains("choose one of train.optimizer.lr"));
    assert!(fails(choose(&["data"])).contains("easiest"));
    assert!(fails(Axes { over: vec![], ..choose(&["model.width"]) }).contains("`--over model.width=A,B`"));
    let baseline = |name: &str| Axes { baseline: Some(name.into()), ..over() };
    assert!(fails(baseline("gmp+nm")).contains("did you mean"));
    assert!(fails(baseline("weight_norm")).contains("sp, gmp + mn"));
    let mut blind = request();
    blind.overrides.set.push(("data.validation".into(), "0".into()));
    let told = compare(&blind, &choose(&["train.optimizer.lr"]), None, 1, &mut |_| (), &AtomicBool::new(false));
    assert!(told.unwrap_err().help().is_some_and(|help| help.contains("data.validation")));
    let axes = Axes { baseline: Some("gmp+mn".into()), ..over() };
    assert_eq!(run_with(&axes, None, 2).0.baseline.as_deref(), Some("gmp + mn"));
}

#[test]
fn a_stopped_comparison_returns_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let axes = axes("sp", "0.01,0.1");
    let mut told = |_: &Step| stop.store(true, Ordering::Relaxed);
    let (found, _) = compare(&request(), &axes, Some(folder.path()), 1, &mut told, &stop).unwrap();
    assert!(!found.complete);
    let (whole, steps) = run_with(&axes, Some(folder.path()), 1);
    assert!(whole.complete && steps.iter().any(|step| step.kept));
    assert_eq!(whole, run_with(&axes, None, 3).0);
}

#[test]
fn mistakes_are_told_before_anything_is_trained() {
    let mut told = |_: &Step| panic!("nothing should run");
    let mut fails = |axes: &Axes| compare(&request(), axes, None, 1, &mut told, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(fails(&axes("sp,gnp", "0.01")).exit_code(), 1);
    let failure = fails(&Axes { metric: Some("test.top5".into()), ..axes("sp", "0.01") });
    assert_eq!((failure.exit_code(), failure.to_string().as_str()), (2, "`test.top5` is not measured"));
}

#[test]
fn lists_are_split_outside_of_brackets() {
    assert_eq!(split_list("sp, gmp(init = a, scale = 2),"), ["sp", "gmp(init = a, scale = 2)"]);
    assert_eq!(split_list("\"a,b\",c"), ["\"a,b\"", "c"]);
    assert!(split_list(" ").is_empty());
}

#[test]
fn a_folder_tells_what_was_compared_and_keeps_every_run_s_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let choose = vec!["train.optimizer.lr".to_string()];
    let axes = Axes { choose, baseline: Some("sp".into()), ..axes("sp,gmp", "0.01,1e30") };
    let (found, _) = run_with(&axes, Some(folder.path()), 2);
    let size = found.cells[0].outcomes[0].size.unwrap();
    assert_eq!((size.rows, size.parameters), ([13, 3, 9], 13), "3 of 16 held out; 4 units with one input, then one");
    assert!(size.flops > 0);
    let starts: Vec<usize> = found.cells[2].outcomes.iter().map(|outcome| outcome.start.len()).collect();
    assert_eq!(starts, [4, 0, 0], "loss and metric of two parts, of the first seed, diverged or not");
    let mut kept = Kept::open(folder.path()).unwrap();
    let outcomes = kept.comparison.cells.iter_mut().flat_map(|cell| &mut cell.outcomes);
    outcomes.for_each(|outcome| outcome.seconds = 0.0);
    // Means of no values are no numbers, and not equal to themselves.
    assert_eq!(format!("{:?}", kept.comparison), format!("{found:?}"));
    assert_eq!((kept.model.as_str(), kept.data.as_str(), kept.source.as_str()), ("m", "wave", FILE));
    let lines = |cell: usize| kept.epochs[cell].iter().map(|run| run.lines().count()).collect::<Vec<_>>();
    assert_eq!((lines(0), lines(1)), (vec![3; 3], vec![3; 3]), "three epochs of three runs");
    let first: serde_json::Value = serde_json::from_str(kept.epochs[0][0].lines().next().unwrap()).unwrap();
    assert!(first["train.loss"].is_number() && first["valid.rmse"].is_number(), "{first}");
    std::fs::write(folder.path().join("comparison.json"), "{").unwrap();
    assert_eq!(Kept::open(folder.path()).unwrap_err().exit_code(), 6);
}

#[test]
fn axes_that_compare_nothing_are_refused() {
    let fails = |params: &str, over: &[(&str, &str)]| {
        let over = over.iter().map(|(key, values)| ((*key).to_string(), split_list(values))).collect();
        let failure = Axes { params: split_list(params), over, ..Axes::default() }.check(&[]).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        format!("{failure}; {}", failure.help().unwrap_or_default())
    };
    assert!(fails("sp", &[("seed", "1,2")]).contains("--repeats"));
    assert!(fails("sp,gmp,sp", &[]).contains("`sp` twice"));
    assert!(fails("sp", &[("train.batch", "4,4")]).contains("`4` twice"));
    assert!(fails("sp", &[("train.batch", "4"), ("train.batch", "8")]).contains("stands twice"));
    for (values, meant) in [("0,01", "`0.01`"), ("0,1,0,05", "`0.05`"), ("1,05e-3", "`1.05e-3`")] {
        let told = fails("sp", &[("train.optimizer.weight_decay", values)]);
        assert!(told.contains("decimal comma") && told.contains(meant), "{told}");
    }
    let fine = |values: &str| {
        let over = vec![("x".to_string(), split_list(values))];
        Axes { over, ..Axes::default() }.check(&[])
    };
    for values in ["0,1", "0.01,0.1", "10,100", "\"a\",\"01\"", "[1, 01]", "1,0"] {
        assert!(fine(values).is_ok(), "{values}");
    }
}

#[test]
fn a_metric_that_does_not_say_which_way_is_good_is_not_compared() {
    let own = |better: &str| {
        let mut request = request();
        request.file.text = format!("metric hits(prediction, target) {{ {better} mean(prediction > target) }}\n")
            + &FILE.replace("[rmse]", "[hits]");
        let axes = Axes { repeats: 1, ..axes("sp", "0.01") };
        compare(&request, &axes, None, 1, &mut |_: &Step| (), &AtomicBool::new(false)).map(|(found, _)| found)
    };
    let error = own("").unwrap_err();
    assert!(error.exit_code() == 2 && error.help().is_some_and(|help| help.contains("better = higher")), "{error}");
    assert!(own("better = higher\n   ").unwrap().higher_is_better);
}

#[test]
fn cells_that_differ_by_rounding_only_tie() {
    let cell = |mean: f64| Cell {
        param: "sp".into(),
        over: vec![],
        splits: Splits::Fixed,
        stopped: None,
        outcomes: vec![],
        values: vec![mean],
        statistics: Statistics::of(&[mean]),
        choice: mean,
        best: false,
    };
    let best = |means: &[f64], higher: bool| {
        let mut cells: Vec<Cell> = means.iter().map(|mean| cell(*mean)).collect();
        mark_best(&mut cells, means.len(), 1, higher);
        cells.iter().map(|cell| cell.best).collect::<Vec<_>>()
    };
    let third = 0.1 + 0.2;
    assert_eq!(best(&[third, 0.3, 0.4], false), [true, true, false]);
    assert_eq!(best(&[0.3, third, 0.4], true), [false, false, true]);
    assert_eq!(best(&[0.3, 0.3 + 1e-9], false), [true, false]);
    assert_eq!(best(&[f64::NAN, 0.0], false), [false, true]);
}

#[test]
fn several_processes_share_the_runs_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let axes = axes("sp,gmp", "0.01,0.02");
    // Threads stand for processes: claims are per open file.
    let both: Vec<(Comparison, Vec<Step>)> = std::thread::scope(|scope| {
        let one = || run_with(&axes, Some(folder.path()), 2);
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let fresh = both.iter().flat_map(|(_, steps)| steps).filter(|step| !step.kept).count();
    assert_eq!(fresh, 12, "every run is done once");
    assert!(both.iter().all(|(found, steps)| found.complete && steps.len() == 12 && *found == both[0].0));
    assert_eq!(both[0].0, run_with(&axes, None, 2).0);
    let left = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with("lock")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_run_that_another_process_has_claimed_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let axes = Axes { over: vec![], params: vec!["sp".into()], ..Axes::default() };
    run_with(&axes, Some(folder.path()), 1);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    let outcome =
        files.iter().find(|path| path.extension().is_some_and(|e| e == "json") && !path.ends_with("comparison.json"));
    let key = outcome.unwrap().file_stem().unwrap().to_string_lossy().into_owned();
    std::fs::remove_file(outcome.unwrap()).unwrap();
    let claim = Claim::of(folder.path(), &key).unwrap().expect("nobody runs it");
    assert!(Claim::of(folder.path(), &key).unwrap().is_none());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run_with(&axes, Some(folder.path()), 1));
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(claim);
        assert!(waiting.join().unwrap().0.complete);
    });
}

#[test]
fn shards_run_everything_once_and_the_whole_gathers() {
    let folder = tempfile::tempdir().unwrap();
    let whole = axes("sp,gmp", "0.01,0.02");
    let mut run = 0;
    for part in 1..=5 {
        let shard = Axes { shard: Shard::parse(&format!("{part}/5")).ok(), ..whole.clone() };
        let (found, steps) = run_with(&shard, Some(folder.path()), 1);
        assert!(!found.complete && steps.iter().all(|step| !step.kept));
        run += steps.len();
    }
    assert_eq!(run, 12);
    assert!(!Kept::is_in(folder.path()), "a shard does not know the whole");
    let (found, steps) = run_with(&whole, Some(folder.path()), 2);
    assert!(found.complete && steps.iter().all(|step| step.kept));
    assert_eq!(found, run_with(&whole, None, 2).0);
}
