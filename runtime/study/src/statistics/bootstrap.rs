//! Intervals by drawing again from what was seen: bias-corrected and accelerated for a mean (Efron 1987), by percentiles and
//! within each data set for the interquartile mean (Agarwal et al., NeurIPS 2021).
//!
//! Draw j of resample b is a function of the seed, b and j, so the interval is the same on every machine.

use super::{CONFIDENCE, iqm, mean, normal};
use gmpc_compiler::math::philox::philox;

/// Resamples.
pub const RESAMPLES: u32 = 10_000;
/// The seed that comparisons use. Any would do.
pub const SEED: u64 = 0x6a3f_1c55;
/// Tells these words from others of the same seed.
const PURPOSE: u32 = 0xb007;

/// Lower and upper end of the 95 % interval of the mean; both NaN for fewer than two values, both the mean where the values
/// are all the same.
#[must_use]
pub fn bootstrap(values: &[f64], seed: u64) -> [f64; 2] {
    if values.len() < 2 {
        return [f64::NAN; 2];
    }
    let centre = mean(values);
    let mut means: Vec<f64> = (0..RESAMPLES).map(|b| mean(&drawn(values, seed, b, 0))).collect();
    means.sort_by(f64::total_cmp);
    // The same numbers in another order may have another sum by rounding, and are the same mean all the same.
    let room = 1e-12 * values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let below = means.partition_point(|found| *found < centre - room) as f64;
    let not_above = means.partition_point(|found| *found <= centre + room) as f64;
    let bias = normal::quantile((below + not_above) / (2.0 * f64::from(RESAMPLES)));
    let acceleration = acceleration(values);
    if !(bias.is_finite() && acceleration.is_finite()) {
        return [centre; 2];
    }
    [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0].map(|part| {
        let shifted = bias + normal::quantile(part);
        percentile(&means, normal::below(bias + shifted / (1.0 - acceleration * shifted)))
    })
}

/// How the spread changes with the mean: from the means without one value each, which differ from the whole by
/// (mean - value) / (n - 1).
fn acceleration(values: &[f64]) -> f64 {
    let (centre, n) = (mean(values), values.len() as f64);
    let power = |k: i32| values.iter().map(|value| (value - centre).powi(k)).sum::<f64>();
    let spread = power(2) / n.powi(2);
    power(3) / n.powi(3) / (6.0 * spread * spread.sqrt())
}

/// The interval of the interquartile mean over data sets, each of whose figures are drawn among themselves; both NaN where
/// there are none.
#[must_use]
pub fn iqm_bootstrap(sets: &[Vec<f64>], seed: u64) -> [f64; 2] {
    if sets.iter().all(Vec::is_empty) {
        return [f64::NAN; 2];
    }
    let one = |b: u32| {
        let all = (0..).zip(sets).flat_map(|(stratum, set)| drawn(set, seed, b, stratum));
        iqm(&all.collect::<Vec<f64>>())
    };
    let mut found: Vec<f64> = (0..RESAMPLES).map(one).collect();
    found.sort_by(f64::total_cmp);
    [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0].map(|part| percentile(&found, part))
}

/// As many values as there are, drawn with replacement.
#[expect(clippy::cast_possible_truncation, reason = "low and high halves of words, and indices below the length")]
fn drawn(values: &[f64], seed: u64, resample: u32, stratum: u32) -> Vec<f64> {
    let key = [seed as u32, (seed >> 32) as u32];
    let mut found = Vec::with_capacity(values.len());
    for block in 0.. {
        for word in philox([block, resample, stratum, PURPOSE], key) {
            if found.len() == values.len() {
                return found;
            }
            // The bias of the product is below length / 2^32.
            found.push(values[((u64::from(word) * values.len() as u64) >> 32) as usize]);
        }
    }
    found
}

/// Between neighbours in a straight line, as NumPy does; `part` is 0 to 1.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let at = part * (sorted.len() as f64 - 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place inside the list")]
    let lower = (at.floor().max(0.0) as usize).min(sorted.len() - 1);
    let upper = (lower + 1).min(sorted.len() - 1);
    sorted[lower] + (at - lower as f64) * (sorted[upper] - sorted[lower])
}
