//! Class labels: the distinct values of the target column, ascending, become classes 0, 1, ….

use super::DataError;
use std::collections::HashMap;

/// Gathers one label a row.
#[derive(Debug, Default)]
pub(super) struct Labels {
    codes: HashMap<Vec<u8>, u32>,
    names: Vec<String>,
    rows: Vec<u32>,
}

impl Labels {
    /// Adds the next row's label as the file writes it, trimmed, not empty. `Err` if it is not UTF-8.
    pub(super) fn push(&mut self, cell: &[u8]) -> Result<(), std::str::Utf8Error> {
        let code = if let Some(code) = self.codes.get(cell) {
            *code
        } else {
            let name = std::str::from_utf8(cell)?;
            let code = u32::try_from(self.names.len()).unwrap_or(u32::MAX); // rows are fewer than 2^32
            self.names.push(number(name).map_or_else(|| name.to_string(), |value| value.to_string()));
            self.codes.insert(cell.to_vec(), code);
            code
        };
        self.rows.push(code);
        Ok(())
    }

    /// Class numbers, one a row, and the names of the classes.
    ///
    /// Labels that are numbers are ordered as numbers (`2` before `10`), others as text. With a `declared` number of
    /// classes, labels that all lie in `0 .. declared` are their own class numbers, even where some do not occur.
    pub(super) fn classes(self, declared: Option<usize>, file: &str) -> Result<(Vec<f64>, Vec<String>), DataError> {
        let names = ordered(&self.names);
        let names = match declared {
            Some(count) if count != names.len() => counted(count, &names).ok_or_else(|| wrong(count, &names, file))?,
            _ => names,
        };
        if names.len() < 2 {
            let reason = "every row has the same class".to_string();
            return Err(DataError::data("E0757", file, reason).help("is this the right target column?"));
        }
        // As real numbers would: nearly every row a class of its own. 20 rows are enough to tell.
        if declared.is_none() && self.rows.len() >= 20 && names.len() > self.rows.len() / 2 {
            let reason = format!("the target has {} different values in {} rows", names.len(), self.rows.len());
            return Err(
                DataError::data("E0757", file, reason).help("for a target of real numbers write `task = regression`")
            );
        }
        let place: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
        let class: Vec<f64> =
            self.names.iter().map(|name| place.get(name.as_str()).map_or(0.0, |&c| c.into())).collect();
        Ok((self.rows.iter().map(|&code| class[code as usize]).collect(), names))
    }
}

/// -0 and 0 are one label.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(|value| value + 0.0)
}

fn ordered(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    if names.iter().all(|name| number(name).is_some()) {
        let key = |name: &String| number(name).unwrap_or(0.0);
        names.sort_by(|a, b| key(a).total_cmp(&key(b)));
    } else {
        names.sort_unstable();
    }
    names.dedup();
    names
}

/// `0`, `1`, …, `count - 1`, if all names are among them.
fn counted(count: usize, names: &[String]) -> Option<Vec<String>> {
    let inside = |name: &String| name.parse::<usize>().is_ok_and(|n| n < count);
    // The count is the declaration's word only; a file of real labels is what memory is spent on.
    (count <= 1 << 24 && names.iter().all(inside)).then(|| (0..count).map(|n| n.to_string()).collect())
}

fn wrong(declared: usize, names: &[String], file: &str) -> DataError {
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    let dots = if names.len() > 5 { ", …" } else { "" };
    let reason =
        format!("the declaration says {declared} classes, the target has {}: {}{dots}", names.len(), shown.join(", "));
    DataError::data("E0758", file, reason).help(format!("write `classes = {}`, or correct the target", names.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(cells: &[&str], declared: Option<usize>) -> Result<(Vec<f64>, Vec<String>), String> {
        let mut labels = Labels::default();
        cells.iter().for_each(|cell| labels.push(cell.as_bytes()).unwrap());
        labels.classes(declared, "a.csv").map_err(|e| e.to_string())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_string()).collect()
    }

    #[test]
    fn numbers_are_ordered_as_numbers_however_they_are_written() {
        let found = classes(&["10", "-1.0", "2", "-1", "1e1"], None).unwrap();
        assert_eq!(found, (vec![2.0, 0.0, 1.0, 0.0, 2.0], names(&["-1", "2", "10"])));
    }

    #[test]
    fn words_are_ordered_as_words() {
        let found = classes(&["setosa", "iris", "setosa", "10"], None).unwrap();
        assert_eq!(found, (vec![2.0, 1.0, 2.0, 0.0], names(&["10", "iris", "setosa"])));
    }

    #[test]
    fn a_class_that_does_not_occur_keeps_its_number() {
        assert_eq!(classes(&["2", "0"], Some(3)).unwrap(), (vec![2.0, 0.0], names(&["0", "1", "2"])));
        let error = classes(&["cat", "dog"], Some(3)).unwrap_err();
        assert_eq!(error, "a.csv: the declaration says 3 classes, the target has 2: `cat`, `dog`");
    }

    #[test]
    fn one_class_or_as_many_as_rows_is_a_mistake() {
        assert_eq!(classes(&["1", "1"], None).unwrap_err(), "a.csv: every row has the same class");
        let cells: Vec<String> = (0..30).map(|i| format!("{}.5", i)).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        assert_eq!(classes(&cells, None).unwrap_err(), "a.csv: the target has 30 different values in 30 rows");
    }
}
