//! From a declaration to the numbers a run trains, chooses and reports on: load, sample, split, hold out, standardize.

use super::dataset::{Dataset, Examples};
use super::load::load;
use super::split::{self, Rows};
use super::standardize::Scale;
use super::{DataError, Directories};
use gmpc_compiler::experiment::{DataFacts, DataSource, DataSpec, Select, Split, Standardize, Task};

/// The data of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Trained on; in the file's order, see [`super::order`] for an epoch's.
    pub train: Examples,
    /// Chosen on; `None` with `select = test` and with `validation = 0`.
    pub valid: Option<Examples>,
    /// Reported on.
    pub test: Examples,
    /// Of the whole data set; `rows` counts all parts together.
    pub facts: DataFacts,
    /// What the file calls class 0, 1, …; empty for regression.
    pub labels: Vec<String>,
    /// How the inputs above were scaled; new inputs need the same.
    pub input_scale: Option<Scale>,
    /// How the targets above were scaled (`standardize = all`, regression only); [`Scale::undo`] brings predictions and
    /// errors back to the file's units.
    pub target_scale: Option<Scale>,
}

/// Reads a data set and cuts it for one run. A function of the files and the seed only.
///
/// Statistics for standardizing come from the training rows alone, those held out for validation not among them.
///
/// # Errors
/// Those of [`load`], and `E0759` where the rows cannot be cut as asked.
pub fn prepare(spec: &DataSpec, select: Select, seed: u64, directories: &Directories) -> Result<Parts, DataError> {
    let dataset = load(spec, directories)?;
    let rows = cut(spec, select, seed, directories, &dataset)?;
    let own_test = dataset.test.as_ref().filter(|_| spec.split == Split::Given);
    let mut parts = Parts {
        train: take(&dataset, &rows.train),
        valid: (!rows.valid.is_empty()).then(|| take(&dataset, &rows.valid)),
        test: own_test.cloned().unwrap_or_else(|| take(&dataset, &rows.test)),
        facts: dataset.facts(spec.task),
        labels: dataset.labels,
        input_scale: None,
        target_scale: None,
    };
    parts.facts.rows = Some(parts.train.rows + parts.valid.as_ref().map_or(0, |v| v.rows) + parts.test.rows);
    standardize(&mut parts, spec)?;
    Ok(parts)
}

fn cut(
    spec: &DataSpec,
    select: Select,
    seed: u64,
    directories: &Directories,
    dataset: &Dataset,
) -> Result<Rows, DataError> {
    let name = &spec.name;
    let count = u32::try_from(dataset.examples.rows).map_err(|_| {
        DataError::data("E0759", name, "there are more than 4,294,967,295 rows").help("sample or cut the file")
    })?;
    let pool = match spec.sample {
        Some(_) if matches!(spec.split, Split::Predefined { .. }) => {
            let reason = "`sample` draws rows that the files of `predefined` may not name";
            return Err(
                DataError::data("E0759", name, reason).help("leave `sample` out, or write `split = random(...)`")
            );
        }
        Some(sample) => split::sample(count, sample, seed, name)?,
        None => (0..count).collect(),
    };
    let mut rows = match &spec.split {
        Split::Random { train } => split::random(&pool, *train, seed, name)?,
        Split::Predefined { .. } => split::predefined(&spec.split, count, seed, url(spec), name, directories)?,
        Split::Given if dataset.test.is_some() => Rows { train: pool, valid: vec![], test: vec![] },
        Split::Given => {
            let reason = "`split = given` is for data that say themselves which rows are test rows, and these do not";
            return Err(DataError::data("E0759", name, reason).help("write `split = random(train = 0.8)`"));
        }
    };
    if select == Select::Valid && spec.validation > 0.0 {
        split::hold_out(&mut rows, spec.validation, seed, name)?;
    }
    Ok(rows)
}

/// Is the set one that is fetched? Then its index files are in the data directory too.
fn url(spec: &DataSpec) -> Option<&str> {
    match &spec.source {
        DataSource::Table(table) => table.file.url.as_deref(),
        DataSource::Arrays(arrays) => arrays.inputs.url.as_deref(),
        DataSource::Formula(_) | DataSource::Images(_) => None,
    }
}

/// Copies rows; `rows` are below `dataset.examples.rows`.
fn take(dataset: &Dataset, rows: &[u32]) -> Examples {
    let gather = |values: &[f64], width: usize| {
        let mut taken = Vec::with_capacity(rows.len() * width);
        rows.iter().for_each(|&row| taken.extend_from_slice(&values[row as usize * width..][..width]));
        taken
    };
    let inputs = gather(&dataset.examples.inputs, dataset.features);
    let targets = gather(&dataset.examples.targets, dataset.outputs);
    Examples { rows: rows.len(), inputs, targets }
}

fn standardize(parts: &mut Parts, spec: &DataSpec) -> Result<(), DataError> {
    if spec.standardize == Standardize::None {
        return Ok(());
    }
    let scale = Scale::measure(&parts.train.inputs, parts.facts.features(), &spec.name)?;
    each(parts, |part| scale.apply(&mut part.inputs));
    parts.input_scale = Some(scale);
    if spec.standardize == Standardize::All && spec.task == Task::Regression {
        let scale = Scale::measure(&parts.train.targets, parts.facts.outputs, &spec.name)?.invertible();
        each(parts, |part| scale.apply(&mut part.targets));
        parts.target_scale = Some(scale);
    }
    Ok(())
}

fn each(parts: &mut Parts, f: impl Fn(&mut Examples)) {
    f(&mut parts.train);
    parts.valid.iter_mut().for_each(&f);
    f(&mut parts.test);
}

#[cfg(test)]
mod tests;
