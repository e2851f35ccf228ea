//! `gmpc report RUN… -o report.html`: one page about some runs that opens without a network.

use crate::args::ReportArgs;
use crate::failure::Failure;
use crate::output::Output;
use gmpc_runtime::analysis::Subject;
use gmpc_runtime::analysis::region::count;
use gmpc_runtime::data::Directories;
use gmpc_runtime::device::Device;
use gmpc_runtime::device::cpu::Cpu;
use gmpc_runtime::report::figure::{of_runs, regions};
use gmpc_runtime::report::page::page;
use serde_json::json;
use std::sync::Arc;

/// Writes the page, and each figure beside it as SVG and CSV where a folder is named.
///
/// # Errors
/// A folder that is no run; a network that cannot be run; the disk.
pub fn run(args: &ReportArgs, output: &Output) -> Result<(), Failure> {
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device: Arc<dyn Device> = Arc::new(Cpu::with_threads(1));
    let open = |run: &std::path::PathBuf| Subject::open(run, &directories, &device);
    let subjects = args.runs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let mut figures = of_runs(&subjects, &device)?;
    // A network that is curved or has other inputs has none, and no page should fail for that.
    for subject in &subjects {
        if let Ok(counted) = count(subject) {
            figures.push(regions::figure(subject, &counted)?);
        }
    }
    let text = page(&subjects, &figures);
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
