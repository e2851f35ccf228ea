//! All rows of a data set in memory, as the files have them: neither split nor scaled.

use crate::Note;
use gmpc_compiler::ir::experiment::{DataFacts, Task};

/// Some rows of a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples {
    /// Number of rows.
    pub rows: usize,
    /// `[rows, features]`, row-major; finite.
    pub inputs: Vec<f64>,
    /// `[rows, outputs]`, row-major; finite. For classification one class number for each row: 0, 1, ….
    pub targets: Vec<f64>,
    /// The line of the file on which each row begins; empty if the file has no lines.
    pub lines: Vec<u64>,
    /// Which row of the whole data set each is, from 0; empty where they are all of it.
    pub places: Vec<u64>,
}

/// A whole data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dataset {
    /// All rows; for a formula only the training rows.
    pub examples: Examples,
    /// Test rows, if the source itself separates them (formulas).
    pub test: Option<Examples>,
    /// Number of input columns.
    pub features: usize,
    /// Number of target columns.
    pub outputs: usize,
    /// For classification: the names of class 0, 1, … in the file, ascending. Empty for regression.
    pub labels: Vec<String>,
    /// Names of the input columns; empty if the file has none.
    pub feature_names: Vec<String>,
    /// Names of the target columns; empty if the file has none.
    pub target_names: Vec<String>,
    /// Notes about the files.
    pub notes: Vec<Note>,
}

impl Dataset {
    /// The facts that shape inference needs.
    #[must_use]
    pub fn facts(&self, task: Task) -> DataFacts {
        let classes = (task == Task::Classification).then_some(self.labels.len());
        DataFacts { rows: Some(self.examples.rows), shape: vec![self.features], outputs: self.outputs, classes }
    }
}
