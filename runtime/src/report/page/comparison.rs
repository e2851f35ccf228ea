//! A comparison's table: what was compared, one row a combination of the axes, the best of each row bold.

use super::{escaped, words};
use crate::compare::{Cell, Kept};
use crate::report::beside::{Row, Table};
use crate::report::table::rounded;

/// The table; a page about the paper has its own, and only its failed runs are told.
pub(super) fn table(kept: &Kept, is_told: bool) -> String {
    let failed = failures(kept);
    if is_told {
        return failed;
    }
    let comparison = &kept.comparison;
    let axes: Vec<&str> = comparison.over.iter().map(|(key, _)| key.as_str()).collect();
    let rows = comparison.cells.chunks(comparison.params.len().max(1)).map(row).collect();
    let head = [vec![axes.join(", ")], comparison.params.clone()].concat();
    let table = Table { caption: String::new(), head, rows };
    let unfinished = if comparison.complete { "" } else { " Not all of its runs have ended." };
    let words = format!(
        "{}: mean ± standard error (number of runs); the best of each row is bold.{unfinished}",
        comparison.metric
    );
    format!("<h2>{}</h2>\n<p>{}</p>\n{}{failed}", escaped(&kept.title()), escaped(&words), words::drawn(&table))
}

fn row(cells: &[Cell]) -> Row {
    let name = cells.first().map(Cell::setting).unwrap_or_default();
    let field = |cell: &Cell| {
        let runs = if cell.values.len() == 1 { " (one run)".to_string() } else { format!(" ({})", cell.values.len()) };
        (format!("{}{runs}", rounded(cell)), cell.best)
    };
    Row { name, paper: false, fields: cells.iter().map(field).collect() }
}

/// Runs that failed, each with its reason.
fn failures(kept: &Kept) -> String {
    let one = |cell: &Cell| {
        let of = [cell.param.clone(), cell.setting()].into_iter().filter(|words| !words.is_empty());
        let of = of.collect::<Vec<_>>().join(", ");
        let failed = cell.outcomes.iter().filter_map(|o| Some((o.seed, o.figures.as_ref().err()?)));
        failed.map(|(seed, why)| format!("<li>{}</li>\n", escaped(&format!("{of}, seed {seed}: {why}")))).collect()
    };
    let items: String = kept.comparison.cells.iter().map(|cell| -> String { one(cell) }).collect();
    if items.is_empty() { items } else { format!("<h2>Runs that failed</h2>\n<ul>\n{items}</ul>\n") }
}
