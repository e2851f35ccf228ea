//! Text tables: CSV with quotes, columns between blanks, KEEL files. Each line is one row.

mod cell;
mod columns;
mod head;
mod records;
mod survey;
mod watched;
mod words;

use super::dataset::{Dataset, Examples};
use super::error::DataError;
use super::labels::Labels;
use super::looks;
use super::note::Note;
use super::wanted::{InputRows, Wanted};
use cell::Why;
use columns::{Columns, Header};
use csv::ByteRecord;
use gmpc_compiler::ir::experiment::{Table, Task};
use head::{Asked, Head};
use records::Records;
use std::path::Path;
pub use survey::ColumnInfo;
pub(super) use survey::survey;
use watched::{Truths, Watched};

/// Number of rows that are examined if a sample is enough.
const SOME_ROWS: usize = 10_000;

/// Reads the columns that are asked for. Other columns are neither parsed nor stored.
///
/// # Errors
/// `E0751`: the file cannot be read. `E0753`: it is not a table of this kind (empty, rows of different lengths, not
/// UTF-8, a quote that never closes). `E0754`: a column does not exist. `E0755`: a cell does not contain a finite
/// number. `E0757`, `E0758`: class labels are wrong.
pub(super) fn read(path: &Path, table: &Table, task: Task, classes: Option<usize>) -> Result<Dataset, DataError> {
    let (mut records, first) = open(path, table, task)?;
    let Head { header, record: mut row, notes, .. } = first.head;
    let mut reader = Reader::new(&records, first.columns, header, task, notes);
    reader.add_all(&mut records, &mut row, usize::MAX)?;
    reader.finish(&records, table, classes)
}

/// Reads rows to predict for: the feature columns, and the columns of `--keep`.
///
/// # Errors
/// The errors of [`read`]; `E0754`: a column of the training does not exist.
pub(super) fn read_inputs(path: &Path, table: &Table, wanted: &Wanted<'_>) -> Result<InputRows, DataError> {
    let mut records = Records::open(path, table)?;
    let Head { header, record: mut row, mut notes, .. } =
        head::read(&mut records, table, &Asked::trained(table, wanted))?;
    let features = columns::inputs(table, &header, row.len(), wanted, records.file(), &mut notes);
    // One cell in a row: a wrong separator explains it better than a missing column.
    let features = features.map_err(|error| records.other_separator().filter(|_| row.len() == 1).unwrap_or(error))?;
    let kept = columns::kept(&header, row.len(), wanted.keep, records.file())?;
    notes.extend(columns::unused(&header, &features, &kept, wanted, records.file()));
    // Rows to predict for have no targets, so the task does not matter.
    let columns = Columns { features, targets: vec![] };
    let mut reader = Reader::new(&records, columns, header, Task::Regression, notes);
    let mut cells = vec![];
    loop {
        match reader.add(&records, &row) {
            Ok(()) => {}
            Err(Refused::Other(error)) => return Err(to_predict_for(error)),
            Err(Refused::Word(index)) => return Err(to_predict_for(not_a_number(&records, &row, index))),
        }
        let cell = |&index: &usize| String::from_utf8_lossy(row.get(index).unwrap_or_default()).into_owned();
        cells.push(kept.iter().map(cell).collect());
        if !records.next(&mut row)? {
            break;
        }
    }
    reader.notes.extend(passed(&records));
    let columns = reader.columns.features;
    Ok(InputRows {
        numbers: reader.inputs,
        rows: reader.rows,
        lines: reader.lines,
        columns,
        kept: cells,
        notes: reader.notes,
    })
}

/// The number of feature columns and of target columns, and notes about the first rows; all notes if the table has no
/// more rows.
///
/// # Errors
/// The errors of [`read`], as far as the first 10,000 rows show them.
pub(super) fn widths(path: &Path, table: &Table) -> Result<(usize, usize, Vec<Note>), DataError> {
    let (mut records, first) = open(path, table, Task::Regression)?;
    let (features, outputs) = (first.columns.features.len(), first.columns.targets.len());
    let Head { header, record: mut row, notes } = first.head;
    let mut reader = Reader::new(&records, first.columns, header, Task::Regression, notes.clone());
    let notes = match reader.add_all(&mut records, &mut row, SOME_ROWS)? {
        true => reader.finish(&records, table, None)?.notes,
        false => notes,
    };
    Ok((features, outputs, notes))
}

/// Names of all columns (empty without a header), and the cells of the first row of data.
pub(super) fn head(path: &Path, table: &Table) -> Result<(Vec<String>, Vec<String>), DataError> {
    let mut records = Records::open(path, table)?;
    let Head { header, record, .. } = head::read(&mut records, table, &Asked::of(table, Task::Classification))?;
    Ok((header, record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()))
}

struct First {
    head: Head,
    columns: Columns,
}

/// Opens a table and reads up to its first row of data.
fn open(path: &Path, table: &Table, task: Task) -> Result<(Records, First), DataError> {
    let mut records = Records::open(path, table)?;
    let mut head = head::read(&mut records, table, &Asked::of(table, task))?;
    let columns = columns::choose(table, &head.header, head.record.len(), records.file());
    let columns =
        columns.map_err(|error| records.other_separator().filter(|_| head.record.len() == 1).unwrap_or(error))?;
    head.notes.extend(columns::alike(&head.header, &columns, records.file()));
    Ok((records, First { head, columns }))
}

/// Why a row is refused.
enum Refused {
    /// A cell of this column is not a number. The rest of the column is read for a better message.
    Word(usize),
    Other(DataError),
}

struct Reader {
    columns: Columns,
    header: Header,
    task: Task,
    rows: usize,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    /// The line on which each row begins.
    lines: Vec<u64>,
    labels: Labels,
    watched: Vec<Watched>,
    /// One for each feature.
    truths: Vec<Truths>,
    notes: Vec<Note>,
    file: String,
}

impl Reader {
    fn new(records: &Records, columns: Columns, header: Header, task: Task, notes: Vec<Note>) -> Self {
        let (file, labels) = (records.file().to_string(), Labels::default());
        let watched = vec![Watched::default(); columns.features.len() + columns.targets.len()];
        let truths = vec![Truths::default(); columns.features.len()];
        let (inputs, targets, lines) = (vec![], vec![], vec![]);
        Reader { columns, header, task, rows: 0, inputs, targets, lines, labels, watched, truths, notes, file }
    }

    /// Adds `row` and up to `most` rows after it. Returns true if these are all rows.
    fn add_all(&mut self, records: &mut Records, row: &mut ByteRecord, most: usize) -> Result<bool, DataError> {
        for _ in 0..most {
            match self.add(records, row) {
                Ok(()) => {}
                Err(Refused::Other(error)) => return Err(error),
                Err(Refused::Word(index)) => return Err(self.words(records, row, index)),
            }
            if !records.next(row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add(&mut self, records: &Records, record: &ByteRecord) -> Result<(), Refused> {
        let watched = self.watched.iter_mut().zip(&mut self.truths);
        for ((watched, truths), &index) in watched.zip(&self.columns.features) {
            let cell = record.get(index).unwrap_or_default();
            // TRUE and FALSE are 1 and 0. A column that also holds numbers is refused: they may mean something else.
            let truth = Truths::value(cell);
            let number = truth.map_or_else(|| value(records, record, index), Ok)?;
            if !truths.agree(truth.is_some()) {
                return Err(Refused::Word(index));
            }
            self.inputs.push(number);
            watched.see(cell);
        }
        let watched = self.watched.iter_mut().skip(self.columns.features.len());
        for (watched, &index) in watched.zip(&self.columns.targets) {
            let cell = record.get(index).unwrap_or_default();
            if self.task == Task::Regression {
                self.targets.push(value(records, record, index)?);
                watched.see(cell);
                continue;
            }
            // Asked first, because a label is any text: `?` would become a class.
            if records.is_missing(cell) {
                return Err(Refused::Other(no_label(records, cell, index)));
            }
            self.labels.push(cell).map_err(|_| Refused::Other(records.not_utf8(index)))?;
        }
        self.lines.push(records.line());
        self.rows += 1;
        Ok(())
    }

    fn finish(mut self, records: &Records, table: &Table, classes: Option<usize>) -> Result<Dataset, DataError> {
        let named = |indices: &[usize]| indices.iter().filter_map(|&i| self.header.get(i).cloned()).collect();
        let (feature_names, target_names): (Vec<String>, _) =
            (named(&self.columns.features), named(&self.columns.targets));
        self.notes.extend(passed(records));
        let (features, outputs) = (self.columns.features.len(), self.columns.targets.len());
        self.notes.extend(watched::columns(&self.watched, &self.columns, &self.header, &self.file));
        // What the declaration states is not doubted: these notes are for files that say nothing about it.
        if table.header.is_none() && self.header.is_empty() {
            self.notes.extend(watched::numeric_header(&self.inputs, features, self.lines[0], &self.file));
        }
        if table.columns.is_empty() && features > 1 && !self.header.is_empty() {
            self.notes.extend(watched::index(&self.inputs, &feature_names, &self.file));
        }
        self.notes.extend(watched::truths(&self.truths, &self.columns.features, &self.header, &self.file));
        let named =
            |columns: &[usize], place: usize| format!("column {}", columns::called(columns[place], &self.header));
        let features_called = |place| named(&self.columns.features, place);
        self.notes.extend(looks::extremes(&self.inputs, features, features_called, &self.file));
        let targets_called = |place| named(&self.columns.targets, place);
        self.notes.extend(looks::extremes(&self.targets, outputs, targets_called, &self.file));
        let (targets, labels) = match self.task {
            Task::Regression => {
                self.notes.extend(looks::constant(
                    &self.targets,
                    outputs,
                    &target_names,
                    &self.inputs[..features],
                    &self.file,
                ));
                (self.targets, vec![])
            }
            Task::Classification => {
                self.notes.extend(self.labels.alike(&self.file));
                self.labels.classes(classes, &self.file)?
            }
        };
        let examples = Examples { rows: self.rows, inputs: self.inputs, targets, lines: self.lines, places: vec![] };
        let notes = self.notes;
        Ok(Dataset { examples, test: None, features, outputs, labels, feature_names, target_names, notes })
    }
}

/// A note about lines without a row, with their numbers, for people who count rows in another way.
fn passed(records: &Records) -> Option<Note> {
    let passed = records.passed();
    let lines = |(count, first): (u64, u64), what: &str| {
        let lines = if count == 1 { "line" } else { "lines" };
        (count > 0).then(|| format!("{count} {what} {lines} (line {first}{})", if count > 1 { ", …" } else { "" }))
    };
    let told: Vec<String> = lines(passed.blank, "blank").into_iter().chain(lines(passed.skipped, "skipped")).collect();
    let were = if passed.blank.0 + passed.skipped.0 == 1 { "was" } else { "were" };
    (!told.is_empty()).then(|| {
        Note::new("W0771", records.file(), format!("{} between rows {were} passed over", told.join(" and ")))
            .help("delete them, if they hold no row")
    })
}

/// The error for an empty cell, or for one of the usual words for a missing value.
fn no_label(records: &Records, cell: &[u8], index: usize) -> DataError {
    if cell.is_empty() {
        return records.fault(index, "the label is missing").help("fill it in, or drop the line");
    }
    let shown = cell::shown(cell);
    let error = records.fault(index, format!("the label is missing (`{shown}`)"));
    error.help(format!(
        "fill it in, or drop the line; if a class is called `{shown}`, write `missing = [\"\"]` in `table(...)`: only \
         empty cells are missing then"
    ))
}

fn value(records: &Records, record: &ByteRecord, index: usize) -> Result<f64, Refused> {
    records.number(record.get(index).unwrap_or_default()).map_err(|why| match why {
        Why::NoNumber => Refused::Word(index),
        Why::Missing | Why::Infinite => Refused::Other(not_a_number(records, record, index)),
    })
}

/// The error for a cell that is not a number, from the cell alone.
fn not_a_number(records: &Records, record: &ByteRecord, index: usize) -> DataError {
    let cell = record.get(index).unwrap_or_default();
    if record.len() > 1 && record.iter().all(<[u8]>::is_empty) {
        let error = records.fault(index, "all cells of the row are empty");
        return DataError { column: None, ..error }.help("delete the line");
    }
    let Err(why) = records.number(cell) else { return records.fault(index, "the value cannot be used") };
    let error = records.fault(index, why.reason(cell));
    match why.help(cell) {
        Some(help) => error.help(help),
        None => error.help(LEAVE_OUT),
    }
}

/// The next step if nothing is known about a cell.
const LEAVE_OUT: &str = "correct it, drop the line, or leave the column out with `columns = [...]`";

/// Changes the next step of an error: the columns of a trained network cannot be changed.
fn to_predict_for(error: DataError) -> DataError {
    let settled = error.help.as_deref() == Some(LEAVE_OUT);
    if settled { error.help("correct it, or drop the line") } else { error }
}

#[cfg(test)]
mod tests;
