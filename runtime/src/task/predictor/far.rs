//! Finds inputs of a prediction that are far outside the training data.

use gmpc_data::{Note, Scale};

/// Limit in standard deviations of the training data. By its definition, a deviation of `sqrt(n)` is the largest
/// possible among `n` training rows, so 100 cannot occur with fewer than 10,000 rows.
const FAR: f64 = 100.0;

/// The note about inputs far outside the training data, mostly because of another unit or exchanged columns. `scaled`
/// is `[rows, features]`, in standard deviations from the mean of training; `lines` is empty or has one line for each
/// row.
pub(super) fn far_outside(scaled: &[f64], scale: &Scale, lines: &[u64], names: &[String], file: &str) -> Option<Note> {
    let width = scale.mean.len().max(1);
    let first = scaled.iter().position(|value| value.abs() > FAR)?;
    let count = scaled.iter().filter(|value| value.abs() > FAR).count();
    let (row, column) = (first / width, first % width);
    let name = names.get(column).map_or_else(|| format!("feature {}", column + 1), |name| format!("`{name}`"));
    let place = lines.get(row).map_or_else(|| format!("row {row} (from 0)"), |line| format!("line {line}"));
    let value = scaled[first] * scale.deviation[column] + scale.mean[column];
    let more = if count > 1 { format!("; so do {} more", count - 1) } else { String::new() };
    let message = format!(
        "{place}: {name} is {value:.4}, which lies {:.0} standard deviations from the mean {:.4} of training{more}",
        scaled[first].abs(),
        scale.mean[column],
    );
    let help = "is it in the unit of the training file? A prediction so far outside is a guess";
    Some(Note::new("W0806", file, message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_another_unit_is_told_with_its_line_and_others_are_counted() {
        let scale = Scale { mean: vec![2.0, 50.0], deviation: vec![0.5, 0.0] };
        let names = ["kilograms", "kelvin"].map(String::from);
        let told = |rows: &[f64]| {
            let mut scaled = rows.to_vec();
            scale.apply(&mut scaled);
            far_outside(&scaled, &scale, &[2, 3, 5], &names, "p.csv").map(|note| note.message)
        };
        assert_eq!(told(&[2.5, 50.0, 40.0, 50.0]), None, "76 deviations");
        let message = told(&[2.5, 50.0, 2000.0, 50.0, 3000.0, 50.0]).unwrap();
        let expected = "line 3: `kilograms` is 2000.0000, which lies 3996 standard deviations from the mean 2.0000 of training; \
                        so do 1 more";
        assert_eq!(message, expected);
        assert_eq!(told(&[2.5, 1e9]), None, "a column of one value is 0 whatever it holds");
    }
}
