//! Losses and metrics: sums gathered batch by batch in f64, turned into the figures a person reads.

use crate::failure::Failure;
use crate::scalar::ScalarProgram;
use gmpc_compiler::program::Measure;

/// A loss and metrics, ready to be gathered.
#[derive(Debug, Clone)]
pub struct Measures {
    each: Vec<One>,
    /// Sums in all.
    sums: usize,
}

#[derive(Debug, Clone)]
struct One {
    name: String,
    /// Of the program's named outputs.
    outputs: Vec<usize>,
    finish: ScalarProgram,
}

/// What has been gathered so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sums {
    /// One total a sum of each measure, in order.
    pub totals: Vec<f64>,
    /// Rows they are over.
    pub rows: u64,
}

impl Measures {
    /// Prepares a program's measures.
    ///
    /// # Errors
    /// [`Failure::Bug`]: a measure's last step is no graph over single numbers.
    pub fn new(measures: &[Measure]) -> Result<Self, Failure> {
        let one = |measure: &Measure| {
            let finish = ScalarProgram::new(&measure.finish)?;
            Ok(One { name: measure.name.clone(), outputs: measure.sums.clone(), finish })
        };
        let each = measures.iter().map(one).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Measures { sums: each.iter().map(|one| one.outputs.len()).sum(), each })
    }

    /// Nothing gathered yet.
    #[must_use]
    pub fn empty(&self) -> Sums {
        Sums { totals: vec![0.0; self.sums], rows: 0 }
    }

    /// Adds what a program put out for `rows` rows; false where a sum of the loss is not finite (it is added all the same).
    /// `output` gives the number of a named output.
    pub fn add(&self, sums: &mut Sums, rows: u64, output: impl Fn(usize) -> f64) -> bool {
        let mut finite = true;
        let mut totals = sums.totals.iter_mut();
        for (place, one) in self.each.iter().enumerate() {
            for (&index, total) in one.outputs.iter().zip(&mut totals) {
                let number = output(index);
                finite &= place > 0 || number.is_finite();
                *total += number;
            }
        }
        sums.rows += rows;
        finite
    }

    /// `loss`, then the metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.each.iter().map(|one| one.name.as_str())
    }

    /// The figures, in the order of [`Measures::names`]; NaN over no rows at all.
    #[allow(clippy::cast_precision_loss)] // rows stay far below 2^53
    pub fn finish(&mut self, sums: &Sums) -> Vec<f64> {
        let rows = sums.rows as f64;
        let mut next = 0;
        let mut means = Vec::new();
        let mut figures = Vec::with_capacity(self.each.len());
        for one in &mut self.each {
            means.clear();
            means.extend(sums.totals[next..next + one.outputs.len()].iter().map(|total| total / rows));
            next += one.outputs.len();
            one.finish.run(&means);
            figures.push(one.finish.output(0));
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::Measures;
    use gmpc_compiler::graph::{Graph, Op};
    use gmpc_compiler::program::Measure;

    fn measures() -> Measures {
        let mut plain = Graph::default();
        let mean = plain.input("mean", vec![]);
        plain.output("value", mean);
        let mut root = Graph::default();
        let mean = root.input("mean", vec![]);
        let value = root.unary(Op::Sqrt, mean);
        root.output("value", value);
        let measure = |name: &str, output, finish| Measure { name: name.into(), sums: vec![output], finish };
        Measures::new(&[measure("loss", 1, plain), measure("rmse", 0, root)]).unwrap()
    }

    #[test]
    fn the_root_is_taken_of_the_mean_over_all_rows() {
        let mut measures = measures();
        let mut sums = measures.empty();
        assert!(measures.add(&mut sums, 2, |output| [18.0, 1.0][output]));
        assert!(measures.add(&mut sums, 1, |output| [9.0, 2.0][output]));
        assert_eq!(measures.finish(&sums), [1.0, 3.0]);
        assert_eq!(measures.names().collect::<Vec<_>>(), ["loss", "rmse"]);
    }

    #[test]
    fn a_loss_that_is_not_finite_is_seen_at_once() {
        let measures = measures();
        let mut sums = measures.empty();
        assert!(measures.add(&mut sums, 1, |output| [f64::NAN, 1.0][output]));
        assert!(!measures.add(&mut sums, 1, |output| [1.0, f64::INFINITY][output]));
    }
}
