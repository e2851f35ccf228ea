//! Centring and scaling columns by the mean and deviation of the training rows.

use super::DataError;
use serde::{Deserialize, Serialize};

/// Mean and deviation of each column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Subtracted first.
    pub mean: Vec<f64>,
    /// Then divided by; population deviation (ddof 0). 0 for a constant column: it becomes 0, whatever stands in it
    /// later.
    pub deviation: Vec<f64>,
}

impl Scale {
    /// Measures the columns of `values`, `[rows, width]`.
    ///
    /// # Errors
    /// `E0755` if a column's numbers are so large that their mean or deviation is not finite.
    pub(super) fn measure(values: &[f64], width: usize, name: &str) -> Result<Self, DataError> {
        let (mut mean, mut deviation) = (Vec::with_capacity(width), Vec::with_capacity(width));
        for column in 0..width {
            let values = || values.iter().skip(column).step_by(width).copied();
            let (m, d) = moments(values);
            if !m.is_finite() || !d.is_finite() {
                let reason = format!("the numbers of feature {column} are too large to be standardized");
                return Err(
                    DataError::data("E0755", name, reason).help("write `standardize = none`, or rescale the column")
                );
            }
            mean.push(m);
            deviation.push(d);
        }
        Ok(Scale { mean, deviation })
    }

    /// For targets: a constant column is centred and keeps its unit, so that predictions can be given back in it.
    pub(super) fn invertible(mut self) -> Self {
        self.deviation.iter_mut().filter(|d| **d == 0.0).for_each(|d| *d = 1.0);
        self
    }

    /// Centres and scales rows of this scale's width in place.
    pub fn apply(&self, rows: &mut [f64]) {
        self.each(rows, |value, mean, deviation| if deviation == 0.0 { 0.0 } else { (value - mean) / deviation });
    }

    /// Back to the units of the file.
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

/// Mean and population deviation, in two passes; a deviation of exactly 0 if all values are equal.
pub(super) fn moments<I: Iterator<Item = f64>>(values: impl Fn() -> I) -> (f64, f64) {
    let Some(first) = values().next() else { return (0.0, 0.0) };
    if values().all(|value| value.to_bits() == first.to_bits()) {
        return (first, 0.0); // rounding in the sum below would leave a tiny deviation
    }
    let (sum, count) = values().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    let mean = sum / count;
    let squares: f64 = values().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_column_becomes_zero() {
        // 0.998 in 11,934 rows is naval's P1: its sum rounds.
        let values: Vec<f64> = (0..11_934).flat_map(|i| [0.998, f64::from(i)]).collect();
        let scale = Scale::measure(&values, 2, "naval").unwrap();
        assert_eq!(scale.deviation[0].to_bits(), 0);
        let mut row = [5.0, 11_933.0 / 2.0];
        scale.apply(&mut row);
        assert_eq!(row, [0.0, 0.0]);
    }

    #[test]
    fn uses_the_population_deviation() {
        let scale = Scale::measure(&[1.0, 3.0], 1, "a").unwrap();
        assert_eq!(scale, Scale { mean: vec![2.0], deviation: vec![1.0] });
    }

    #[test]
    fn numbers_whose_squares_overflow_are_told() {
        assert_eq!(Scale::measure(&[1e300, -1e300], 1, "a").unwrap_err().code, "E0755");
    }

    proptest! {
        #[test]
        fn what_is_done_can_be_undone(values in prop::collection::vec(-1e6f64..1e6, 2..60)) {
            let width = 2;
            let values = &values[..values.len() / width * width];
            let scale = Scale::measure(values, width, "a").unwrap().invertible();
            let mut rows = values.to_vec();
            scale.apply(&mut rows);
            scale.undo(&mut rows);
            for (back, value) in rows.iter().zip(values) {
                prop_assert!((back - value).abs() <= 1e-9 * 1e6);
            }
        }
    }
}
