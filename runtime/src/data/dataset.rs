//! All rows of a data set in memory, as the file has them: nothing cut, nothing scaled.

use super::{DataError, Directories, formula, numpy, table};
use gmpc_compiler::experiment::{DataFacts, DataSource, DataSpec, Task};

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

/// Reads a data set.
///
/// # Errors
/// A missing or damaged file, a column that is not there, a cell that is no finite number (`E0750` to `E0757`), and a
/// number of features or classes that is not the declared one (`E0758`).
pub fn load(spec: &DataSpec, directories: &Directories) -> Result<Dataset, DataError> {
    let dataset = match &spec.source {
        DataSource::Table(table) => {
            let path = directories.find(&table.file, &spec.name)?;
            table::read(&path, table, spec.task, spec.classes)?
        }
        DataSource::Arrays(arrays) => {
            let inputs = directories.find(&arrays.inputs, &spec.name)?;
            let same = arrays.targets.path == arrays.inputs.path; // an archive holds both
            let targets = if same { inputs.clone() } else { directories.find(&arrays.targets, &spec.name)? };
            numpy::read(&inputs, &targets, arrays, spec.task, spec.classes)?
        }
        DataSource::Formula(formula) => formula::compute(formula, &spec.name)?,
        DataSource::Images(_) => {
            let reason = "these are images, and rows of a table are needed";
            return Err(DataError::data("E0753", &spec.name, reason).help("name a table, or an array"));
        }
    };
    match spec.features {
        Some(declared) if declared != dataset.features => Err(wrong_features(spec, declared, dataset.features)),
        _ => Ok(dataset),
    }
}

fn wrong_features(spec: &DataSpec, declared: usize, found: usize) -> DataError {
    let reason = format!("the declaration says {declared} features, the file has {found}");
    DataError::data("E0758", &spec.name, reason).help(format!("write `features = {found}`, or choose `columns`"))
}
