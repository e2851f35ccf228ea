//! The mean of differences by seed, with an interval: Student's paired t, corrected where test rows are drawn anew.
//!
//! ```text
//! fixed test rows      se = sqrt(s^2 / n)
//! random test rows     se = sqrt(s^2 (1 / n + n_test / n_train))      Nadeau and Bengio, Machine Learning 52, 2003
//! ```
//!
//! Runs whose splits are drawn at random share most of their training rows, so their differences are not independent, and the
//! plain standard error is too small: for 20 splits of 90/10 by a factor of 1.79. See also Bouckaert and Frank, PAKDD 2004.

use super::{CONFIDENCE, mean, student, variance};

/// How the rows of the runs came about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Design {
    /// Every run is reported on the same rows: what varies is the training.
    Fixed,
    /// Each run draws its test rows: `test / train` of them, rows of training and validation together.
    Resampled {
        /// Test rows over training rows, above 0.
        ratio: f64,
    },
}

impl Design {
    /// `paired t`, `corrected resampled t`.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Design::Fixed => "paired t",
            Design::Resampled { .. } => "corrected resampled t",
        }
    }
}

/// Differences taken together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// How many pairs.
    pub n: usize,
    /// Of the differences; NaN for none.
    pub mean: f64,
    /// Lower end of the 95 % interval; NaN for fewer than two pairs, or where the differences do not vary at all.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided p value of no difference; NaN as the interval.
    pub p: f64,
}

/// The mean of differences with its interval, by the method that the design asks for.
#[must_use]
pub fn paired(differences: &[f64], design: Design) -> Paired {
    let n = differences.len();
    let (mean, variance) = (mean(differences), variance(differences));
    let over = match design {
        Design::Fixed => 0.0,
        Design::Resampled { ratio } => ratio,
    };
    let error = (variance * (1.0 / n as f64 + over)).sqrt();
    // Differences that are all the same say nothing of chance: two runs that do the same, or numbers too coarse to tell.
    if error.is_nan() || error <= 0.0 {
        return Paired { n, mean, low: f64::NAN, high: f64::NAN, p: f64::NAN };
    }
    let df = n as f64 - 1.0;
    let reach = student::critical(CONFIDENCE, df) * error;
    Paired { n, mean, low: mean - reach, high: mean + reach, p: student::two_sided(mean / error, df) }
}
