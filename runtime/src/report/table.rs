//! A comparison as CSV, as a LaTeX table, and as lines of JSON.

use crate::compare::{Cell, Comparison};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// One line a cell, all axes as columns; failed runs are counted.
#[must_use]
pub fn csv(comparison: &Comparison) -> String {
    let keys = comparison.over.iter().map(|(key, _)| cell_of_csv(key));
    let fixed = ["metric", "n", "mean", "stderr", "failed", "best"].map(String::from);
    let header: Vec<String> = ["param".to_string()].into_iter().chain(keys).chain(fixed).collect();
    let mut text = header.join(",") + "\n";
    for cell in &comparison.cells {
        let mut line = vec![cell_of_csv(&cell.param)];
        line.extend(cell.over.iter().map(|(_, value)| cell_of_csv(value)));
        let failed = cell.outcomes.iter().filter(|outcome| outcome.figures.is_err()).count();
        let number = |number: f64| if number.is_finite() { number.to_string() } else { String::new() };
        line.extend([cell_of_csv(&comparison.metric), cell.statistics.n.to_string(), number(cell.statistics.mean)]);
        line.extend([number(cell.statistics.stderr), failed.to_string(), cell.best.to_string()]);
        text += &(line.join(",") + "\n");
    }
    text
}

/// A `tabular` with a row for each combination of the other axes and a column for each parameterization; the best is bold.
#[must_use]
pub fn latex(comparison: &Comparison) -> String {
    let keys = comparison.over.len().max(1);
    let mut text = format!("% {}, mean and standard error\n", comparison.metric);
    let _ = writeln!(text, "\\begin{{tabular}}{{{}{}}}", "l".repeat(keys), "r".repeat(comparison.params.len()));
    let axes: Vec<String> = comparison.over.iter().map(|(key, _)| escaped(key)).collect();
    let axes = if axes.is_empty() { vec![String::new()] } else { axes };
    let params = comparison.params.iter().map(|param| escaped(param));
    let _ = writeln!(text, "{} \\\\\n\\hline", axes.into_iter().chain(params).collect::<Vec<_>>().join(" & "));
    for cells in comparison.cells.chunks(comparison.params.len().max(1)) {
        let values: Vec<String> = cells[0].over.iter().map(|(_, value)| escaped(value)).collect();
        let values = if values.is_empty() { vec![String::new()] } else { values };
        let cells = cells.iter().map(latex_cell);
        let _ = writeln!(text, "{} \\\\", values.into_iter().chain(cells).collect::<Vec<_>>().join(" & "));
    }
    text + "\\end{tabular}\n"
}

fn latex_cell(cell: &Cell) -> String {
    let shown = rounded(cell);
    match (shown.split_once(" ± "), cell.best) {
        (None, _) if cell.statistics.n == 0 => "--".into(),
        (None, false) => format!("${shown}$"),
        (None, true) => format!("$\\mathbf{{{shown}}}$"),
        (Some((mean, error)), false) => format!("${mean} \\pm {error}$"),
        (Some((mean, error)), true) => format!("$\\mathbf{{{mean} \\pm {error}}}$"),
    }
}

/// `3.370 ± 0.145`: three places, more where the error would be all zeros; the mean alone without an error.
#[must_use]
pub fn rounded(cell: &Cell) -> String {
    let (mean, error) = (cell.statistics.mean, cell.statistics.stderr);
    if !mean.is_finite() {
        return "failed".into();
    }
    let smallest = if error > 0.0 { error } else { mean.abs() };
    let places = if smallest > 0.0 { (1.0 - smallest.log10().floor()).clamp(3.0, 9.0) } else { 3.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 3 to 9
    let places = if smallest >= 0.001 { 3 } else { places as usize };
    if error.is_finite() { format!("{mean:.places$} ± {error:.places$}") } else { format!("{mean:.places$}") }
}

/// One object a cell: `{"event":"cell","param","over":{…},"metric","n","mean","stderr","values","failed",…}`.
#[must_use]
pub fn json_lines(comparison: &Comparison) -> Vec<Value> {
    comparison.cells.iter().map(|cell| json_cell(comparison, cell)).collect()
}

fn json_cell(comparison: &Comparison, cell: &Cell) -> Value {
    let over: Map<String, Value> = cell.over.iter().map(|(key, value)| (key.clone(), typed(value))).collect();
    let failed = cell.outcomes.iter().filter_map(|outcome| Some((outcome.seed, outcome.figures.as_ref().err()?)));
    let failed: Vec<Value> = failed.map(|(seed, reason)| json!({ "seed": seed, "message": reason })).collect();
    json!({
        "event": "cell",
        "param": cell.param,
        "over": over,
        "metric": comparison.metric,
        "n": cell.statistics.n,
        "mean": cell.statistics.mean,
        "stderr": cell.statistics.stderr,
        "values": cell.values,
        "choice": cell.choice,
        "best": cell.best,
        "failed": failed,
    })
}

/// A number where the text is one, as in `{"train.optimizer.lr":0.1}`.
fn typed(text: &str) -> Value {
    let plain = text.replace('_', "");
    let whole = plain.parse::<i64>().map(|number| json!(number));
    whole.or_else(|_| plain.parse::<f64>().map(|number| json!(number))).unwrap_or_else(|_| json!(text))
}

fn cell_of_csv(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '_' | '%' | '&' | '#' | '$' | '{' | '}' => escaped.extend(['\\', c]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            _ => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests;
