//! The first lines of a table: finds the line with the names of the columns.
//!
//! A header is recognized by the names that are asked for. If columns are asked for by position, it is recognized by
//! its words: a row with words in columns in which the next row has numbers. If such a row also contains numbers, it is
//! a row with an error and is refused: as a header it would be dropped silently.

use super::cell;
use super::columns::Header;
use super::records::Records;
use crate::wanted::Wanted;
use crate::{DataError, Note};
use csv::ByteRecord;
use gmpc_compiler::ir::experiment::{Column, Table, Task};

/// What is searched in the first lines.
pub(super) struct Asked {
    /// Names of columns. A row with one of them is the header.
    names: Vec<String>,
    /// The columns whose words show a header; `None`: all except `labels`.
    positions: Option<Vec<usize>>,
    /// Columns that may contain words in any row.
    labels: Vec<usize>,
}

/// The header, if there is one, and the first row of data.
pub(super) struct Head {
    pub(super) header: Header,
    pub(super) record: ByteRecord,
    pub(super) notes: Vec<Note>,
}

impl Asked {
    /// From a declaration.
    pub(super) fn of(table: &Table, task: Task) -> Self {
        let name = |column: &Column| match column {
            Column::Name(name) => Some(name.clone()),
            Column::Index(_) => None,
        };
        let index = |column: &Column| match column {
            Column::Index(index) => Some(*index),
            Column::Name(_) => None,
        };
        let targets: Vec<usize> = table.target.iter().filter_map(index).collect();
        let names = table.target.iter().chain(&table.columns).filter_map(name).collect();
        let mut positions: Option<Vec<usize>> =
            (!table.columns.is_empty()).then(|| table.columns.iter().filter_map(index).collect());
        if let (Some(positions), Task::Regression) = (&mut positions, task) {
            positions.extend(&targets);
        }
        let labels = if task == Task::Classification { targets } else { vec![] };
        Asked { names, positions, labels }
    }

    /// From a trained network: its columns by name, if it has names.
    pub(super) fn trained(table: &Table, wanted: &Wanted<'_>) -> Self {
        let Asked { names, positions, labels } = Asked::of(table, Task::Classification);
        let known = wanted.feature_names.iter().chain(wanted.target_names).chain(wanted.keep).cloned();
        let names: Vec<String> = names.into_iter().chain(known).filter(|name| !name.is_empty()).collect();
        let positions = positions.filter(|_| wanted.feature_names.is_empty());
        Asked { names, positions, labels }
    }

    fn tells(&self, column: usize) -> bool {
        let asked = self.positions.as_ref().is_none_or(|positions| positions.contains(&column));
        asked && !self.labels.contains(&column)
    }

    /// True if a row contains one of the names. If all names are numbers, which a row of data may contain too, all of
    /// them must be present.
    fn named_in(&self, record: &ByteRecord) -> bool {
        let is = |cell: &[u8], name: &String| match std::str::from_utf8(cell) {
            Ok(cell) => cell.trim_matches(around_a_name) == name,
            Err(_) => false,
        };
        let there = |name: &String| record.iter().any(|cell| is(cell, name));
        let is_word = |name: &&String| cell::is_word(name.as_bytes());
        match self.names.iter().any(|name| is_word(&name)) {
            true => self.names.iter().filter(is_word).any(there),
            false => !self.names.is_empty() && self.names.iter().all(there),
        }
    }
}

/// Reads up to the first row of data.
pub(super) fn read(records: &mut Records, table: &Table, asked: &Asked) -> Result<Head, DataError> {
    let mut record = ByteRecord::new();
    let mut notes = vec![];
    let mut header = Header::new();
    let mut any = records.next(&mut record)?;
    if any && is_header(records, table, asked, &record)? {
        header = names(records, &record)?;
        any = records.next(&mut record)?;
        if !any {
            let error = DataError::data("E0753", records.file(), "there is a header and no row of data");
            return Err(error.help("is this the right file?"));
        }
    } else if any
        && table.header.is_none()
        && let Some((found, line)) = header_behind_a_mark(records, asked, &record)?
    {
        header = names(records, &found)?;
        let message = format!("line {line} begins with `#` and was taken for the header");
        notes.push(Note::new("W0774", records.file(), message).help("write `header = false` if it is a remark"));
    }
    if !any {
        let error = DataError::data("E0753", records.file(), "the file holds no row of data");
        return Err(error.help("is this the right file?"));
    }
    notes.extend(remarks(records, notes.iter().any(|note| note.code == "W0774")));
    // Header and first row are known now: a column is left out only if it has neither a name nor a value.
    let trailing = separators_at_the_end(records, &header, &record)?;
    if trailing > 0 {
        records.drop_last(trailing, &mut record)?;
        header.truncate(record.len());
        let columns = match trailing {
            1 => format!("the empty column {} is", record.len() + 1),
            more => format!("the empty columns {} to {} are", record.len() + 1, record.len() + more),
        };
        let message = format!("every row ends in a separator: {columns} left out");
        notes.push(Note::new("W0772", records.file(), message).help("delete the separator at the end of each line"));
    }
    if table.header == Some(true) {
        notes.extend(stated_header_of_numbers(&header, &record, asked, records.file()));
    }
    Ok(Head { header, record, notes })
}

/// The names in a header, without invisible blanks around them.
fn names(records: &Records, record: &ByteRecord) -> Result<Header, DataError> {
    let name = |(index, name): (usize, &[u8])| match std::str::from_utf8(name) {
        Ok(name) => Ok(name.trim_matches(around_a_name).to_string()),
        Err(_) => Err(records.not_utf8(index)),
    };
    record.iter().enumerate().map(name).collect()
}

fn around_a_name(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}')
}

fn is_header(records: &mut Records, table: &Table, asked: &Asked, first: &ByteRecord) -> Result<bool, DataError> {
    if let Some(stated) = table.header {
        return Ok(stated);
    }
    if asked.named_in(first) {
        return Ok(true);
    }
    // Kept for the error: `peek` reads on.
    let line = records.line();
    let second = records.peek()?.cloned();
    if second.as_ref().is_some_and(|second| asked.named_in(second)) && !records.remark_is_unasked() {
        let reason = "the line is above the names of the columns: a title?";
        return Err(DataError::data("E0753", records.file(), reason)
            .at_line(line)
            .help("delete the lines above the header"));
    }
    let cell = |row: Option<&ByteRecord>, column: usize| row.and_then(|row| row.get(column).map(<[u8]>::to_vec));
    let other = |column: &usize| !cell(second.as_ref(), *column).is_some_and(|cell| cell::is_word(&cell));
    // A header has words where the next row has none. Cells that may be words in any row say nothing.
    let telling = || (0..first.len()).filter(|&column| asked.tells(column));
    let is_word = |column: &usize| first.get(*column).is_some_and(cell::is_word);
    let words: Vec<usize> = telling().filter(is_word).filter(other).collect();
    let numbers = telling().filter(|&column| first.get(column).is_some_and(|cell| cell::number(cell).is_ok())).count();
    match words.first() {
        None => Ok(false),
        // Taken for a header, a row with one wrong cell would be dropped silently.
        Some(&column) if numbers > 0 && words.len() <= telling().count() / 2 => {
            let shown = cell::shown(first.get(column).unwrap_or_default());
            let error =
                records.fault(column, format!("`{shown}` is not a number, and the line holds {numbers} numbers"));
            Err(error.help("correct it; if the line holds the names of the columns, write `header = true`"))
        }
        Some(_) => Ok(true),
    }
}

/// The header in a comment line `# a b y`, as NumPy writes it.
fn header_behind_a_mark(
    records: &Records,
    asked: &Asked,
    first: &ByteRecord,
) -> Result<Option<(ByteRecord, u64)>, DataError> {
    let Some((found, line)) = records.remark() else { return Ok(None) };
    let fits = found.len() == first.len();
    let all_words = found.iter().all(cell::is_word);
    if fits && (asked.named_in(&found) || (records.remark_is_unasked() && all_words)) {
        return Ok(Some((found, line)));
    }
    if records.remark_is_unasked() {
        let error =
            DataError::data("E0753", records.file(), "the line begins with `#` and holds no names of the columns");
        return Err(error.at_line(line).help("write `skip = \"#\"` if it is a remark"));
    }
    Ok(None)
}

/// A note about lines that begin with `#` above the first row, unless one of them is the header. Other programs read
/// them as rows.
fn remarks(records: &Records, one_is_the_header: bool) -> Option<Note> {
    let (all, first) = records.unasked_remarks();
    let count = all.saturating_sub(u64::from(one_is_the_header));
    let (lines, were) = if count == 1 { ("line that begins", "was") } else { ("lines that begin", "were") };
    let message = format!("{count} {lines} with `#` above the first row (line {first}) {were} passed over");
    (count > 0).then(|| Note::new("W0771", records.file(), message).help("write `skip = \"#\"` if these are remarks"))
}

/// Number of last columns without a name that are empty in the first rows.
fn separators_at_the_end(records: &mut Records, header: &Header, first: &ByteRecord) -> Result<usize, DataError> {
    let empty = |row: &ByteRecord| row.iter().rev().take_while(|cell| cell.is_empty()).count().min(row.len() - 1);
    let here = if first.is_empty() { 0 } else { empty(first) };
    if here == 0 {
        return Ok(0);
    }
    if !header.is_empty() {
        return Ok(here.min(header.iter().rev().take_while(|name| name.is_empty()).count()));
    }
    let next = records.peek()?.filter(|row| !row.is_empty()).map_or(0, empty);
    Ok(here.min(next))
}

/// A note about `header = true` above a row of numbers that looks like the next row, unless the names are asked for:
/// the header may be data.
fn stated_header_of_numbers(header: &Header, next: &ByteRecord, asked: &Asked, file: &str) -> Option<Note> {
    let number = |cell: &[u8]| cell::number(cell).ok();
    let all_numbers = !header.is_empty() && header.iter().all(|name| number(name.as_bytes()).is_some());
    if !all_numbers || !asked.names.is_empty() || header.len() != next.len() {
        return None;
    }
    let fraction = header.iter().any(|name| number(name.as_bytes()).is_some_and(|value| value.fract() != 0.0));
    let shown: Vec<String> = header.iter().take(4).map(|name| format!("`{name}`")).collect();
    let message = format!("the names of the columns are numbers ({}): are they a row of data?", shown.join(", "));
    let note = Note::new("W0793", file, message);
    fraction.then(|| note.help("write `header = false` if the first line is a row of data"))
}
