//! `gmpc compare FILE --param sp,gmp --over KEY=V1,V2`: cells side by side, several runs each, mean ± standard error.

use crate::args::{CompareArgs, Format};
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::progress::Progress;
use crate::output::table::number;
use crate::output::{Output, comparison, to_stdout};
use crate::project::{device_with, key_value, overrides, request_for, tell, threads};
use gmpc_runtime::compare::{Axes, Comparison, Step, compare, split_list};
use gmpc_runtime::report::table::{csv, json_lines, latex};

/// Trains every cell and prints the comparison.
///
/// # Errors
/// The file is wrong for one of the cells; every run of a cell failed; a signal, after finished runs were kept.
pub fn run(args: &CompareArgs, output: &Output) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let one = device_with(args.device, 1)?; // the runs share the threads
    let request = request_for(&args.file, overrides(None, &args.overrides)?, &args.data, one)?;
    let axes = axes(args)?;
    let output = Output { json: output.json || args.format == Format::Json, ..*output };
    let mut progress: Option<Progress> = None;
    let mut told = |step: &Step| {
        let progress = progress.get_or_insert_with(|| Progress::new(&output, step.total as u64, "runs"));
        progress.at(step.done as u64, || step_text(step, axes.metric.as_deref()));
    };
    let threads = threads(args.device);
    let compared = compare(&request, &axes, args.out.as_deref(), threads, &mut told, &interrupt.stop);
    drop(progress);
    let (comparison, warnings) = compared?;
    tell(warnings, &output);
    if !comparison.complete {
        let kept = "finished runs are kept; the same command goes on";
        let help = if args.out.is_some() { kept } else { "with `--out DIR`, finished runs are kept" };
        return Err(interrupt.stopped("the comparison is not complete", help));
    }
    print(&comparison, args.format, &output);
    failed(&comparison, &output)
}

fn axes(args: &CompareArgs) -> Result<Axes, Failure> {
    let over = args.over.iter().map(|text| {
        let (key, values) = key_value("--over", text)?;
        Ok((key, split_list(&values)))
    });
    Ok(Axes {
        params: args.param.as_deref().map(split_list).unwrap_or_default(),
        over: over.collect::<Result<Vec<_>, Failure>>()?,
        repeats: args.repeats,
        metric: args.metric.clone(),
    })
}

fn print(comparison: &Comparison, format: Format, output: &Output) {
    for line in json_lines(comparison) {
        output.line(&line);
    }
    match format {
        Format::Csv => to_stdout(&csv(comparison).trim_end()),
        Format::Latex => to_stdout(&latex(comparison).trim_end()),
        Format::Json => output.note(comparison::table(comparison)),
        Format::Table => output.say(comparison::table(comparison)),
    }
    if comparison.metric.starts_with("test.") && comparison.chosen_by.starts_with("test.") {
        output.warn("epochs were chosen on the test rows (`select = test`): these figures are better than on new data");
    }
}

/// `gmp, data=uci.yacht, seed 3: test.rmse 0.7`
pub fn step_text(step: &Step, wanted: Option<&str>) -> String {
    let over: String = step.over.iter().map(|(key, value)| format!(", {key}={value}")).collect();
    let result = match &step.outcome.figures {
        Err(reason) => format!("failed: {reason}"),
        Ok(figures) => {
            let shown =
                figures.iter().filter(|(name, _)| wanted.map_or(name.starts_with("test."), |w| name.ends_with(w)));
            shown.map(|(name, value)| format!("{name} {}", number(*value))).collect::<Vec<_>>().join("  ")
        }
    };
    let kept = if step.kept { ", kept from before" } else { "" };
    format!("{}/{}  {}{over}, seed {}{kept}: {result}", step.done, step.total, step.param, step.outcome.seed)
}

/// Runs that failed are told, each reason once; a comparison in which nothing at all succeeded is a failure.
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
