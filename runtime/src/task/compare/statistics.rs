//! Mean and standard error.

/// Of a cell's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// How many.
    pub n: usize,
    /// NaN for none.
    pub mean: f64,
    /// Standard deviation with n - 1, over the root of n; NaN for fewer than two values.
    pub stderr: f64,
}

impl Statistics {
    /// Sums run in the order of the values.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let stderr = if values.len() < 2 { f64::NAN } else { (squares / (n - 1.0)).sqrt() / n.sqrt() };
        Statistics { n: values.len(), mean, stderr }
    }
}

#[cfg(test)]
mod tests {
    use super::Statistics;

    #[test]
    fn the_standard_error_divides_by_n_minus_one() {
        let found = Statistics::of(&[1.0, 2.0, 3.0, 6.0]);
        assert_eq!((found.n, found.mean), (4, 3.0));
        assert!((found.stderr - (14.0_f64 / 3.0).sqrt() / 2.0).abs() < 1e-15);
        assert!(Statistics::of(&[1.0]).stderr.is_nan());
        assert!(Statistics::of(&[]).mean.is_nan());
    }
}
