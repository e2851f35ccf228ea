//! Differences between two cells, seed by seed: the same split, the same order of rows, another parameterization.

use super::Group;
use crate::statistics::{Design, Paired, Share, bootstrap, holm, paired, share, wilcoxon};
use gmpc_runtime::task::compare::{Cell, Comparison, Splits};

/// A seed with the figures of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The seed of both runs.
    pub seed: u64,
    /// First minus second, in the metric's unit.
    pub difference: f64,
    /// The first over the second, minus 1; NaN where the second is 0.
    pub relative: f64,
}

/// A parameterization against the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Which.
    pub param: String,
    /// What it is compared with.
    pub baseline: String,
    /// The axes of which nothing was chosen.
    pub over: Vec<(String, String)>,
    /// By seed, in the order of the seeds.
    pub pairs: Vec<Pair>,
    /// Runs of either side whose partner failed.
    pub alone: usize,
    /// Mean with its 95 % interval and p value.
    pub paired: Paired,
    /// `corrected resampled t`; `none` where no interval can be given.
    pub method: &'static str,
    /// The p value after Holm over all differences of the comparison; NaN where there is none.
    pub adjusted: f64,
    /// Wilcoxon's p value; `None` below six pairs.
    pub wilcoxon: Option<f64>,
    /// A second opinion where runs are independent: the bootstrap's interval.
    pub bootstrap: Option<[f64; 2]>,
    /// Seeds won.
    pub share: Share,
}

/// Figures of two cells, by the seeds that both have.
pub(super) fn pairs(comparison: &Comparison, first: &Cell, second: &Cell) -> Vec<Pair> {
    let of =
        |cell: &Cell, seed: u64| cell.outcomes.iter().find(|outcome| outcome.seed == seed)?.figure(&comparison.metric);
    let pair = |seed: u64| {
        let (a, b) = (of(first, seed)?, of(second, seed)?);
        Some(Pair { seed, difference: a - b, relative: if b.abs() > 0.0 { a / b - 1.0 } else { f64::NAN } })
    };
    first.outcomes.iter().filter_map(|outcome| pair(outcome.seed)).collect()
}

/// How the rows of a cell's runs came about; `None` where it is not known how many there were.
#[must_use]
pub fn design(cell: &Cell) -> Option<Design> {
    match cell.splits {
        Splits::Fixed => Some(Design::Fixed),
        Splits::Drawn => {
            let [train, valid, test] = cell.outcomes.iter().find_map(|outcome| outcome.size)?.rows;
            (train > 0 && test > 0).then(|| Design::Resampled { ratio: test as f64 / (train + valid) as f64 })
        }
    }
}

/// Differences taken together by the method that the design asks for; without a design there is a mean and no interval.
pub(super) fn together(pairs: &[Pair], design: Option<Design>) -> (Paired, &'static str) {
    let differences: Vec<f64> = pairs.iter().map(|pair| pair.difference).collect();
    let found = paired(&differences, design.unwrap_or(Design::Fixed));
    match design {
        Some(design) if found.low.is_finite() => (found, design.method()),
        _ => (Paired { low: f64::NAN, high: f64::NAN, p: f64::NAN, ..found }, "none"),
    }
}

/// Every parameterization against the baseline, group after group.
pub(super) fn to_baseline(comparison: &Comparison, groups: &[Group]) -> Vec<Difference> {
    let Some(baseline) = &comparison.baseline else { return vec![] };
    let mut found: Vec<Difference> = vec![];
    for group in groups {
        let known = group.entries.iter().find(|entry| entry.chosen.param == *baseline);
        let Some(against) = known.and_then(|entry| entry.cell(comparison)) else { continue };
        let others = group.entries.iter().filter(|entry| entry.chosen.param != *baseline);
        found.extend(others.filter_map(|entry| {
            Some(between(comparison, entry.cell(comparison)?, against, &group.over)).filter(|one| !one.pairs.is_empty())
        }));
    }
    let p: Vec<f64> = found.iter().map(|difference| difference.paired.p).collect();
    found.iter_mut().zip(holm(&p)).for_each(|(difference, adjusted)| difference.adjusted = adjusted);
    found
}

fn between(comparison: &Comparison, cell: &Cell, against: &Cell, over: &[(String, String)]) -> Difference {
    let pairs = pairs(comparison, cell, against);
    let values: Vec<f64> = pairs.iter().map(|pair| pair.difference).collect();
    let design = design(cell);
    let (paired, method) = together(&pairs, design);
    let independent = design == Some(Design::Fixed) && paired.low.is_finite();
    Difference {
        param: cell.param.clone(),
        baseline: against.param.clone(),
        over: over.to_vec(),
        alone: cell.values.len() + against.values.len() - 2 * pairs.len(),
        paired,
        method,
        adjusted: f64::NAN,
        wilcoxon: wilcoxon(&values),
        // Runs that share rows are not independent, and a bootstrap over them would cover too little.
        bootstrap: independent.then(|| bootstrap(&values, crate::statistics::bootstrap::SEED)),
        share: share(&values, comparison.higher_is_better),
        pairs,
    }
}
