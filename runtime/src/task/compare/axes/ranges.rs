//! Values of an axis that are counted out instead of written out.
//!
//! ```text
//! log(1e-4, 1, 5)      1e-4, 1e-3, 0.01, 0.1, 1: the same factor from each to the next
//! lin(16, 64, 4)       16, 32, 48, 64: the same distance
//! log(1e-4, 1)         a range: `--random N` draws from it, uniformly in the logarithm
//! lin(0, 0.5)          the same, uniformly
//! ```

use super::{refused, split_list};
use crate::failure::Failure;

/// Largest number of values of an axis. A larger one is a mistake.
const MOST: u32 = 10_000;

/// Between two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Are steps factors instead of distances?
    pub log: bool,
    /// The lower end; above 0 where steps are factors.
    pub low: f64,
    /// The upper end, above the lower one.
    pub high: f64,
}

/// What stands behind `--over KEY=`.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// A list, with `log(a, b, n)` and `lin(a, b, n)` counted out.
    List(Vec<String>),
    /// `log(a, b)` or `lin(a, b)`: something to draw from.
    Range(Range),
}

/// Reads the values of an axis.
///
/// # Errors
/// [`Failure::Usage`]: a range that is none, or one among other values.
pub fn values(key: &str, text: &str) -> Result<Values, Failure> {
    let parts = split_list(text);
    let mut list = Vec::new();
    for part in &parts {
        match range(key, part)? {
            None => list.push(part.clone()),
            Some((range, Some(count))) => list.extend(range.counted(count)),
            Some((range, None)) if parts.len() == 1 => return Ok(Values::Range(range)),
            Some((_, None)) => {
                let help = format!("give the number of values, `{}, 5)`", part.trim_end_matches(')'));
                return Err(refused(format!("`--over {key}={text}` mixes values with the range `{part}`"), help));
            }
        }
    }
    Ok(Values::List(list))
}

/// `log(a, b)` or `lin(a, b)` with or without a number of values; `None` for anything else.
fn range(key: &str, text: &str) -> Result<Option<(Range, Option<u32>)>, Failure> {
    let Some((name, rest)) = text.split_once('(') else { return Ok(None) };
    let log = match name.trim() {
        "log" => true,
        "lin" => false,
        // A value may have brackets too, such as `sgd(lr = 0.1)`: only these two words make a range.
        _ => return Ok(None),
    };
    let word = if log { "log" } else { "lin" };
    let wrong = |why: &str| {
        let example = if log { "log(1e-4, 1, 9)" } else { "lin(0, 0.5, 6)" };
        let help = format!("write `{example}`: from, to, how many; or `{word}(from, to)` with `--random N`");
        refused(format!("`--over {key}={text}`: {why}"), help)
    };
    let inside = rest.trim_end().strip_suffix(')').ok_or_else(|| wrong("the bracket is not closed"))?;
    let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
    let (ends, count) = match parts[..] {
        [low, high] => ([low, high], None),
        [low, high, count] => ([low, high], Some(count)),
        _ => return Err(wrong("it has two ends and a number of values")),
    };
    // Numbers of the language may have `_` between digits.
    let number = |text: &str| text.replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
    let [Some(low), Some(high)] = ends.map(number) else { return Err(wrong("its ends are no numbers")) };
    if low >= high {
        return Err(wrong("the first end is the lower one"));
    }
    if log && low <= 0.0 {
        return Err(wrong("a range of factors begins above 0"));
    }
    let count = match count.map(|text| text.parse::<u32>().ok().filter(|count| (2..=MOST).contains(count))) {
        Some(None) => return Err(wrong("the number of values is a whole number, at least 2 and at most 10000")),
        Some(found) => found,
        None => None,
    };
    Ok(Some((Range { log, low, high }, count)))
}

impl Range {
    /// So many values with both ends, at least 2.
    fn counted(&self, count: u32) -> Vec<String> {
        let last = count.max(2) - 1;
        let value = |k: u32| match k {
            0 => written(self.low),
            _ if k == last => written(self.high),
            _ => rounded(self.at(f64::from(k) / f64::from(last))),
        };
        (0..=last).map(value).collect()
    }

    /// The value at a part of the way, 0 to 1.
    pub(super) fn at(&self, part: f64) -> f64 {
        if self.log {
            libm::exp(libm::log(self.low) * (1.0 - part) + libm::log(self.high) * part)
        } else {
            self.low * (1.0 - part) + self.high * part
        }
    }
}

/// Six digits that count: what is shown is what is run.
pub(super) fn rounded(value: f64) -> String {
    written(format!("{value:.5e}").parse().unwrap_or(value))
}

/// As short as it can be read back exactly; a whole number without a power, which would make it none.
fn written(value: f64) -> String {
    let (plain, power) = (format!("{value}"), format!("{value:e}"));
    if power.len() < plain.len() && value.abs() < 1.0 { power } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        match values("lr", text).unwrap() {
            Values::List(list) => list,
            Values::Range(range) => panic!("{range:?}"),
        }
    }

    #[test]
    fn axes_are_counted_out_in_equal_factors_and_in_equal_steps() {
        assert_eq!(list("log(1e-4, 1, 5)"), ["1e-4", "1e-3", "0.01", "0.1", "1"]);
        assert_eq!(list("log(1e-4, 1, 9)")[1..4], ["3.16228e-4", "1e-3", "0.00316228"]);
        assert_eq!(list("lin(16, 64, 4)"), ["16", "32", "48", "64"]);
        assert_eq!(list("lin(0, 0.3, 4)"), ["0", "0.1", "0.2", "0.3"]);
        assert_eq!(list("5, lin(-1,1,3)"), ["5", "-1", "0", "1"]);
        assert_eq!(list("lin(100, 300, 3)"), ["100", "200", "300"]);
    }

    #[test]
    fn other_values_stay_as_they_are() {
        assert_eq!(list("0.1, 1_000, uci.yacht"), ["0.1", "1_000", "uci.yacht"]);
        assert_eq!(list("adam(lr = 0.1), sgd(lr = 1)"), ["adam(lr = 0.1)", "sgd(lr = 1)"]);
        assert_eq!(list("linear(1)"), ["linear(1)"]);
    }

    #[test]
    fn a_range_without_a_number_of_values_is_drawn_from() {
        let range = Range { log: true, low: 1e-4, high: 1.0 };
        assert_eq!(values("lr", "log(1e-4, 1)").unwrap(), Values::Range(range));
    }

    #[test]
    fn ranges_that_are_none_are_refused_with_a_next_step() {
        for (text, why) in [
            ("log(1e-4, 1, 1)", "at least 2"),
            ("log(0, 1, 3)", "above 0"),
            ("lin(2, 1, 3)", "lower one"),
            ("lin(a, 1, 3)", "no numbers"),
            ("lin(1)", "two ends"),
            ("log(1, 2", "not closed"),
            ("0.1, log(1, 2)", "mixes values"),
            ("lin(0, 1, 99999)", "at most 10000"),
        ] {
            let failure = values("lr", text).unwrap_err();
            assert!(failure.to_string().contains(why) && failure.help().is_some(), "{text}: {failure:?}");
            assert_eq!(failure.exit_code(), 2);
        }
    }
}
