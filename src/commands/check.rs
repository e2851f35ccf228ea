//! `gmpc check FILE`: everything up to the code, with errors where they are; nothing runs.

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::project::{compiler, wrong};
use serde_json::json;

/// Says that the file is right, or what is wrong with it.
///
/// # Errors
/// The file is wrong.
pub fn run(args: &CheckArgs, output: &Output) -> Result<(), Failure> {
    let compiler = compiler(&args.file, &args.data, output)?;
    compiler.check().map_err(|errors| wrong(errors, compiler.module.sources.clone()))?;
    let model = &compiler.net.name;
    let param = &compiler.module.experiment.param;
    output.line(&json!({ "event": "checked", "model": model, "param": param }));
    output.note(format_args!("{}: model {model}, param {param}, no errors", args.file.file.display()));
    Ok(())
}
