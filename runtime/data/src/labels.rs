//! Class labels: the distinct values of the target column, in ascending order, become classes 0, 1, ….
//!
//! A label is the text in the file and never a number: `007`, `7` and `7.0` are three labels.

use super::visible::{is_invisible, visible};
use super::{DataError, Note};
use std::collections::{BTreeMap, HashMap};

/// Largest number of classes that may be declared if there are fewer rows.
const MOST_EMPTY: usize = 100_000;

/// Largest number of groups of similar labels in a message, and of labels in a group.
const MOST_SHOWN: usize = 4;

/// Collects one label for each row.
#[derive(Debug, Default)]
pub(super) struct Labels {
    codes: HashMap<Vec<u8>, u32>,
    names: Vec<String>,
    rows: Vec<u32>,
}

impl Labels {
    /// Adds the label of the next row as it is in the file, trimmed and not empty. `Err` if it is not UTF-8.
    pub(super) fn push(&mut self, cell: &[u8]) -> Result<(), std::str::Utf8Error> {
        let code = if let Some(code) = self.codes.get(cell) {
            *code
        } else {
            let name = std::str::from_utf8(cell)?;
            let code = u32::try_from(self.names.len()).unwrap_or(u32::MAX); // there are fewer than 2^32 rows
            self.names.push(name.to_string());
            self.codes.insert(cell.to_vec(), code);
            code
        };
        self.rows.push(code);
        Ok(())
    }

    /// Adds the label of the next row, an integer.
    pub(super) fn push_whole(&mut self, number: i128) {
        let _ = self.push(number.to_string().as_bytes()); // digits are UTF-8
    }

    /// Notes about labels that are nearly equal.
    pub(super) fn alike(&self, file: &str) -> Vec<Note> {
        // Labels with the same normal form look alike.
        let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        self.names.iter().for_each(|name| groups.entry(alike(name)).or_default().push(name));
        let twins: Vec<String> = groups
            .into_values()
            .filter(|group| group.len() > 1)
            .map(|group| {
                let shown: Vec<String> =
                    group.iter().take(MOST_SHOWN).map(|name| format!("`{}`", visible(name))).collect();
                let dots = if group.len() > MOST_SHOWN { " and others" } else { "" };
                format!("{}{dots}", shown.join(" and "))
            })
            .collect();
        if twins.is_empty() {
            return vec![];
        }
        let rest = match twins.len().saturating_sub(MOST_SHOWN) {
            0 => String::new(),
            1 => "; so do those of 1 more group".to_string(),
            more => format!("; so do those of {more} more groups"),
        };
        let first: Vec<String> = twins.into_iter().take(MOST_SHOWN).collect();
        let message = format!("{} are different classes, and look alike{rest}", first.join("; "));
        vec![Note::new("W0778", file, message).help("write them alike in the file, if they are one class")]
    }

    /// The class numbers, one for each row, and the names of the classes.
    ///
    /// Labels that are numbers are sorted as numbers (`2` before `10`), others as text. With a `declared` number of
    /// classes, labels that all lie in `0 .. declared` are their own class numbers, even if some do not occur.
    pub(super) fn classes(self, declared: Option<usize>, file: &str) -> Result<(Vec<f64>, Vec<String>), DataError> {
        let names = ordered(&self.names);
        // Classes without a row get names too, so their number must be limited.
        let most = self.rows.len().max(MOST_EMPTY);
        let names = match declared {
            Some(count) if count > most => {
                let reason = format!("the declaration says {count} classes, and the file has {} rows", self.rows.len());
                return Err(DataError::data("E0758", file, reason).help(format!("write `classes = {}`", names.len())));
            }
            Some(count) if count != names.len() => counted(count, &names).ok_or_else(|| wrong(count, &names, file))?,
            _ => names,
        };
        if names.len() < 2 {
            let reason = "every row has the same class".to_string();
            return Err(DataError::data("E0757", file, reason).help("is this the right target column?"));
        }
        // Real numbers would make nearly every row a class of its own. 20 rows are enough to recognize them.
        if declared.is_none() && self.rows.len() >= 20 && names.len() > self.rows.len() / 2 {
            let reason = format!("the target has {} different values in {} rows", names.len(), self.rows.len());
            let words = names.iter().any(|name| number(name).is_none());
            let help = if words {
                format!("is it the right target column? if these are classes, write `classes = {}`", names.len())
            } else {
                let classes = format!("if these are classes, write `classes = {}`", names.len());
                format!("for a target of real numbers write `task = regression`; {classes}")
            };
            return Err(DataError::data("E0757", file, reason).help(help));
        }
        let place: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
        let class: Vec<f64> =
            self.names.iter().map(|name| place.get(name.as_str()).map_or(0.0, |&c| c.into())).collect();
        Ok((self.rows.iter().map(|&code| class[code as usize]).collect(), names))
    }
}

/// The number of a label, for sorting only.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(|value| value + 0.0)
}

/// A normal form in which labels are equal that people hardly distinguish: without differences in case, blanks, the
/// encoding of accents, a final point, or the spelling of a number.
fn alike(name: &str) -> String {
    if let Some(value) = number(name) {
        return plain(name).unwrap_or_else(|| value.to_string());
    }
    match folded(name).trim_end_matches('.') {
        "true" => "1".to_string(), // as NumPy and R write it as a number
        "false" => "0".to_string(),
        other => other.to_string(),
    }
}

/// A text without case, blanks, characters that cannot be seen, and accents, however they are encoded.
pub(super) fn folded(text: &str) -> String {
    let shown = |c: &char| !c.is_whitespace() && !is_invisible(*c);
    text.to_lowercase().chars().map(base).filter(shown).collect()
}

/// A number without exponent and without redundant digits, without rounding.
fn plain(name: &str) -> Option<String> {
    let digits = name.strip_prefix(['-', '+']).unwrap_or(name);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let sign = if name.starts_with('-') && !(whole.is_empty() && fraction.is_empty()) { "-" } else { "" };
    let (whole, point) = (if whole.is_empty() { "0" } else { whole }, if fraction.is_empty() { "" } else { "." });
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// The letter without its accent, for the precomposed letters of European languages.
fn base(c: char) -> char {
    const GROUPS: [(&str, char); 14] = [
        ("àáâãäåāăą", 'a'),
        ("çćĉċč", 'c'),
        ("ďđ", 'd'),
        ("èéêëēĕėęě", 'e'),
        ("ìíîïĩīĭį", 'i'),
        ("ĺļľ", 'l'),
        ("ñńņň", 'n'),
        ("òóôõöōŏő", 'o'),
        ("ŕŗř", 'r'),
        ("śŝşšș", 's'),
        ("ţťț", 't'),
        ("ùúûüũūŭůűų", 'u'),
        ("ýÿ", 'y'),
        ("źżž", 'z'),
    ];
    GROUPS.iter().find(|(letters, _)| letters.contains(c)).map_or(c, |(_, letter)| *letter)
}

fn ordered(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    if names.iter().all(|name| number(name).is_some()) {
        let key = |name: &String| number(name).unwrap_or(0.0);
        names.sort_by(|a, b| key(a).total_cmp(&key(b)).then_with(|| a.cmp(b)));
    } else {
        names.sort_unstable();
    }
    names.dedup();
    names
}

/// `0`, `1`, …, `count - 1`, if all names are among them.
fn counted(count: usize, names: &[String]) -> Option<Vec<String>> {
    let inside = |name: &String| name.parse::<usize>().is_ok_and(|n| n < count && n.to_string() == *name);
    (names.iter().all(inside)).then(|| (0..count).map(|n| n.to_string()).collect())
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
        let found = classes(&["10", "-1.0", "2", "-1.0", "1e1"], None).unwrap();
        assert_eq!(found, (vec![2.0, 0.0, 1.0, 0.0, 3.0], names(&["-1.0", "2", "10", "1e1"])));
    }

    #[test]
    fn a_label_is_the_text_of_the_file() {
        let cells = ["007", "7", "7.10", "7.1", "9007199254740993", "9007199254740992"];
        let found = classes(&cells, None).unwrap();
        let order = ["007", "7", "7.1", "7.10", "9007199254740992", "9007199254740993"];
        assert_eq!(found, (vec![0.0, 1.0, 3.0, 2.0, 5.0, 4.0], names(&order)));
    }

    #[test]
    fn labels_that_differ_in_little_are_told() {
        let told = |cells: &[&str]| {
            let mut labels = Labels::default();
            cells.iter().for_each(|cell| labels.push(cell.as_bytes()).unwrap());
            labels.alike("a.csv").into_iter().map(|note| note.message).collect::<Vec<_>>()
        };
        assert_eq!(told(&[">50K", ">50K.", "<=50K"]), ["`>50K` and `>50K.` are different classes, and look alike"]);
        let many = told(&["Yes", "YES", "a b", "a  b", "caf\u{e9}", "cafe\u{301}", "1", "1.0"]);
        let groups = "`1` and `1.0`; `a b` and `a  b`; `caf\u{e9}` and `cafe\\u{301}`; `Yes` and `YES`";
        assert_eq!(many, [format!("{groups} are different classes, and look alike")]);
        assert_eq!(told(&["a", "A", "b", "B", "c", "C", "d", "D", "e", "E"])[0].matches(';').count(), 4);
        assert_eq!(told(&["1", "True", "no"]), ["`1` and `True` are different classes, and look alike"]);
        assert!(told(&["true", "false"]).is_empty());
        assert_eq!(told(&["x\u{a0}y", "x y"]), ["`x\\u{a0}y` and `x y` are different classes, and look alike"]);
        assert!(told(&["yes", "no", "1", "2", "9007199254740992", "9007199254740993", "0.5", "5"]).is_empty());
        assert_eq!(told(&["-0", "0.00"]).len() + told(&["1e3", "1000"]).len() + told(&["+5", "05."]).len(), 3);
    }

    #[test]
    fn classes_without_rows_have_a_measure() {
        let error = classes(&["0", "1"], Some(16_000_000)).unwrap_err();
        assert_eq!(error, "a.csv: the declaration says 16000000 classes, and the file has 2 rows");
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
