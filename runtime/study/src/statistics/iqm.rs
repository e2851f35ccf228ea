//! The interquartile mean: the mean of the middle half, which no single data set decides.

use super::mean;

/// Without the lowest and the highest quarter, each rounded down to whole values; NaN for none.
#[must_use]
pub fn iqm(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quarter = sorted.len() / 4;
    mean(&sorted[quarter..sorted.len() - quarter])
}
