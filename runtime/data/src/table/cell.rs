//! Converts one cell of a table to a number.

use crate::visible::{is_invisible, visible};

/// Why a cell is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Empty, `?`, `NA`, `NaN`, `null`.
    Missing,
    /// Infinite, or too large for f64.
    Infinite,
    /// Anything else, including other encodings.
    NoNumber,
}

/// The finite number in a cell. `cell` is trimmed.
pub(super) fn number(cell: &[u8]) -> Result<f64, Why> {
    let value: Option<f64> = std::str::from_utf8(cell).ok().and_then(|text| text.parse().ok());
    match value {
        Some(value) if value.is_finite() => Ok(value),
        Some(value) if value.is_infinite() => Err(Why::Infinite),
        Some(_) => Err(Why::Missing),
        None if is_missing(cell) => Err(Why::Missing),
        None => Err(Why::NoNumber),
    }
}

/// The usual words for a missing value, unless the declaration names others; upper or lower case.
#[rustfmt::skip] // a habit, a line
const MISSING: &[&str] = &[
    "", "?", "na", "n/a", "nan", "-nan", "+nan", "null", "none",
    "<na>", "#n/a", "#na", "#value!", "#div/0!", "#null!", "#ref!", ".",
];

/// True if a cell contains a usual word for a missing value.
pub(super) fn is_missing(cell: &[u8]) -> bool {
    MISSING.iter().any(|m| cell.eq_ignore_ascii_case(m.as_bytes()))
}

/// The truth value in a cell, if it is one.
pub(super) fn truth(cell: &[u8]) -> Option<bool> {
    match cell {
        _ if cell.eq_ignore_ascii_case(b"true") => Some(true),
        _ if cell.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// True if the cell shows that its line is a header. Missing values and truth values do not.
pub(super) fn is_word(cell: &[u8]) -> bool {
    number(cell) == Err(Why::NoNumber) && truth(cell).is_none()
}

impl Why {
    /// One sentence about `cell`.
    pub(super) fn reason(self, cell: &[u8]) -> String {
        let shown = shown(cell);
        match self {
            Why::Missing if cell.is_empty() => "the value is missing".to_string(),
            Why::Missing => format!("the value is missing (`{shown}`)"),
            Why::Infinite => format!("`{shown}` is not finite"),
            Why::NoNumber => format!("`{shown}` is not a number"),
        }
    }

    /// A next step, if the cell itself shows what went wrong.
    pub(super) fn help(self, cell: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(cell).ok()?;
        // A missing or infinite value has no other spelling.
        if self != Why::NoNumber {
            return None;
        }
        if let Some(separator) = separated(text) {
            return Some(format!("are the columns separated otherwise? `separator = {separator}`"));
        }
        if text.contains('\u{2212}') {
            return Some(format!("write the minus sign as `-`: `{}`", text.replace('\u{2212}', "-")));
        }
        if text.chars().any(is_invisible) {
            let plain: String = text.chars().filter(|c| !is_invisible(*c)).collect();
            let is_number = plain.parse::<f64>().is_ok();
            return is_number.then(|| format!("write it without what cannot be seen: `{plain}`"));
        }
        // Fortran writes exponents of double precision with a D.
        let exponent = text.replace(['d', 'D'], "e");
        if exponent != text && exponent.parse::<f64>().is_ok() {
            return Some(format!("write it with an `e`: `{exponent}`"));
        }
        match Dressed::of(text)? {
            Dressed { before: "", number, behind: "" } => grouped(number),
            dressed => Some(match (ambiguous(dressed.number), dressed.plain()) {
                (Some((whole, point)), _) => format!("write the number alone: is it {whole} or {point}?"),
                (None, plain) => format!("write the number alone: `{}`", plain?),
            }),
        }
    }
}

/// The separator of several numbers in one cell, as a declaration writes it.
fn separated(text: &str) -> Option<&'static str> {
    let numbers = |part: &str| part.trim().replace(',', ".").parse::<f64>().is_ok();
    let apart = |&(c, _): &(char, &str)| {
        let enough = if c == ',' { 2 } else { 1 };
        let exact = |part: &str| if c == ',' { part.trim().parse::<f64>().is_ok() } else { numbers(part) };
        text.matches(c).count() >= enough && text.split(c).filter(|part| c != ' ' || !part.is_empty()).all(exact)
    };
    // `1 234` is one number in some countries, so blanks must separate more than two groups.
    let blanks = text.matches(' ').count();
    if in_groups(text, ',') {
        return None;
    }
    let kinds = [(';', "\";\""), ('\t', "tab"), ('|', "\"|\""), (',', "\",\""), (' ', "whitespace")];
    kinds.iter().filter(|(c, _)| *c != ' ' || blanks > 1).find(|kind| apart(kind)).map(|(_, written)| *written)
}

/// The number to write for digits with separators of thousands.
fn grouped(number: &str) -> Option<String> {
    if let Some((whole, point)) = ambiguous(number) {
        return Some(format!("is it {whole} or {point}? write it without the comma, or with a point"));
    }
    let with_point = number.replace(',', ".");
    if with_point != number && with_point.parse::<f64>().is_ok() {
        return Some(format!("write it with a point: `{with_point}`"));
    }
    plain_number(number).map(|plain| format!("is it {plain}? write it so"))
}

/// `1,234` is 1234 in some countries and 1.234 in others: both readings.
fn ambiguous(number: &str) -> Option<(String, String)> {
    let (whole, behind) = number.split_once(',')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let both = behind.len() == 3 && digits(behind) && digits(whole.trim_start_matches(['-', '+']));
    both.then(|| (format!("{whole}{behind}"), format!("{whole}.{behind}")))
}

/// A number with something around it: `$ 5`, `12.5 %`, `3 kg`, `'7'`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dressed<'a> {
    pub(super) before: &'a str,
    /// From the first digit, or the sign before it, to the last digit.
    pub(super) number: &'a str,
    pub(super) behind: &'a str,
}

impl<'a> Dressed<'a> {
    /// `None` if there is not exactly one number, as in words, dates and times.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let first = text.find(|c: char| c.is_ascii_digit())?;
        let last = text.rfind(|c: char| c.is_ascii_digit())?;
        let sign = text[..first].strip_suffix(['-', '+', '.', ',']).map_or(first, str::len);
        let sign = text[..sign].strip_suffix(['-', '+']).map_or(sign, str::len);
        let (before, number, behind) = (&text[..sign], &text[sign..=last], &text[last + 1..]);
        let marks = |c: char| c.is_ascii_digit() || ".,' _eE+-".contains(c);
        let dress = is_sign(before) && (is_unit(behind) || is_one_word(behind));
        (dress && number.chars().all(marks) && plain_number(number).is_some()).then_some(Dressed {
            before,
            number,
            behind,
        })
    }

    /// The number alone, if it is unambiguous. A number in brackets may be negative, which only the user knows.
    pub(super) fn plain(self) -> Option<String> {
        if self.before.ends_with('(') {
            return Some(format!("-{}", plain_number(self.number)?));
        }
        plain_number(self.number)
    }
}

/// True for a blank and one short word, such as a unit. More words make it a text.
fn is_one_word(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).collect();
    text.starts_with(' ') && words.len() <= 1 && words.iter().all(|word| word.chars().count() <= 6)
}

/// True for signs and names of currencies. Other letters make it a code and not a number: `C85`.
fn is_sign(text: &str) -> bool {
    let text = text.trim();
    let no_letters = !text.chars().any(char::is_alphanumeric) && text.chars().count() <= 4;
    no_letters || ["usd", "eur", "gbp", "chf"].contains(&text.to_ascii_lowercase().as_str())
}

/// True for signs and units.
fn is_unit(text: &str) -> bool {
    #[rustfmt::skip]
    const UNITS: &[&str] = &[
        "usd", "eur", "gbp", "chf", "kg", "g", "mg", "t", "lb", "oz", "km", "m", "cm", "mm", "ft", "in", "mi", "l", "ml", "h", "min",
        "s", "ms", "k", "c", "f", "px", "pt", "kb", "mb", "gb", "tb", "hz", "w", "kw", "v", "a", "pa", "bar", "pc", "pcs",
    ];
    is_sign(text) || UNITS.contains(&text.trim().trim_end_matches(['.', '%']).to_ascii_lowercase().as_str())
}

/// True for digits in groups of three: `1,234,567`.
fn in_groups(text: &str, mark: char) -> bool {
    let mut groups = text.trim_start_matches(['-', '+']).split(mark);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().is_some_and(|first| first.len() <= 3 && digits(first));
    let rest: Vec<&str> = groups.collect();
    first && rest.len() > 1 && rest.iter().all(|group| group.len() == 3 && digits(group))
}

/// The number without separators of thousands: `1'234.5` is 1234.5, `1.234,56` is 1234.56.
fn plain_number(number: &str) -> Option<String> {
    if number.parse::<f64>().is_ok() {
        return Some(number.to_string());
    }
    let bare: String = number.chars().filter(|c| !"' _".contains(*c)).collect();
    let (points, commas) = (bare.matches('.').count(), bare.matches(',').count());
    let plain = match (bare.rfind('.'), bare.rfind(',')) {
        (Some(point), Some(comma)) if comma > point && commas == 1 => bare.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) if points == 1 => bare.replace(',', ""),
        (None, Some(_)) if commas == 1 => bare.replace(',', "."),
        (None, Some(_)) if in_groups(&bare, ',') => bare.replace(',', ""),
        (Some(_), None) if in_groups(&bare, '.') => bare.replace('.', ""),
        _ => bare,
    };
    plain.parse::<f64>().is_ok().then_some(plain)
}

/// At most 40 characters, without control characters and without invisible ones.
pub(super) fn shown(cell: &[u8]) -> String {
    visible(&String::from_utf8_lossy(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(text: &str) -> String {
        Why::NoNumber.help(text.as_bytes()).unwrap_or_default()
    }

    #[test]
    fn a_cell_tells_how_to_write_it() {
        assert_eq!(help("3,5"), "write it with a point: `3.5`");
        assert_eq!(help("1,5e3"), "write it with a point: `1.5e3`");
        assert_eq!(help("1,234"), "is it 1234 or 1.234? write it without the comma, or with a point");
        for written in ["1'234.5", "1 234.5", "1_234.5", "1,234.5", "1.234,5"] {
            assert_eq!(help(written), "is it 1234.5? write it so", "{written}");
        }
        for written in ["12 %", "$12", "12 kg", "12cm", "'12'", "€ 12", "USD 12", "#12", "12 €;", "12;", "12 # x"] {
            assert_eq!(help(written), "write the number alone: `12`", "{written}");
        }
        assert_eq!(help("1,234,567"), "is it 1234567? write it so");
        assert_eq!(help("1,2,3"), "are the columns separated otherwise? `separator = \",\"`");
        assert_eq!(help("1.5D+03"), "write it with an `e`: `1.5e+03`");
        assert_eq!(help("(5)"), "write the number alone: `-5`");
        assert_eq!(help("\u{a0}5"), "write it without what cannot be seen: `5`");
        assert_eq!(help("\u{2212}5"), "write the minus sign as `-`: `-5`");
        assert_eq!(help("5;-0,5"), "are the columns separated otherwise? `separator = \";\"`");
        for nothing in [
            "red",
            "2024-01-05",
            "12:30",
            "05/01/2024",
            "Braund, Mr. Owen",
            "12 Main St",
            "v1.2.3-x",
            "1.2.3",
            "C85",
            "1:0.5",
        ] {
            assert_eq!(help(nothing), "", "{nothing}");
        }
    }

    #[test]
    fn what_is_a_number_is_what_python_calls_one() {
        for (text, value) in [("+5", 5.0), ("007", 7.0), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1E-3", 0.001)] {
            assert_eq!(number(text.as_bytes()), Ok(value), "{text}");
        }
        for text in ["0x1F", "1_000", "1.5f", "1,5", "5%", "--5", "+-5", "e5", "1e", "１"] {
            assert_eq!(number(text.as_bytes()), Err(Why::NoNumber), "{text}");
        }
        for text in ["inf", "-Infinity", "1e400"] {
            assert_eq!(number(text.as_bytes()), Err(Why::Infinite), "{text}");
        }
        for text in ["", "NaN", "<NA>", "#N/A", "None"] {
            assert_eq!(number(text.as_bytes()), Err(Why::Missing), "{text}");
        }
    }
}
