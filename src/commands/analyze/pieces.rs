//! `--regions`: how many linear regions networks of two inputs have.

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw, thousands};
use gmpc_runtime::analysis::Subject;
use gmpc_runtime::analysis::region::{Counted, count};
use gmpc_runtime::report::figure::{Figure, regions};
use serde_json::json;

/// A line a run, and a figure of its regions.
///
/// # Errors
/// A network of another number of inputs, or one that is curved.
pub fn tell(subjects: &[Subject], output: &Output) -> Result<Vec<Figure>, Failure> {
    let counted = subjects.iter().map(|subject| Ok((subject, count(subject)?))).collect::<Result<Vec<_>, Failure>>()?;
    let row = |(subject, found): &(&Subject, Counted)| {
        let over: Vec<String> = found.over_training.iter().map(|(_, regions)| regions.to_string()).collect();
        let more = if found.end.complete { "" } else { " or more" };
        vec![
            Field::text(subject.title()),
            Field::number(format!("{}{more}", thousands(found.end.regions.len() as u64))),
            Field::text(if over.is_empty() { "-".to_string() } else { over.join(" ") }),
        ]
    };
    let rows: Vec<_> = counted.iter().map(row).collect();
    let head = ["run", "linear regions", "over training"];
    output.say(format_args!("\nlinear regions over the range of the training rows\n\n{}", draw(&head, &rows)));
    let mut figures = Vec::new();
    for (subject, found) in &counted {
        output.line(&json!({
            "event": "regions",
            "run": subject.folder.path.display().to_string(),
            "window": found.window,
            "regions": found.end.regions.len(),
            "complete": found.end.complete,
            "over_training": found.over_training,
        }));
        figures.push(regions::figure(subject, found)?);
    }
    Ok(figures)
}
