//! What shape inference needs to know of a data set, with as little reading as possible.

use super::{DataError, Directories, images, load, table};
use gmpc_compiler::experiment::{DataFacts, DataSource, DataSpec, Task};

/// Features, outputs and classes of a data set.
///
/// Declared numbers (`features = 13`, `classes = 2`) need no file: then `check`, `summary` and `emit` work before the
/// data are there. Otherwise the first lines of a table tell, and for class labels the whole target column.
///
/// # Errors
/// Those of [`load`].
pub fn probe(spec: &DataSpec, directories: &Directories) -> Result<DataFacts, DataError> {
    if let Some(facts) = declared(spec) {
        return Ok(facts);
    }
    match &spec.source {
        DataSource::Table(table) if spec.task == Task::Regression => {
            let path = directories.find(&table.file, &spec.name)?;
            let (features, outputs) = table::widths(&path, table)?;
            Ok(DataFacts { rows: None, shape: vec![features], outputs, classes: None })
        }
        DataSource::Images(images) => {
            let set = images::load(spec, images, directories)?;
            let shape = images.example_shape().map(Vec::from).unwrap_or_default();
            Ok(DataFacts { rows: Some(set.labels.len()), shape, outputs: 1, classes: Some(set.names.len()) })
        }
        _ => Ok(load(spec, directories)?.facts(spec.task)),
    }
}

fn declared(spec: &DataSpec) -> Option<DataFacts> {
    let classes = match spec.task {
        Task::Regression => None,
        Task::Classification => Some(spec.classes?),
    };
    let (rows, shape, outputs) = match &spec.source {
        DataSource::Formula(formula) => (Some(formula.points + formula.test_points), vec![1], 1),
        DataSource::Table(_) => (None, vec![spec.features?], spec.declared_outputs()),
        DataSource::Arrays(_) if classes.is_some() => (None, vec![spec.features?], 1),
        DataSource::Images(images) => (None, Vec::from(images.example_shape()?), 1),
        DataSource::Arrays(_) => return None, // how many outputs there are, only the file knows
    };
    Some(DataFacts { rows, shape, outputs, classes })
}
