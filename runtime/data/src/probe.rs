//! Finds the facts for shape inference with as little reading as possible.

use super::{DataError, Directories, Note, images, load, table};
use gmpc_compiler::ir::experiment::{DataFacts, DataSource, DataSpec, Task};

/// The number of features, outputs and classes of a data set, and notes about the part that had to be read.
///
/// Declared numbers (`features = 13`, `classes = 2`) need no file, so `check`, `summary` and `emit` work before the
/// data exist. Otherwise the first lines of a table are read, and for class labels the whole target column.
///
/// # Errors
/// The errors of [`load`].
pub fn probe(spec: &DataSpec, directories: &Directories) -> Result<(DataFacts, Vec<Note>), DataError> {
    if let Some(facts) = declared(spec) {
        return Ok((facts, vec![]));
    }
    match &spec.source {
        DataSource::Table(table) if spec.task == Task::Regression => {
            let path = directories.find(&table.file, &spec.name)?;
            let (features, outputs, notes) = table::widths(&path, table)?;
            Ok((DataFacts { rows: None, shape: vec![features], outputs, classes: None }, notes))
        }
        DataSource::Images(images) => {
            let set = images::load(spec, images, directories)?;
            let shape = images.example_shape().map(Vec::from).unwrap_or_default();
            let facts = DataFacts { rows: Some(set.labels.len()), shape, outputs: 1, classes: Some(set.names.len()) };
            Ok((facts, set.notes.clone()))
        }
        _ => {
            let dataset = load(spec, directories)?;
            Ok((dataset.facts(spec.task), dataset.notes))
        }
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
        DataSource::Arrays(_) => return None, // only the file tells the number of outputs
    };
    Some(DataFacts { rows, shape, outputs, classes })
}
