//! `--regions`: how many linear regions networks of two inputs have.

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw, thousands};
use gmpc_runtime::analysis::Subject;
use gmpc_runtime::analysis::region::{Counted, count, count_at};
use gmpc_runtime::report::figure::{Figure, counts, regions};
use serde_json::{Value, json};

/// Numbers of a run that a line shows on the way to its end.
const SHOWN: usize = 11;

/// A line a run and moment, and a figure of its regions.
///
/// # Errors
/// A network of another number of inputs, or one that is curved; a moment that was not recorded.
pub fn tell(subjects: &[Subject], at: &[u64], output: &Output) -> Result<Vec<Figure>, Failure> {
    let mut counted = Vec::new();
    for subject in subjects {
        counted.push((subject, count(subject)?));
        for time in at {
            counted.push((subject, count_at(subject, *time)?));
        }
    }
    let rows: Vec<_> = counted.iter().map(fields).collect();
    let head = ["run", "at", "linear regions", "over training"];
    output.say(format_args!("\nlinear regions over the range of the training rows\n\n{}", draw(&head, &rows)));
    let mut figures = Vec::new();
    for (subject, found) in &counted {
        output.line(&line(subject, found));
        figures.push(regions::figure(subject, found));
    }
    let unknown = counted.iter().filter(|(_, found)| found.at.is_none() && found.over_training.is_empty());
    for (subject, _) in unknown {
        output.note(format_args!(
            "{}: train with `--record \"boundaries(layers = all)\"` to count regions over training",
            subject.title()
        ));
    }
    figures.extend(counts::over_training(&counted));
    Ok(figures)
}

fn fields((subject, found): &(&Subject, Counted)) -> Vec<Field> {
    let (all, last) = (&found.over_training, found.over_training.len().saturating_sub(1));
    let most = SHOWN.min(all.len());
    let shown = (0..most).filter_map(|k| Some(all.get(last * k / (most - 1).max(1))?.1.to_string()));
    let over: Vec<String> = shown.collect();
    let more = if found.end.complete { "" } else { " or more" };
    vec![
        Field::text(subject.title()),
        Field::number(found.at.map_or("end".to_string(), |time| time.to_string())),
        Field::number(format!("{}{more}", thousands(found.end.regions.len() as u64))),
        Field::text(if over.is_empty() { "-".to_string() } else { over.join(" ") }),
    ]
}

fn line(subject: &Subject, found: &Counted) -> Value {
    json!({
        "event": "regions",
        "run": subject.folder.path.display().to_string(),
        "window": found.window,
        "at": found.at,
        "regions": found.end.regions.len(),
        "complete": found.end.complete,
        "over_training": found.over_training,
    })
}
