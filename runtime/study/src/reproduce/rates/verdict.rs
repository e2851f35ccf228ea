//! What the runs say about the claim: measures of each data set, ranks over all of them, and differences seed by seed.

use crate::judge::{Curve, Judged, design};
use crate::statistics::{Paired, Ranks, holm, paired, ranks};
use gmpc_runtime::task::compare::{Cell, Kept};

/// One data set at all rates.
#[derive(Debug, Clone)]
pub struct Set<'a> {
    /// `uci.yacht`
    pub name: String,
    /// The figure that rates are judged by: `valid.rmse`.
    pub metric: String,
    /// What was run.
    pub kept: &'a Kept,
    /// One for each parameterization that has one.
    pub curves: Vec<Curve>,
    /// The axes of the set: its name, where data sets are one.
    over: Vec<(String, String)>,
}

impl Set<'_> {
    /// Of a parameterization.
    #[must_use]
    pub fn curve(&self, param: &str) -> Option<&Curve> {
        self.curves.iter().find(|curve| curve.param == param)
    }

    /// The cell of a parameterization at one rate.
    #[must_use]
    pub fn cell(&self, key: &str, param: &str, rate: f64) -> Option<&Cell> {
        let at = |cell: &Cell| {
            let value = cell.over.iter().find(|(known, _)| known == key);
            value.and_then(|(_, value)| value.replace('_', "").parse::<f64>().ok()) == Some(rate)
        };
        let of =
            |cell: &&Cell| cell.param == param && self.over.iter().all(|axis| cell.over.contains(axis)) && at(cell);
        self.kept.comparison.cells.iter().find(of)
    }
}

/// The data sets of a comparison, each with its curves over the axis.
#[must_use]
pub fn sets<'a>(kept: &'a Kept, judged: &Judged<'_>, key: &str) -> Vec<Set<'a>> {
    let all = judged.sensitivities.iter().filter(|one| one.key == key);
    all.map(|one| Set {
        name: one.over.iter().find(|(key, _)| key == "data").map_or(kept.data.clone(), |(_, name)| name.clone()),
        metric: one.metric.clone(),
        kept,
        curves: one.curves.clone(),
        over: one.over.clone(),
    })
    .collect()
}

/// What is compared over data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The highest rate that works.
    Highest,
    /// How many of the rates tried are in the range that works.
    Width,
    /// The number of Wortsman et al. (2023).
    Sensitivity,
    /// Runs that diverged or failed.
    Failed,
}

/// In the order of the page.
pub const MEASURES: [Measure; 4] = [Measure::Highest, Measure::Width, Measure::Sensitivity, Measure::Failed];

impl Measure {
    /// Of one curve; nothing that works is less than any rate.
    #[must_use]
    pub fn of(self, curve: &Curve) -> f64 {
        match (self, curve.works) {
            (Measure::Highest, Some([_, high])) => high,
            (Measure::Width, Some([low, high])) => {
                curve.points.iter().filter(|point| point.value >= low && point.value <= high).count() as f64
            }
            (Measure::Highest, None) => f64::NEG_INFINITY,
            (Measure::Width, None) => 0.0,
            (Measure::Sensitivity, _) => curve.number,
            (Measure::Failed, _) => curve.points.iter().map(|point| point.failed as f64).sum(),
        }
    }

    /// Is more of it better?
    #[must_use]
    pub fn higher_is_better(self) -> bool {
        matches!(self, Measure::Highest | Measure::Width)
    }
}

/// One measure over all data sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Which.
    pub measure: Measure,
    /// Parameterizations that every data set has a curve of.
    pub params: Vec<String>,
    /// Data sets.
    pub sets: usize,
    /// Data sets on which the parameterization in question is the best, alone or with others; and of these, alone.
    pub first: [usize; 2],
    /// Ranks of all; `None` for fewer than three parameterizations or two data sets.
    pub ranks: Option<Ranks>,
    /// Those that it is better than by more than the critical difference of ranks.
    pub better_than: Vec<String>,
    /// Those that it is worse than by as much.
    pub worse_than: Vec<String>,
}

/// Compares `of` with the others; `None` where it has no curve.
#[must_use]
pub fn verdict(measure: Measure, of: &str, sets: &[Set<'_>]) -> Option<Verdict> {
    let first = sets.first()?;
    let everywhere = |param: &&Curve| sets.iter().all(|set| set.curve(&param.param).is_some());
    let params: Vec<String> = first.curves.iter().filter(everywhere).map(|curve| curve.param.clone()).collect();
    let own = params.iter().position(|param| param == of)?;
    let figures: Vec<Vec<f64>> = sets
        .iter()
        .map(|set| params.iter().filter_map(|param| set.curve(param)).map(|curve| measure.of(curve)).collect())
        .collect();
    let better = |a: f64, b: f64| if measure.higher_is_better() { a > b } else { a < b };
    let best = figures.iter().filter(|row| !row.iter().any(|x| better(*x, row[own])));
    let alone = |row: &&Vec<f64>| row.iter().filter(|x| !better(row[own], **x)).count() == 1;
    let first = [best.clone().count(), best.filter(alone).count()];
    let ranks = ranks(&figures, measure.higher_is_better());
    // How much lower the rank of the one in question is: above the critical difference it is better.
    let apart = |sign: f64| {
        let Some(ranks) = &ranks else { return vec![] };
        let far = |k: &usize| sign * (ranks.mean[*k] - ranks.mean[own]) > ranks.critical;
        (0..params.len()).filter(far).map(|k| params[k].clone()).collect::<Vec<String>>()
    };
    let (better_than, worse_than) = (apart(1.0), apart(-1.0));
    Some(Verdict { measure, sets: sets.len(), first, better_than, worse_than, ranks, params })
}

/// A difference of sensitivities, seed by seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// The data set.
    pub set: String,
    /// The other parameterization.
    pub param: String,
    /// The one in question minus the other: below 0 it is less sensitive.
    pub paired: Paired,
    /// The p value after Holm over all data sets and parameterizations.
    pub adjusted: f64,
}

/// Sensitivities of `of` against those of every other parameterization of every data set.
#[must_use]
pub fn against(of: &str, key: &str, sets: &[Set<'_>]) -> Vec<Against> {
    let mut found = Vec::new();
    for set in sets {
        let Some(own) = set.curve(of) else { continue };
        let Some(design) = set.cell(key, of, own.best).and_then(design) else { continue };
        for other in set.curves.iter().filter(|curve| curve.param != of) {
            let of_seed = |seed: u64| other.seeds.iter().find(|(known, _)| *known == seed).map(|(_, x)| *x);
            let differences: Vec<f64> = own.seeds.iter().filter_map(|(seed, x)| Some(x - of_seed(*seed)?)).collect();
            let (set, param) = (set.name.clone(), other.param.clone());
            found.push(Against { set, param, paired: paired(&differences, design), adjusted: f64::NAN });
        }
    }
    let p: Vec<f64> = found.iter().map(|one| one.paired.p).collect();
    found.iter_mut().zip(holm(&p)).for_each(|(one, adjusted)| one.adjusted = adjusted);
    found
}
