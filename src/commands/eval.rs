//! `gmpc eval RUN`: loss and metrics of a finished run on the rows it was chosen and is reported on.

use super::train::data_directories;
use crate::args::EvalArgs;
use crate::failure::Failure;
use crate::output::{Output, figures};
use crate::project::{device, tell};
use gmpc_runtime::evaluate;
use serde_json::{Map, json};

/// Evaluates the weights the run ended with.
///
/// # Errors
/// No run folder; data that are missing or have changed.
pub fn run(args: &EvalArgs, output: &Output) -> Result<(), Failure> {
    let (found, warnings) = evaluate::evaluate(&args.run, &data_directories(&args.data), &device(args.device)?)?;
    tell(warnings, output);
    let mut line = Map::new();
    line.insert("event".into(), json!("eval"));
    line.insert("run".into(), json!(args.run.display().to_string()));
    line.extend(found.iter().map(|(name, value)| (name.clone(), json!(value))));
    output.line(&line.into());
    output.say(figures(&found));
    Ok(())
}
