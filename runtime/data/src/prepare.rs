//! From a declaration to the training, validation and test rows of a run: load, sample, split, hold out, standardize.

use super::dataset::{Dataset, Examples};
use super::load::load;
use super::split::{self, Rows};
use super::standardize::Scale;
use super::{DataError, Directories, Note, twins};
use gmpc_compiler::ir::experiment::{DataFacts, DataSource, DataSpec, Select, Split, Standardize, Task};

/// A rounding to f32 is told if it is more than this share of a column's range.
const MUCH_ROUNDED: f64 = 1e-3;

/// All data of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// The training rows in the file's order; [`super::order`] gives that of an epoch.
    pub train: Examples,
    /// The validation rows; `None` with `select = test` or `validation = 0`.
    pub valid: Option<Examples>,
    /// The test rows.
    pub test: Examples,
    /// Facts about the whole data set; `rows` counts all parts together.
    pub facts: DataFacts,
    /// Names of class 0, 1, … in the file; empty for regression.
    pub labels: Vec<String>,
    /// How the inputs were scaled. New inputs must be scaled in the same way.
    pub input_scale: Option<Scale>,
    /// How the targets were scaled (`standardize = all`, regression only). [`Scale::undo`] converts predictions and
    /// errors to the file's units.
    pub target_scale: Option<Scale>,
    /// Names of the input columns; empty if the file has none.
    pub feature_names: Vec<String>,
    /// Names of the target columns; empty if the file has none.
    pub target_names: Vec<String>,
    /// Notes about the files and their split.
    pub notes: Vec<Note>,
}

/// Reads a data set and splits it for one run. The result depends on the files and the seed only.
///
/// Means and deviations for standardizing are those of the training rows, without the validation rows.
///
/// # Errors
/// The errors of [`load`]; `E0759`: the rows cannot be split as asked.
pub fn prepare(spec: &DataSpec, select: Select, seed: u64, directories: &Directories) -> Result<Parts, DataError> {
    let dataset = load(spec, directories)?;
    let rows = cut(spec, select, seed, directories, &dataset)?;
    let own_test = dataset.test.as_ref().filter(|_| spec.split == Split::Given);
    let mut parts = Parts {
        train: take(&dataset, &rows.train),
        valid: (!rows.valid.is_empty()).then(|| take(&dataset, &rows.valid)),
        test: own_test.cloned().unwrap_or_else(|| take(&dataset, &rows.test)),
        facts: dataset.facts(spec.task),
        labels: dataset.labels.clone(),
        input_scale: None,
        target_scale: None,
        feature_names: dataset.feature_names.clone(),
        target_names: dataset.target_names.clone(),
        notes: dataset.notes.clone(),
    };
    parts.facts.rows = Some(parts.train.rows + parts.valid.as_ref().map_or(0, |v| v.rows) + parts.test.rows);
    parts.notes.extend(classes_without_rows(&parts, &spec.name));
    parts.notes.extend(twins::shared_rows(&parts.train, &parts.test, &spec.name));
    // As they are in the file, before anything is scaled.
    let (before, names) = (parts.train.clone(), parts.feature_names.clone());
    standardize(&mut parts, spec)?;
    let constant = parts.input_scale.as_ref().map(Scale::constant).unwrap_or_default();
    parts.notes.extend(twins::telling(&before, &names, &constant, &spec.name));
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
        // The validation rows are taken from the training rows after the split, so the test rows do not depend on
        // `validation`.
        Split::Random { train } => split::random(&pool, *train, seed, name)?,
        Split::Predefined { .. } => split::predefined(&spec.split, count, seed, url(spec), name, directories)?,
        Split::Given if dataset.test.is_some() => Rows { train: pool, valid: vec![], test: vec![] },
        Split::Given => {
            let reason = "`split = given` needs data with separate test rows, and these have none";
            return Err(DataError::data("E0759", name, reason).help("write `split = random(train = 0.8)`"));
        }
    };
    if select == Select::Valid && spec.validation > 0.0 {
        split::hold_out(&mut rows, spec.validation, seed, name)?;
    }
    Ok(rows)
}

/// The address of the data set, if it can be downloaded. Its index files are then in the data directory too.
fn url(spec: &DataSpec) -> Option<&str> {
    match &spec.source {
        DataSource::Table(table) => table.file.url.as_deref(),
        DataSource::Arrays(arrays) => arrays.inputs.url.as_deref(),
        DataSource::Formula(_) | DataSource::Images(_) => None,
    }
}

/// Copies rows. `rows` are below `dataset.examples.rows`.
fn take(dataset: &Dataset, rows: &[u32]) -> Examples {
    let gather = |values: &[f64], width: usize| {
        let mut taken = Vec::with_capacity(rows.len() * width);
        rows.iter().for_each(|&row| taken.extend_from_slice(&values[row as usize * width..][..width]));
        taken
    };
    let inputs = gather(&dataset.examples.inputs, dataset.features);
    let targets = gather(&dataset.examples.targets, dataset.outputs);
    let lines = rows.iter().filter_map(|&row| dataset.examples.lines.get(row as usize).copied()).collect();
    Examples { rows: rows.len(), inputs, targets, lines, places: rows.iter().map(|&row| row.into()).collect() }
}

fn standardize(parts: &mut Parts, spec: &DataSpec) -> Result<(), DataError> {
    if spec.standardize == Standardize::None {
        return Ok(());
    }
    let names = ("feature", parts.feature_names.as_slice());
    let scale = Scale::measure(&parts.train.inputs, parts.facts.features(), names, &spec.name)?;
    each(parts, |part| scale.apply(&mut part.inputs));
    parts.input_scale = Some(scale);
    if spec.standardize == Standardize::All && spec.task == Task::Regression {
        let names = ("target", parts.target_names.as_slice());
        let scale = Scale::measure(&parts.train.targets, parts.facts.outputs, names, &spec.name)?.invertible();
        each(parts, |part| scale.apply(&mut part.targets));
        parts.target_scale = Some(scale);
    }
    Ok(())
}

/// Notes about classes that cannot be learned, or that no metric covers.
fn classes_without_rows(parts: &Parts, name: &str) -> Vec<Note> {
    let count = |part: &Examples| {
        let mut rows = vec![0usize; parts.labels.len()];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "classes are numbered from 0")]
        let numbers = part.targets.iter().map(|class| *class as usize);
        numbers.for_each(|class| rows.iter_mut().skip(class).take(1).for_each(|count| *count += 1));
        rows
    };
    if parts.labels.is_empty() {
        return vec![];
    }
    let valid = parts.valid.as_ref().map(count);
    absent(&parts.labels, &count(&parts.train), valid.as_deref(), &count(&parts.test), name)
}

/// Notes about classes without a row in the training part, the validation part (if there is one) or the test part, from
/// the number of rows of each class.
pub(crate) fn absent(
    labels: &[String],
    train: &[usize],
    valid: Option<&[usize]>,
    test: &[usize],
    name: &str,
) -> Vec<Note> {
    let note = |rows: &[usize], what: &str, help: &str| {
        let without: Vec<&String> =
            labels.iter().zip(rows).filter(|(_, rows)| **rows == 0).map(|(name, _)| name).collect();
        let shown: Vec<String> = without.iter().take(5).map(|name| format!("`{name}`")).collect();
        let dots = if without.len() > 5 { ", …" } else { "" };
        let have = if without.len() == 1 { "has" } else { "have" };
        let message =
            format!("{} of {} classes {have} no {what} row: {}{dots}", without.len(), labels.len(), shown.join(", "));
        (!without.is_empty()).then(|| Note::new("W0779", name, message).help(help))
    };
    let train = note(train, "training", "give them rows, or leave them out of the file and of `classes`");
    let test = note(test, "test", "the metrics do not cover them; another `seed` or a larger test part may have some");
    let chosen = "the best epoch is chosen without them; another `seed` or a larger `validation` may have some";
    let valid = valid.and_then(|valid| note(valid, "validation", chosen));
    train.into_iter().chain(valid).chain(test).collect()
}

impl Parts {
    /// Checks that every number is finite in f32, for a program of this precision.
    ///
    /// # Errors
    /// `E0755` with the line of the first number that is not.
    pub fn fit_f32(&self, file: &str) -> Result<(), DataError> {
        let parts = [Some(&self.train), self.valid.as_ref(), Some(&self.test)];
        for part in parts.into_iter().flatten() {
            fits(
                &part.inputs,
                self.facts.features(),
                (&part.lines, &part.places),
                ("feature", &self.feature_names),
                self.input_scale.as_ref(),
                file,
            )?;
            let targets = self.targets_in_their_units(part);
            fits(
                &targets,
                self.facts.outputs,
                (&part.lines, &part.places),
                ("target", &self.target_names),
                None,
                file,
            )?;
        }
        Ok(())
    }

    /// A note about targets that fit into f32 and whose squares do not: their mean squared error is infinite.
    #[must_use]
    pub fn squares_beyond_f32(&self, file: &str) -> Option<Note> {
        let parts = [Some(&self.train), self.valid.as_ref(), Some(&self.test)];
        let largest = parts.into_iter().flatten().flat_map(|part| self.targets_in_their_units(part));
        let largest = largest.fold(0.0, |largest: f64, target| largest.max(target.abs()));
        let message = format!("targets go up to {largest:e}, and their squares beyond the numbers of f32 (3.4e38)");
        let note = Note::new("W0794", file, message);
        let help = "a mean squared error is infinite then: write `precision = f64`, or rescale the column";
        (largest * largest * 4.0 > f64::from(f32::MAX)).then(|| note.help(help))
    }

    /// A note about columns that vary by little around a large number, so that f32 cannot tell their values apart.
    #[must_use]
    pub fn rounded_by_f32(&self, file: &str) -> Option<Note> {
        let parts = || [Some(&self.train), self.valid.as_ref(), Some(&self.test)].into_iter().flatten();
        let inputs = coarse(parts().map(|part| &part.inputs[..]), self.facts.features());
        // Classes are small whole numbers.
        let targets =
            coarse(parts().map(|part| &part.targets[..]), self.facts.outputs * usize::from(self.labels.is_empty()));
        let named = |(what, names): (&str, &[String]), (column, coarse): (usize, [f64; 3])| {
            let name =
                names.get(column).map_or_else(|| format!("{what} {}", column + 1), |name| format!("{what} `{name}`"));
            (coarse, name)
        };
        let features = inputs.into_iter().map(|found| named(("feature", &self.feature_names), found));
        let mut found = features.chain(targets.into_iter().map(|found| named(("target", &self.target_names), found)));
        let ([low, high, error], name) = found.next()?;
        let more = match found.count() {
            0 => String::new(),
            more => format!("; so are {more} more columns"),
        };
        let message = format!("{name} goes from {low} to {high}, and is rounded by up to {error} in f32{more}");
        Some(Note::new("W0770", file, message).help("write `standardize = features`, or `precision = f64`"))
    }

    /// The targets in the units of the file.
    fn targets_in_their_units(&self, part: &Examples) -> Vec<f64> {
        let mut targets = part.targets.clone();
        self.target_scale.iter().for_each(|scale| scale.undo(&mut targets));
        targets
    }
}

/// The columns of `[rows, width]` that f32 rounds by much of their range, each with its lowest and its highest number and the
/// largest rounding.
fn coarse<'v>(parts: impl Iterator<Item = &'v [f64]>, width: usize) -> Vec<(usize, [f64; 3])> {
    let mut columns = vec![[f64::INFINITY, f64::NEG_INFINITY, 0.0]; width];
    for row in parts.filter(|_| width > 0).flat_map(|values| values.chunks_exact(width)) {
        for ([low, high, error], value) in columns.iter_mut().zip(row) {
            #[expect(clippy::cast_possible_truncation, reason = "rounded as it will be")]
            let rounded = f64::from(*value as f32);
            (*low, *high, *error) = (low.min(*value), high.max(*value), error.max((value - rounded).abs()));
        }
    }
    let much = |(_, [low, high, error]): &(usize, [f64; 3])| high > low && *error > MUCH_ROUNDED * (high - low);
    columns.into_iter().enumerate().filter(much).collect()
}

/// Checks that every number of `[rows, width]` is finite in f32. A message shows the number of the file, with its line or
/// else its row (both as in [`Examples`]).
///
/// # Errors
/// `E0755` with the line of the first number that is not.
pub fn fits(
    values: &[f64],
    width: usize,
    (lines, places): (&[u64], &[u64]),
    (what, names): (&str, &[String]),
    scale: Option<&Scale>,
    file: &str,
) -> Result<(), DataError> {
    let beyond = |value: &f64| value.abs() > f64::from(f32::MAX);
    let Some(place) = values.iter().position(beyond) else { return Ok(()) };
    let (row, column) = (place / width.max(1), place % width.max(1));
    // The message shows the number as it stands in the file, before it was scaled.
    let mut shown = values[row * width..][..width].to_vec();
    scale.into_iter().for_each(|scale| scale.undo(&mut shown));
    let name = names.get(column).map_or_else(|| format!("{what} {}", column + 1), |name| format!("{what} `{name}`"));
    let scaled = if scale.is_some() { ", once standardized," } else { "" };
    let reason = format!("{name}: {:e}{scaled} is beyond the numbers of f32 (3.4e38)", shown[column]);
    let mut error = DataError::data("E0755", file, reason);
    match lines.get(row) {
        Some(&line) => error = error.at_line(line),
        None => {
            let row = places.get(row).copied().unwrap_or(row as u64);
            error.reason = format!("row {row} (from 0), {}", error.reason);
        }
    }
    Err(error.help("write `precision = f64`, or rescale the column"))
}

fn each(parts: &mut Parts, f: impl Fn(&mut Examples)) {
    f(&mut parts.train);
    parts.valid.iter_mut().for_each(&f);
    f(&mut parts.test);
}

#[cfg(test)]
mod tests;
