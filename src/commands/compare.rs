//! `gmpc compare FILE --param sp,gmp --over KEY=V1,V2`: several runs for each cell, and a statistical comparison of the
//! cells.

use crate::args::{CompareArgs, Format};
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::runs::Runs;
use crate::output::{Output, comparison, to_stdout};
use crate::project::{device_with, key_value, overrides, request_for, tell, threads};
use gmpc_runtime::task::compare::{Axes, Comparison, Drawn, Shard, Step, Values, compare, split_list, values};
use gmpc_study::judge::{Judged, judge};
use gmpc_study::report::sheet::{markdown, sheets};
use gmpc_study::report::table::{csv, json_lines, latex};
use serde_json::json;
use std::sync::atomic::Ordering;

/// Trains every cell and prints the comparison.
///
/// # Errors
/// The file has errors for one of the cells; every run failed; a signal stopped it after finished runs were stored.
pub fn run(args: &CompareArgs, output: &Output) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let one = device_with(args.device, 1)?; // the runs share the threads
    let request = request_for(&args.file, overrides(None, &args.overrides)?, &args.data, one)?;
    let axes = axes(args)?;
    let output = Output { json: output.json || args.format == Format::Json, ..*output };
    let mut runs = Runs::new(&output, axes.metric.clone());
    let mut on_step = |step: &Step| {
        interrupt.begun();
        runs.told(step);
    };
    let threads = threads(args.device);
    let compared = compare(&request, &axes, args.out.as_deref(), threads, &mut on_step, &interrupt.stop);
    drop(runs);
    let (comparison, warnings) = compared?;
    tell(warnings, &output);
    if let (Some(shard), false) = (axes.shard, interrupt.stop.load(Ordering::Relaxed)) {
        return part(shard, &comparison, &output);
    }
    if !comparison.complete {
        let kept = "finished runs are stored; the same command continues";
        let help = if args.out.is_some() { kept } else { "with `--out DIR`, finished runs are stored" };
        return Err(interrupt.stopped("the comparison is not complete", help));
    }
    let judged = judge(&comparison);
    print(&judged, args.format, &output);
    output.notes(&judged.notes);
    failed(&comparison, &output)
}

/// Reports what a shard did. Its results alone are no comparison.
fn part(shard: Shard, comparison: &Comparison, output: &Output) -> Result<(), Failure> {
    let runs = comparison.cells.iter().flat_map(|cell| &cell.outcomes);
    let (done, failed) =
        runs.fold((0, 0), |(done, failed), run| (done + 1, failed + usize::from(run.figures.is_err())));
    let (index, whole) = (shard.to_string(), "the same command without `--shard` collects and prints");
    output.line(&json!({ "event": "shard", "shard": index, "runs": done, "failed": failed }));
    // A rung has to be complete before the next, so each shard of a halved comparison sees all runs.
    let all = if comparison.halving.is_some() { "every rung is complete, " } else { "" };
    output.say(format_args!("shard {index}: {all}{done} runs done, {failed} of them failed; {whole}"));
    Ok(())
}

fn axes(args: &CompareArgs) -> Result<Axes, Failure> {
    let (mut over, mut ranges) = (vec![], vec![]);
    for text in &args.over {
        let (key, text) = key_value("--over", text)?;
        match values(&key, &text)? {
            Values::List(list) => over.push((key, list)),
            Values::Range(range) => ranges.push((key, range)),
        }
    }
    // Ranges without a number of values need `--random`, and `--random` needs such a range.
    let drawn = match (args.random, ranges.first()) {
        (Some(count), Some(_)) => Some(Drawn { count, seed: args.search_seed, ranges }),
        (None, None) => None,
        (None, Some((key, _))) => {
            let what = format!("`--over {key}=…` is a range without a number of values to try");
            let help = "write `--random 40` to draw 40 points, or a number of values: `log(1e-4, 1, 9)`";
            return Err(Failure::with_help(Kind::Usage, what, help));
        }
        (Some(count), None) => {
            let what = format!("`--random {count}` has nothing to draw from");
            let help = "give a range without a number of values: `--over \"train.optimizer.lr=log(1e-4, 1)\"`";
            return Err(Failure::with_help(Kind::Usage, what, help));
        }
    };
    let shard = match args.shard.as_deref() {
        Some("auto") => Some(Shard::of_environment(&|name| std::env::var(name).ok())?),
        Some(text) => Some(Shard::parse(text)?),
        None => None,
    };
    Ok(Axes {
        params: args.param.as_deref().map(split_list).unwrap_or_default(),
        over,
        drawn,
        repeats: args.repeats,
        metric: args.metric.clone(),
        choose: args.choose.clone(),
        halve: args.halve,
        baseline: args.baseline.clone(),
        shard,
    })
}

fn print(judged: &Judged<'_>, format: Format, output: &Output) {
    for line in json_lines(judged) {
        output.line(&line);
    }
    match format {
        Format::Csv => to_stdout(&csv(judged).trim_end()),
        Format::Latex => to_stdout(&latex(judged).trim_end()),
        Format::Markdown => {
            let all: Vec<String> = sheets(judged).iter().map(markdown).collect();
            to_stdout(&all.join("\n").trim_end());
        }
        Format::Json => output.note(comparison::tables(judged)),
        Format::Table => output.say(comparison::tables(judged)),
    }
    if judged.comparison.is_chosen_on_test() {
        output.warn("epochs were chosen on the test rows (`select = test`): these results are better than on new data");
    }
}

/// Warns of failed runs, each reason once. It is a failure if no run succeeded.
fn failed(comparison: &Comparison, output: &Output) -> Result<(), Failure> {
    let mut reasons: Vec<String> = Vec::new();
    for cell in &comparison.cells {
        for outcome in &cell.outcomes {
            if let Err(reason) = &outcome.figures {
                let reason = format!("{}, seed {}: {reason}", cell.param, outcome.seed);
                reasons.push(reason);
            }
        }
    }
    for reason in reasons.iter().take(5) {
        output.warn(reason);
    }
    if reasons.len() > 5 {
        output.warn(format_args!("and {} more runs failed", reasons.len() - 5));
    }
    if comparison.cells.iter().any(|cell| !cell.values.is_empty()) {
        return Ok(());
    }
    Err(Failure::with_help(
        Kind::Diverged,
        "every run failed",
        "train one with `gmpc train` to see where it goes wrong",
    ))
}
