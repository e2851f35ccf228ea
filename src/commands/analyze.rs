//! `gmpc analyze RUN…`: where the units of runs switch, side by side.

mod perturbation;
mod pieces;
mod steadiness;

use crate::args::AnalyzeArgs;
use crate::failure::Failure;
use crate::output::Output;
use gmpc_runtime::analysis::Subject;
use gmpc_runtime::data::Directories;
use gmpc_runtime::device::Device;
use gmpc_runtime::device::cpu::Cpu;
use gmpc_runtime::report::figure::{Figure, of_runs};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Opens every run and prints what was asked for.
///
/// # Errors
/// A folder that is no run or has no checkpoint; a unit that does not exist; the disk.
pub fn run(args: &AnalyzeArgs, output: &Output) -> Result<(), Failure> {
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device: Arc<dyn Device> = Arc::new(Cpu::with_threads(1));
    let open = |run: &std::path::PathBuf| Subject::open(run, &directories, &device);
    let subjects = args.runs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    steadiness::tell(&subjects, output)?;
    let mut figures = Vec::new();
    if !args.perturb.is_empty() {
        figures.extend(perturbation::tell(&subjects, args, output)?);
    }
    if args.regions {
        figures.extend(pieces::tell(&subjects, &args.at, output)?);
    }
    if let Some(folder) = &args.figures {
        figures.extend(of_runs(&subjects, &device)?);
        write(&figures, folder, output)?;
    }
    Ok(())
}

/// Writes figures and says where.
fn write(figures: &[Figure], folder: &Path, output: &Output) -> Result<(), Failure> {
    for figure in figures {
        let [svg, csv] = figure.write(folder)?.map(|path| path.display().to_string());
        output.line(
            &json!({ "event": "figure", "name": figure.name, "caption": figure.caption, "svg": svg, "csv": csv }),
        );
        output.note(format_args!("{svg}, {csv}: {}", figure.caption));
    }
    if figures.is_empty() {
        output.warn("there is nothing to draw: the runs recorded no boundaries, or their data are not here");
    }
    Ok(())
}
