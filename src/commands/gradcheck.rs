//! `gmpc gradcheck FILE`: compares compiled gradients with finite differences in double precision.

use crate::args::GradcheckArgs;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::output::table::{Field, draw};
use crate::project::{device, network};
use gmpc_compiler::gradcheck::Report;
use gmpc_runtime::task::gradcheck::gradcheck;
use serde_json::json;

/// Checks the gradients of every parameter and of the input.
///
/// # Errors
/// The file has errors, or a gradient is wrong.
pub fn run(args: &GradcheckArgs, output: &Output) -> Result<(), Failure> {
    let network = network(&args.file, &args.data, output)?;
    let seed = network.module.experiment.seeds.weights;
    let device = device(args.device)?;
    let report = gradcheck(&network.module, &network.net, args.batch, seed, device.as_ref())?;
    report_gradients(&report, output);
    if report.passed() {
        output.note(format_args!("all gradients agree with finite differences"));
        return Ok(());
    }
    Err(Failure::with_help(
        Kind::Diverged,
        "a gradient does not agree with its finite differences",
        "there is no gradient where a definition has a jump or a kink: try another `--seed`. What stands in `stop_gradient` is held fixed by gradients, but moves in differences",
    ))
}

/// Prints one line for each tensor.
fn report_gradients(report: &Report, output: &Output) {
    for tensor in &report.tensors {
        output.line(&json!({
            "event": "gradient", "name": tensor.name, "elements": tensor.elements, "kinks": tensor.kinks,
            "worst": tensor.worst, "gradient": tensor.at_worst.0, "difference": tensor.at_worst.1,
        }));
    }
    let row = |t: &gmpc_compiler::gradcheck::Checked| {
        vec![
            Field::text(&t.name),
            Field::number(t.elements.to_string()),
            Field::number(t.kinks.to_string()),
            Field::number(format!("{:.1e}", t.worst)),
            Field::text(if t.worst <= 1.0 { "ok" } else { "WRONG" }),
        ]
    };
    let rows: Vec<_> = report.tensors.iter().map(row).collect();
    output.say(draw(&["gradient of", "checked", "at kinks", "error / tolerance", ""], &rows));
}
