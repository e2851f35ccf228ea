//! How much a figure depends on an axis of numbers, such as the learning rate: a curve for each parameterization, and one number.
//!
//! The number is that of Wortsman et al., "Small-scale proxies for large-scale Transformer training instabilities", 2023
//! (arXiv 2309.14322): the mean over the values tried of how much worse the figure is than at the best of them, where no run
//! counts as worse than the untrained network. A run that diverged counts as untrained.

use super::{Cell, Comparison, Judged};
use crate::statistics::{mean, variance};
use gmpc_runtime::task::compare::Outcome;

/// Fewer values are no curve.
const LEAST_VALUES: usize = 3;
/// A value works that keeps at least this part of what the best value gains. Chosen by hand: much lower, and values that spoil a run
/// would count; much higher, and the chance between seeds would decide.
pub const KEPT: f64 = 0.9;
/// Values that span more than this factor stand on a scale of powers of ten.
const SPAN: f64 = 8.0;

/// Curves over one axis, at one value of the axes of which nothing was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensitivity {
    /// The axis.
    pub key: String,
    /// Are its values told apart by factors?
    pub log: bool,
    /// The remaining axes.
    pub over: Vec<(String, String)>,
    /// The figure: the one that was chosen by where values were chosen, so that test rows stay unseen.
    pub metric: String,
    /// One for each parameterization that has a curve.
    pub curves: Vec<Curve>,
}

/// Of one parameterization.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Which.
    pub param: String,
    /// By rising value.
    pub points: Vec<Point>,
    /// Are they steps along one line? Points drawn at random along with other axes are not.
    pub joined: bool,
    /// The figure of the untrained network, or the worst that was seen where that is not known.
    pub cap: f64,
    /// Was the untrained network measured?
    pub measured: bool,
    /// The value with the best mean.
    pub best: f64,
    /// Mean of how much worse the figure is than at `best`, 0 or more, in its unit.
    pub number: f64,
    /// The same of each seed alone, against its own figure at `best`; their mean is `number`. Below 0 where another value is better for
    /// this seed.
    pub seeds: Vec<(u64, f64)>,
    /// The unbroken stretch of values around `best` that work: no run of them failed, and the mean keeps [`KEPT`] of what the best value
    /// gains over the cap. `None` where nothing is gained, or the values are no line.
    pub works: Option<[f64; 2]>,
    /// The value that was chosen, where one was.
    pub chosen: Option<f64>,
}

/// One value of the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The value.
    pub value: f64,
    /// Over the seeds, each run at the cap at worst.
    pub mean: f64,
    /// Standard error over the seeds; 0 for one run.
    pub error: f64,
    /// Runs that diverged or failed.
    pub failed: usize,
    /// Runs in all.
    pub runs: usize,
}

/// For each axis with at least three values, all of them numbers: curves for each value of the other axes. None of a halved
/// comparison, whose values were stopped after different epochs.
#[must_use]
pub fn sensitivities(judged: &Judged<'_>) -> Vec<Sensitivity> {
    let comparison = judged.comparison;
    let mut found = Vec::new();
    if comparison.halving.is_some() {
        return found;
    }
    for (key, values) in &comparison.over {
        let numbers: Option<Vec<f64>> = values.iter().map(|value| number(value)).collect();
        // An axis of words, such as data sets, has no order and so no curve.
        let Some(mut numbers) = numbers else { continue };
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        if numbers.len() < LEAST_VALUES {
            continue;
        }
        let (low, high) = (numbers[0], numbers[numbers.len() - 1]);
        // Values that span factors were meant as steps of factors.
        let log = low > 0.0 && high / low >= SPAN;
        for over in panels(judged, key) {
            let curves: Vec<Curve> =
                comparison.params.iter().filter_map(|param| curve(judged, key, &over, param)).collect();
            if !curves.is_empty() {
                found.push(Sensitivity { key: key.clone(), log, over, metric: figure_of(comparison).into(), curves });
            }
        }
    }
    found
}

/// The figure that may be shown of every value tried.
fn figure_of(comparison: &Comparison) -> &str {
    if comparison.choose.is_empty() { &comparison.metric } else { &comparison.chosen_by }
}

fn number(text: &str) -> Option<f64> {
    text.replace('_', "").parse().ok()
}

/// The values of the axes of which nothing was chosen, without those of `key`. Each becomes a panel.
fn panels(judged: &Judged<'_>, key: &str) -> Vec<Vec<(String, String)>> {
    let mut found: Vec<Vec<(String, String)>> = vec![];
    for group in &judged.groups {
        let over: Vec<_> = group.over.iter().filter(|(known, _)| known != key).cloned().collect();
        if !found.contains(&over) {
            found.push(over);
        }
    }
    found
}

fn curve(judged: &Judged<'_>, key: &str, over: &[(String, String)], param: &str) -> Option<Curve> {
    let comparison = judged.comparison;
    let there = |cell: &&Cell| cell.param == param && over.iter().all(|axis| cell.over.contains(axis));
    let all: Vec<&Cell> = comparison.cells.iter().filter(there).collect();
    let entries = || judged.groups.iter().flat_map(|group| &group.entries);
    let entry = entries().find(|entry| entry.chosen.param == param && entry.chosen.over == over);
    // Other axes of which values were chosen stay at what was chosen.
    let fixed: Vec<&(String, String)> =
        entry.map_or(vec![], |entry| entry.chosen.values.iter().filter(|(known, _)| known != key).collect());
    let along: Vec<&Cell> =
        all.iter().copied().filter(|cell| fixed.iter().all(|axis| cell.over.contains(axis))).collect();
    let joined = along.len() >= LEAST_VALUES;
    let cells = if joined { along } else { all };
    let metric = figure_of(comparison);
    let worse = |a: f64, b: f64| if comparison.higher_is_better { a.min(b) } else { a.max(b) };
    let better = |a: f64, b: f64| if comparison.higher_is_better { a.max(b) } else { a.min(b) };
    let figures = |cell: &Cell| cell.outcomes.iter().filter_map(|one| one.figure(metric)).collect::<Vec<f64>>();
    let starts = cells.iter().flat_map(|cell| &cell.outcomes).flat_map(|outcome| &outcome.start);
    let starts: Vec<f64> =
        starts.filter(|(name, _)| name == metric).map(|(_, x)| *x).filter(|x| x.is_finite()).collect();
    let measured = !starts.is_empty();
    let cap = match measured {
        true => mean(&starts),
        false => cells.iter().flat_map(|cell| figures(cell)).reduce(worse)?,
    };
    let capped = |outcome: &Outcome| outcome.figure(metric).map_or(cap, |x| better(x, cap));
    let value = |cell: &Cell| number(&cell.over.iter().find(|(known, _)| known == key)?.1);
    let point = |cell: &&Cell| {
        let (capped, runs) = (cell.outcomes.iter().map(capped).collect::<Vec<f64>>(), cell.outcomes.len());
        let failed = runs - figures(cell).len();
        let error = if runs > 1 { (variance(&capped) / runs as f64).sqrt() } else { 0.0 };
        (runs > 0).then_some(Point { value: value(cell)?, mean: mean(&capped), error, failed, runs })
    };
    let mut points: Vec<Point> = cells.iter().filter_map(point).collect();
    points.sort_by(|a, b| a.value.total_cmp(&b.value));
    let best = points.iter().copied().reduce(|a, b| if comparison.is_better(b.mean, a.mean) { b } else { a })?;
    if points.len() < LEAST_VALUES {
        return None;
    }
    let number_of = mean(&points.iter().map(|point| (point.mean - best.mean).abs()).collect::<Vec<f64>>());
    let chosen = entry.and_then(|entry| {
        let (_, value) = entry.chosen.values.iter().find(|(known, _)| known == key)?;
        number(value)
    });
    // What each seed has at each value, by rising value.
    let mut by_value: Vec<(f64, Vec<(u64, f64)>)> = cells
        .iter()
        .filter_map(|cell| Some((value(cell)?, cell.outcomes.iter().map(|one| (one.seed, capped(one))).collect())))
        .collect();
    by_value.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (param, best, works) = (param.to_string(), best.value, joined.then(|| working(&points, &best, cap)).flatten());
    let seeds = by_seed(&by_value, best, comparison.higher_is_better);
    Some(Curve { param, points, joined, cap, measured, best, number: number_of, seeds, works, chosen })
}

/// The number of each seed that has a figure at every value.
fn by_seed(by_value: &[(f64, Vec<(u64, f64)>)], best: f64, higher_is_better: bool) -> Vec<(u64, f64)> {
    let figure = |runs: &[(u64, f64)], seed: u64| runs.iter().find(|(known, _)| *known == seed).map(|(_, x)| *x);
    let Some((_, at_best)) = by_value.iter().find(|(value, _)| value.total_cmp(&best).is_eq()) else { return vec![] };
    let one = |(seed, least): &(u64, f64)| {
        let all: Option<Vec<f64>> = by_value.iter().map(|(_, runs)| figure(runs, *seed)).collect();
        let worse = all?.into_iter().map(|x| if higher_is_better { least - x } else { x - least });
        Some((*seed, mean(&worse.collect::<Vec<f64>>())))
    };
    at_best.iter().filter_map(one).collect()
}

/// The stretch of values that work, from the lowest to the highest.
fn working(points: &[Point], best: &Point, cap: f64) -> Option<[f64; 2]> {
    let gain = (best.mean - cap).abs();
    let works = |point: &&Point| point.failed == 0 && (point.mean - cap).abs() >= KEPT * gain;
    let at = points.iter().position(|point| point.value.total_cmp(&best.value).is_eq())?;
    let (below, above) = (points[..=at].iter().rev(), points[at..].iter());
    let low = below.take_while(works).last()?;
    let high = above.take_while(works).last()?;
    (gain > 0.0).then_some([low.value, high.value])
}
