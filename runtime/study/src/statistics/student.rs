//! Student's t distribution.

use super::special::beta;

/// P(|T| > t): the two-sided p value, for `df` > 0 degrees of freedom. 1 at zero; NaN for a t that is none.
#[must_use]
pub fn two_sided(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    beta(df / 2.0, 0.5, df / (df + t * t))
}

/// The t that is exceeded, on either side together, with probability `1 - confidence`: 2.262 for 0.95 and 9 degrees of freedom.
/// `confidence` lies above 0 and below 1.
#[must_use]
pub fn critical(confidence: f64, df: f64) -> f64 {
    let outside = 1.0 - confidence;
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, df) > outside && high < 1e300 {
        (low, high) = (high, high * 2.0);
    }
    // Halved until neighbouring numbers are reached: it cannot miss, and nobody waits for it.
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if two_sided(middle, df) > outside { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}
