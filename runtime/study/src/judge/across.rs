//! Over several data sets: mean ranks, and relative differences to the baseline.
//!
//! Figures of different data sets have no common scale. Ranks have, and so has the share by which a figure is below the baseline's;
//! of these the interquartile mean is taken, so that one data set does not decide.

use super::difference::pairs;
use super::{Comparison, Group};
use crate::statistics::bootstrap::{SEED, iqm_bootstrap};
use crate::statistics::{Ranks, iqm, ranks, wilcoxon};

/// What several data sets say together.
#[derive(Debug, Clone, PartialEq)]
pub struct Across {
    /// Parameterizations that every data set has a figure of, in the order asked for.
    pub params: Vec<String>,
    /// How many data sets have a figure of all of them.
    pub sets: usize,
    /// Their ranks; `None` for two parameterizations, or one data set.
    pub ranks: Option<Ranks>,
    /// To the baseline; empty without one.
    pub relative: Vec<Relative>,
}

/// One parameterization against the baseline over data sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Relative {
    /// Which.
    pub param: String,
    /// Interquartile mean of figure over the baseline's, minus 1, over all seeds of all data sets.
    pub iqm: f64,
    /// Its 95 % interval: bootstrap within each data set.
    pub interval: [f64; 2],
    /// Wilcoxon's p of the mean differences of the data sets; `None` below six.
    pub wilcoxon: Option<f64>,
    /// Data sets.
    pub sets: usize,
    /// Pairs of runs.
    pub n: usize,
}

/// `None` where data sets are no axis.
pub(super) fn across(comparison: &Comparison, groups: &[Group]) -> Option<Across> {
    let is_set = |group: &&Group| group.over.iter().any(|(key, _)| key == "data");
    let groups: Vec<&Group> = groups.iter().filter(is_set).collect();
    // Other axes beside the data sets would count each of them several times.
    let plain = groups.iter().all(|group| group.over.len() == 1);
    if groups.len() < 2 || !plain || comparison.params.len() < 2 {
        return None;
    }
    let mean = |group: &Group, k: usize| Some(group.entries.get(k)?.cell(comparison)?.statistics.mean);
    let has = |k: &usize| groups.iter().all(|group| mean(group, *k).is_some_and(f64::is_finite));
    let kept: Vec<usize> = (0..comparison.params.len()).filter(has).collect();
    let figures: Vec<Vec<f64>> =
        groups.iter().map(|group| kept.iter().filter_map(|k| mean(group, *k)).collect()).collect();
    let params = kept.iter().map(|k| comparison.params[*k].clone()).collect();
    let ranks = ranks(&figures, comparison.higher_is_better);
    Some(Across { params, sets: groups.len(), ranks, relative: relative(comparison, &groups) })
}

fn relative(comparison: &Comparison, groups: &[&Group]) -> Vec<Relative> {
    let Some(baseline) = &comparison.baseline else { return vec![] };
    let of = |param: &String| {
        let mut sets: Vec<Vec<f64>> = vec![];
        for group in groups {
            let cell = |name: &String| group.entries.iter().find(|entry| entry.chosen.param == *name)?.cell(comparison);
            let (Some(own), Some(against)) = (cell(param), cell(baseline)) else { continue };
            let found = pairs(comparison, own, against).into_iter().map(|pair| pair.relative);
            // A baseline of 0 has no ratio. A set without any pair must not count as one.
            let found: Vec<f64> = found.filter(|relative| relative.is_finite()).collect();
            if !found.is_empty() {
                sets.push(found);
            }
        }
        let means: Vec<f64> = sets.iter().map(|set| crate::statistics::mean(set)).collect();
        let all = sets.concat();
        (!all.is_empty()).then(|| Relative {
            param: param.clone(),
            iqm: iqm(&all),
            interval: iqm_bootstrap(&sets, SEED),
            wilcoxon: wilcoxon(&means),
            sets: sets.len(),
            n: all.len(),
        })
    };
    comparison.params.iter().filter(|param| *param != baseline).filter_map(of).collect()
}
