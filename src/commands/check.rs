//! `gmpc check FILE`: everything up to the code, with errors where they are; nothing runs.

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::project::{batch, network, step_goal};
use gmpc_compiler::program::Goal;
use gmpc_runtime::session::Programs;
use serde_json::json;

/// Says that the file is right, or what is wrong with it.
///
/// # Errors
/// The file is wrong.
pub fn run(args: &CheckArgs, output: &Output) -> Result<(), Failure> {
    let network = network(&args.file, &args.data, output)?;
    let rows = batch(None, &network);
    // Whatever a later command could ask for is compiled once here, so that it cannot fail there.
    for goal in [Goal::Predict, Goal::Evaluate, Goal::Train] {
        network.program(goal, rows)?;
        if goal == step_goal(&network) {
            break;
        }
    }
    let experiment = &network.module.experiment;
    if experiment.train.as_ref().is_some_and(|train| train.record.is_some()) {
        network.program(Goal::Boundaries, 1)?;
    }
    output.line(&json!({ "event": "checked", "model": experiment.model, "param": experiment.param }));
    let file = args.file.file.display();
    output.note(format_args!("{file}: model {}, param {}, no errors", experiment.model, experiment.param));
    Ok(())
}
