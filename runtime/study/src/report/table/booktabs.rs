//! Tables for LaTeX in the usual style of journals: rules of booktabs, and numbers aligned by siunitx.

use super::escaped;
use super::sheet::{Field, Kind, Sheet, sheets};
use crate::judge::Judged;
use std::fmt::Write;

/// Every table of a comparison as a `tabular` with its notes below. Marked fields are bold. Uncertainties are written
/// in the last digits of their numbers, `0.646(73)`, which siunitx prints as 0.646 ± 0.073.
#[must_use]
pub fn latex(judged: &Judged<'_>) -> String {
    let head = "% \\usepackage{booktabs, siunitx}\n\
                % \\sisetup{separate-uncertainty = true, detect-weight = true}\n";
    let tables: Vec<String> = sheets(judged).iter().map(table).collect();
    format!("{head}{}", tables.join("\n"))
}

fn table(sheet: &Sheet) -> String {
    let columns: Vec<Column> = (0..sheet.head.len()).map(|k| Column::of(sheet, k)).collect();
    let mut text = format!("% {}\n", plain(&sheet.title));
    let layout: String = columns.iter().map(Column::layout).collect();
    let _ = writeln!(text, "\\begin{{tabular}}{{{layout}}}\n\\toprule");
    let head = sheet.head.iter().zip(&columns);
    let head: Vec<String> = head.map(|(name, column)| column.braced(&sentence(name))).collect();
    let _ = writeln!(text, "{} \\\\\n\\midrule", head.join(" & "));
    for row in &sheet.rows {
        let fields = row.iter().zip(&columns);
        let fields: Vec<String> = fields.map(|(field, column)| column.field(field)).collect();
        let _ = writeln!(text, "{} \\\\", fields.join(" & "));
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    let notes: String = sheet.rich_notes().iter().map(|note| format!("{}. ", capital(&sentence(note)))).collect();
    let title = capital(&sentence(&sheet.title));
    let _ = writeln!(text, "\\par\\smallskip\n{{\\footnotesize {title}. {}\\par}}", notes.trim_end());
    text
}

/// The format of a column.
struct Column {
    /// Digits before and after the point and of the uncertainty, and whether there is a sign; `None` for a column of
    /// text.
    numbers: Option<Digits>,
}

#[derive(Default)]
struct Digits {
    before: usize,
    after: usize,
    uncertainty: usize,
    signed: bool,
}

impl Column {
    fn of(sheet: &Sheet, k: usize) -> Self {
        let fields: Vec<&Field> = sheet.rows.iter().filter_map(|row| row.get(k)).collect();
        let mut digits = Digits::default();
        let mut any = false;
        for field in fields.iter().filter(|field| field.kind == Kind::Number) {
            let Some((number, error)) = parts(&field.text) else { continue };
            let (before, after) = number.trim_start_matches('-').split_once('.').unwrap_or((number, ""));
            digits.before = digits.before.max(before.trim_start_matches('-').len());
            digits.after = digits.after.max(after.len());
            digits.uncertainty = digits.uncertainty.max(error.len());
            digits.signed |= number.starts_with('-');
            any = true;
        }
        let numbers = any && fields.iter().all(|field| field.kind == Kind::Number);
        Column { numbers: numbers.then_some(digits) }
    }

    fn layout(&self) -> String {
        let Some(Digits { before, after, uncertainty, signed }) = &self.numbers else { return "l".into() };
        let sign = if *signed { "-" } else { "" };
        let after = if *after > 0 { format!(".{after}") } else { String::new() };
        let error = if *uncertainty > 0 { format!("({uncertainty})") } else { String::new() };
        format!("S[table-format={sign}{before}{after}{error}]")
    }

    /// Puts text in a column of numbers into braces, so that siunitx does not parse it.
    fn braced(&self, text: &str) -> String {
        if self.numbers.is_some() { format!("{{{text}}}") } else { text.to_string() }
    }

    fn field(&self, field: &Field) -> String {
        let after = if field.after.is_empty() { String::new() } else { format!(" {{({})}}", sentence(&field.after)) };
        let bold = if field.marked { "\\bfseries " } else { "" };
        match (self.numbers.is_some(), parts(&field.text), field.kind) {
            (true, Some((number, error)), Kind::Number) => {
                let error = if error.is_empty() { String::new() } else { format!("({error})") };
                format!("{bold}{number}{error}{after}")
            }
            (_, _, Kind::Interval) => format!("${}$", field.text),
            _ => self.braced(&sentence(&field.whole())),
        }
    }
}

/// Splits `0.646 ± 0.073` into `0.646` and `73`, the uncertainty in units of the last digit. `None` for words and for
/// scientific notation.
fn parts(text: &str) -> Option<(&str, String)> {
    let (number, error) = text.split_once(" ± ").map_or((text, None), |(number, error)| (number, Some(error)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !digits(number.trim_start_matches('-')) || !error.is_none_or(digits) {
        return None;
    }
    let error = error.map(|error| {
        let error = error.replace('.', "");
        let short = error.trim_start_matches('0');
        if short.is_empty() { "0".to_string() } else { short.to_string() }
    });
    Some((number, error.unwrap_or_default()))
}

/// Escapes a text, with its mathematical symbols in math mode.
fn sentence(text: &str) -> String {
    let parts: Vec<String> = text.replace('`', "").split('±').map(escaped).collect();
    parts.join("$\\pm$").replace("p \\textgreater{}= ", "$p \\ge$ ").replace("\\textless{} ", "$<$ ")
}

/// A comment on one line.
fn plain(text: &str) -> String {
    text.replace('±', "+-").replace(char::is_control, " ")
}

/// Capitalizes a sentence. The name of a metric or of a key stays as it is.
fn capital(text: &str) -> String {
    if text.split([' ', ',']).next().is_some_and(|word| word.contains('.')) {
        return text.to_string();
    }
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
