//! `gmpc report RUN… -o report.html`: one page about runs and comparisons that opens without a network.

use crate::args::ReportArgs;
use crate::failure::Failure;
use crate::output::Output;
use gmpc_runtime::analysis::Subject;
use gmpc_runtime::analysis::region::count;
use gmpc_runtime::compare::Kept;
use gmpc_runtime::data::Directories;
use gmpc_runtime::device::Device;
use gmpc_runtime::device::cpu::Cpu;
use gmpc_runtime::report::figure::{Figure, counts, curves, of_runs, regions};
use gmpc_runtime::report::page::{Contents, page};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// Writes the page, and each figure beside it as SVG and CSV where a folder is named.
///
/// # Errors
/// A folder that is neither a run nor a comparison; a network that cannot be run; the disk.
pub fn run(args: &ReportArgs, output: &Output) -> Result<(), Failure> {
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device: Arc<dyn Device> = Arc::new(Cpu::with_threads(1));
    let (kept, runs): (Vec<&PathBuf>, Vec<&PathBuf>) = args.runs.iter().partition(|folder| Kept::is_in(folder));
    let comparisons = kept.into_iter().map(|folder| Kept::open(folder)).collect::<Result<Vec<_>, _>>()?;
    let open = |run: &PathBuf| Subject::open(run, &directories, &device);
    let subjects = runs.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let mut figures: Vec<Figure> = comparisons.iter().flat_map(curves::of_comparison).collect();
    figures.extend(of_runs(&subjects, &device)?);
    // A network that is curved or has other inputs has none, and no page should fail for that.
    let counted: Vec<_> = subjects.iter().filter_map(|subject| Some((subject, count(subject).ok()?))).collect();
    figures.extend(counted.iter().map(|(subject, counted)| regions::figure(subject, counted)));
    figures.extend(counts::over_training(&counted));
    let names = comparisons.iter().map(Kept::title).chain(subjects.iter().map(Subject::title));
    let title = format!("gmpc: {}", names.collect::<Vec<_>>().join(", "));
    let contents =
        Contents { title: &title, lead: None, comparisons: &comparisons, subjects: &subjects, figures: &figures };
    let text = page(&contents)?;
    std::fs::write(&args.output, &text).map_err(|error| Failure::io("write", &args.output, &error))?;
    if let Some(folder) = &args.figures {
        for figure in &figures {
            figure.write(folder)?;
        }
    }
    let path = args.output.display().to_string();
    output.line(&json!({ "event": "report", "output": path, "bytes": text.len(), "figures": figures.len() }));
    output.say(path);
    Ok(())
}
