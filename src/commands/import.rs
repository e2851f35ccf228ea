//! `gmpc import FILE --weights STATE.safetensors -o RUN`: creates a run from weights that another program trained.

use crate::args::ImportArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::project::{key_value, request, tell};
use gmpc_device_cpu::Cpu;
use gmpc_runtime::task::import::import;
use serde_json::json;
use std::sync::Arc;

/// Creates the run and reports what each tensor was used for.
///
/// # Errors
/// The errors of [`import`].
pub fn run(args: &ImportArgs, output: &Output) -> Result<(), Failure> {
    let names = args.names.iter().map(|text| key_value("--names", text)).collect::<Result<Vec<_>, _>>()?;
    let request = request(&args.file, &args.data, Arc::new(Cpu::default()))?;
    let imported = import(&request, &args.weights, &names, &args.output)?;
    tell(imported.warnings, output);
    let run = imported.run.display().to_string();
    output.line(&json!({
        "event": "imported", "run": run, "filled": imported.filled, "drawn": imported.drawn, "unused": imported.unused,
    }));
    for (tensor, layer) in &imported.filled {
        output.note(format_args!("{tensor} -> {layer}"));
    }
    output.note(format_args!(
        "{} tensors taken, {} layers drawn, {} tensors not used; rows are scaled as the data of the file say",
        imported.filled.len(),
        imported.drawn.len(),
        imported.unused.len()
    ));
    output.say(run);
    Ok(())
}
