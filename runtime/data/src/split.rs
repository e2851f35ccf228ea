//! Splits rows into training, validation and test parts.

use super::permutation::{Purpose, permutation};
use super::{DataError, Directories};
use gmpc_compiler::ir::experiment::{FileSpec, Split};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The row numbers of the parts, each in ascending order. No row is in two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) train: Vec<u32>,
    pub(super) valid: Vec<u32>,
    pub(super) test: Vec<u32>,
}

/// Draws `count` of `rows` rows without replacement, in ascending order, as a function of the seed.
pub(super) fn sample(rows: u32, count: usize, seed: u64, name: &str) -> Result<Vec<u32>, DataError> {
    if count == 0 || count > rows as usize {
        let reason = format!("`sample = {count}` rows are asked for, and there are {rows}");
        return Err(
            DataError::data("E0759", name, reason).help("sample at most as many rows as there are, or leave it out")
        );
    }
    let mut drawn = permutation(rows, seed, Purpose::Sample, 0);
    drawn.truncate(count);
    drawn.sort_unstable();
    Ok(drawn)
}

/// A random split: the part `train` of the rows for training, the rest for the test; a function of the seed.
///
/// The number of training rows is rounded down, as in scikit-learn: 0.8 of 506 rows are 404.
pub(super) fn random(pool: &[u32], train: f64, seed: u64, name: &str) -> Result<Rows, DataError> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let count = (train * pool.len() as f64 + 1e-9) as usize; // 0.29 of 100 is 28.999999999999996
    if count == 0 || count >= pool.len() {
        let reason = format!("`random(train = {train})` leaves {count} of {} rows for training", pool.len());
        return Err(DataError::data("E0759", name, reason).help("both parts need at least one row"));
    }
    let length = u32::try_from(pool.len()).unwrap_or(u32::MAX); // the pool contains distinct u32 row numbers
    let order = permutation(length, seed, Purpose::Split, 0);
    let part = |places: &[u32]| sorted(places.iter().map(|&place| pool[place as usize]).collect());
    Ok(Rows { train: part(&order[..count]), valid: vec![], test: part(&order[count..]) })
}

/// Moves the part `fraction` of the training rows, at least one row, to the validation part; a function of the seed.
pub(super) fn hold_out(rows: &mut Rows, fraction: f64, seed: u64, name: &str) -> Result<(), DataError> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
    let count = ((fraction * rows.train.len() as f64).round() as usize).max(1);
    if count >= rows.train.len() {
        let reason = format!("`validation = {fraction}` takes all of the {} training rows", rows.train.len());
        return Err(DataError::data("E0759", name, reason).help("hold out less, or write `validation = 0`"));
    }
    let length = u32::try_from(rows.train.len()).unwrap_or(u32::MAX); // fewer than 2^32 rows
    let order = permutation(length, seed, Purpose::Validation, 0);
    let part = |places: &[u32]| sorted(places.iter().map(|&place| rows.train[place as usize]).collect());
    let (valid, train) = (part(&order[..count]), part(&order[count..]));
    (rows.valid, rows.train) = (valid, train);
    Ok(())
}

fn sorted(mut rows: Vec<u32>) -> Vec<u32> {
    rows.sort_unstable();
    rows
}

/// The rows that index files name. `{split}` in a name is the seed modulo the number of splits.
///
/// # Errors
/// `E0750`: a file is missing. `E0759`: a line is not a row number, a row does not exist, or a row is named twice, in
/// one file or in both.
pub(super) fn predefined(
    split: &Split,
    rows: u32,
    seed: u64,
    url: Option<&str>,
    name: &str,
    directories: &Directories,
) -> Result<Rows, DataError> {
    let Split::Predefined { train, test, count } = split else {
        return Ok(Rows { train: vec![], valid: vec![], test: vec![] });
    };
    let which = (seed % (*count).max(1)).to_string();
    let mut taken = vec![false; rows as usize];
    let mut part = |pattern: &str| {
        let file = FileSpec { path: pattern.replace("{split}", &which), url: url.map(str::to_string), sha256: None };
        index_file(&directories.find(&file, name)?, &mut taken)
    };
    Ok(Rows { train: part(train)?, valid: vec![], test: part(test)? })
}

/// Row numbers, separated by blanks or line ends. `taken` marks the rows that were named so far.
fn index_file(path: &Path, taken: &mut [bool]) -> Result<Vec<u32>, DataError> {
    let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let mut input = BufReader::new(file);
    let (mut found, mut text, mut line) = (Vec::new(), Vec::new(), 0);
    loop {
        text.clear();
        if input.read_until(b'\n', &mut text).map_err(|e| DataError::io(path, "read it", &e))? == 0 {
            break;
        }
        line += 1;
        for word in text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            found.push(index(word, taken).map_err(|reason| {
                let error = DataError::data("E0759", path.display().to_string(), reason).at_line(line);
                error.help("an index file holds row numbers, counted from 0, each once in the train or the test file")
            })?);
        }
    }
    if found.is_empty() {
        return Err(DataError::data("E0759", path.display().to_string(), "there is no row number in it")
            .help("a part needs at least one row"));
    }
    Ok(sorted(found))
}

fn index(word: &[u8], taken: &mut [bool]) -> Result<u32, String> {
    let shown = || String::from_utf8_lossy(word).chars().take(40).collect::<String>();
    let number: Option<u32> = std::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| format!("`{}` is not a row number", shown()))?;
    let rows = taken.len();
    match taken.get_mut(number as usize) {
        Some(false) => {
            taken[number as usize] = true;
            Ok(number)
        }
        Some(true) => Err(format!("row {number} is named a second time")),
        None => Err(format!("row {number} is named, and the data have {rows} (0 to {})", rows.saturating_sub(1))),
    }
}

#[cfg(test)]
mod tests;
