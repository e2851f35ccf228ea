//! All rows of a data set in memory, as the file has them: nothing cut, nothing scaled.

use gmpc_compiler::experiment::{DataFacts, Task};

/// Some rows of a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples {
    /// How many.
    pub rows: usize,
    /// `[rows, features]`, row-major; finite.
    pub inputs: Vec<f64>,
    /// `[rows, outputs]`, row-major; finite. Classification: one class number a row, 0, 1, ….
    pub targets: Vec<f64>,
}

/// A whole data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// Every row; for a formula the training rows.
    pub examples: Examples,
    /// Test rows that the source itself sets apart (formulas).
    pub test: Option<Examples>,
    /// Input columns.
    pub features: usize,
    /// Target columns.
    pub outputs: usize,
    /// Classification: what the file calls class 0, 1, …; ascending. Empty for regression.
    pub labels: Vec<String>,
    /// Names of the input columns; empty where the file has none.
    pub feature_names: Vec<String>,
    /// Names of the target columns; empty where the file has none.
    pub target_names: Vec<String>,
}

impl Dataset {
    /// What shape inference needs to know.
    #[must_use]
    pub fn facts(&self, task: Task) -> DataFacts {
        let classes = (task == Task::Classification).then_some(self.labels.len());
        DataFacts { rows: Some(self.examples.rows), shape: vec![self.features], outputs: self.outputs, classes }
    }
}
