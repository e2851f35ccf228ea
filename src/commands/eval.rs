//! `gmpc eval RUN`: loss and metrics of a finished run on all parts of its data.

use super::train::data_directories;
use crate::args::EvalArgs;
use crate::failure::{Failure, Kind};
use crate::output::{CHOSEN_ON_TEST, Output, figures};
use crate::project::{device, tell};
use gmpc_runtime::task::evaluate::{self, Confusion};
use serde_json::{Map, json};

/// Evaluates the final weights of a run.
///
/// # Errors
/// There is no run folder; data are missing or have changed; a prediction is not finite.
pub fn run(args: &EvalArgs, output: &Output) -> Result<(), Failure> {
    let (directories, device) = (data_directories(&args.data), device(args.device)?);
    let evaluate::Evaluated { figures: found, broken, warnings } =
        evaluate::evaluate(&args.run, &directories, &device)?;
    let confusion = match args.confusion {
        true => Some(evaluate::confusion(&args.run, &directories, &device)?),
        false => None,
    };
    let chosen_on_test = warnings.diagnostics.iter().any(|warning| warning.code == "W0903");
    tell(warnings, output);
    let mut line = Map::new();
    line.insert("event".into(), json!("eval"));
    line.insert("run".into(), json!(args.run.display().to_string()));
    line.extend(found.iter().map(|(name, value)| (name.clone(), json!(value))));
    if chosen_on_test {
        line.insert("chosen_on".into(), json!("test"));
    }
    if let Some(Confusion { labels, counts }) = &confusion {
        line.insert("confusion".into(), json!({ "labels": labels, "test": counts }));
    }
    output.line(&line.into());
    let beside = if chosen_on_test { CHOSEN_ON_TEST } else { "" };
    output.say(format_args!("{}{beside}", figures(&found)));
    if let Some(confusion) = &confusion {
        output.say(format_args!("\ntest rows by true class (down) and predicted class (across)\n{}", table(confusion)));
    }
    // Figures are shown first: they say where it broke. The exit code comes after.
    broken.map_or(Ok(()), |name| {
        let message = format!("{name} is not finite: the weights are, and not all of their predictions");
        Err(Failure::with_help(Kind::Diverged, message, "train again, with a smaller learning rate or a warm-up"))
    })
}

/// The counts as a table with the names of the classes.
fn table(confusion: &Confusion) -> String {
    let Confusion { labels, counts } = confusion;
    let numbers = counts.iter().flatten().map(|count| count.to_string().len());
    let width = labels.iter().map(|label| label.chars().count()).chain(numbers).max().unwrap_or(1);
    let head = std::iter::once(String::new()).chain(labels.iter().cloned());
    let rows = labels.iter().zip(counts).map(|(label, counts)| {
        std::iter::once(label.clone()).chain(counts.iter().map(u64::to_string)).collect::<Vec<_>>()
    });
    let lines = std::iter::once(head.collect::<Vec<_>>()).chain(rows).map(|cells| {
        let cell = |(place, text): (usize, &String)| match place {
            0 => format!("{text:<width$}"),
            _ => format!("{text:>width$}"),
        };
        cells.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}
