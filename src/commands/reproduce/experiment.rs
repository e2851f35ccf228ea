//! `gmpc reproduce fig2|…|table3`: everything that has to be trained.

use crate::args::{ReproduceArgs, Reproduced as What};
use crate::commands::compare::step_text;
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::Output;
use crate::output::progress::Progress;
use crate::project::{device_with, overrides, tell, threads};
use gmpc_grammar::source::Source;
use gmpc_runtime::analysis::Subject;
use gmpc_runtime::compare::{Step, split_list};
use gmpc_runtime::data::Directories;
use gmpc_runtime::device::Device;
use gmpc_runtime::device::cpu::Cpu;
use gmpc_runtime::report::beside::{self, lead};
use gmpc_runtime::report::figure::{Figure, curves, fit, movement, plane};
use gmpc_runtime::report::page::Contents;
use gmpc_runtime::report::table::json_lines;
use gmpc_runtime::reproduce::{Asked, Item, Reproduced, item, paper, reproduce, request};
use gmpc_runtime::request::{Request, read};
use std::path::PathBuf;
use std::sync::Arc;

/// Runs it and writes the page.
///
/// # Errors
/// As the command.
pub fn run(args: &ReproduceArgs, output: &Output) -> Result<(), Failure> {
    let interrupt = interrupt::listen()?;
    let item = item(args.what.name())?;
    let own = own(&item, args)?;
    let asked = Asked { repeats: args.repeats, params: args.param.iter().flat_map(|list| split_list(list)).collect() };
    let folder = super::folder(args);
    tell(read(&request(&item, &own))?.1, output);
    let mut progress: Option<Progress> = None;
    let mut told = |step: &Step| {
        let progress = progress.get_or_insert_with(|| Progress::new(output, step.total as u64, "runs"));
        progress.at(step.done as u64, || step_text(step, None));
    };
    let ran = reproduce(&item, &asked, &own, &folder, threads(args.device), &mut told, &interrupt.stop);
    drop(progress);
    let Some(found) = ran? else {
        return Err(interrupt.stopped("not everything was run", "finished runs are kept; the same command goes on"));
    };
    if found.kept.comparison.cells.iter().all(|cell| cell.values.is_empty()) {
        let outcomes = found.kept.comparison.cells.iter().flat_map(|cell| &cell.outcomes);
        let reason = outcomes.filter_map(|outcome| outcome.figures.as_ref().err()).next().cloned();
        let message = format!("every run failed: {}", reason.unwrap_or_else(|| "nothing was run".into()));
        return Err(Failure::new(Kind::Diverged, message));
    }
    json_lines(&found.kept.comparison).iter().for_each(|line| output.line(line));
    beside::json_lines(&found).iter().for_each(|line| output.line(line));
    show(args.what, &found, &own, &folder, output)
}

/// The experiment, with what the person changes in it.
fn own(item: &Item, args: &ReproduceArgs) -> Result<Request, Failure> {
    let text = paper::experiment(&item.experiment)
        .ok_or_else(|| Failure::new(Kind::Bug, format!("there is no experiment `{}`", item.experiment)))?;
    let file = Source { name: format!("{}.gmpnet", item.experiment), text: text.to_string() };
    let directories = Directories::new(args.data.data_dir.as_deref(), None);
    let device = device_with(args.device, 1)?; // the runs share the threads
    Ok(Request { file, overrides: overrides(None, &args.overrides)?, directories, device })
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
        let open = |run: &PathBuf| Subject::open(run, &own.directories, &device);
        runs.iter().map(open).collect::<Result<Vec<_>, _>>()
    };
    let runs = found.recorded.clone().unwrap_or_default();
    let (subjects, common) = (open(&runs.own)?, open(&runs.common)?);
    let mut figures: Vec<Figure> = Vec::new();
    match what {
        What::Fig2 => {
            figures.extend(movement::location(&common).map(|figure| at_one_rate(figure, &found.item)));
            figures.extend(fit::figure(&subjects, &device)?);
        }
        What::Fig3 => {
            figures.extend(plane::trajectories(&subjects));
            figures.extend(movement::direction(&common).map(|figure| at_one_rate(figure, &found.item)));
            figures.extend(movement::direction(&subjects).map(at_own_rates));
            figures.extend(plane::decisions(&subjects, &device)?);
        }
        What::Fig4 => {
            figures.extend(curves::of_quantities(&found.kept, "figure-4", &found.item.title, &found.item.curves))
        }
        _ => {}
    }
    figures.extend(curves::of_comparison(&found.kept));
    let lead = lead(found)?;
    super::tell(&lead, output);
    let (title, kept) = (format!("gmpc: {}", lead.title), std::slice::from_ref(&found.kept));
    let contents =
        Contents { title: &title, lead: Some(&lead), comparisons: kept, subjects: &subjects, figures: &figures };
    super::write(&contents, folder, output)
}

/// Of runs that were trained at the same rate, which the others of the page were not.
fn at_one_rate(figure: Figure, item: &Item) -> Figure {
    let rate = item.common_rate.map_or(String::new(), |rate| format!(" All of these runs are at rate {rate}."));
    Figure { caption: format!("{}{rate}", figure.caption), ..figure }
}

/// The same of the runs of the other figures, each at its own rate.
fn at_own_rates(figure: Figure) -> Figure {
    let (name, title) = (format!("{}-own-rates", figure.name), format!("{}, each at its own rate", figure.title));
    let caption = format!("{} The runs of the table and of the other figures.", figure.caption);
    Figure { name, title, caption, ..figure }
}
