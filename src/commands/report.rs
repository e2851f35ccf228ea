//! `gmpc report RUN… -o report.html`: writes one page about runs and comparisons. It opens without network access.

use crate::args::ReportArgs;
use crate::failure::Failure;
use crate::output::{Output, figures};
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_runtime::run::metrics;
use gmpc_runtime::run::output::{check, check_ending, write_text};
use gmpc_runtime::run::sums::LINES;
use gmpc_runtime::task::compare::Kept;
use gmpc_study::analysis::region::count;
use gmpc_study::analysis::{Run, make_all_titles_unique};
use gmpc_study::report::figure::{Figure, counts, of_runs, regions};
use gmpc_study::report::page::{Contents, page};
use gmpc_study::report::shown::Shown;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// Writes the page. If a folder is named, also writes each figure as SVG and CSV.
///
/// # Errors
/// A folder is neither a run nor a comparison; a network cannot run; a file cannot be read or written.
pub fn run(args: &ReportArgs, output: &Output) -> Result<(), Failure> {
    check_ending(&args.output, &["html", "htm"])?;
    check(&args.output, &[])?;
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device: Arc<dyn Device> = Arc::new(Cpu::with_threads(1));
    let (kept, runs): (Vec<&PathBuf>, Vec<&PathBuf>) = args.runs.iter().partition(|folder| Kept::is_in(folder));
    let mut comparisons = kept.into_iter().map(|folder| Kept::open(folder)).collect::<Result<Vec<_>, _>>()?;
    let open = |run: &PathBuf| Run::open(run, &directories, &device);
    let mut subjects = runs.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
    make_all_titles_unique(&mut subjects, &mut comparisons);
    // The page lists everything that it leaves out, so that a gap is not mistaken for a result.
    let mut unread: Vec<String> = subjects.iter().filter_map(unread).collect();
    unread.extend(comparisons.iter().flat_map(|kept| &kept.unread).map(|file| {
        format!("a run is left out of its comparison: {file} is missing or damaged; `gmpc compare` runs it again")
    }));
    unread.extend(subjects.iter().filter_map(|subject| {
        let why = subject.without_rows.as_ref()?;
        Some(format!("{}: figures over its rows are left out: {why}", subject.title()))
    }));
    unread.iter().for_each(|what| output.warn(what));
    let shown: Vec<Shown<'_>> = comparisons.iter().map(Shown::of).collect();
    let mut all: Vec<Figure> = of_runs(&subjects, &device)?;
    // Networks with other inputs or without linear regions have no such figure. This is no reason to refuse the page.
    let counted: Vec<_> = subjects.iter().filter_map(|subject| Some((subject, count(subject).ok()?))).collect();
    all.extend(counted.iter().map(|(subject, counted)| regions::figure(subject, counted)));
    all.extend(counts::over_training(&counted));
    let names = comparisons.iter().map(Kept::title).chain(subjects.iter().map(Run::title));
    let title = match (&comparisons[..], &subjects[..]) {
        ([kept], []) => asked(kept),
        _ => format!("gmpc: {}", names.collect::<Vec<_>>().join(", ")),
    };
    let contents = Contents {
        title: &title,
        lead: None,
        comparisons: &shown,
        subjects: &subjects,
        figures: &all,
        unread: &unread,
    };
    let text = page(&contents)?;
    write_text(&args.output, &text)?;
    if let Some(folder) = &args.figures {
        figures::write(shown.iter().flat_map(Shown::figures).chain(&all), folder, output)?;
    }
    let count = all.len() + shown.iter().flat_map(Shown::figures).count();
    let path = args.output.display().to_string();
    output.line(&json!({ "event": "report", "output": path, "bytes": text.len(), "figures": count }));
    output.say(path);
    Ok(())
}

/// What one comparison asked, as a title: `sp and gmp of uci on uci.energy: test.rmse`.
fn asked(kept: &Kept) -> String {
    let comparison = &kept.comparison;
    let params = match &comparison.params[..] {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        all => all.join(", "),
    };
    let axis = comparison.over.iter().any(|(key, _)| key == "data");
    let on = if axis || kept.data.is_empty() { String::new() } else { format!(" on {}", kept.data) };
    format!("{params} of {}{on}: {}", kept.model, comparison.metric)
}

/// Says what is missing or wrong in the curves of a run because its lines cannot be read or were changed.
fn unread(subject: &Run) -> Option<String> {
    let path = &subject.folder.file(LINES);
    let name = path.display();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Some(format!("the learning curves are missing: cannot read {name}: {error}")),
    };
    let (_, unread) = metrics::lines(&bytes);
    let lines = metrics::spans("line", &unread);
    if unread.is_empty() && subject.lines_changed {
        return Some(format!(
            "the learning curves may be wrong: {name} is not what gmpc wrote: it was edited or damaged"
        ));
    }
    (!unread.is_empty()).then(|| format!("the learning curves have gaps: {lines} of {name} cannot be read"))
}
