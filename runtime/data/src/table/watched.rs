//! Recognizes columns of numbers that may not mean what they seem to. Each is reported once, with a way to silence the
//! note.

use super::cell;
use super::columns::{Columns, Header, called};
use crate::Note;
use crate::looks::same;
use std::collections::HashSet;

/// The spelling of a column's cells, as far as it distinguishes thousands (`1.250` for 1250) from fractions.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    /// Number of cells such as `1.250`: up to three digits, a point, three digits.
    grouped: usize,
    /// Number of integers from 100 to 999.
    hundreds: usize,
    /// True if a cell excludes that the column contains thousands.
    other: bool,
}

impl Watched {
    pub(super) fn see(&mut self, cell: &[u8]) {
        if self.other {
            return;
        }
        let digits = cell.strip_prefix(b"-").unwrap_or(cell);
        let mut parts = digits.split(|&byte| byte == b'.');
        let (whole, behind) = (parts.next().unwrap_or_default(), parts.next());
        let plain = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
        let short = (1..=3).contains(&whole.len()) && plain(whole);
        match behind {
            None if short => self.hundreds += usize::from(whole.len() == 3),
            Some(behind)
                if short && whole[0] != b'0' && behind.len() == 3 && plain(behind) && parts.next().is_none() =>
            {
                self.grouped += 1;
            }
            _ => self.other = true,
        }
    }

    fn may_be_thousands(&self) -> bool {
        !self.other && self.grouped >= 2 && self.hundreds >= 1
    }
}

/// Notes about columns whose numbers may be thousands with a point.
pub(super) fn columns(watched: &[Watched], columns: &Columns, header: &Header, file: &str) -> Vec<Note> {
    let indices = columns.features.iter().chain(&columns.targets);
    let suspicious = watched.iter().zip(indices).filter(|(watched, _)| watched.may_be_thousands());
    let note = |(watched, &index): (&Watched, &usize)| {
        let message = format!(
            "column {} holds {} numbers such as `1.250`, with three digits behind the point, beside whole numbers below 1000: \
             thousands?",
            called(index, header),
            watched.grouped
        );
        Note::new("W0777", file, message).help("write 1250 without a point, if that is what it says")
    };
    suspicious.map(note).collect()
}

/// A note about a first row of numbers that may contain the names of the columns: it lies far outside the other rows,
/// or counts 0, 1, 2, ….
pub(super) fn numeric_header(inputs: &[f64], features: usize, line: u64, file: &str) -> Option<Note> {
    let (first, rest) = inputs.split_at_checked(features)?;
    if features < 2 || rest.len() < 4 * features {
        return None;
    }
    let far = |(column, value): (usize, &f64)| {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        rest.iter().skip(column).step_by(features).for_each(|&x| (low, high) = (low.min(x), high.max(x)));
        let range = (high - low).max(high.abs() * 0.1);
        *value > high + 3.0 * range || *value < low - 3.0 * range
    };
    let steps = |start: f64| first.iter().zip(0u32..).all(|(value, i)| same(*value, start + f64::from(i)));
    let fractions = rest.iter().take(features).any(|value| value.fract().abs() > 0.0);
    if !(first.iter().enumerate().all(far) || (fractions && (steps(0.0) || steps(1.0)))) {
        return None;
    }
    let shown: Vec<String> = first.iter().take(4).map(ToString::to_string).collect();
    let message = format!("line {line} ({}, …) is unlike the rows below it: is it the header?", shown.join(", "));
    Some(Note::new("W0773", file, message).help("write `header = true`, or `header = false` if it is a row of data"))
}

/// A note about a column that numbers the rows, which is probably not a feature.
pub(super) fn index(inputs: &[f64], names: &[String], file: &str) -> Option<Note> {
    let numbering = |column: usize| Some((column, numbers_the_rows(inputs, column, names)?));
    let (column, how) = (0..names.len()).find_map(numbering)?;
    let who = match names[column].as_str() {
        "" => format!("column {} has no name and", column + 1),
        name => format!("`{name}`"),
    };
    let others: Vec<String> =
        names.iter().enumerate().filter(|(other, _)| *other != column).map(|(_, name)| format!("{name:?}")).collect();
    let list = if others.len() > 20 { "...".to_string() } else { others.join(", ") };
    let message = format!("{who} {how}: an index, or a feature?");
    Some(Note::new("W0775", file, message).help(format!("leave it out with `columns = [{list}]`, or list all columns")))
}

/// With fewer rows, a column may count them by chance.
const FEW_ROWS: usize = 4;
/// The same for a column with the row numbers in any order.
const FEW_SHUFFLED: usize = 10;

/// A phrase that says how a column numbers the rows: in order, or in any order. `None` if it does not.
fn numbers_the_rows(inputs: &[f64], column: usize, names: &[String]) -> Option<String> {
    let values = || inputs.iter().skip(column).step_by(names.len());
    let (start, rows) = (*values().next()?, values().count());
    if rows < FEW_ROWS || start.fract() != 0.0 {
        return None;
    }
    // A column that counts from another number, such as a year, is an index only by its name or as the first column.
    let counts = values().zip(0u32..).all(|(value, row)| same(*value, start + f64::from(row)));
    let name = names[column].to_ascii_lowercase();
    let named = name.is_empty()
        || ["id", "index", "idx", "row", "rowid", "row_id", "nr", "no", "#", "key"].contains(&name.as_str())
        || name.starts_with("unnamed: ")
        || name.ends_with("_id");
    let from_the_first = same(start, 0.0) || same(start, 1.0);
    if counts && (from_the_first || column == 0 || named) {
        return Some(format!("counts the rows from {start} on"));
    }
    if rows < FEW_SHUFFLED || !values().all(|value| value.fract() == 0.0) {
        return None;
    }
    let low = values().copied().fold(f64::INFINITY, f64::min);
    let high = values().copied().fold(f64::NEG_INFINITY, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "a column has fewer rows than 2^32")]
    let dense = same(high - low, (rows - 1) as f64) && (same(low, 0.0) || same(low, 1.0));
    if !(dense || named) {
        return None;
    }
    let mut seen = HashSet::with_capacity(rows);
    // Adding 0 turns -0 into 0, so that both get the same bits.
    let different = values().all(|value| seen.insert((value + 0.0).to_bits()));
    different.then(|| match dense {
        true => format!("holds each number from {low} to {high} once"),
        false => "holds another whole number in each row".to_string(),
    })
}

/// Counts truth values in a column, which become 1 and 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Truths {
    /// Number of cells that are TRUE or FALSE.
    words: usize,
    /// Number of cells that are numbers.
    numbers: usize,
}

impl Truths {
    /// 1 or 0 for a truth value; `None` for any other cell.
    pub(super) fn value(cell: &[u8]) -> Option<f64> {
        cell::truth(cell).map(|truth| f64::from(u8::from(truth)))
    }

    /// Counts a cell. Returns true if all cells so far are of one kind.
    pub(super) fn agree(&mut self, is_truth: bool) -> bool {
        if is_truth {
            self.words += 1
        } else {
            self.numbers += 1
        }
        self.words == 0 || self.numbers == 0
    }
}

/// A note about columns of truth values.
pub(super) fn truths(truths: &[Truths], columns: &[usize], header: &Header, file: &str) -> Option<Note> {
    let found = truths.iter().zip(columns).filter(|(truths, _)| truths.words > 0);
    let names: Vec<String> = found.map(|(_, &index)| called(index, header)).collect();
    let (columns, hold) = if names.len() == 1 { ("column", "holds") } else { ("columns", "hold") };
    let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let dots = if names.len() > 5 { ", …" } else { "" };
    let message = format!("{columns} {shown}{dots} {hold} TRUE and FALSE, which are read as 1 and 0");
    (!names.is_empty()).then(|| Note::new("W0791", file, message).help("write 1 and 0 to silence this"))
}
