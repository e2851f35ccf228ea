//! `compare`: several parameterizations and settings side by side, as lines of JSON that the Python side makes columns of.

use crate::diagnostic::Diagnostic;
use crate::failure::{diverged, warn};
use crate::request::{Set, count, of_file, overrides};
use crate::work::long;
use gmpc_device_cpu::Cpu;
use gmpc_runtime::failure::{Failure, Message};
use gmpc_runtime::task;
use gmpc_runtime::task::compare::{Axes, Cell, Comparison, Drawn, Outcome, Values, values};
use gmpc_study::judge::judge;
use gmpc_study::report::sheet::{markdown, sheets};
use gmpc_study::report::table::json_lines;
use pyo3::prelude::*;
use serde_json::{Map, Value, json};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What `gmpc.compare` asks for, a dictionary in Python.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Asked {
    file: PathBuf,
    param: Vec<String>,
    over: Vec<(String, String)>,
    repeats: NonZero<u32>,
    metric: Option<String>,
    choose: Vec<String>,
    baseline: Option<String>,
    /// So many points are drawn from the ranges of `over`.
    random: Option<u32>,
    search_seed: u64,
    out: Option<PathBuf>,
    set: Set,
    seed: Option<u64>,
    data_dir: Option<PathBuf>,
    threads: Option<NonZero<usize>>,
}

/// Trains every cell; gives a JSON object for each run, the judged comparison's, and its tables in Markdown.
#[pyfunction]
pub fn compare(py: Python<'_>, asked: Asked) -> PyResult<(Vec<String>, Vec<String>, String)> {
    let Asked { file, out, set, seed, data_dir, threads, .. } = asked;
    let Asked { param, over, repeats, metric, choose, baseline, random, search_seed, .. } = asked;
    // Kept outcomes are told apart by the build of this module, not by that of Python.
    task::compare::loaded_from(py.import("gmpc._gmpc")?.getattr("__file__")?.extract()?);
    let stop = AtomicBool::new(false);
    let (comparison, warnings) = long(py, &stop, || {
        let request = of_file(&file, overrides(None, set, seed), data_dir.as_deref(), Arc::new(Cpu::with_threads(1)))?;
        let plain = Axes { params: param, repeats: repeats.get(), metric, choose, baseline, ..Axes::default() };
        let axes = with_values(plain, over, random, search_seed)?;
        task::compare::compare(&request, &axes, out.as_deref(), count(threads), &mut |_| {}, &stop)
    })?;
    let judged = judge(&comparison);
    let notes = judged.notes.iter().map(Diagnostic::of_note);
    warn(py, Diagnostic::all(&warnings).into_iter().chain(notes).collect())?;
    if comparison.cells.iter().all(|cell| cell.values.is_empty()) {
        return Err(every_run_failed(py, &comparison));
    }
    let runs = runs(&comparison).iter().map(ToString::to_string).collect();
    let lines = json_lines(&judged).iter().map(ToString::to_string).collect();
    let text = sheets(&judged).iter().map(markdown).collect::<Vec<_>>().join("\n");
    Ok((runs, lines, text))
}

/// Axes with the values of `over`: lists, and ranges that `random` points are drawn from.
fn with_values(
    plain: Axes,
    over: Vec<(String, String)>,
    random: Option<u32>,
    search_seed: u64,
) -> Result<Axes, Failure> {
    let (mut lists, mut ranges) = (vec![], vec![]);
    for (key, text) in over {
        match values(&key, &text)? {
            Values::List(list) => lists.push((key, list)),
            Values::Range(range) => ranges.push((key, range)),
        }
    }
    let refused = |what: &str, help: &str| Err(Failure::Usage(Message::new(what).help(help)));
    let drawn = match (random, ranges.is_empty()) {
        (None, true) => None,
        (Some(count), false) => Some(Drawn { count, seed: search_seed, ranges }),
        (None, false) => return refused("`over` has a range without a number of values", "give `random=40`"),
        (Some(_), true) => {
            return refused("`random` has nothing to draw from", "give a range in `over`, such as \"log(1e-4, 1)\"");
        }
    };
    Ok(Axes { over: lists, drawn, ..plain })
}

/// One object a run: its parameterization, its value on every axis, seed, figures.
fn runs(comparison: &Comparison) -> Vec<Value> {
    comparison.cells.iter().flat_map(|cell| cell.outcomes.iter().map(|outcome| run(cell, outcome))).collect()
}

fn run(cell: &Cell, outcome: &Outcome) -> Value {
    let over: Map<String, Value> = cell.over.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let figures: Map<String, Value> =
        outcome.figures.iter().flatten().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "param": cell.param, "over": over, "seed": outcome.seed, "figures": figures, "epochs": outcome.epochs,
        "seconds": outcome.seconds, "error": outcome.figures.as_ref().err(),
    })
}

/// A comparison in which nothing at all succeeded.
fn every_run_failed(py: Python<'_>, comparison: &Comparison) -> PyErr {
    let reasons = comparison.cells.iter().flat_map(|cell| &cell.outcomes);
    let first = reasons.filter_map(|outcome| outcome.figures.as_ref().err()).next();
    let why = first.map(|reason| format!(": {reason}")).unwrap_or_default();
    diverged(py, &format!("every run failed{why}"), "train one with `gmpc.train` to see where it goes wrong")
}
