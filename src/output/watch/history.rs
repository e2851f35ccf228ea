//! The history of a curve in a bounded number of values: if there are too many, neighbours are replaced by their mean.

/// Largest number of means. It is even, and more than any terminal has columns.
const MOST: usize = 512;

/// A curve since the beginning of the run.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Each is the mean of `each` values.
    means: Vec<f64>,
    each: u32,
    sum: f64,
    count: u32,
    last: Option<f64>,
}

impl History {
    /// Adds the next value. A value that is not finite is left out.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.last = Some(value);
        self.sum += value;
        self.count += 1;
        if self.count < self.each.max(1) {
            return;
        }
        self.means.push(self.sum / f64::from(self.count));
        (self.sum, self.count) = (0.0, 0);
        if self.means.len() == MOST {
            self.means = self.means.as_chunks::<2>().0.iter().map(|[a, b]| 0.5 * (a + b)).collect();
            self.each = 2 * self.each.max(1);
        }
    }

    /// The last value.
    pub fn last(&self) -> Option<f64> {
        self.last
    }

    /// The whole curve in at most `most` values, each the mean of its neighbours.
    pub fn thinned(&self, most: usize) -> Vec<f64> {
        let count = self.means.len();
        let parts = count.min(most);
        let part = |k: usize| {
            let of = &self.means[k * count / parts..(k + 1) * count / parts];
            of.iter().sum::<f64>() / of.len() as f64
        };
        (0..parts).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_is_kept_in_few_means() {
        let mut history = History::default();
        (0..100_000).for_each(|k| history.push(f64::from(k)));
        assert!(history.means.len() < MOST && history.means.len() >= MOST / 4);
        assert_eq!(history.last(), Some(99_999.0));
        let thin = history.thinned(4);
        for (k, mean) in thin.iter().enumerate() {
            let expected = 100_000.0 * (k as f64 + 0.5) / 4.0;
            assert!((mean - expected).abs() < 2_000.0, "{thin:?}");
        }
    }

    #[test]
    fn a_short_curve_is_shown_as_it_is_and_nothing_stays_nothing() {
        let mut history = History::default();
        assert!(history.thinned(8).is_empty() && history.last().is_none());
        [3.0, f64::NAN, 1.0].into_iter().for_each(|value| history.push(value));
        assert_eq!(history.thinned(8), [3.0, 1.0]);
        assert!(history.thinned(0).is_empty());
    }
}
