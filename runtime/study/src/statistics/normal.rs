//! The normal distribution, and that of the range of several normal numbers.

use libm::{erfc, exp};
use std::f64::consts::{PI, SQRT_2};

/// P(Z <= z).
#[must_use]
pub fn below(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// The z with P(Z <= z) = p; infinite at 0 and 1, NaN outside.
#[must_use]
pub fn quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // In the lower tail small numbers keep their digits.
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    let (mut low, mut high) = (-40.0, 0.0);
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if below(middle) < p { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}

/// P(range of `count` normal numbers <= q): the studentized range with infinitely many degrees of freedom, `count` at least 2.
///
/// count * integral of density(z) * (below(z) - below(z - q))^(count - 1) over all z. The trapezoid rule is exact to the last
/// digits for a smooth function that vanishes at both ends.
#[must_use]
pub fn range_below(q: f64, count: usize) -> f64 {
    if q <= 0.0 || q.is_nan() {
        return if q.is_nan() { f64::NAN } else { 0.0 };
    }
    const STEP: f64 = 1.0 / 64.0;
    let power = i32::try_from(count.max(2) - 1).unwrap_or(i32::MAX);
    let density = |z: f64| exp(-z * z / 2.0) / (2.0 * PI).sqrt();
    let terms = (-9 * 64..=9 * 64).map(|k| {
        let z = f64::from(k) * STEP;
        density(z) * (below(z) - below(z - q)).powi(power)
    });
    (count.max(2) as f64 * terms.sum::<f64>() * STEP).min(1.0)
}

/// The range that `count` normal numbers stay below with probability `confidence`: 3.314 for 0.95 and 3.
#[must_use]
pub fn range_quantile(confidence: f64, count: usize) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if range_below(middle, count) < confidence { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}
