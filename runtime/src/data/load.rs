//! Reading a data set, whatever form it has.

use super::dataset::Dataset;
use super::{DataError, Directories, formula, numpy, table};
use gmpc_compiler::experiment::{DataSource, DataSpec};

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
