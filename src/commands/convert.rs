//! `gmpc convert RUN --param P`: writes the trained network in another parameterization; `sp` folds it into plain
//! weights.

use crate::args::ConvertArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::project::tell;
use gmpc_data::Scale;
use gmpc_runtime::run::folder::{Inputs, RunFolder};
use gmpc_runtime::task::convert::convert;
use serde_json::json;
use std::path::Path;

/// Number of columns whose scaling is printed. The metadata have all of them.
const SHOWN: usize = 8;

/// Converts and writes a safetensors file.
///
/// # Errors
/// There is no run folder; the parameterization cannot represent the network; a file cannot be read or written.
pub fn run(args: &ConvertArgs, output: &Output) -> Result<(), Failure> {
    let (path, warnings) = convert(&args.run, &args.param, args.output.as_deref(), args.scaling.as_deref())?;
    tell(warnings, output);
    let path = path.display().to_string();
    let scaling = args.scaling.as_ref().map(|scaling| scaling.display().to_string());
    output.line(&json!({ "event": "converted", "param": args.param, "output": path, "scaling": scaling }));
    output.say(path);
    if let Some(scaling) = scaling {
        output.say(scaling);
    }
    if let Some(inputs) = scaled(&args.run) {
        output.note(
            "the weights expect inputs that are scaled as in training, and their outputs are scaled too: means, deviations \
             and names of classes are in the file's metadata (`gmpc`, `inputs`) and in run.json; `--scaling FILE.json` writes them",
        );
        formulas(&inputs).into_iter().for_each(|line| output.note(line));
    }
    Ok(())
}

/// A description of the run's rows, if its inputs or targets are scaled.
fn scaled(run: &Path) -> Option<Inputs> {
    let inputs = RunFolder::open(run).ok()?.1.inputs;
    (inputs.input_scale.is_some() || inputs.target_scale.is_some()).then_some(inputs)
}

/// The scaling as formulas, one line for each column.
fn formulas(inputs: &Inputs) -> Vec<String> {
    let images = inputs.shape.len() == 3;
    let mut lines = Vec::new();
    if let Some(Scale { mean, deviation }) = &inputs.input_scale {
        let (x, what) = if images { ("(byte / 255)", "channel") } else { ("x", "column") };
        let line = |(i, (mean, deviation)): (usize, (&f64, &f64))| match *deviation {
            0.0 => format!("  {}: 0", name(&inputs.feature_names, what, i)),
            deviation => format!("  {}: ({x} - {mean}) / {deviation}", name(&inputs.feature_names, what, i)),
        };
        lines.extend(mean.iter().zip(deviation).enumerate().take(SHOWN).map(line));
        lines.extend((mean.len() > SHOWN).then(|| format!("  and {} columns more", mean.len() - SHOWN)));
    }
    if let Some(Scale { mean, deviation }) = &inputs.target_scale {
        let line = |(i, (mean, deviation)): (usize, (&f64, &f64))| {
            format!("  {}: output * {deviation} + {mean}", name(&inputs.target_names, "target", i))
        };
        lines.extend(mean.iter().zip(deviation).enumerate().take(SHOWN).map(line));
    }
    lines
}

fn name(names: &[String], what: &str, index: usize) -> String {
    names.get(index).map_or_else(|| format!("{what} {index}"), |name| format!("`{name}`"))
}
