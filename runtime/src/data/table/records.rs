//! The rows of a text file as cells, with the line each begins on.
//!
//! Lines are split here, so that every message has the right number; a row with quotes goes through the `csv` crate.

use crate::data::DataError;
use csv::ByteRecord;
use gmpc_compiler::experiment::{Separator, Table};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// No row with quotes is longer: past this a quote was never closed.
const MAX_QUOTED_BYTES: usize = 1 << 20;

/// Reads a table row by row.
pub(super) struct Records {
    input: Box<dyn BufRead>,
    file: String,
    /// `None`: runs of blanks.
    separator: Option<u8>,
    skip: Vec<u8>,
    buffer: Vec<u8>,
    /// Lines read so far.
    lines: u64,
    /// The line the last row began on.
    line: u64,
    width: Option<usize>,
    /// A row that was looked at before its turn, and its line.
    peeked: Option<(ByteRecord, u64)>,
}

impl Records {
    /// Opens a file; a byte order mark is left out.
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
        let start = input.fill_buf().map_err(|e| DataError::io(Path::new(&file), "read it", &e))?;
        if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
            return Err(DataError::data("E0753", file, "this is UTF-16 text").help("save it as UTF-8"));
        }
        if start.starts_with(&[0xEF, 0xBB, 0xBF]) {
            input.consume(3);
        }
        let skip = table.skip.as_bytes().to_vec();
        Ok(Records { input, file, separator, skip, buffer: vec![], lines: 0, line: 0, width: None, peeked: None })
    }

    /// The file's name, for messages.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Reads the next row; `false` at the end. Blank lines and lines to be skipped do not count.
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
            self.line = self.lines;
            let text = self.buffer.trim_ascii();
            if !text.is_empty() && !text.first().is_some_and(|byte| self.skip.contains(byte)) {
                break;
            }
        }
        match self.separator {
            None => fill(record, self.buffer.split(u8::is_ascii_whitespace).filter(|cell| !cell.is_empty())),
            Some(separator) if self.buffer.contains(&b'"') => self.quoted(record, separator)?,
            Some(separator) => fill(record, trim_end(&self.buffer).split(|&b| b == separator).map(<[u8]>::trim_ascii)),
        }
        self.check_width(record.len())?;
        Ok(true)
    }

    /// The row that [`Self::next`] will give; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<&ByteRecord>, DataError> {
        let (mut record, line) = (ByteRecord::new(), self.line);
        if self.next(&mut record)? {
            self.peeked = Some((record, self.line));
        }
        self.line = line;
        Ok(self.peeked.as_ref().map(|(record, _)| record))
    }

    /// A fault in a cell of the row read last.
    pub(super) fn fault(&self, column: usize, reason: impl Into<String>) -> DataError {
        DataError::data("E0755", &self.file, reason).at_line(self.line).at_column(column)
    }

    /// A cell of the row read last is not UTF-8.
    pub(super) fn not_utf8(&self, column: usize) -> DataError {
        let error = DataError::data("E0753", &self.file, "the text is not UTF-8").at_line(self.line).at_column(column);
        error.help("save the file as UTF-8")
    }

    /// Appends one line with its end; `false` if there is none.
    fn read_line(&mut self) -> Result<bool, DataError> {
        let read = self.input.read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|e| DataError::io(Path::new(&self.file), "read it", &e))?;
        self.lines += 1;
        Ok(read > 0)
    }

    /// Parses a row with quotes, which may go on over several lines.
    fn quoted(&mut self, record: &mut ByteRecord, separator: u8) -> Result<(), DataError> {
        while ends_in_quotes(&self.buffer, separator) {
            if self.buffer.len() > MAX_QUOTED_BYTES || !self.read_line()? {
                let error = DataError::data("E0753", &self.file, "a quote opens in this row and never closes");
                return Err(error.at_line(self.line).help("close it, or double a quote that is meant: `\"\"`"));
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

    fn check_width(&mut self, width: usize) -> Result<(), DataError> {
        let expected = *self.width.get_or_insert(width);
        if width == expected {
            return Ok(());
        }
        let cells = if width == 1 { "cell" } else { "cells" };
        let reason = format!("the row has {width} {cells}, the rows before it have {expected}");
        Err(DataError::data("E0753", &self.file, reason).at_line(self.line).help("every row needs the same columns"))
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

/// Is a quoted cell still open at the end? A quote opens a cell only as its first character; doubled, it stands for
/// itself.
fn ends_in_quotes(row: &[u8], separator: u8) -> bool {
    let (mut inside, mut may_open) = (false, true);
    for &byte in row {
        if byte == b'"' && (inside || may_open) {
            inside = !inside;
            may_open = !inside; // a second quote right after a closing one goes on with the cell
        } else {
            may_open = byte == separator && !inside;
        }
    }
    inside
}
