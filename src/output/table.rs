//! Plain tables: columns of text; numbers are aligned to the right.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, Table};

/// One cell of a table.
#[derive(Debug, Clone)]
pub struct Field {
    /// The text of the cell.
    pub text: String,
    /// True if the text is aligned to the right.
    pub right: bool,
    /// True if the cell is marked with a star.
    pub best: bool,
}

impl Field {
    /// A cell with a word.
    pub fn text(text: impl Into<String>) -> Self {
        Field { text: super::printable(&text.into()), right: false, best: false }
    }

    /// A cell with a number, which is already text.
    pub fn number(text: impl Into<String>) -> Self {
        Field { text: text.into(), right: true, best: false }
    }

    /// Marks the cell as the best of its column.
    pub fn best(mut self, best: bool) -> Self {
        self.best = best;
        self
    }

    fn cell(&self) -> Cell {
        let text = if self.best { format!("* {}", self.text) } else { self.text.clone() };
        aligned(Cell::new(text), self.right)
    }
}

/// A header and rows as text, without a line end after it. Marked cells have a star.
pub fn draw(head: &[&str], rows: &[Vec<Field>]) -> String {
    let right = |i: usize| rows.iter().any(|row| row.get(i).is_some_and(|field| field.right));
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head.iter().enumerate().map(|(i, text)| aligned(Cell::new(text), right(i))));
    table.add_rows(rows.iter().map(|row| row.iter().map(Field::cell)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn aligned(cell: Cell, right: bool) -> Cell {
    cell.set_alignment(if right { CellAlignment::Right } else { CellAlignment::Left })
}

/// A number with commas between groups of three digits: `12,345`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MiB`; whole bytes below 1 KiB.
pub fn bytes(number: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = number as f64;
    let mut unit = "bytes";
    for next in units {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    if unit == "bytes" { format!("{number} bytes") } else { format!("{size:.1} {unit}") }
}

/// Four significant digits, in scientific notation for very small and very large numbers: `1.234e-5`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if !(1e-4..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::disallowed_methods,
        reason = "from -4 to 6; a digit that is shown or not"
    )]
    let before = size.log10().floor() as i32 + 1;
    let after = usize::try_from((4 - before).max(0)).unwrap_or(0);
    format!("{value:.after$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        assert_eq!(thousands(1), "1");
        assert_eq!(thousands(123_456), "123,456");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits() {
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
    }

    #[test]
    fn numbers_have_four_digits_that_count() {
        assert_eq!(number(2.34567), "2.346");
        assert_eq!(number(0.001_234_56), "0.001235");
        assert_eq!(number(12_345.678), "12346");
        assert_eq!(number(1.0e-7), "1.000e-7");
    }

    #[test]
    fn the_best_has_a_star() {
        let rows = [
            vec![Field::text("sp"), Field::number("10.25")],
            vec![Field::text("gmp"), Field::number("9.5").best(true)],
        ];
        insta::assert_snapshot!(draw(&["param", "rmse"], &rows));
    }
}
