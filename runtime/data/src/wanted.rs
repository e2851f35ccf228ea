//! The inputs that a trained network takes, and the rows that were read for it.

use super::note::Note;

/// The inputs that a trained network takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Number of input elements of a row.
    pub features: usize,
    /// Names of the columns in training; empty if that file had none.
    pub feature_names: &'a [String],
    /// Names of the target columns, which the file may or may not have.
    pub target_names: &'a [String],
    /// Names of the columns of `--keep`.
    pub keep: &'a [String],
}

/// Rows to predict for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InputRows {
    /// `[rows, features]`, row-major and not scaled. [`super::Scale`] must be applied as in training.
    pub numbers: Vec<f64>,
    /// Number of rows.
    pub rows: usize,
    /// The line on which each row begins; empty for an array.
    pub lines: Vec<u64>,
    /// The column of each feature, counted from 0; empty for an array.
    pub columns: Vec<usize>,
    /// The cells of the columns of `--keep`: one list for each row.
    pub kept: Vec<Vec<String>>,
    /// Notes about the file.
    pub notes: Vec<Note>,
}
