//! `gmpc analyze RUN…`: the boundaries of the units of several runs.

mod drift;
mod perturbation;
mod pieces;

use crate::args::AnalyzeArgs;
use crate::failure::Failure;
use crate::output::{Output, figures};
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_study::analysis::{Run, make_titles_unique};
use gmpc_study::report::figure::{Figure, of_runs};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Opens every run and prints what the options ask for.
///
/// # Errors
/// A folder is not a run or has no checkpoint; a unit does not exist; a file cannot be read or written.
pub fn run(args: &AnalyzeArgs, output: &Output) -> Result<(), Failure> {
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device: Arc<dyn Device> = Arc::new(Cpu::with_threads(1));
    let open = |run: &std::path::PathBuf| Run::open(run, &directories, &device);
    let mut runs = args.runs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    make_titles_unique(&mut runs);
    drift::report(&runs, output)?;
    let mut figures = Vec::new();
    if !args.perturb.is_empty() {
        figures.extend(perturbation::report(&runs, args, output)?);
    }
    if args.regions {
        figures.extend(pieces::report(&runs, &args.at, output)?);
    }
    if let Some(folder) = &args.figures {
        // `--perturb` has already drawn Figure 1 of the unit and the numbers that the options name, so the default one
        // is left out.
        let figure_1 = |figure: &Figure| figure.name.starts_with("figure-1-");
        figures.extend(of_runs(&runs, &device)?.into_iter().filter(|figure| !figure_1(figure)));
        write(&figures, folder, output)?;
    }
    Ok(())
}

/// Writes figures and reports their paths.
fn write(figures: &[Figure], folder: &Path, output: &Output) -> Result<(), Failure> {
    for (figure, paths) in figures.iter().zip(figures::write(figures, folder, output)?) {
        let [svg, csv] = paths.map(|path| path.display().to_string());
        output.line(
            &json!({ "event": "figure", "name": figure.name, "caption": figure.caption, "svg": svg, "csv": csv }),
        );
        output.note(format_args!("{svg}, {csv}: {}", figure.caption));
    }
    if figures.is_empty() {
        output.warn("there is nothing to draw: the runs recorded no boundaries, or their data are missing");
    }
    Ok(())
}
