//! The tables of a comparison for people: mean ± standard error. The best of a row, and what does not differ from it
//! significantly, is marked. Below each table are the sentences that are needed to read it correctly.

use super::table::{Field, draw};
use gmpc_study::judge::Judged;
use gmpc_study::report::sheet::{self, Kind, Sheet, sheets};

/// Width of a line of notes in characters.
const WIDTH: usize = 100;

/// All tables, the main one first. Marked values have a star.
pub fn tables(judged: &Judged<'_>) -> String {
    sheets(judged).iter().map(table).collect::<Vec<_>>().join("\n\n")
}

fn table(sheet: &Sheet) -> String {
    let head: Vec<&str> = sheet.head.iter().map(String::as_str).collect();
    let rows: Vec<Vec<Field>> = sheet.rows.iter().map(|row| row.iter().map(field).collect()).collect();
    let notes: String = sheet.plain_notes().iter().map(|note| format!("\n{}", wrapped(note))).collect();
    format!("{}\n\n{}\n{notes}", sheet.title, draw(&head, &rows))
}

fn field(field: &sheet::Field) -> Field {
    let text = field.whole();
    let drawn = if field.kind == Kind::Text { Field::text(text) } else { Field::number(text) };
    drawn.best(field.marked)
}

/// Wraps a sentence to the width of a terminal. Lines after the first are indented.
fn wrapped(note: &str) -> String {
    let (mut text, mut length) = (String::from("-"), 1);
    for word in note.split_whitespace() {
        let wide = word.chars().count() + 1;
        if length + wide > WIDTH {
            text.push_str("\n ");
            length = 1;
        }
        text.push(' ');
        text.push_str(word);
        length += wide;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_runtime::task::compare::{Cell, Comparison, Outcome, Splits, Statistics};
    use gmpc_study::judge::judge;
    use insta::assert_snapshot;

    fn cell(param: &str, over: &[(&str, &str)], values: &[f64]) -> Cell {
        let over = over.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let outcome = |(seed, value): (u64, &f64)| {
            let figures = if value.is_nan() { Err("diverged".into()) } else { Ok(vec![("test.rmse".into(), *value)]) };
            Outcome { seed, figures, epochs: 3, seconds: 0.0, size: None, start: vec![] }
        };
        let outcomes = (0..).zip(values).map(outcome).collect();
        let values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let (statistics, choice) = (Statistics::of(&values), Statistics::of(&values).mean);
        Cell {
            param: param.into(),
            over,
            splits: Splits::Fixed,
            stopped: None,
            outcomes,
            values,
            statistics,
            choice,
            best: false,
        }
    }

    fn comparison(over: &[&str], cells: Vec<Cell>) -> Comparison {
        Comparison {
            params: vec!["sp".into(), "gmp".into()],
            over: over.iter().map(|key| (key.to_string(), vec![])).collect(),
            metric: "test.rmse".into(),
            higher_is_better: false,
            chosen_by: "valid.rmse".into(),
            choose: vec![],
            baseline: None,
            halving: None,
            cells,
            complete: true,
        }
    }

    #[test]
    fn parameterizations_stand_below_each_other_without_other_axes() {
        let cells = vec![cell("sp", &[], &[1.0, 1.5, 1.25]), cell("gmp", &[], &[0.5, 0.875, 0.75])];
        assert_snapshot!(tables(&judge(&comparison(&[], cells))));
    }

    #[test]
    fn other_axes_are_rows_and_what_failed_is_counted() {
        let cells = vec![
            cell("sp", &[("data", "uci.yacht")], &[1.0, 1.5]),
            cell("gmp", &[("data", "uci.yacht")], &[2.0, f64::NAN]),
            cell("sp", &[("data", "uci.naval")], &[0.0021, 0.0022]),
            cell("gmp", &[("data", "uci.naval")], &[f64::NAN, f64::NAN]),
        ];
        assert_snapshot!(tables(&judge(&comparison(&["data"], cells))));
    }

    #[test]
    fn what_was_chosen_stands_beside_the_figure_and_differences_below() {
        let rate = |rate: &'static str| [("train.optimizer.lr", rate)];
        let cells = vec![
            cell("sp", &rate("0.01"), &[1.0, 1.5, 1.25, 1.0, 1.25, 1.5]),
            cell("gmp", &rate("0.01"), &[0.5, 0.875, 0.75, 0.5, 1.0, 0.875]),
            cell("sp", &rate("0.1"), &[0.875, 1.25, 1.0, 0.75, 1.0, 1.5]),
            cell("gmp", &rate("0.1"), &[2.0, f64::NAN, 2.0, 2.0, 2.0, 2.0]),
        ];
        let choose = vec!["train.optimizer.lr".to_string()];
        let all = Comparison { choose, baseline: Some("sp".into()), ..comparison(&["train.optimizer.lr"], cells) };
        assert_snapshot!(tables(&judge(&all)));
    }

    #[test]
    fn notes_are_wrapped() {
        let text = wrapped(&"word ".repeat(50));
        assert!(text.lines().all(|line| line.len() <= WIDTH) && text.lines().count() == 3, "{text}");
        assert!(text.starts_with("- word") && text.lines().nth(1).unwrap().starts_with("  word"));
    }
}
