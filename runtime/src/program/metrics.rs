//! Losses and metrics: their sums are added up over batches in f64 and then turned into the values that a person reads.

use crate::failure::Failure;
use crate::program::scalar::ScalarProgram;
use gmpc_compiler::ir::program::Measure;

/// The loss and the metrics of a program, ready for sums over batches.
#[derive(Debug, Clone)]
pub struct Measures {
    each: Vec<One>,
    /// Number of sums of all measures together.
    sums: usize,
}

#[derive(Debug, Clone)]
struct One {
    name: String,
    /// The program outputs that hold its sums, as indices into the named outputs.
    outputs: Vec<usize>,
    /// The output with a score and a truth for each row, of a measure over all rows at once.
    ranked: Option<usize>,
    finish: ScalarProgram,
}

/// The sums over all batches so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sums {
    /// One total for each sum of each measure, in the order of the measures.
    pub totals: Vec<f64>,
    /// Number of rows that the totals are over.
    pub rows: u64,
    /// Score and truth of each row, of each measure that needs all rows. Programs for training have none.
    pub ranked: Vec<Vec<f64>>,
}

impl Measures {
    /// Prepares the measures of a program.
    ///
    /// # Errors
    /// [`Failure::Bug`]: the last step of a measure is not a graph over single numbers.
    pub fn new(measures: &[Measure]) -> Result<Self, Failure> {
        let one = |measure: &Measure| {
            let finish = ScalarProgram::new(&measure.finish)?;
            Ok(One { name: measure.name.clone(), outputs: measure.sums.clone(), ranked: measure.ranked, finish })
        };
        let each = measures.iter().map(one).collect::<Result<Vec<_>, Failure>>()?;
        Ok(Measures { sums: each.iter().map(|one| one.outputs.len()).sum(), each })
    }

    /// The sums before the first batch.
    #[must_use]
    pub fn empty(&self) -> Sums {
        let ranked = self.each.iter().filter(|one| one.ranked.is_some()).map(|_| vec![]);
        Sums { totals: vec![0.0; self.sums], rows: 0, ranked: ranked.collect() }
    }

    /// Adds the outputs of one run of the program over `rows` rows. `output` returns the value of the named output with
    /// this index. Returns false if a sum of the loss is not finite; the sum is added nevertheless.
    pub fn add(&self, sums: &mut Sums, rows: u64, output: impl Fn(usize) -> f64) -> bool {
        let mut finite = true;
        let mut totals = sums.totals.iter_mut();
        for (index_of_measure, one) in self.each.iter().enumerate() {
            for (&index, total) in one.outputs.iter().zip(&mut totals) {
                let number = output(index);
                finite &= index_of_measure > 0 || number.is_finite();
                *total += number;
            }
        }
        sums.rows += rows;
        finite
    }

    /// Adds the rows of measures that need all of them. `output` gives the numbers of a named output.
    pub fn add_rows(&self, sums: &mut Sums, output: impl Fn(usize) -> Vec<f64>) {
        let ranked = self.each.iter().filter_map(|one| one.ranked);
        sums.ranked.iter_mut().zip(ranked).for_each(|(rows, index)| rows.extend(output(index)));
    }

    /// The names of the measures: `loss`, then the metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.each.iter().map(|one| one.name.as_str())
    }

    /// The values of loss and metrics, in the order of [`Measures::names`]. NaN if the sums are over no rows.
    pub fn finish(&mut self, sums: &Sums) -> Vec<f64> {
        let rows = sums.rows as f64;
        let mut next = 0;
        let mut means = Vec::new();
        let mut figures = Vec::with_capacity(self.each.len());
        // The area would not tell rows that were added twice.
        debug_assert!(
            sums.ranked.iter().all(|rows| rows.len() as u64 == 2 * sums.rows),
            "a score and a truth of each row"
        );
        let mut ranked = sums.ranked.iter();
        for one in &mut self.each {
            means.clear();
            if one.ranked.is_some() {
                means.push(ranked.next().map_or(f64::NAN, |rows| area(rows)));
            }
            means.extend(sums.totals[next..next + one.outputs.len()].iter().map(|total| total / rows));
            next += one.outputs.len();
            one.finish.run(&means);
            figures.push(one.finish.output(0));
        }
        figures
    }
}

/// The area under the ROC curve of rows `score, truth`: the share of pairs of a true and a false row in which the true one has the
/// higher score, equal ones counted half. NaN where a score is NaN, or where one of both kinds has no rows.
/// Mann and Whitney, 1947; computed from the ranks of the true rows.
fn area(rows: &[f64]) -> f64 {
    let mut pairs: Vec<(f64, bool)> = rows.chunks_exact(2).map(|pair| (pair[0], pair[1] > 0.5)).collect();
    if pairs.iter().any(|(score, _)| score.is_nan()) {
        return f64::NAN;
    }
    pairs.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut ranks = 0.0;
    let mut before = 0.0;
    // Rows of equal scores share the mean of their ranks. -0 and 0 are equal.
    for equal in pairs.chunk_by(|(a, _), (b, _)| a == b) {
        let count = equal.len() as f64;
        let truly = equal.iter().filter(|(_, truth)| *truth).count() as f64;
        ranks += truly * (before + (count + 1.0) / 2.0);
        before += count;
    }
    let truly = pairs.iter().filter(|(_, truth)| *truth).count() as f64;
    (ranks - truly * (truly + 1.0) / 2.0) / (truly * (before - truly))
}

#[cfg(test)]
mod tests {
    use super::Measures;
    use gmpc_compiler::ir::graph::{Graph, Op};
    use gmpc_compiler::ir::program::Measure;

    fn measures() -> Measures {
        let mut plain = Graph::default();
        let mean = plain.input("mean", vec![]);
        plain.output("value", mean);
        let mut root = Graph::default();
        let mean = root.input("mean", vec![]);
        let value = root.unary(Op::Sqrt, mean);
        root.output("value", value);
        let measure =
            |name: &str, output, finish| Measure { name: name.into(), sums: vec![output], ranked: None, finish };
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
    fn the_area_counts_pairs_in_order() {
        let rows = [0.1, 0.0, 0.4, 0.0, 0.35, 1.0, 0.8, 1.0];
        assert_eq!(super::area(&rows), 0.75); // scikit-learn's example of roc_auc_score
        assert_eq!(super::area(&[1.0, 0.0, 1.0, 1.0, 2.0, 1.0, 0.0, 0.0]), 0.875); // one of four pairs is level
        assert!(super::area(&[1.0, 1.0]).is_nan() && super::area(&[f64::NAN, 1.0, 0.0, 0.0]).is_nan());
    }

    #[test]
    fn a_loss_that_is_not_finite_is_seen_at_once() {
        let measures = measures();
        let mut sums = measures.empty();
        assert!(measures.add(&mut sums, 1, |output| [f64::NAN, 1.0][output]));
        assert!(!measures.add(&mut sums, 1, |output| [1.0, f64::INFINITY][output]));
    }
}
