//! `gmpc check FILE`: compiles everything and reports errors with their positions. Nothing runs.

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output::{Output, timings};
use crate::project::{clock, request, tell};
use gmpc_device_cpu::Cpu;
use gmpc_runtime::task::check::check;
use gmpc_runtime::task::experiment::Request;
use serde_json::json;
use std::sync::Arc;

/// Compiles the file and says that it has no errors.
///
/// # Errors
/// The file has errors.
pub fn run(args: &CheckArgs, output: &Output) -> Result<(), Failure> {
    let (times, observer) = clock(args.timings);
    let request = Request { observer, ..request(&args.file, &args.data, Arc::new(Cpu::default()))? };
    let (network, warnings) = check(&request)?;
    tell(warnings, output);
    let experiment = &network.module.experiment;
    output.line(&json!({ "event": "checked", "model": experiment.model, "param": experiment.param }));
    let file = args.file.file.display();
    output.note(format_args!("{file}: model {}, param {}, no errors", experiment.model, experiment.param));
    timings::print(times.as_deref(), output);
    Ok(())
}
