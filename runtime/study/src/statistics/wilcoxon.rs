//! Wilcoxon's signed-rank test, exact: every assignment of signs to the ranks is counted, ties share their mean rank.

use super::normal;

/// Fewer pairs cannot reach p < 0.05 whatever they say (5 pairs: 0.0625 at best), so there is no verdict below.
pub const LEAST_PAIRS: usize = 6;
/// More pairs are judged by the normal distribution, which then agrees to three digits.
const EXACT: usize = 200;

/// The two-sided p value of differences around zero. Pairs without a difference are left out, as Wilcoxon did; `None` where
/// fewer than [`LEAST_PAIRS`] remain.
#[must_use]
pub fn wilcoxon(differences: &[f64]) -> Option<f64> {
    let mut sizes: Vec<f64> = differences.iter().copied().filter(|d| d.abs() > 0.0).collect();
    if sizes.len() < LEAST_PAIRS {
        return None;
    }
    sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranks = doubled_ranks(&sizes);
    let up: usize = sizes.iter().zip(&ranks).filter(|(d, _)| **d > 0.0).map(|(_, rank)| rank).sum();
    Some(if sizes.len() <= EXACT { exact(&ranks, up) } else { asymptotic(&ranks, up) })
}

/// Twice the rank of each of some sorted sizes; those that are equal share the mean of their ranks.
fn doubled_ranks(sorted: &[f64]) -> Vec<usize> {
    let mut ranks = Vec::with_capacity(sorted.len());
    while ranks.len() < sorted.len() {
        let first = ranks.len();
        let size = sorted[first].abs();
        let alike = sorted[first..].iter().take_while(|other| other.abs().total_cmp(&size).is_eq()).count();
        // Ranks first + 1 ..= first + alike: twice their mean.
        ranks.extend(std::iter::repeat_n(2 * first + alike + 1, alike));
    }
    ranks
}

/// Signs are fair coins: the probability of each sum of positive ranks, rank after rank.
fn exact(ranks: &[usize], up: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    let mut chance = vec![0.0; total + 1];
    chance[0] = 1.0;
    let mut reached = 0;
    for rank in ranks {
        reached += rank;
        for sum in (0..=reached).rev() {
            let with = if sum >= *rank { chance[sum - rank] } else { 0.0 };
            chance[sum] = 0.5 * (chance[sum] + with);
        }
    }
    let low: f64 = chance[..=up].iter().sum();
    let high: f64 = chance[up..].iter().sum();
    (2.0 * low.min(high)).min(1.0)
}

/// Ranks are twice the real ones, and so are the sum, its mean and its deviation.
fn asymptotic(ranks: &[usize], up: usize) -> f64 {
    let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
    let variance = ranks.iter().map(|rank| *rank as f64 * *rank as f64).sum::<f64>() / 4.0;
    (2.0 * normal::below(-(up as f64 - mean).abs() / variance.sqrt())).min(1.0)
}
