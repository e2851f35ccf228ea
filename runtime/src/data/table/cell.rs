//! One cell of a table as a number.

/// Why a cell gives no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Empty, `?`, `NA`, `NaN`, `null`.
    Missing,
    /// Infinite, or too large for 64 bits.
    Infinite,
    /// Anything else, other encodings too.
    NoNumber,
}

/// A finite number. `cell` is trimmed.
pub(super) fn number(cell: &[u8]) -> Result<f64, Why> {
    let value: Option<f64> = std::str::from_utf8(cell).ok().and_then(|text| text.parse().ok());
    match value {
        Some(value) if value.is_finite() => Ok(value),
        Some(value) if value.is_infinite() => Err(Why::Infinite),
        _ if is_missing(cell) => Err(Why::Missing),
        _ => Err(Why::NoNumber),
    }
}

/// Is this how tables write that a value is not known?
pub(super) fn is_missing(cell: &[u8]) -> bool {
    ["", "?", "na", "n/a", "nan", "-nan", "+nan", "null", "none"]
        .iter()
        .any(|m| cell.eq_ignore_ascii_case(m.as_bytes()))
}

/// Does it make its line a header? A missing value does not.
pub(super) fn is_word(cell: &[u8]) -> bool {
    number(cell) == Err(Why::NoNumber)
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

    /// A next step, where the cell itself tells what went wrong.
    pub(super) fn help(self, cell: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(cell).ok()?;
        if self != Why::NoNumber {
            return None;
        }
        if let Some(separator) = [';', '\t', ',', ' '].into_iter().find(|&c| text.matches(c).count() > 1) {
            let name = if separator.is_whitespace() { "whitespace".to_string() } else { format!("\"{separator}\"") };
            return Some(format!("are the columns separated otherwise? `separator = {name}`"));
        }
        let with_point = text.replace(',', ".");
        (with_point != text && with_point.parse::<f64>().is_ok())
            .then(|| format!("write it with a point: `{with_point}`"))
    }
}

/// At most 40 characters, nothing that would disturb a terminal.
fn shown(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    let mut shown: String = text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > 40 {
        shown.push('…');
    }
    shown
}
