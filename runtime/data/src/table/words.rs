//! Describes a column that contains words although numbers are needed, from as many rows as necessary.

use super::cell::{self, Dressed};
use super::columns::called;
use super::records::Records;
use super::{Reader, not_a_number};
use crate::DataError;
use csv::ByteRecord;
use std::collections::BTreeSet;

/// Largest number of rows that are examined.
const ROWS: usize = 10_000;

/// The words in a column from one row on.
#[derive(Default)]
struct Seen {
    words: BTreeSet<String>,
    with_words: usize,
    with_truths: usize,
    with_numbers: usize,
    /// The text before and after the number in each word; `None` if a word has no number or another text around it.
    dress: Option<(String, String)>,
    undressed: bool,
}

impl Reader {
    /// The error for a row with a word in column `index`.
    pub(super) fn words(&self, records: &mut Records, row: &ByteRecord, index: usize) -> DataError {
        // First what needs the line of this row: `look` reads on.
        let plain = not_a_number(records, row, index);
        let used = || self.columns.features.iter().chain(&self.columns.targets);
        let all_words = self.rows == 0 && used().all(|&column| row.get(column).is_some_and(cell::is_word));
        let name = called(index, &self.header);
        let other = records.other_separator_in_cells(row, index);
        let seen = look(records, row, index);
        if let Some(error) = other {
            return error;
        }
        if let Some(error) = seen.dressed(&name, &plain) {
            return error;
        }
        let word = row.get(index).unwrap_or_default();
        // The cell itself shows what went wrong: no other row says more.
        if cell::number(word).is_err_and(|why| why.help(word).is_some()) {
            return plain;
        }
        if all_words && seen.with_words == 1 && seen.with_numbers > 0 {
            return self.above_the_rows(row, plain);
        }
        let is_feature = self.columns.features.contains(&index);
        if cell::number(word).is_ok() || (is_feature && cell::truth(word).is_some()) {
            let reason = format!("column {name} holds numbers in some rows, and TRUE or FALSE in others");
            return DataError { reason, ..plain }.help("write 1 for TRUE and 0 for FALSE");
        }
        // Few words among numbers are mistakes in cells, and not a column of words.
        if seen.with_words + seen.with_truths < 2 || seen.with_words + seen.with_truths <= seen.with_numbers {
            return plain;
        }
        if self.columns.targets.contains(&index) {
            let reason = format!("the target {name} holds words ({})", seen.shown());
            return DataError { reason, ..plain }.help("write `task = classification`");
        }
        let count = seen.words.len();
        let words = if count == 1 { "one word" } else { &format!("{count} different words") };
        let reason = format!("column {name} holds {words} ({}), and a network takes numbers", seen.shown());
        DataError { reason, ..plain }.help(format!("{}, or leave it out: {}", seen.advice(), self.others(row)))
    }

    /// The error for a line of words above rows of numbers: units, or the names of the columns.
    fn above_the_rows(&self, row: &ByteRecord, plain: DataError) -> DataError {
        let used = self.columns.features.iter().chain(&self.columns.targets);
        let words: Vec<String> =
            used.filter_map(|&column| row.get(column)).take(4).map(|word| format!("`{}`", cell::shown(word))).collect();
        if self.header.is_empty() {
            let reason = format!("the line holds words ({}): the names of the columns?", words.join(", "));
            return DataError { reason, column: None, ..plain }.help("write `header = true`");
        }
        let reason = format!("the line below the header holds words ({}): units?", words.join(", "));
        DataError { reason, ..plain }.help("delete the line")
    }

    /// The feature columns with numbers, as a declaration writes them.
    fn others(&self, row: &ByteRecord) -> String {
        let numeric = |column: &&usize| !row.get(**column).is_some_and(cell::is_word);
        let name = |&column: &usize| match self.header.get(column) {
            Some(name) => format!("{name:?}"),
            None => column.to_string(),
        };
        let names: Vec<String> = self.columns.features.iter().filter(numeric).map(name).collect();
        match names.len() {
            0 => "name the columns that hold numbers in `columns`; here none does".to_string(),
            1..=20 => format!("`columns = [{}]`", names.join(", ")),
            _ => "`columns = [...]`".to_string(),
        }
    }
}

fn look(records: &mut Records, row: &ByteRecord, index: usize) -> Seen {
    let mut seen = Seen::default();
    let mut row = row.clone();
    for _ in 0..ROWS {
        seen.see(row.get(index).unwrap_or_default());
        if !records.next(&mut row).unwrap_or(false) {
            break; // an error in a later row is not reported here
        }
    }
    seen
}

impl Seen {
    fn see(&mut self, cell: &[u8]) {
        if cell::truth(cell).is_some() {
            self.with_truths += 1;
            self.words.insert(cell::shown(cell));
        } else if cell::is_word(cell) {
            self.with_words += 1;
            self.words.insert(cell::shown(cell));
            let text = String::from_utf8_lossy(cell);
            let dress = Dressed::of(&text).map(|dressed| (dressed.before.to_string(), dressed.behind.to_string()));
            match (&self.dress, dress) {
                (_, None) => self.undressed = true,
                (None, found) => self.dress = found,
                (Some(known), Some(found)) => self.undressed |= *known != found,
            }
        } else if !cell.is_empty() {
            self.with_numbers += 1;
        }
    }

    /// The error for a column of numbers that all have the same text around them.
    fn dressed(&self, name: &str, plain: &DataError) -> Option<DataError> {
        let (before, behind) = self.dress.as_ref().filter(|_| !self.undressed && self.with_words > 1)?;
        let around = match (before.trim(), behind.trim()) {
            ("", "") => return None,
            ("", behind) => format!("`{behind}` behind them"),
            (before, "") => format!("`{before}` before them"),
            (before, behind) => format!("`{before}` and `{behind}` around them"),
        };
        let reason = format!("column {name} holds numbers with {around} (`{}`)", self.words.first()?);
        let clear = |word: &&String| Dressed::of(word).is_some_and(|dressed| dressed.number.parse::<f64>().is_ok());
        let example = self.words.iter().find(clear).and_then(|word| Some((word, Dressed::of(word)?.plain()?)));
        let example = example.map(|(word, bare)| format!(": `{bare}` for `{word}`")).unwrap_or_default();
        Some(DataError { reason, ..plain.clone() }.help(format!("write the numbers alone{example}")))
    }

    fn shown(&self) -> String {
        let words: Vec<String> = self.words.iter().take(3).map(|word| format!("`{word}`")).collect();
        if self.words.len() > 3 { format!("{}, …", words.join(", ")) } else { words.join(", ") }
    }

    fn advice(&self) -> &'static str {
        let truth = |word: &String| {
            ["true", "false", "yes", "no", "t", "f", "y", "n"].contains(&word.to_ascii_lowercase().as_str())
        };
        let date = |word: &String| {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            let begins = word.bytes().next().is_some_and(|b| b.is_ascii_digit());
            digits >= 4 && begins && (word.matches(['-', '/', '.']).count() >= 2 || word.matches(':').count() >= 1)
        };
        let pair = |word: &String| {
            let (index, value) = word.split_once(':').unwrap_or_default();
            index.parse::<u32>().is_ok() && value.parse::<f64>().is_ok() && value.contains('.')
        };
        if self.words.iter().all(truth) {
            "write them as 1 and 0"
        } else if self.words.iter().all(pair) {
            "these are pairs of a position and a value (LIBSVM): write a column for each position"
        } else if self.words.iter().all(date) {
            "write dates as numbers, such as days since the first one"
        } else if self.words.len() <= 50 && self.words.len() < self.with_words.max(2) {
            "make one column of 0 and 1 for each word"
        } else {
            "it is a text: write it as numbers"
        }
    }
}
