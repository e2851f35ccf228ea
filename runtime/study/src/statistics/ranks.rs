//! Several methods over several data sets: mean ranks, Friedman's test, and Nemenyi's critical difference.
//!
//! Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006: figures of different data sets have
//! no common scale, ranks have. Methods whose mean ranks differ by less than the critical difference are not told apart.

use super::{CONFIDENCE, normal, special};

/// What ranks say.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranks {
    /// Of each method, 1 the best, over the data sets; ties share their mean.
    pub mean: Vec<f64>,
    /// How many data sets.
    pub sets: usize,
    /// Friedman's statistic, corrected for ties.
    pub statistic: f64,
    /// Its p value by the chi-squared distribution; NaN where all methods tie everywhere.
    pub p: f64,
    /// Nemenyi's critical difference of mean ranks at 95 %.
    pub critical: f64,
}

/// `figures[set][method]`, all rows of one length; `None` for fewer than two data sets or three methods (of two methods a
/// paired test says more).
#[must_use]
pub fn ranks(figures: &[Vec<f64>], higher_is_better: bool) -> Option<Ranks> {
    let (sets, methods) = (figures.len(), figures.first()?.len());
    if sets < 2 || methods < 3 || figures.iter().any(|row| row.len() != methods || row.iter().any(|x| x.is_nan())) {
        return None;
    }
    let (n, k) = (sets as f64, methods as f64);
    let mut sums = vec![0.0; methods];
    let mut ties = 0.0;
    for row in figures {
        let (ranked, tied) = of_row(row, higher_is_better);
        sums.iter_mut().zip(ranked).for_each(|(sum, rank)| *sum += rank);
        ties += tied;
    }
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let plain = 12.0 / (k * n * (k + 1.0)) * squares - 3.0 * n * (k + 1.0);
    let statistic = plain / (1.0 - ties / (k * (k * k - 1.0) * n));
    let p = special::gamma_upper((k - 1.0) / 2.0, statistic.max(0.0) / 2.0);
    let critical = normal::range_quantile(CONFIDENCE, methods) * (k * (k + 1.0) / (12.0 * n)).sqrt();
    let p = if statistic.is_finite() { p } else { f64::NAN };
    Some(Ranks { mean: sums.iter().map(|sum| sum / n).collect(), sets, statistic, p, critical })
}

/// Ranks of one data set, and how much the ties among them take away from Friedman's statistic.
fn of_row(row: &[f64], higher_is_better: bool) -> (Vec<f64>, f64) {
    let better = |a: f64, b: f64| if higher_is_better { a > b } else { a < b };
    let mut tied = 0.0;
    let rank = |x: &f64| {
        let before = row.iter().filter(|other| better(**other, *x)).count() as f64;
        let alike = row.iter().filter(|other| !better(**other, *x) && !better(*x, **other)).count() as f64;
        // A group of t ties takes t^3 - t away: each of its members t^2 - 1.
        tied += alike * alike - 1.0;
        before + (alike + 1.0) / 2.0
    };
    let ranked = row.iter().map(rank).collect();
    (ranked, tied)
}
