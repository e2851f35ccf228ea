//! Standardizes columns by the mean and deviation of the training rows.

use super::DataError;
use serde::{Deserialize, Serialize};

/// Mean and deviation of each column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Subtracted first.
    pub mean: Vec<f64>,
    /// The divisor: population standard deviation (ddof 0). It is 0 for a constant column, which then becomes 0,
    /// whatever new rows contain.
    pub deviation: Vec<f64>,
}

impl Scale {
    /// Computes mean and deviation of the columns of `values`, `[rows, width]`.
    ///
    /// # Errors
    /// `E0755`: the numbers of a column are so large that mean or deviation is not finite.
    pub(super) fn measure(
        values: &[f64],
        width: usize,
        (what, names): (&str, &[String]),
        name: &str,
    ) -> Result<Self, DataError> {
        let (mut mean, mut deviation) = (Vec::with_capacity(width), Vec::with_capacity(width));
        for column in 0..width {
            let values = || values.iter().skip(column).step_by(width).copied();
            let (m, d) = moments(values);
            if !m.is_finite() || !d.is_finite() {
                let column = names.get(column).map_or_else(|| column.to_string(), |name| format!("`{name}`"));
                let reason = format!("the numbers of {what} {column} are too large to be standardized");
                return Err(
                    DataError::data("E0755", name, reason).help("rescale the column: its squares go beyond 1.8e308")
                );
            }
            mean.push(m);
            deviation.push(d);
        }
        Ok(Scale { mean, deviation })
    }

    /// The scale for targets: a constant column is centred but keeps its unit, so that predictions can be converted
    /// back.
    pub(super) fn invertible(mut self) -> Self {
        self.deviation.iter_mut().filter(|d| **d == 0.0).for_each(|d| *d = 1.0);
        self
    }

    /// Columns of one value, which become 0.
    pub(super) fn constant(&self) -> Vec<usize> {
        let zero = |(_, deviation): &(usize, &f64)| **deviation == 0.0;
        self.deviation.iter().enumerate().filter(zero).map(|(column, _)| column).collect()
    }

    /// Standardizes rows of this scale's width in place.
    pub fn apply(&self, rows: &mut [f64]) {
        self.each(rows, |value, mean, deviation| if deviation == 0.0 { 0.0 } else { (value - mean) / deviation });
    }

    /// Converts rows back to the units of the file, in place.
    pub fn undo(&self, rows: &mut [f64]) {
        self.each(rows, |value, mean, deviation| value * deviation + mean);
    }

    fn each(&self, rows: &mut [f64], f: impl Fn(f64, f64, f64) -> f64) {
        for row in rows.chunks_mut(self.mean.len().max(1)) {
            for ((value, mean), deviation) in row.iter_mut().zip(&self.mean).zip(&self.deviation) {
                *value = f(*value, *mean, *deviation);
            }
        }
    }
}

/// Values count as equal if they differ by at most this number of units in the last place of the largest. `0.1 + 0.2`
/// and `0.3` are an example; a few more sums and products stay within it.
const ROUNDING: f64 = 16.0;

/// Mean and population standard deviation in two passes. The deviation is exactly 0 if all values are equal up to
/// rounding, because another value divided by a tiny deviation would become astronomically large.
pub(super) fn moments<I: Iterator<Item = f64>>(values: impl Fn() -> I) -> (f64, f64) {
    let Some(first) = values().next() else { return (0.0, 0.0) };
    if values().all(|value| value.to_bits() == first.to_bits()) {
        return (first, 0.0); // the sum below would give a tiny deviation by rounding
    }
    let (sum, count) = values().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    let mean = sum / count;
    let (low, high) = values().fold((first, first), |(low, high), value| (low.min(value), high.max(value)));
    if high - low <= ROUNDING * f64::EPSILON * low.abs().max(high.abs()) {
        return (mean, 0.0);
    }
    let squares: f64 = values().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_column_becomes_zero() {
        // The column P1 of naval has 0.998 in 11,934 rows; its sum is rounded.
        let values: Vec<f64> = (0..11_934).flat_map(|i| [0.998, f64::from(i)]).collect();
        let scale = Scale::measure(&values, 2, ("feature", &[]), "naval").unwrap();
        assert_eq!(scale.deviation[0].to_bits(), 0);
        let mut row = [5.0, 11_933.0 / 2.0];
        scale.apply(&mut row);
        assert_eq!(row, [0.0, 0.0]);
    }

    #[test]
    fn a_column_constant_up_to_rounding_is_constant() {
        let values: Vec<f64> = (0..30).map(|i| if i % 2 == 0 { 0.1 + 0.2 } else { 0.3 }).collect();
        let scale = Scale::measure(&values, 1, ("feature", &[]), "a").unwrap();
        assert_eq!(scale.deviation, [0.0]);
        let mut row = [0.31];
        scale.apply(&mut row);
        assert_eq!(row, [0.0]);
        assert_eq!(Scale::measure(&values, 1, ("feature", &[]), "a").unwrap().invertible().deviation, [1.0]);
    }

    #[test]
    fn small_numbers_and_small_differences_are_no_constants() {
        let small = Scale::measure(&[1e-20, 3e-20], 1, ("feature", &[]), "a").unwrap().deviation[0];
        assert!((small - 1e-20).abs() < 1e-34, "{small}");
        assert!(Scale::measure(&[1.0, 1.0 + 1e-12], 1, ("feature", &[]), "a").unwrap().deviation[0] > 0.0);
    }

    #[test]
    fn uses_the_population_deviation() {
        let scale = Scale::measure(&[1.0, 3.0], 1, ("feature", &[]), "a").unwrap();
        assert_eq!(scale, Scale { mean: vec![2.0], deviation: vec![1.0] });
    }

    #[test]
    fn numbers_whose_squares_overflow_are_told() {
        assert_eq!(Scale::measure(&[1e300, -1e300], 1, ("feature", &[]), "a").unwrap_err().code, "E0755");
    }

    proptest! {
        #[test]
        fn what_is_done_can_be_undone(values in prop::collection::vec(-1e6f64..1e6, 2..60)) {
            let width = 2;
            let values = &values[..values.len() / width * width];
            let scale = Scale::measure(values, width, ("feature", &[]), "a").unwrap().invertible();
            let mut rows = values.to_vec();
            scale.apply(&mut rows);
            scale.undo(&mut rows);
            for (back, value) in rows.iter().zip(values) {
                prop_assert!((back - value).abs() <= 1e-9 * 1e6);
            }
        }
    }
}
