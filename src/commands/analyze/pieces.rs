//! `--regions`: the number of linear regions of networks with two inputs.

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw, thousands};
use gmpc_study::analysis::Run;
use gmpc_study::analysis::region::{Counted, count, count_at};
use gmpc_study::report::figure::{Figure, counts, regions};
use serde_json::{Value, json};

/// Number of counts over training that a line shows.
const SHOWN: usize = 11;

/// Prints a line for each run and time, and returns a figure of its regions.
///
/// # Errors
/// A network has another number of inputs, or is not piecewise linear; a time was not recorded.
pub fn report(runs: &[Run], at: &[u64], output: &Output) -> Result<Vec<Figure>, Failure> {
    // All runs are counted before a line is printed: no table ends in the middle with an error.
    let mut counted = Vec::new();
    for run in runs {
        counted.push((run, count(run)?));
        for time in at {
            counted.push((run, count_at(run, *time)?));
        }
    }
    let rows: Vec<_> = counted.iter().map(fields).collect();
    let head = ["run", "at", "linear regions", "over training"];
    output.say(format_args!("\nlinear regions over the range of the training rows\n\n{}", draw(&head, &rows)));
    let mut figures = Vec::new();
    for (run, found) in &counted {
        output.line(&line(run, found));
        figures.push(regions::figure(run, found));
    }
    let unknown = counted.iter().filter(|(_, found)| found.at.is_none() && found.over_training.is_empty());
    for (run, _) in unknown {
        output.note(format_args!(
            "{}: train with `--record \"boundaries(layers = all)\"` to count regions over training",
            run.title()
        ));
    }
    figures.extend(counts::over_training(&counted));
    Ok(figures)
}

fn fields((run, found): &(&Run, Counted)) -> Vec<Field> {
    let (all, last) = (&found.over_training, found.over_training.len().saturating_sub(1));
    let most = SHOWN.min(all.len());
    let shown = (0..most).filter_map(|k| Some(all.get(last * k / (most - 1).max(1))?.1.to_string()));
    let over: Vec<String> = shown.collect();
    let more = if found.end.complete { "" } else { " or more" };
    vec![
        Field::text(run.title()),
        Field::number(found.at.map_or("end".to_string(), |time| time.to_string())),
        Field::number(format!("{}{more}", thousands(found.end.regions.len() as u64))),
        Field::text(if over.is_empty() { "-".to_string() } else { over.join(" ") }),
    ]
}

fn line(run: &Run, found: &Counted) -> Value {
    json!({
        "event": "regions",
        "run": run.folder.path.display().to_string(),
        "window": found.window,
        "at": found.at,
        "regions": found.end.regions.len(),
        "complete": found.end.complete,
        "over_training": found.over_training,
    })
}
