//! `gmpc convert RUN --param P`: the trained network in another parameterization; `sp` folds it into plain weights.

use crate::args::ConvertArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::project::tell;
use gmpc_runtime::convert::convert;
use serde_json::json;

/// Converts and writes a safetensors file.
///
/// # Errors
/// No run folder; a network that the parameterization cannot express; the disk.
pub fn run(args: &ConvertArgs, output: &Output) -> Result<(), Failure> {
    let (path, warnings) = convert(&args.run, &args.param, args.output.as_deref())?;
    tell(warnings, output);
    let path = path.display().to_string();
    output.line(&json!({ "event": "converted", "param": args.param, "output": path }));
    output.say(path);
    Ok(())
}
