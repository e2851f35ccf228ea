//! `compare`: the same experiment along several axes, each cell several times, side by side.
//!
//! ```text
//! axes     param: sp, gmp   x   data: uci.yacht, uci.energy   x   train.optimizer.lr: 0.001, 0.01   x   10 seeds
//! cell     one parameterization at one value of every other axis: 10 runs, mean ± standard error
//! group    cells that differ in their parameterization only: the best of them is marked
//! ```
//!
//! A run is one job; jobs are spread over threads, each job on one thread, so that the numbers do not depend on how many
//! there are. Finished runs are kept on the disk with their epochs, under a hash of everything they depend on, so that an
//! interrupted comparison goes on where it stopped and a report can be made of it. Several processes may share the folder, and
//! the runs between them. A run that fails is told in its cell and stops nothing.

mod axes;
mod choose;
mod claim;
mod halve;
mod job;
mod kept;
mod setting;
mod shard;
mod splits;
mod statistics;
mod store;
mod waiting;
mod work;

pub use axes::{Axes, Drawn, Range, Values, split_list, values};
pub use choose::{Chosen, Edge};
pub use halve::{Halving, RungPlan};
pub use job::{Outcome, Size};
pub use kept::Kept;
pub use setting::words;
pub use shard::Shard;
pub use splits::Splits;
pub use statistics::Statistics;
pub use store::loaded_from;

use crate::event::Figure;
use crate::failure::{Failure, Message};
use crate::task::experiment::{Request, Warnings, read};
use claim::Claim;
use gmpc_compiler::ir::experiment::Select;
use gmpc_compiler::ir::module::Module;
use gmpc_data::Note;
use gmpc_grammar::ast::Statement;
use halve::{ChosenBy, Halved};
use job::{Job, Ran, Rung};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use work::{Tally, Work};

/// A finished comparison, or what there is of an interrupted one.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Parameterizations in the order asked for.
    pub params: Vec<String>,
    /// The other axes: key and values.
    pub over: Vec<(String, Vec<String>)>,
    /// The compared figure: `test.rmse`.
    pub metric: String,
    /// Which way is better.
    pub higher_is_better: bool,
    /// The figure that values of an axis are chosen by: `valid.rmse`; the compared one with `select = test`.
    pub chosen_by: String,
    /// Axes whose value is chosen for each parameterization, see [`Comparison::chosen`].
    pub choose: Vec<String>,
    /// The parameterization that the others are compared with, seed by seed.
    pub baseline: Option<String>,
    /// How values were stopped on the way; `None` where all were trained to the end.
    pub halving: Option<Halving>,
    /// Every combination; the parameterization changes fastest.
    pub cells: Vec<Cell>,
    /// Were all runs done?
    pub complete: bool,
}

/// One parameterization at one value of every other axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// `gmp + mn`, as asked for.
    pub param: String,
    /// Key and value of every other axis.
    pub over: Vec<(String, String)>,
    /// Does each seed draw its rows?
    pub splits: Splits,
    /// Epochs after which its runs were stopped, since other values were better; their figures are of that moment. `None` where they
    /// were trained to the end.
    pub stopped: Option<u64>,
    /// What each seed gave, in the order of the seeds.
    pub outcomes: Vec<Outcome>,
    /// The compared figure of the runs that succeeded, in the order of the seeds.
    pub values: Vec<f64>,
    /// Of these values.
    pub statistics: Statistics,
    /// Mean of the figure that is chosen by; NaN where no run has it.
    pub choice: f64,
    /// Has it the best mean among the cells that differ in their parameterization only, every run of it having succeeded? Those
    /// that tie have it together.
    pub best: bool,
}

/// How far a comparison is.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Runs done, this one too; with `--halve` each rung of a run counts.
    pub done: usize,
    /// Runs in all; fewer where `--halve` stops values of which runs fail.
    pub total: usize,
    /// Of those done: found on the disk.
    pub found: usize,
    /// Of those done: failed.
    pub failed: usize,
    /// Begun and not done yet, by this process.
    pub running: usize,
    /// This run's parameterization.
    pub param: String,
    /// Its value of every other axis.
    pub over: Vec<(String, String)>,
    /// What it gave.
    pub outcome: Outcome,
    /// Was it found on the disk?
    pub kept: bool,
}

/// Trains everything and gathers the figures.
///
/// `keep` is the folder for finished runs; `None` keeps nothing. A shard lacks the runs of the others, except with
/// `--halve`, which needs them. `threads` is at least 1. `told` hears of each run as it ends, in no fixed order; the
/// result is the same whatever the order. Set `stop` to end early: what is there is returned.
///
/// # Errors
/// [`Failure::File`]: a combination that does not resolve; [`Failure::Usage`]: no `train` block, a metric that is not
/// measured; [`Failure::Io`]: `keep` cannot be written. A run that fails is no error.
pub fn compare(
    request: &Request,
    axes: &Axes,
    keep: Option<&Path>,
    threads: usize,
    told: &mut dyn FnMut(&Step),
    stop: &AtomicBool,
) -> Result<(Comparison, Warnings), Failure> {
    axes.check(&request.overrides.set)?;
    keep.map(make).transpose()?;
    let (combinations, mut warnings, module) = resolve_all(request, axes)?;
    if let Some((folder, false)) = keep.map(|folder| (folder, has_locks(folder))) {
        let message = "this file system has no locks: two processes that compare in this folder may do a run twice";
        warnings.notes.push(Note::new("W0801", folder.display().to_string(), message));
    }
    let metric = metric(&module, axes)?;
    let baseline = axes.baseline_of(&params_of(&combinations))?;
    let halving = halve::plan(axes, &combinations, keep.is_some())?;
    let jobs = jobs(request, &module, axes, &combinations);
    let work = Work { jobs: &jobs, keep, threads, stop };
    let Halved { ran, stopped } = run_all(&work, axes, &combinations, halving.as_ref(), &metric, told)?;
    let names: Vec<Option<String>> =
        ran.iter().map(|ran| Some(ran.as_ref()?.names.as_ref()?.outcome.clone())).collect();
    let outcomes = ran.into_iter().map(|ran| Some(ran?.outcome)).collect();
    let gathered = gather(axes, &combinations, outcomes, &stopped, metric);
    let comparison = Comparison { baseline, halving, ..gathered };
    // Of a shard the folder could not tell what the whole comparison is.
    if let (Some(folder), None) = (keep, axes.shard) {
        kept::write(folder, request, &module, axes, &comparison, &names)?;
    }
    Ok((comparison, warnings))
}

/// Makes the folder for finished runs. Several processes may compare in it at once: each run is claimed by one of them.
fn make(folder: &Path) -> Result<(), Failure> {
    if folder.join("run.json").exists() {
        // A report could not tell a run from a comparison in the same folder.
        let told = Message::new(format!("{} holds a run", folder.display())).at("E0801", folder);
        return Err(Failure::Usage(told.help("choose another folder with --out")));
    }
    std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))
}

/// Do runs of this folder have one process each? Asked with a claim of no run.
fn has_locks(folder: &Path) -> bool {
    !matches!(Claim::of(folder, "locks"), Ok(Some(claim)) if !claim.is_held())
}

/// A parameterization and a value of every other axis, and how rows are cut there.
struct Combination {
    param: String,
    over: Vec<(String, String)>,
    splits: Splits,
    /// Are there rows that one may choose on?
    held_out: bool,
    /// Of a run that is not stopped early.
    epochs: u64,
}

/// Parameterizations in the order asked for: those of the first group.
fn params_of(combinations: &[Combination]) -> Vec<String> {
    let first = combinations.first().map_or(&[][..], |first| &first.over);
    combinations.iter().take_while(|one| one.over == first).map(|one| one.param.clone()).collect()
}

/// Resolves every combination once, so that mistakes are told before anything is trained.
fn resolve_all(request: &Request, axes: &Axes) -> Result<(Vec<Combination>, Warnings, Arc<Module>), Failure> {
    let (module, warnings) = read(request)?;
    let axes_params = if axes.params.is_empty() { vec![module.experiment.param.clone()] } else { axes.params.clone() };
    let select = |module: &Module| module.experiment.train.as_ref().map(|train| train.select);
    let (mut combinations, mut chosen_on) = (Vec::new(), None);
    for (param, over) in axes::combinations(&axes_params, axes) {
        let (module, _) = read(&axes::narrowed(request, axes, &param, &over, None))?;
        if *chosen_on.get_or_insert(select(&module)) != select(&module) {
            let what = "some cells would choose their epochs on the test rows, and others would not";
            return Err(axes::refused(what, "make two comparisons, one with `--set train.select=test`"));
        }
        let data = module.experiment.data.as_ref();
        let held_out = select(&module) == Some(Select::Test) || data.is_none_or(|data| data.validation > 0.0);
        let epochs = module.experiment.train.as_ref().map_or(0, |train| train.epochs);
        combinations.push(Combination { param, over, splits: Splits::of(data), held_out, epochs });
    }
    if !axes.choose.is_empty() && combinations.iter().any(|combination| !combination.held_out) {
        let what = "`--choose` has no rows to choose on: `validation` is 0";
        return Err(axes::refused(what, "hold some out of the training rows, as with `--set data.validation=0.2`"));
    }
    Ok((combinations, warnings, module))
}

struct Metric {
    name: String,
    higher_is_better: bool,
    chosen_by: String,
}

fn metric(module: &Module, axes: &Axes) -> Result<Metric, Failure> {
    let Some(train) = &module.experiment.train else {
        let told = Message::new("the file has no `train` block, so there is nothing to compare");
        let told = told.code("E0814").help("add `train { loss = mse optimizer = adam(lr = 0.001) epochs = 100 }`");
        return Err(Failure::Usage(told));
    };
    let first = train.metrics.first().map_or("loss", |metric| metric.name.as_str());
    let wanted = axes.metric.clone().unwrap_or_else(|| format!("test.{first}"));
    let wanted = if wanted.contains('.') { wanted } else { format!("test.{wanted}") };
    let quantity = wanted.split_once('.').map_or("", |(_, quantity)| quantity);
    let known = train.metrics.iter().find(|metric| metric.name == quantity);
    if (known.is_none() && quantity != "loss") || !(wanted.starts_with("test.") || wanted.starts_with("valid.")) {
        let names: Vec<&str> = train.metrics.iter().map(|metric| metric.name.as_str()).chain(["loss"]).collect();
        let help = format!("compare `test.` or `valid.` with one of {}", names.join(", "));
        return Err(axes::refused(format!("`{wanted}` is not measured"), help));
    }
    if known.is_some() && !says_which_way(module, quantity) {
        let what = format!("the metric `{quantity}` does not say which way it is good, so no cell can be the best");
        return Err(axes::refused(what, "write `better = higher` or `better = lower` as the first line of the metric"));
    }
    let chosen_by = if train.select == Select::Test { wanted.clone() } else { format!("valid.{quantity}") };
    Ok(Metric { higher_is_better: known.is_some_and(|metric| metric.higher_is_better), name: wanted, chosen_by })
}

/// Does a metric say which way it is good? A guess could put the star at the worst cell.
fn says_which_way(module: &Module, metric: &str) -> bool {
    let says = |statement: &Statement| matches!(statement, Statement::Bind(binding) if binding.name.text == "better");
    let metrics = module.training.iter().flat_map(|training| &training.metrics);
    let found = metrics.filter(|instance| instance.name == metric);
    found.into_iter().all(|instance| instance.definition.body.statements.iter().any(says))
}

fn jobs(request: &Request, module: &Module, axes: &Axes, combinations: &[Combination]) -> Vec<Job> {
    let first = module.experiment.seeds;
    let each = combinations.iter().flat_map(|combination| (0..u64::from(axes.repeats)).map(move |k| (combination, k)));
    each.map(|(Combination { param, over, .. }, k)| {
        let seeds = first.repeat(k);
        let request = axes::narrowed(request, axes, param, over, Some(seeds));
        Job { request, seed: seeds.order, param: param.clone(), over: over.clone(), is_first: k == 0 }
    })
    .collect()
}

/// Runs everything, or a shard of it: each run to its end, or rung by rung.
fn run_all(
    work: &Work<'_>,
    axes: &Axes,
    combinations: &[Combination],
    halving: Option<&Halving>,
    metric: &Metric,
    told: &mut dyn FnMut(&Step),
) -> Result<Halved, Failure> {
    if let Some(halving) = halving {
        let by = ChosenBy { name: &metric.chosen_by, higher_is_better: metric.higher_is_better };
        let mut tally = Tally::new(halve::runs(halving, axes, combinations), told);
        return halve::run(halving, work, axes, combinations, &by, &mut tally);
    }
    let all = 0..work.jobs.len();
    let mine: Vec<usize> = all.filter(|index| axes.shard.is_none_or(|shard| shard.has(*index))).collect();
    let ran: Vec<Option<Ran>> = work.run(&mine, Rung::WHOLE, &mut Tally::new(mine.len(), told))?;
    Ok(Halved { ran, stopped: vec![None; combinations.len()] })
}

fn gather(
    axes: &Axes,
    combinations: &[Combination],
    outcomes: Vec<Option<Outcome>>,
    stopped: &[Option<u64>],
    metric: Metric,
) -> Comparison {
    let Metric { name, higher_is_better, chosen_by } = metric;
    let complete = outcomes.iter().all(Option::is_some);
    let params = params_of(combinations);
    // In the order of `jobs`: all seeds of a cell, then those of the next. A run without an outcome keeps its place.
    let mut outcomes = outcomes.into_iter();
    let mut cells = Vec::with_capacity(combinations.len());
    for (Combination { param, over, splits, .. }, stopped) in combinations.iter().zip(stopped) {
        let outcomes: Vec<Outcome> = outcomes.by_ref().take(axes.repeats as usize).flatten().collect();
        let values: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.figure(&name)).collect();
        let choices: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.figure(&chosen_by)).collect();
        let (statistics, choice) = (Statistics::of(&values), Statistics::of(&choices).mean);
        cells.push(Cell {
            param: param.clone(),
            over: over.clone(),
            splits: *splits,
            stopped: *stopped,
            outcomes,
            values,
            statistics,
            choice,
            best: false,
        });
    }
    mark_best(&mut cells, params.len(), axes.repeats as usize, higher_is_better);
    let (over, choose) = (axes::all_values(axes), axes.choose.clone());
    // `compare` fills them in.
    let (baseline, halving) = (None, None);
    Comparison { params, over, metric: name, higher_is_better, chosen_by, choose, baseline, halving, cells, complete }
}

/// Marks the best cells of each group. The cells of a group follow one another.
fn mark_best(cells: &mut [Cell], group: usize, repeats: usize, higher_is_better: bool) {
    for cells in cells.chunks_mut(group.max(1)) {
        let ended = |cell: &Cell| cell.stopped.is_none() && cell.values.len() == repeats;
        let whole = |cell: &&mut Cell| ended(cell) && cell.statistics.mean.is_finite();
        let key = |cell: &Cell| if higher_is_better { -cell.statistics.mean } else { cell.statistics.mean };
        let Some(best) = cells.iter_mut().filter(whole).map(|cell| key(cell)).min_by(f64::total_cmp) else { continue };
        for cell in cells.iter_mut().filter(whole) {
            cell.best = is_tie(key(cell), best);
        }
    }
}

/// Do two means differ by no more than the rounding of their sums? Then neither is better.
fn is_tie(a: f64, b: f64) -> bool {
    (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(b.abs())
}

impl Comparison {
    /// Were epochs chosen on the very rows that are reported on, so that the figures are better than on new data?
    #[must_use]
    pub fn is_chosen_on_test(&self) -> bool {
        self.metric.starts_with("test.") && self.chosen_by.starts_with("test.")
    }

    /// Is one figure better than another by more than the rounding of their sums?
    #[must_use]
    pub fn is_better(&self, a: f64, b: f64) -> bool {
        if is_tie(a, b) {
            return false;
        }
        if self.higher_is_better { a > b } else { a < b }
    }
}

impl Outcome {
    /// A figure of a run that succeeded; `None` where it failed or the figure is not finite.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        let figures: &[Figure] = self.figures.as_ref().ok()?;
        figures.iter().find(|(known, _)| known == name).map(|(_, value)| *value).filter(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests;
