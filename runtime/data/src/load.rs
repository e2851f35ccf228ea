//! Reads data sets of any form.

use super::dataset::Dataset;
use super::{DataError, Directories, formula, numpy, table};
use gmpc_compiler::ir::experiment::{DataSource, DataSpec};

/// Reads a data set.
///
/// # Errors
/// A file is missing or damaged, a column does not exist, a cell is not a finite number (`E0750` to `E0757`), or the
/// number of features or classes is not the declared one (`E0758`).
pub fn load(spec: &DataSpec, directories: &Directories) -> Result<Dataset, DataError> {
    let dataset = match &spec.source {
        DataSource::Table(table) => {
            let path = directories.find(&table.file, &spec.name)?;
            table::read(&path, table, spec.task, spec.classes)?
        }
        DataSource::Arrays(arrays) => {
            let inputs = directories.find(&arrays.inputs, &spec.name)?;
            let same = arrays.targets.path == arrays.inputs.path; // one archive contains both
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
