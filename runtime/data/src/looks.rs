//! Recognizes columns of numbers, in tables and arrays, whose numbers may not mean what they seem to.

use super::Note;

/// Smallest number of other values in a column before an outlier is reported.
const FEW: usize = 4;
/// Smallest number of rows before an outlier is reported.
const FEW_ROWS: usize = 8;
/// A repeated value is an outlier if the gap to the other values is this many times as wide as their range.
const FAR: f64 = 3.0;

/// Notes about targets that never change and so cannot be learned. Often the columns were split in another way than
/// intended. `first` is the first row of features.
pub(super) fn constant(targets: &[f64], outputs: usize, names: &[String], first: &[f64], file: &str) -> Vec<Note> {
    let constant = |column: &usize| {
        let mut values = targets.iter().skip(*column).step_by(outputs.max(1));
        let first = values.next().copied().unwrap_or_default();
        targets.len() > outputs && values.all(|value| same(*value, first))
    };
    let note = |column: usize| {
        let name = names.get(column).map_or(String::new(), |name| format!(" `{name}`"));
        let row: Vec<String> = first.iter().take(6).map(ToString::to_string).collect();
        let dots = if first.len() > 6 { " | …" } else { "" };
        let value = targets.get(column).copied().unwrap_or_default();
        let numbers = if first.len() == 1 { "one number" } else { &format!("{} numbers", first.len()) };
        let message = format!(
            "the target{name} is {value} in every row; the features of the first row are read as {numbers}: {}{dots}",
            row.join(" | ")
        );
        Note::new("W0776", file, message).help("is `target` the right column, and the separator right?")
    };
    (0..outputs).filter(constant).map(note).collect()
}

/// Notes about values such as -999 that lie far outside all others and occur more than once: they often mark missing
/// values, and a network takes them as numbers. `values` are rows of `width` numbers; `name` names a column.
pub(super) fn extremes(values: &[f64], width: usize, name: impl Fn(usize) -> String, file: &str) -> Vec<Note> {
    let rows = values.len() / width.max(1);
    if rows < FEW_ROWS {
        return vec![];
    }
    let mut columns = vec![Ends::default(); width];
    for row in values.chunks_exact(width) {
        columns.iter_mut().zip(row).for_each(|(ends, value)| ends.see(*value));
    }
    let told = columns.iter().enumerate().filter_map(|(column, ends)| ends.mark().map(|mark| (column, mark)));
    let note = |(column, mark): (usize, Mark)| {
        let Mark { value, count, low, high } = mark;
        let message =
            format!("{} is {value} in {count} of {rows} rows, and {low} to {high} in all others", name(column));
        let help =
            format!("a mark for missing values? drop those rows, or fill them in; {value} is a number to a network");
        Note::new("W0790", file, message).help(help)
    };
    told.map(note).collect()
}

/// The lowest and the highest value of a column, how often they occur, and their neighbours.
#[derive(Debug, Clone, Default)]
struct Ends {
    /// Some distinct values, no more than are needed.
    few: Vec<f64>,
    low: Option<End>,
    high: Option<End>,
}

#[derive(Debug, Clone, Copy)]
struct End {
    value: f64,
    count: usize,
    next: Option<f64>,
}

struct Mark {
    value: f64,
    count: usize,
    low: f64,
    high: f64,
}

impl Ends {
    fn see(&mut self, value: f64) {
        if self.few.len() <= FEW && !self.few.iter().any(|known| same(*known, value)) {
            self.few.push(value);
        }
        self.low = Some(End::with(self.low, value, |a, b| a < b));
        self.high = Some(End::with(self.high, value, |a, b| a > b));
    }

    fn mark(&self) -> Option<Mark> {
        let (low, high) = (self.low?, self.high?);
        if self.few.len() <= FEW {
            return None;
        }
        let (above, below) = (low.next?, high.next?);
        let lowest = Mark { value: low.value, count: low.count, low: above, high: high.value };
        let highest = Mark { value: high.value, count: high.count, low: low.value, high: below };
        [lowest, highest].into_iter().find(Mark::tells)
    }
}

impl End {
    fn with(end: Option<End>, value: f64, beyond: impl Fn(f64, f64) -> bool) -> End {
        let Some(end) = end else { return End { value, count: 1, next: None } };
        if same(value, end.value) {
            return End { count: end.count + 1, ..end };
        }
        if beyond(value, end.value) {
            return End { value, count: 1, next: Some(end.value) };
        }
        let nearer = end.next.is_none_or(|next| beyond(value, next));
        End { next: if nearer { Some(value) } else { end.next }, ..end }
    }
}

impl Mark {
    fn tells(&self) -> bool {
        let (range, gap) = (self.high - self.low, (self.low - self.value).max(self.value - self.high));
        // The same digit repeated, as people mark missing values: -999, 9999, -77.
        let digits = self.value.abs().to_string();
        let first = digits.chars().next().unwrap_or('0');
        let repeated = digits.len() >= 2 && "789".contains(first) && digits.chars().all(|digit| digit == first);
        let usual = repeated && (gap > range / 4.0 || (self.value < 0.0 && self.low >= 0.0));
        self.count >= 2 && range > 0.0 && (gap > FAR * range || usual)
    }
}

/// True if two numbers are equal.
pub(super) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[f64]) -> Vec<String> {
        let name = |_| "`t`".to_string();
        extremes(values, 1, name, "a.csv").into_iter().map(|note| note.message).collect()
    }

    #[test]
    fn a_value_far_outside_that_repeats_is_told() {
        let mut values: Vec<f64> = (0..20).map(|i| f64::from(i) * 1.5).collect();
        assert!(told(&values).is_empty());
        values.extend([-999.0, -999.0]);
        assert_eq!(told(&values), ["`t` is -999 in 2 of 22 rows, and 0 to 28.5 in all others"]);
        values[0] = -999.0;
        assert_eq!(told(&values), ["`t` is -999 in 3 of 22 rows, and 1.5 to 28.5 in all others"]);
        let high: Vec<f64> = values.iter().map(|value| -value * 3.0).collect();
        assert_eq!(told(&high), ["`t` is 2997 in 3 of 22 rows, and -85.5 to -4.5 in all others"]);
    }

    #[test]
    fn codes_beside_a_wide_range_are_told_by_their_digits() {
        let wide: Vec<f64> = (0..30).map(|i| f64::from(i) * 40.0).chain([-99.0, -99.0]).collect();
        assert_eq!(told(&wide), ["`t` is -99 in 2 of 32 rows, and 0 to 1160 in all others"]);
        let other: Vec<f64> = (0..30).map(|i| f64::from(i) * 40.0).chain([-100.0, -100.0]).collect();
        assert!(told(&other).is_empty());
    }

    #[test]
    fn flags_counts_and_single_outliers_are_not() {
        assert!(told(&[0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 100.0, 100.0]).is_empty()); // few distinct values may be codes
        assert!(told(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 900.0]).is_empty());
        assert!(told(&[5.0; 20]).is_empty());
        assert!(told(&(0..50).map(|i| f64::from(i % 7)).collect::<Vec<_>>()).is_empty());
    }
}
