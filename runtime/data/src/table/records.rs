//! Reads the rows of a text file as cells, with the line on which each begins.
//!
//! Lines are split here, so that every message has the right line number. A row with quotes is parsed by the `csv`
//! crate.

use super::cell::{self, Why};
use crate::{DataError, kind};
use csv::ByteRecord;
use gmpc_compiler::ir::experiment::{Separator, Table};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Largest size of a row with quotes in bytes. Beyond it, a quote was never closed.
const MAX_QUOTED_BYTES: usize = 1 << 20;

/// Largest length of a line in bytes. It limits the memory for a file without line ends.
const MAX_LINE_BYTES: usize = 1 << 26;

/// Bytes of the first rows that are kept to find out what separates their columns.
const SAMPLE_BYTES: usize = 4096;

/// Lines without a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Number of blank lines between rows, and the first of them.
    pub(super) blank: (u64, u64),
    /// Number of lines that `skip` names after the first row of data, and the first of them.
    pub(super) skipped: (u64, u64),
}

/// Reads a table row by row.
pub(super) struct Records {
    input: Box<dyn BufRead>,
    file: String,
    /// `None`: columns are separated by blanks.
    separator: Option<u8>,
    skip: Vec<u8>,
    buffer: Vec<u8>,
    /// Number of lines read so far.
    lines: u64,
    /// The line on which the last row began.
    line: u64,
    width: Option<usize>,
    /// A row that was read in advance, and its line.
    peeked: Option<(ByteRecord, u64)>,
    /// Number of separators at the end of each row. Their empty cells belong to no column.
    trailing: usize,
    /// Number of rows read so far.
    rows: u64,
    /// The first row, which in most files has the names of the columns.
    first: Option<ByteRecord>,
    /// The words for missing values, if the declaration names them.
    missing: Option<Vec<String>>,
    /// A line with `#` before the first row, which may contain the names of the columns, and its line number.
    remark: Option<(Vec<u8>, u64)>,
    /// Number of such lines, and the first of them.
    remarks: (u64, u64),
    /// The texts of the first rows.
    samples: Vec<Vec<u8>>,
    /// Blank lines since the last row. Those at the end of a file need no note.
    blank: (u64, u64),
    passed: Passed,
}

impl Records {
    /// Opens a file and skips a byte order mark.
    pub(super) fn open(path: &Path, table: &Table) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
        Self::new(Box::new(BufReader::with_capacity(1 << 16, file)), path.display().to_string(), table)
    }

    /// Reads from memory or from a file.
    pub(super) fn new(mut input: Box<dyn BufRead>, file: String, table: &Table) -> Result<Self, DataError> {
        let separator = match table.separator {
            Separator::Whitespace => None,
            Separator::Character(c) if c.is_ascii() && !c.is_ascii_alphanumeric() && !"\"\r\n.+-".contains(c) => {
                Some(c as u8)
            }
            Separator::Character(c) => {
                let reason = format!("`{c}` cannot stand between columns");
                return Err(DataError::data("E0753", file, reason).help("use `comma`, `tab`, `whitespace` or \";\""));
            }
        };
        // `fill_buf` takes nothing from the input, so the first line is still read as a row.
        let start = input.fill_buf().map_err(|e| DataError::io(Path::new(&file), "read it", &e))?;
        if let Some((what, help)) = kind::of(start) {
            let other = if what.ends_with(" text") { "" } else { ", no text table" };
            return Err(DataError::data("E0753", file, format!("this is {what}{other}")).help(help));
        }
        // Whoever skips lines with `@` knows the format, and reads its rows as a table.
        let arff = start.trim_ascii_start().get(..9).is_some_and(|head| head.eq_ignore_ascii_case(b"@relation"));
        if arff && !table.skip.contains('@') {
            let error = DataError::data("E0753", file, "this is an ARFF file");
            return Err(error.help("write `skip = \"@%\"`, and give the columns by position"));
        }
        if start.starts_with(&[0xEF, 0xBB, 0xBF]) {
            input.consume(3);
        }
        let skip = table.skip.as_bytes().to_vec();
        Ok(Records {
            input,
            file,
            separator,
            skip,
            buffer: vec![],
            lines: 0,
            line: 0,
            width: None,
            peeked: None,
            trailing: 0,
            rows: 0,
            first: None,
            missing: table.missing.clone(),
            remark: None,
            remarks: (0, 0),
            samples: vec![],
            blank: (0, 0),
            passed: Passed::default(),
        })
    }

    /// The file's name, for messages.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Reads the next row. Returns false at the end. Skips blank lines and lines that `skip` names.
    pub(super) fn next(&mut self, record: &mut ByteRecord) -> Result<bool, DataError> {
        if let Some((peeked, line)) = self.peeked.take() {
            (*record, self.line) = (peeked, line);
            return Ok(true);
        }
        loop {
            self.buffer.clear();
            if !self.read_line()? {
                return Ok(false);
            }
            // Before the cells are parsed: a row with quotes may take more lines.
            self.line = self.lines;
            if self.holds_a_row() {
                break;
            }
        }
        // Only now, since blank lines at the end of a file need no note.
        self.count_blank();
        self.rows += 1;
        if self.samples.len() < 2 {
            self.samples.push(self.buffer[..self.buffer.len().min(SAMPLE_BYTES)].to_vec());
        }
        match self.separator {
            Some(separator) if self.buffer.contains(&b'"') => self.quoted(record, separator)?,
            None if self.buffer.contains(&b'"') => self.quoted_between_blanks(record)?,
            separator => split(record, &self.buffer, separator),
        }
        if self.first.is_none() {
            self.note_of_excel()?;
            self.first = Some(record.clone());
        }
        self.check_width(record)?;
        Ok(true)
    }

    /// True if a cell contains a word for a missing value.
    pub(super) fn is_missing(&self, cell: &[u8]) -> bool {
        match &self.missing {
            Some(words) => cell.is_empty() || words.iter().any(|word| word.as_bytes() == cell),
            None => cell::is_missing(cell),
        }
    }

    /// The finite number in a cell. A word for a missing value is not a number.
    pub(super) fn number(&self, cell: &[u8]) -> Result<f64, Why> {
        match &self.missing {
            Some(_) if self.is_missing(cell) => Err(Why::Missing),
            _ => cell::number(cell),
        }
    }

    /// Refuses the line `sep=;`, which some programs write for Excel above the header.
    fn note_of_excel(&self) -> Result<(), DataError> {
        let text = self.buffer.trim_ascii();
        if text.len() > 5 || !text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"sep=")) {
            return Ok(());
        }
        let error = DataError::data("E0753", &self.file, "the line tells Excel the separator, and is no row");
        Err(error.at_line(self.line).help("delete the line"))
    }

    /// True if the line is neither blank nor to be skipped. Counts skipped lines.
    fn holds_a_row(&mut self) -> bool {
        let text = self.buffer.trim_ascii();
        let count = |(count, first): &mut (u64, u64)| {
            *first = if *count == 0 { self.line } else { *first };
            *count += 1;
        };
        let Some(first) = text.first() else {
            count(&mut self.blank);
            return false;
        };
        let skipped = self.skip.contains(first);
        let before = self.samples.is_empty();
        if *first == b'#' && before && (skipped || text.starts_with(b"# ")) {
            self.remark = Some((text[1..].trim_ascii().to_vec(), self.line));
            count(&mut self.remarks);
            return false;
        }
        if skipped && !before {
            count(&mut self.passed.skipped);
        }
        !skipped
    }

    /// Counts blank lines between rows when another row follows. Blank lines before the first row do not matter.
    fn count_blank(&mut self) {
        let (count, first) = std::mem::take(&mut self.blank);
        if count > 0 && !self.samples.is_empty() {
            let all = &mut self.passed.blank;
            *all = (all.0 + count, if all.0 == 0 { first } else { all.1 });
        }
    }

    /// The lines that were skipped so far.
    pub(super) fn passed(&self) -> &Passed {
        &self.passed
    }

    /// The line on which the last row begins.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The cells of a line `# a b y` before the first row, without the `#`, and the number of the line.
    pub(super) fn remark(&self) -> Option<(ByteRecord, u64)> {
        let (text, line) = self.remark.as_ref()?;
        let mut record = ByteRecord::new();
        split(&mut record, text, self.separator);
        Some((record, *line))
    }

    /// True if the file did not ask to skip the line `# …`.
    pub(super) fn remark_is_unasked(&self) -> bool {
        self.remark.is_some() && !self.skip.contains(&b'#')
    }

    /// Number of lines `# …` before the first row that `skip` does not name, and the first of them.
    pub(super) fn unasked_remarks(&self) -> (u64, u64) {
        if self.remark_is_unasked() { self.remarks } else { (0, 0) }
    }

    /// From now on leaves out this number of cells at the end of each row. They must be empty.
    pub(super) fn drop_last(&mut self, cells: usize, record: &mut ByteRecord) -> Result<(), DataError> {
        self.trailing = cells;
        self.without_last(record)?;
        if let Some((mut peeked, line)) = self.peeked.take() {
            self.without_last(&mut peeked)?;
            self.peeked = Some((peeked, line));
        }
        Ok(())
    }

    fn without_last(&self, record: &mut ByteRecord) -> Result<(), DataError> {
        for _ in 0..self.trailing {
            let last = record.len().saturating_sub(1);
            if record.get(last).is_some_and(|cell| !cell.is_empty()) {
                let error = self.fault(last, "a value stands in a column that has no name and is empty above");
                return Err(error.help("name the column in the header, or delete the value"));
            }
            record.truncate(last);
        }
        Ok(())
    }

    /// Another separator that occurs equally often in the first two rows, while ours does not occur: the error that
    /// proposes it.
    pub(super) fn other_separator(&self) -> Option<DataError> {
        let count = |row: &[u8], byte: u8| match byte {
            b' ' => row.split(u8::is_ascii_whitespace).filter(|cell| !cell.is_empty()).count().saturating_sub(1),
            _ => trim_end(row).iter().filter(|&&b| b == byte).count(),
        };
        let first = self.samples.first()?;
        let ours = self.separator.unwrap_or(b' ');
        if count(first, ours) > 0 {
            return None;
        }
        let equal = |byte: u8| {
            let often = count(first, byte);
            let same = self.samples.iter().all(|row| count(row, byte) == often);
            (often > 0 && same && byte != ours).then_some((byte, often))
        };
        let (found, often) = [b';', b'\t', b',', b'|', b' '].into_iter().find_map(equal)?;
        let reason = format!("the first rows hold no {} and {}", called(ours, 1), each(often, found));
        Some(DataError::data("E0753", &self.file, reason).help(format!("write `separator = {}`", written(found))))
    }

    /// As [`Self::other_separator`], for a separator of ours that does occur, such as the comma of decimal numbers.
    pub(super) fn other_separator_in_cells(&self, row: &ByteRecord, column: usize) -> Option<DataError> {
        let found = [b';', b'\t', b'|']
            .into_iter()
            .find(|byte| row.get(column).is_some_and(|cell| cell.contains(byte)) && Some(*byte) != self.separator)?;
        let count = |row: &[u8]| row.iter().filter(|&&byte| byte == found).count();
        let often = count(self.samples.first()?);
        if self.separator != Some(b',') || often == 0 || self.samples.iter().any(|row| count(row) != often) {
            return None;
        }
        let reason = format!("the first rows hold {}: are the commas decimal commas?", each(often, found));
        let help = format!("write `separator = {}`, and the numbers with a point", written(found));
        Some(DataError::data("E0753", &self.file, reason).help(help))
    }

    /// The row that the next call of [`Self::next`] will return; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<&ByteRecord>, DataError> {
        let (mut record, line) = (ByteRecord::new(), self.line);
        if self.next(&mut record)? {
            self.peeked = Some((record, self.line));
        }
        self.line = line;
        Ok(self.peeked.as_ref().map(|(record, _)| record))
    }

    /// An error in a cell of the last row.
    pub(super) fn fault(&self, column: usize, reason: impl Into<String>) -> DataError {
        DataError::data("E0755", &self.file, reason).at_line(self.line).at_column(column)
    }

    /// The error for a cell of the last row that is not UTF-8.
    pub(super) fn not_utf8(&self, column: usize) -> DataError {
        let error = DataError::data("E0753", &self.file, "the text is not UTF-8").at_line(self.line).at_column(column);
        error.help("save the file as UTF-8")
    }

    /// Reads one line with its end. Returns false if there is none.
    fn read_line(&mut self) -> Result<bool, DataError> {
        let mut any = false;
        loop {
            let failed = |e: std::io::Error| DataError::io(Path::new(&self.file), "read it", &e);
            let there = self.input.fill_buf().map_err(failed)?;
            if there.is_empty() {
                break;
            }
            any = true;
            let end = there.iter().position(|&byte| byte == b'\n' || byte == b'\r');
            let (taken, ended) = end.map_or((there.len(), None), |end| (end + 1, there.get(end).copied()));
            self.buffer.extend_from_slice(&there[..taken]);
            self.input.consume(taken);
            // An old Mac ends lines with CR alone. The LF of Windows may lie in the next piece of the input.
            if ended == Some(b'\r') && self.input.fill_buf().map_err(failed)?.first() == Some(&b'\n') {
                self.buffer.push(b'\n');
                self.input.consume(1);
            }
            if ended.is_some() {
                break;
            }
            if self.buffer.len() > MAX_LINE_BYTES {
                let reason = format!("line {} has more than {MAX_LINE_BYTES} bytes", self.lines + 1);
                return Err(DataError::data("E0753", &self.file, reason).help("is this a text file?"));
            }
        }
        self.lines += 1;
        Ok(any)
    }

    /// Parses a row with quotes, which may continue over several lines.
    fn quoted(&mut self, record: &mut ByteRecord, separator: u8) -> Result<(), DataError> {
        // Each line is examined once. Otherwise a quote that never closes would take quadratic time.
        let (mut state, mut seen) = (Quotes { separator, inside: false, may_open: true }, 0);
        loop {
            state.pass(&self.buffer[seen..]);
            if !state.inside {
                break;
            }
            seen = self.buffer.len();
            if seen > MAX_QUOTED_BYTES || !self.read_line()? {
                return Err(self.never_closes());
            }
        }
        let mut parser = csv::ReaderBuilder::new();
        parser.delimiter(separator).has_headers(false).flexible(true).trim(csv::Trim::All);
        let mut reader = parser.from_reader(self.buffer.as_slice());
        reader.read_byte_record(record).map_err(|e| {
            DataError::data("E0753", &self.file, format!("the row cannot be read: {e}")).at_line(self.line)
        })?;
        Ok(())
    }

    /// Parses cells between blanks, some of them in quotes that end on the same line.
    fn quoted_between_blanks(&self, record: &mut ByteRecord) -> Result<(), DataError> {
        record.clear();
        let mut rest = self.buffer.trim_ascii();
        while !rest.is_empty() {
            let (cell, behind) = match rest.strip_prefix(b"\"") {
                Some(inside) => in_quotes(inside).ok_or_else(|| self.never_closes())?,
                None => {
                    let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                    (rest[..end].to_vec(), &rest[end..])
                }
            };
            record.push_field(cell.trim_ascii());
            rest = behind.trim_ascii_start();
        }
        Ok(())
    }

    fn never_closes(&self) -> DataError {
        let error = DataError::data("E0753", &self.file, "a quote opens in this row and never closes");
        error.at_line(self.line).help("close it, or double a quote that is meant: `\"\"`")
    }

    fn check_width(&mut self, record: &mut ByteRecord) -> Result<(), DataError> {
        let width = record.len();
        let expected = *self.width.get_or_insert(width);
        if width == expected {
            return if self.trailing > 0 { self.without_last(record) } else { Ok(()) };
        }
        if let Some(error) = self.other_separator().filter(|_| expected == 1) {
            return Err(error);
        }
        let (reason, help) = self.ragged(record, expected).unwrap_or_else(|| {
            let cells = if width == 1 { "cell" } else { "cells" };
            let reason = format!("the row has {width} {cells}, the rows before it have {expected}");
            (reason, "every row needs the same columns; a cell that holds a separator stands in quotes")
        });
        Err(DataError::data("E0753", &self.file, reason).at_line(self.line).help(help))
    }

    /// Why a row may have another number of cells than the others, if it is known, and a next step.
    fn ragged(&self, record: &ByteRecord, expected: usize) -> Option<(String, &'static str)> {
        let width = record.len();
        let empty = |row: &ByteRecord, from: usize| row.iter().skip(from).all(<[u8]>::is_empty);
        let first = self.first.as_ref()?;
        // Then the first row may be a header, and alone be the odd one.
        let second_row = self.rows == 2;
        let all_words = first.iter().all(|cell| cell.is_empty() || cell::is_word(cell));
        if width > expected && empty(record, expected) {
            let reason =
                format!("the row ends in a separator, which makes {width} cells, and the rows before have {expected}");
            return Some((reason, "delete the separator at the end of each line, or give the header one too"));
        }
        if width < expected && empty(first, width) && second_row {
            let reason =
                format!("the header ends in a separator, which makes {expected} cells, and the row has {width}");
            return Some((reason, "delete the separator at the end of the header"));
        }
        // R's `write.table` writes such files: the column with the names of the rows has no name itself.
        if width == expected + 1 && second_row && all_words {
            let reason = format!("the header names {expected} columns, and the rows have {width}: names of the rows?");
            return Some((reason, "give the first column a name, and leave it out with `columns`"));
        }
        let line = self.buffer.trim_ascii();
        if line.first() == Some(&b'#') {
            return Some(("the line begins with `#`".to_string(), "write `skip = \"#\"` if it is a remark"));
        }
        if line.iter().all(u8::is_ascii_control) {
            return Some(("the line holds control characters only".to_string(), "delete it; is the file cut off?"));
        }
        if self.separator.is_none() && line.contains(&b'\t') && width < expected {
            let reason = format!("the row has {width} cells between blanks, the rows before it have {expected}");
            return Some((reason, "if the file has tabs between its columns, write `separator = tab`"));
        }
        None
    }
}

/// A cell up to its closing quote, and the text after it. A doubled quote stands for one. `None` if it never closes.
fn in_quotes(inside: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut cell, mut rest) = (vec![], inside);
    loop {
        let (next, behind) = rest.split_first()?;
        match (next, behind) {
            (b'"', [b'"', behind @ ..]) => {
                cell.push(b'"');
                rest = behind;
            }
            (b'"', behind) => return Some((cell, behind)),
            (other, behind) => {
                cell.push(*other);
                rest = behind;
            }
        }
    }
}

/// The name of a separator in a message.
fn called(byte: u8, count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    match byte {
        b'\t' => format!("tab{plural}"),
        b' ' => format!("blank{plural}"),
        other => format!("`{}`", char::from(other)),
    }
}

/// `2 tabs each`
fn each(often: usize, byte: u8) -> String {
    match byte {
        b' ' => format!("{} cells between blanks each", often + 1),
        _ => format!("{often} {} each", called(byte, often)),
    }
}

/// A separator as a declaration writes it.
fn written(byte: u8) -> String {
    match byte {
        b'\t' => "tab".to_string(),
        b' ' => "whitespace".to_string(),
        b',' => "comma".to_string(),
        other => format!("\"{}\"", char::from(other)),
    }
}

/// Splits a line at separators, or at blanks.
fn split(record: &mut ByteRecord, line: &[u8], separator: Option<u8>) {
    match separator {
        None => fill(record, line.split(u8::is_ascii_whitespace).filter(|cell| !cell.is_empty())),
        Some(separator) => fill(record, trim_end(line).split(|&b| b == separator).map(<[u8]>::trim_ascii)),
    }
}

fn fill<'a>(record: &mut ByteRecord, cells: impl Iterator<Item = &'a [u8]>) {
    record.clear();
    cells.for_each(|cell| record.push_field(cell));
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Tracks whether a quoted cell is open while the bytes of a row are read. A quote opens a cell only as its first
/// character. A doubled quote stands for one.
struct Quotes {
    separator: u8,
    inside: bool,
    may_open: bool,
}

impl Quotes {
    fn pass(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'"' && (self.inside || self.may_open) {
                self.inside = !self.inside;
                self.may_open = !self.inside; // a second quote directly after a closing one continues the cell
            } else {
                self.may_open = byte == self.separator && !self.inside;
            }
        }
    }
}
