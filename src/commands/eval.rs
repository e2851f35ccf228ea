//! `gmpc eval RUN`: loss and metrics of a finished run on all parts of its data.

use super::train::data_directories;
use crate::args::EvalArgs;
use crate::failure::{Failure, Kind};
use crate::output::{CHOSEN_ON_TEST, Output, figures};
use crate::project::{device, tell};
use gmpc_runtime::task::evaluate;
use serde_json::{Map, json};

/// Evaluates the final weights of a run.
///
/// # Errors
/// There is no run folder; data are missing or have changed; a prediction is not finite.
pub fn run(args: &EvalArgs, output: &Output) -> Result<(), Failure> {
    let evaluate::Evaluated { figures: found, broken, warnings } =
        evaluate::evaluate(&args.run, &data_directories(&args.data), &device(args.device)?)?;
    let chosen_on_test = warnings.diagnostics.iter().any(|warning| warning.code == "W0903");
    tell(warnings, output);
    let mut line = Map::new();
    line.insert("event".into(), json!("eval"));
    line.insert("run".into(), json!(args.run.display().to_string()));
    line.extend(found.iter().map(|(name, value)| (name.clone(), json!(value))));
    if chosen_on_test {
        line.insert("chosen_on".into(), json!("test"));
    }
    output.line(&line.into());
    let beside = if chosen_on_test { CHOSEN_ON_TEST } else { "" };
    output.say(format_args!("{}{beside}", figures(&found)));
    broken.map_or(Ok(()), |name| {
        let message = format!("{name} is not finite: the weights are, and not all of their predictions");
        Err(Failure::with_help(Kind::Diverged, message, "train again, with a smaller learning rate or a warm-up"))
    })
}
