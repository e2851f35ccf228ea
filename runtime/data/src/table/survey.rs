//! Describes every column of a table, used or not, for `gmpc data info`: its numbers, its words, its missing values.
//!
//! It accepts files with errors, because users need it when a column cannot be used.

use super::cell::{self, Why};
use super::columns::{self, Columns, Header};
use super::head::{self, Asked};
use super::records::Records;
use crate::DataError;
use gmpc_compiler::ir::experiment::{Table, Task};
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// Largest number of distinct values that are counted in a column, and in all columns together.
const MOST_DISTINCT: usize = 1000;
const MOST_IN_ALL: usize = 200_000;

/// The contents of a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnInfo {
    /// Empty if the file has no header.
    pub name: String,
    /// `feature`, `target` or `unused`
    pub role: &'static str,
    /// `numbers`, `words`, `both`, `labels` or `empty`
    pub kind: &'static str,
    /// Smallest number.
    pub low: Option<f64>,
    /// Largest number.
    pub high: Option<f64>,
    /// Mean of the numbers.
    pub mean: Option<f64>,
    /// Population standard deviation of the numbers.
    pub deviation: Option<f64>,
    /// Number of rows without a value: empty cells, `?`, `NA`, …
    pub missing: usize,
    /// Number of distinct values; `None` if there are too many to count.
    pub distinct: Option<usize>,
    /// The most frequent value; `None` if no value occurs twice.
    pub frequent: Option<String>,
    /// Its share of all rows, from 0 to 1.
    pub share: f64,
}

/// Examines every cell of a table.
///
/// # Errors
/// `E0751`: the file cannot be read. `E0753`: it is not a table of this kind.
pub(in super::super) fn survey(path: &Path, table: &Table, task: Task) -> Result<Vec<ColumnInfo>, DataError> {
    let mut records = Records::open(path, table)?;
    let head = head::read(&mut records, table, &Asked::of(table, task))?;
    let (mut row, header) = (head.record, head.header);
    let width = row.len();
    let most = (MOST_IN_ALL / width.max(1)).clamp(16, MOST_DISTINCT);
    let mut columns = vec![Column::default(); width];
    let chosen = columns::choose(table, &header, width, records.file()).ok();
    if task == Task::Classification {
        let labels = chosen.iter().flat_map(|chosen| &chosen.targets);
        labels.for_each(|&label| columns[label].labels = true);
    }
    let mut rows = 0usize;
    loop {
        rows += 1;
        for (column, cell) in columns.iter_mut().zip(&row) {
            column.see(cell, &records, most);
        }
        if !records.next(&mut row)? {
            break;
        }
    }
    let told = columns.into_iter().enumerate();
    Ok(told.map(|(index, column)| column.info(index, &header, chosen.as_ref(), rows)).collect())
}

#[derive(Debug, Clone, Default)]
struct Column {
    /// True for class labels: its cells are texts, even if they look like numbers.
    labels: bool,
    numbers: usize,
    words: usize,
    missing: usize,
    low: f64,
    high: f64,
    /// Running mean by Welford's method, and the sum of squared deviations from it.
    mean: f64,
    squares: f64,
    counts: HashMap<String, usize>,
    overflown: bool,
}

impl Column {
    fn see(&mut self, cell: &[u8], records: &Records, most: usize) {
        let key = match records.number(cell) {
            _ if self.labels && !records.is_missing(cell) => {
                self.words += 1;
                cell::shown(cell)
            }
            Ok(number) => {
                self.number(number);
                // Equal numbers get one text, however they are written; adding 0 turns -0 into 0.
                (number + 0.0).to_string()
            }
            Err(Why::Missing) => {
                self.missing += 1;
                return;
            }
            Err(Why::Infinite | Why::NoNumber) => {
                self.words += 1;
                cell::shown(cell)
            }
        };
        // A column may have a new value in every row: `most` bounds the memory.
        if let Some(count) = self.counts.get_mut(&key) {
            *count += 1;
        } else if self.counts.len() < most {
            self.counts.insert(key, 1);
        } else {
            self.overflown = true;
        }
    }

    fn number(&mut self, number: f64) {
        if self.numbers == 0 {
            (self.low, self.high) = (number, number);
        }
        (self.low, self.high) = (self.low.min(number), self.high.max(number));
        self.numbers += 1;
        #[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
        let count = self.numbers as f64;
        let before = number - self.mean;
        self.mean += before / count;
        self.squares += before * (number - self.mean);
    }

    fn info(self, index: usize, header: &Header, chosen: Option<&Columns>, rows: usize) -> ColumnInfo {
        let is = |columns: &[usize]| columns.contains(&index);
        let role = match chosen {
            Some(chosen) if is(&chosen.targets) => "target",
            Some(chosen) if is(&chosen.features) => "feature",
            _ => "unused",
        };
        let kind = match (self.numbers, self.words) {
            (0, 0) => "empty",
            _ if self.labels => "labels",
            (_, 0) => "numbers",
            (0, _) => "words",
            _ => "both",
        };
        let number = |value: f64| (self.numbers > 0).then_some(value);
        #[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
        let (count, all) = (self.numbers.max(1) as f64, rows as f64);
        // Of equally frequent values the smallest text, so that the result is always the same.
        let frequent = self.counts.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
        let (frequent, times) =
            frequent.filter(|(_, times)| **times > 1).map_or((None, 0), |(v, n)| (Some(v.clone()), *n));
        #[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
        let share = times as f64 / all;
        ColumnInfo {
            name: header.get(index).cloned().unwrap_or_default(),
            role,
            kind,
            low: number(self.low),
            high: number(self.high),
            mean: number(self.mean),
            deviation: number((self.squares / count).sqrt()),
            missing: self.missing,
            distinct: (!self.overflown).then_some(self.counts.len()),
            frequent,
            share,
        }
    }
}
