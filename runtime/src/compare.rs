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
//! interrupted comparison goes on where it stopped and a report can be made of it. A run that fails is told in its cell and stops nothing.

mod axes;
mod job;
mod kept;
mod setting;
mod statistics;
mod store;

pub use axes::{Axes, split_list};
pub use job::Outcome;
pub use kept::Kept;
pub use statistics::Statistics;

use crate::event::Figure;
use crate::failure::{Failure, Told};
use crate::request::{Request, Warnings, read};
use gmpc_compiler::experiment::Select;
use gmpc_compiler::module::Module;
use job::{Job, Ran, run};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

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
    /// What each seed gave, in the order of the seeds.
    pub outcomes: Vec<Outcome>,
    /// The compared figure of the runs that succeeded, in the order of the seeds.
    pub values: Vec<f64>,
    /// Of these values.
    pub statistics: Statistics,
    /// Mean of the figure that is chosen by; NaN where no run has it.
    pub choice: f64,
    /// Has it the best mean among the cells that differ in their parameterization only, every run of it having succeeded?
    pub best: bool,
}

/// How far a comparison is.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Runs done, this one too.
    pub done: usize,
    /// Runs in all.
    pub total: usize,
    /// This run's parameterization.
    pub param: String,
    /// Its value of every other axis.
    pub over: Vec<(String, String)>,
    /// What it gave.
    pub outcome: Outcome,
    /// Was it found on the disk?
    pub kept: bool,
}

/// The best value of an axis for each parameterization, see [`Comparison::tuned`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tuned {
    /// The parameterization.
    pub param: String,
    /// The remaining axes.
    pub over: Vec<(String, String)>,
    /// The value chosen.
    pub value: String,
    /// Index in [`Comparison::cells`].
    pub cell: usize,
}

/// Trains everything and gathers the figures.
///
/// `keep` is the folder for finished runs; `None` keeps nothing. `threads` is at least 1. `told` hears of each run as it
/// ends, in no fixed order; the result is the same whatever the order. Set `stop` to end early: what is there is returned.
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
    if let Some(folder) = keep {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make the folder", folder, &error))?;
    }
    let (combinations, warnings, module) = resolve_all(request, axes)?;
    let metric = metric(&module, axes)?;
    let jobs = jobs(request, &module, axes, &combinations);
    let ran = run_all(&jobs, keep, threads, told, stop)?;
    let keys: Vec<Option<String>> = ran.iter().map(|ran| ran.as_ref()?.key.clone()).collect();
    let outcomes = ran.into_iter().map(|ran| Some(ran?.outcome)).collect();
    let comparison = gather(axes, &combinations, outcomes, metric);
    if let Some(folder) = keep {
        kept::write(folder, request, &module, axes, &comparison, &keys)?;
    }
    Ok((comparison, warnings))
}

/// A parameterization and a value of every other axis.
type Combination = (String, Vec<(String, String)>);

/// Resolves every combination once, so that mistakes are told before anything is trained.
fn resolve_all(request: &Request, axes: &Axes) -> Result<(Vec<Combination>, Warnings, Arc<Module>), Failure> {
    let (module, warnings) = read(request)?;
    let axes_params = if axes.params.is_empty() { vec![module.experiment.param.clone()] } else { axes.params.clone() };
    let combinations = axes::combinations(&axes_params, &axes.over);
    for (param, over) in &combinations {
        read(&axes::narrowed(request, axes, param, over, None))?;
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
        let told = Told::new("the file has no `train` block, so there is nothing to compare");
        return Err(Failure::Usage(told.help("add `train { loss = mse optimizer = adam(lr = 0.001) epochs = 100 }`")));
    };
    let first = train.metrics.first().map_or("loss", |metric| metric.name.as_str());
    let wanted = axes.metric.clone().unwrap_or_else(|| format!("test.{first}"));
    let wanted = if wanted.contains('.') { wanted } else { format!("test.{wanted}") };
    let quantity = wanted.split_once('.').map_or("", |(_, quantity)| quantity);
    let known = train.metrics.iter().find(|metric| metric.name == quantity);
    if (known.is_none() && quantity != "loss") || !(wanted.starts_with("test.") || wanted.starts_with("valid.")) {
        let names: Vec<&str> = train.metrics.iter().map(|metric| metric.name.as_str()).chain(["loss"]).collect();
        let told = Told::new(format!("`{wanted}` is not measured"));
        return Err(Failure::Usage(told.help(format!("compare `test.` or `valid.` with one of {}", names.join(", ")))));
    }
    let chosen_by = if train.select == Select::Test { wanted.clone() } else { format!("valid.{quantity}") };
    Ok(Metric { higher_is_better: known.is_some_and(|metric| metric.higher_is_better), name: wanted, chosen_by })
}

fn jobs(request: &Request, module: &Module, axes: &Axes, combinations: &[Combination]) -> Vec<Job> {
    let first = module.experiment.seed;
    let each = combinations.iter().flat_map(|combination| (0..u64::from(axes.repeats)).map(move |k| (combination, k)));
    each.map(|((param, over), k)| {
        let seed = first.wrapping_add(k);
        let request = axes::narrowed(request, axes, param, over, Some(seed));
        Job { request, seed, combination: (param.clone(), over.clone()) }
    })
    .collect()
}

/// Runs the jobs on threads; the outcomes are in the order of the jobs, `None` where `stop` came first.
fn run_all(
    jobs: &[Job],
    keep: Option<&Path>,
    threads: usize,
    told: &mut dyn FnMut(&Step),
    stop: &AtomicBool,
) -> Result<Vec<Option<Ran>>, Failure> {
    let mut all: Vec<Option<Ran>> = jobs.iter().map(|_| None).collect();
    let mut fault = None;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed)
                    && let Some((index, job)) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, jobs.get(i)?)))
                    && sender.send((index, run(job, keep, stop))).is_ok()
                {}
            });
        }
        drop(sender);
        let mut done = 0;
        for (index, ran) in receiver {
            match ran {
                Ok(Some(ran)) => {
                    done += 1;
                    let (param, over) = jobs[index].combination.clone();
                    told(&Step { done, total: jobs.len(), param, over, outcome: ran.outcome.clone(), kept: ran.kept });
                    all[index] = Some(ran);
                }
                Ok(None) => {}
                Err(failure) => {
                    next.store(jobs.len(), Ordering::Relaxed); // what runs may end, nothing else begins
                    fault.get_or_insert(failure);
                }
            }
        }
    });
    fault.map_or(Ok(all), Err)
}

fn gather(axes: &Axes, combinations: &[Combination], outcomes: Vec<Option<Outcome>>, metric: Metric) -> Comparison {
    let Metric { name, higher_is_better, chosen_by } = metric;
    let complete = outcomes.iter().all(Option::is_some);
    let mut params: Vec<String> = vec![];
    for (param, _) in combinations.iter().filter(|(_, over)| *over == combinations[0].1) {
        params.push(param.clone());
    }
    let mut outcomes = outcomes.into_iter();
    let mut cells = Vec::with_capacity(combinations.len());
    for (param, over) in combinations {
        let outcomes: Vec<Outcome> = outcomes.by_ref().take(axes.repeats as usize).flatten().collect();
        let values: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.figure(&name)).collect();
        let choices: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.figure(&chosen_by)).collect();
        let (statistics, choice) = (Statistics::of(&values), Statistics::of(&choices).mean);
        cells.push(Cell {
            param: param.clone(),
            over: over.clone(),
            outcomes,
            values,
            statistics,
            choice,
            best: false,
        });
    }
    mark_best(&mut cells, params.len(), axes.repeats as usize, higher_is_better);
    Comparison { params, over: axes.over.clone(), metric: name, higher_is_better, chosen_by, cells, complete }
}

/// Cells of one group stand side by side.
fn mark_best(cells: &mut [Cell], group: usize, repeats: usize, higher_is_better: bool) {
    for cells in cells.chunks_mut(group.max(1)) {
        let whole = |cell: &&mut Cell| cell.values.len() == repeats && cell.statistics.mean.is_finite();
        let key = |cell: &Cell| if higher_is_better { -cell.statistics.mean } else { cell.statistics.mean };
        if let Some(best) = cells.iter_mut().filter(whole).min_by(|a, b| key(a).total_cmp(&key(b))) {
            best.best = true;
        }
    }
}

impl Comparison {
    /// For each parameterization, and each combination of the remaining axes, the value of axis `key` (a learning rate, say)
    /// that is best on the rows one may choose on: a fair comparison tries several rates for each and reports the figure of
    /// the one chosen. Cells with failed runs are not chosen. Empty where there is no such axis.
    #[must_use]
    pub fn tuned(&self, key: &str) -> Vec<Tuned> {
        let mut found: Vec<Tuned> = vec![];
        for (index, cell) in self.cells.iter().enumerate() {
            let Some((_, value)) = cell.over.iter().find(|(known, _)| known == key) else { continue };
            let over: Vec<(String, String)> = cell.over.iter().filter(|(known, _)| known != key).cloned().collect();
            if cell.values.len() < cell.outcomes.len() || !cell.choice.is_finite() {
                continue;
            }
            let tuned = Tuned { param: cell.param.clone(), over, value: value.clone(), cell: index };
            match found.iter_mut().find(|known| known.param == tuned.param && known.over == tuned.over) {
                Some(known) if self.is_better(cell.choice, self.cells[known.cell].choice) => *known = tuned,
                Some(_) => {}
                None => found.push(tuned),
            }
        }
        found
    }

    fn is_better(&self, a: f64, b: f64) -> bool {
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
