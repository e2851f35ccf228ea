//! A comparison as a table for people: mean ± standard error, the best of those that stand side by side marked.

use super::table::{Field, draw};
use gmpc_runtime::compare::{Cell, Comparison};
use gmpc_runtime::report::table::rounded;

/// One column a parameterization, one row a combination of the other axes; without other axes the other way round. The
/// best has a star.
pub fn table(comparison: &Comparison) -> String {
    let text = if comparison.over.is_empty() { narrow(comparison) } else { wide(comparison) };
    let runs = runs(comparison);
    let what = if runs == "1" { "one run each".into() } else { format!("mean ± standard error of {runs} runs") };
    format!("{}, {what}\n\n{text}", comparison.metric)
}

fn narrow(comparison: &Comparison) -> String {
    let rows: Vec<_> = comparison.cells.iter().map(|cell| vec![Field::text(&cell.param), field(cell)]).collect();
    draw(&["param", &comparison.metric], &rows)
}

fn wide(comparison: &Comparison) -> String {
    let keys = comparison.over.iter().map(|(key, _)| key.as_str());
    let head: Vec<&str> = keys.chain(comparison.params.iter().map(String::as_str)).collect();
    let row = |cells: &[Cell]| {
        let over = cells.first().map_or(&[][..], |cell| cell.over.as_slice());
        over.iter().map(|(_, value)| Field::text(value)).chain(cells.iter().map(field)).collect::<Vec<_>>()
    };
    let rows: Vec<_> = comparison.cells.chunks(comparison.params.len().max(1)).map(row).collect();
    draw(&head, &rows)
}

fn field(cell: &Cell) -> Field {
    let failed = cell.outcomes.len() - cell.values.len();
    let lost = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
    Field::number(format!("{}{lost}", rounded(cell))).best(cell.best)
}

/// `10`, or `8 to 10` where some failed.
fn runs(comparison: &Comparison) -> String {
    let counts = || comparison.cells.iter().map(|cell| cell.values.len());
    match (counts().min(), counts().max()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (_, most) => most.unwrap_or(0).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_runtime::compare::{Outcome, Statistics};
    use insta::assert_snapshot;

    fn cell(param: &str, over: &[(&str, &str)], values: &[f64], best: bool) -> Cell {
        let over = over.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let outcome = |seed| Outcome { seed, figures: Err("diverged".into()), epochs: 0, seconds: 0.0 };
        let outcomes = (0..2).map(outcome).collect();
        let statistics = Statistics::of(values);
        Cell { param: param.into(), over, outcomes, values: values.to_vec(), statistics, choice: 0.0, best }
    }

    fn comparison(over: &[&str], cells: Vec<Cell>) -> Comparison {
        Comparison {
            params: vec!["sp".into(), "gmp".into()],
            over: over.iter().map(|key| (key.to_string(), vec![])).collect(),
            metric: "test.rmse".into(),
            higher_is_better: false,
            chosen_by: "valid.rmse".into(),
            cells,
            complete: true,
        }
    }

    #[test]
    fn parameterizations_stand_below_each_other_without_other_axes() {
        let cells = vec![cell("sp", &[], &[1.0, 1.5], false), cell("gmp", &[], &[0.5, 0.75], true)];
        assert_snapshot!(table(&comparison(&[], cells)));
    }

    #[test]
    fn other_axes_are_rows_and_what_failed_is_counted() {
        let cells = vec![
            cell("sp", &[("data", "uci.yacht")], &[1.0, 1.5], true),
            cell("gmp", &[("data", "uci.yacht")], &[2.0], false),
            cell("sp", &[("data", "uci.naval")], &[0.0021, 0.0022], false),
            cell("gmp", &[("data", "uci.naval")], &[], false),
        ];
        assert_snapshot!(table(&comparison(&["data"], cells)));
    }
}
