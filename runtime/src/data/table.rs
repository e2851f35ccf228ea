//! Text tables: CSV with quotes, columns between blanks, KEEL files. One example a line.

mod cell;
mod columns;
mod records;

use super::dataset::{Dataset, Examples};
use super::error::DataError;
use super::labels::Labels;
use cell::number;
use columns::{Columns, Header};
use csv::ByteRecord;
use gmpc_compiler::experiment::{Table, Task};
use records::Records;
use std::path::Path;

/// Reads the columns that are asked for; the rest are neither parsed nor kept.
///
/// # Errors
/// `E0751` for a file that cannot be read, `E0753` for one that is no table of this kind (empty, ragged, not UTF-8, a
/// quote that never closes), `E0754` for columns that are not there, `E0755` for a cell that holds no finite number,
/// `E0757` and `E0758` for class labels.
pub(super) fn read(path: &Path, table: &Table, task: Task, classes: Option<usize>) -> Result<Dataset, DataError> {
    let (mut records, first) = open(path, table)?;
    let mut reader = Reader::new(&records, first.columns, task);
    let mut record = first.record;
    loop {
        reader.add(&records, &record)?;
        if !records.next(&mut record)? {
            return reader.finish(first.header, classes);
        }
    }
}

/// Reads rows to predict for: the feature columns alone, whether the targets stand beside them or not.
///
/// # Errors
/// As [`read`]; `E0754` if the file has neither `features` columns nor those and the targets.
pub(super) fn read_inputs(path: &Path, table: &Table, features: usize) -> Result<Vec<f64>, DataError> {
    let mut records = Records::open(path, table)?;
    let (header, mut record) = header_and_first(&mut records, table)?;
    let chosen = columns::inputs(table, &header, record.len(), features, records.file())?;
    let columns = Columns { features: chosen, targets: vec![] };
    let mut reader = Reader::new(&records, columns, Task::Regression);
    loop {
        reader.add(&records, &record)?;
        if !records.next(&mut record)? {
            return Ok(reader.inputs);
        }
    }
}

/// How many columns of features and of targets a table has, from its first lines only.
pub(super) fn widths(path: &Path, table: &Table) -> Result<(usize, usize), DataError> {
    let (_, first) = open(path, table)?;
    Ok((first.columns.features.len(), first.columns.targets.len()))
}

/// Names of all columns (empty without a header) and the cells of the first row of data.
pub(super) fn head(path: &Path, table: &Table) -> Result<(Vec<String>, Vec<String>), DataError> {
    let mut records = Records::open(path, table)?;
    let (header, record) = header_and_first(&mut records, table)?;
    Ok((header, record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()))
}

struct First {
    header: Header,
    columns: Columns,
    record: ByteRecord,
}

/// Opens a table and reads up to its first row of data.
fn open(path: &Path, table: &Table) -> Result<(Records, First), DataError> {
    let mut records = Records::open(path, table)?;
    let (header, record) = header_and_first(&mut records, table)?;
    let columns = columns::choose(table, &header, record.len(), records.file())?;
    Ok((records, First { header, columns, record }))
}

fn header_and_first(records: &mut Records, table: &Table) -> Result<(Header, ByteRecord), DataError> {
    let mut record = ByteRecord::new();
    let mut any = records.next(&mut record)?;
    let is_header = match table.header {
        Some(stated) => any && stated,
        None => any && names_columns(&record, records.peek()?),
    };
    let mut header = Header::new();
    if is_header {
        for (index, name) in record.iter().enumerate() {
            let name = std::str::from_utf8(name).map_err(|_| records.not_utf8(index))?;
            header.push(name.to_string());
        }
        any = records.next(&mut record)?;
    }
    if any {
        return Ok((header, record));
    }
    let reason = if is_header { "there is a header and no row of data" } else { "the file holds no row of data" };
    Err(DataError::data("E0753", records.file(), reason).help("is this the right file?"))
}

/// Is the first row a header? It is if a word stands there where the second row has something else: a row of data may
/// hold words too, such as class labels, but in the same columns as the others.
fn names_columns(first: &ByteRecord, second: Option<&ByteRecord>) -> bool {
    let second = |column: usize| second.and_then(|row| row.get(column)).is_some_and(cell::is_word);
    first.iter().enumerate().any(|(column, cell)| cell::is_word(cell) && !second(column))
}

struct Reader {
    columns: Columns,
    task: Task,
    rows: usize,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    labels: Labels,
    file: String,
}

impl Reader {
    fn new(records: &Records, columns: Columns, task: Task) -> Self {
        let (file, labels) = (records.file().to_string(), Labels::default());
        Reader { columns, task, rows: 0, inputs: vec![], targets: vec![], labels, file }
    }

    fn add(&mut self, records: &Records, record: &ByteRecord) -> Result<(), DataError> {
        for &index in &self.columns.features {
            self.inputs.push(value(records, record, index)?);
        }
        for &index in &self.columns.targets {
            if self.task == Task::Regression {
                self.targets.push(value(records, record, index)?);
                continue;
            }
            let cell = record.get(index).unwrap_or_default();
            if cell::is_missing(cell) {
                return Err(records.fault(index, "the label is missing").help("fill it in, or drop the line"));
            }
            self.labels.push(cell).map_err(|_| records.not_utf8(index))?;
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self, header: Header, classes: Option<usize>) -> Result<Dataset, DataError> {
        let named = |indices: &[usize]| indices.iter().filter_map(|&i| header.get(i).cloned()).collect();
        let (feature_names, target_names) = (named(&self.columns.features), named(&self.columns.targets));
        let (targets, labels) = match self.task {
            Task::Regression => (self.targets, vec![]),
            Task::Classification => self.labels.classes(classes, &self.file)?,
        };
        let (features, outputs) = (self.columns.features.len(), self.columns.targets.len());
        let examples = Examples { rows: self.rows, inputs: self.inputs, targets };
        Ok(Dataset { examples, test: None, features, outputs, labels, feature_names, target_names })
    }
}

fn value(records: &Records, record: &ByteRecord, index: usize) -> Result<f64, DataError> {
    let cell = record.get(index).unwrap_or_default();
    number(cell).map_err(|why| {
        let error = records.fault(index, why.reason(cell));
        match why.help(cell) {
            Some(help) => error.help(help),
            None => error.help("correct it, drop the line, or leave the column out with `columns = [...]`"),
        }
    })
}

#[cfg(test)]
mod tests;
