//! Comparisons of small networks: axes, order, what fails, what is kept.

use super::*;
use crate::data::Directories;
use crate::device::cpu::Cpu;
use gmpc_compiler::resolve::Overrides;
use gmpc_grammar::source::Source;

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
    Request { file, overrides: Overrides::default(), directories, device: Arc::new(Cpu::default()) }
}

fn axes(params: &str, lr: &str) -> Axes {
    let over = vec![("train.optimizer.lr".to_string(), split_list(lr))];
    Axes { params: split_list(params), over, repeats: 3, metric: None }
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
    let tuned = found.tuned("train.optimizer.lr");
    assert_eq!(
        tuned.iter().map(|t| (t.param.as_str(), t.value.as_str())).collect::<Vec<_>>(),
        [("sp", "0.01"), ("gmp", "0.01")]
    );
}

#[test]
fn the_best_rate_is_chosen_on_validation_rows() {
    let (mut found, _) = run_with(&axes("sp,gmp", "0.01,0.1"), None, 2);
    for (cell, (choice, value)) in found.cells.iter_mut().zip([(1.0, 9.0), (2.0, 9.0), (3.0, 1.0), (1.5, 1.0)]) {
        cell.choice = choice;
        cell.statistics.mean = value;
    }
    let tuned = found.tuned("train.optimizer.lr");
    assert_eq!(
        tuned.iter().map(|t| (t.param.as_str(), t.value.as_str(), t.cell)).collect::<Vec<_>>(),
        [("sp", "0.01", 0), ("gmp", "0.1", 3)]
    );
    assert!(found.tuned("data").is_empty());
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
    let (found, _) = run_with(&axes("sp,gmp", "0.01,1e30"), Some(folder.path()), 2);
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
