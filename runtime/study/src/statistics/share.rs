//! The share of pairs that one side wins, with an interval: what is probable for the next seed, not how much is won.
//!
//! Wilson's interval of a proportion (JASA 22, 1927), for the plain one leaves 0..1 and covers too little for few pairs.

use super::{CONFIDENCE, normal};

/// Won pairs; a draw is half a win for each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Pairs won, in halves.
    pub wins: f64,
    /// Of how many.
    pub n: usize,
    /// Lower end of the 95 % interval of the share, 0 to 1; NaN for no pairs.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Counts the differences that are good: below zero where less is better.
#[must_use]
pub fn share(differences: &[f64], higher_is_better: bool) -> Share {
    let won = |d: &f64| match d.total_cmp(&0.0) {
        _ if d.abs() <= 0.0 => 0.5,
        order if order.is_gt() == higher_is_better => 1.0,
        _ => 0.0,
    };
    let (wins, n) = (differences.iter().map(won).sum::<f64>(), differences.len());
    let count = n as f64;
    let z = normal::quantile((1.0 + CONFIDENCE) / 2.0);
    let part = wins / count;
    let middle = (part + z * z / (2.0 * count)) / (1.0 + z * z / count);
    let reach = z / (1.0 + z * z / count) * (part * (1.0 - part) / count + z * z / (4.0 * count * count)).sqrt();
    Share { wins, n, low: (middle - reach).max(0.0), high: (middle + reach).min(1.0) }
}
