//! `gmpc reproduce fig2|…|table3`: the experiments that train networks.

use crate::args::{ReproduceArgs, Reproduced as What};
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::Output;
use crate::output::runs::Runs;
use crate::project::{device_with, overrides, tell, threads};
use gmpc_compiler::stage::Silent;
use gmpc_data::Directories;
use gmpc_device::Device;
use gmpc_device_cpu::Cpu;
use gmpc_grammar::source::Source;
use gmpc_runtime::task::compare::{Step, split_list};
use gmpc_runtime::task::experiment::{Request, read};
use gmpc_study::analysis::Run;
use gmpc_study::judge::judge;
use gmpc_study::report::beside::{self, lead};
use gmpc_study::report::figure::{Figure, curves, drift, fit, plane};
use gmpc_study::report::page::Contents;
use gmpc_study::report::shown::Shown;
use gmpc_study::report::table::json_lines;
use gmpc_study::reproduce::{Asked, Item, Reproduced, item, paper, reproduce, request};
use std::path::PathBuf;
use std::sync::Arc;

/// Runs the experiment and writes the page.
///
/// # Errors
/// The errors of [`super::run`].
pub fn run(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let item = item(args.what.name())?;
    let own = own(&item, args)?;
    let asked = Asked { repeats: args.repeats, params: args.param.iter().flat_map(|list| split_list(list)).collect() };
    let folder = super::folder(args);
    tell(read(&request(&item, &own))?.1, output);
    let mut runs = Runs::new(output, None);
    let mut on_step = |step: &Step| {
        // Now there is something to keep: the first signal no longer stops the process at once.
        interrupt.begun();
        runs.told(step);
    };
    let ran = reproduce(&item, &asked, &own, &folder, threads(args.device), &mut on_step, &interrupt.stop);
    // Clears the line of progress before anything else is printed.
    drop(runs);
    let Some(found) = ran? else {
        return Err(interrupt.stopped("some runs are missing", "finished runs are stored; the same command continues"));
    };
    if found.kept.comparison.cells.iter().all(|cell| cell.values.is_empty()) {
        let outcomes = found.kept.comparison.cells.iter().flat_map(|cell| &cell.outcomes);
        let reason = outcomes.filter_map(|outcome| outcome.figures.as_ref().err()).next().cloned();
        let message = format!("every run failed: {}", reason.unwrap_or_else(|| "nothing was run".into()));
        return Err(Failure::new(Kind::Diverged, message));
    }
    json_lines(&judge(&found.kept.comparison)).iter().for_each(|line| output.line(line));
    beside::json_lines(&found).iter().for_each(|line| output.line(line));
    show(args.what, &found, &own, &folder, output)
}

/// The experiment with the user's overrides.
fn own(item: &Item, args: &ReproduceArgs) -> Result<Request, Failure> {
    let text = paper::experiment(&item.experiment)
        .ok_or_else(|| Failure::new(Kind::Bug, format!("there is no experiment `{}`", item.experiment)))?;
    let file = Source { name: format!("{}.gmpnet", item.experiment), text: text.to_string() };
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device = device_with(args.device, 1)?; // the runs share the threads
    let overrides = overrides(None, &args.overrides)?;
    Ok(Request { file, overrides, directories, device, observer: Arc::new(Silent) })
}

fn show(
    what: What,
    found: &Reproduced,
    own: &Request,
    folder: &std::path::Path,
    output: &Output,
) -> Result<(), Failure> {
    let device: Arc<dyn Device> = Arc::new(Cpu::with_threads(1));
    let open = |runs: &[PathBuf]| {
        let open = |run: &PathBuf| Run::open(run, &own.directories, &device);
        runs.iter().map(open).collect::<Result<Vec<_>, _>>()
    };
    let runs = found.recorded.clone().unwrap_or_default();
    // `own` are the median runs at their own learning rates. `common` are runs at one learning rate, for figures that
    // compare drift.
    let (subjects, common) = (open(&runs.own)?, open(&runs.common)?);
    let mut figures: Vec<Figure> = Vec::new();
    match what {
        What::Fig2 => {
            figures.extend(drift::location(&common).map(|figure| at_one_rate(figure, &found.item)));
            figures.extend(fit::figure(&subjects, &device)?);
        }
        What::Fig3 => {
            figures.extend(plane::trajectories(&subjects));
            figures.extend(drift::direction(&common).map(|figure| at_one_rate(figure, &found.item)));
            figures.extend(drift::direction(&subjects).map(at_own_rates));
            figures.extend(plane::decisions(&subjects, &device)?);
        }
        What::Fig4 => {
            figures.extend(curves::of_quantities(&found.kept, "figure-4", &found.item.title, &found.item.curves))
        }
        _ => {}
    }
    let shown = Shown::of(&found.kept);
    let lead = lead(found)?;
    super::print(&lead, output);
    let title = format!("gmpc: {}", lead.title);
    let contents = Contents {
        title: &title,
        lead: Some(&lead),
        comparisons: std::slice::from_ref(&shown),
        subjects: &subjects,
        figures: &figures,
        unread: &[],
    };
    super::write(&contents, folder, output)
}

/// Adds to a caption that all runs of the figure have the same learning rate, unlike the other runs of the page.
fn at_one_rate(figure: Figure, item: &Item) -> Figure {
    let rate = item.common_rate.map_or(String::new(), |rate| format!(" All of these runs are at rate {rate}."));
    Figure { caption: format!("{}{rate}", figure.caption), ..figure }
}

/// The same figure for the runs of the other figures, each with its own learning rate.
fn at_own_rates(figure: Figure) -> Figure {
    let (name, title) = (format!("{}-own-rates", figure.name), format!("{}, each at its own rate", figure.title));
    let caption = format!("{} The runs of the table and of the other figures.", figure.caption);
    Figure { name, title, caption, ..figure }
}
