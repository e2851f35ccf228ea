//! The statistics of comparisons, as reviewers ask for them: paired, honest about shared rows, corrected for looking often.
//!
//! ```text
//! differences by seed -paired-> mean, 95 % interval, p        special, student, normal: the functions below it
//!                     -wilcoxon-> p by ranks                  bootstrap: an interval without a normal distribution
//!                     -share-> pairs won, with interval       holm: many p values together
//! figures by data set -ranks-> Friedman, Nemenyi              iqm: a mean that no single data set decides
//! ```
//!
//! Everything is a function of `f64` slices: no file, no clock, no state. Random numbers are counted (Philox), so that an
//! interval is the same each time. `statistics/tests/reference.py` made the values that the tests compare with, with SciPy.

pub mod bootstrap;
pub mod holm;
pub mod iqm;
pub mod normal;
pub mod paired;
pub mod ranks;
pub mod share;
pub mod special;
pub mod student;
pub mod wilcoxon;

pub use bootstrap::{bootstrap, iqm_bootstrap};
pub use holm::holm;
pub use iqm::iqm;
pub use paired::{Design, Paired, paired};
pub use ranks::{Ranks, ranks};
pub use share::{Share, share};
pub use wilcoxon::{LEAST_PAIRS, wilcoxon};

/// What intervals promise to hold.
pub const CONFIDENCE: f64 = 0.95;

/// The mean; NaN for none. The sum runs in the order of the values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The variance with n - 1; NaN for fewer than two values.
#[must_use]
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    squares / (values.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests;
