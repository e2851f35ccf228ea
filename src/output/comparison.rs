//! A comparison as a table, CSV or LaTeX: one row a parameterization, one column for every other choice.

use super::table::{Field, draw, number};

/// One cell: a parameterization with one choice on every other axis, trained several times.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// `gmp + mn`
    pub param: String,
    /// `data=uci.yacht`, in the order of the axes; empty without any.
    pub over: Vec<(String, String)>,
    /// The value of each repeat that did not diverge.
    pub values: Vec<f64>,
    /// Their mean; `None` without values.
    pub mean: Option<f64>,
    /// Standard error of the mean; `None` with fewer than two values.
    pub stderr: Option<f64>,
    /// Repeats that diverged.
    pub diverged: usize,
}

/// All cells, and what they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// `test.rmse`
    pub metric: String,
    /// Which way is better.
    pub higher_is_better: bool,
    /// In the order they were asked for.
    pub cells: Vec<Cell>,
}

impl Cell {
    /// `0.5012 ± 0.0123`, with both numbers cut where the error's second digit stands.
    fn text(&self) -> String {
        match (self.mean, self.stderr) {
            (Some(mean), Some(stderr)) => {
                let places = places(mean, stderr);
                format!("{mean:.places$} ± {stderr:.places$}")
            }
            (Some(mean), None) => number(mean),
            (None, _) => "diverged".to_string(),
        }
    }

    /// `data=uci.yacht, train.optimizer.lr=0.1`
    fn column(&self) -> String {
        let parts: Vec<String> = self.over.iter().map(|(key, value)| format!("{key}={value}")).collect();
        parts.join(", ")
    }
}

/// Decimal places that show two digits of the error, and at least three of the mean.
fn places(mean: f64, stderr: f64) -> usize {
    let digits = |value: f64, count: i32| if value > 0.0 { count - 1 - value.log10().floor() as i32 } else { 0 };
    let wanted = digits(stderr, 2).max(digits(mean.abs(), 3));
    usize::try_from(wanted.clamp(0, 9)).unwrap_or(0)
}

impl Comparison {
    /// Names of the other choices, in order of appearance.
    fn columns(&self) -> Vec<String> {
        unique(self.cells.iter().map(Cell::column))
    }

    /// Parameterizations in order of appearance.
    fn params(&self) -> Vec<String> {
        unique(self.cells.iter().map(|cell| cell.param.clone()))
    }

    fn cell(&self, param: &str, column: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.param == param && cell.column() == column)
    }

    /// Is this the best of its column?
    fn is_best(&self, cell: &Cell) -> bool {
        let Some(mean) = cell.mean else { return false };
        let column = cell.column();
        let others = self.cells.iter().filter(|other| other.column() == column).filter_map(|other| other.mean);
        if self.higher_is_better { others.fold(f64::MIN, f64::max) <= mean } else { others.fold(f64::MAX, f64::min) >= mean }
    }

    /// For people: mean ± standard error, the best of each column bold (a star where bold cannot be seen). More than a few
    /// columns become rows.
    pub fn to_table(&self, colour: bool) -> String {
        let columns = self.columns();
        let text = if columns.len() > 3 { self.tall(&columns, colour) } else { self.wide(&columns, colour) };
        format!("{}, mean ± standard error of {} runs\n\n{text}", self.metric, self.runs())
    }

    fn wide(&self, columns: &[String], colour: bool) -> String {
        let mut head = vec!["param"];
        head.extend(columns.iter().map(|c| if c.is_empty() { self.metric.as_str() } else { c.as_str() }));
        let row = |param: &String| {
            let mut row = vec![Field::text(param)];
            row.extend(columns.iter().map(|column| self.field(param, column)));
            row
        };
        let rows: Vec<_> = self.params().iter().map(row).collect();
        draw(&head, &rows, colour)
    }

    fn tall(&self, columns: &[String], colour: bool) -> String {
        let params = self.params();
        let mut head = vec![""];
        head.extend(params.iter().map(String::as_str));
        let row = |column: &String| {
            let mut row = vec![Field::text(column)];
            row.extend(params.iter().map(|param| self.field(param, column)));
            row
        };
        let rows: Vec<_> = columns.iter().map(row).collect();
        draw(&head, &rows, colour)
    }

    fn field(&self, param: &str, column: &str) -> Field {
        match self.cell(param, column) {
            Some(cell) => {
                let lost = if cell.diverged > 0 { format!(" ({} diverged)", cell.diverged) } else { String::new() };
                Field::number(format!("{}{lost}", cell.text())).best(self.is_best(cell))
            }
            None => Field::text("-"),
        }
    }

    /// `10`, or `8 to 10` where some diverged.
    fn runs(&self) -> String {
        let counts = || self.cells.iter().map(|cell| cell.values.len());
        match (counts().min(), counts().max()) {
            (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
            (_, most) => most.unwrap_or(0).to_string(),
        }
    }

    /// One line a cell: `param,KEY,…,metric,n,mean,stderr,values`.
    pub fn to_csv(&self) -> String {
        let keys: Vec<String> = unique(self.cells.iter().flat_map(|cell| cell.over.iter().map(|(key, _)| key.clone())));
        let mut lines = vec![["param".into()].into_iter().chain(keys).chain(["metric", "n", "mean", "stderr", "values"].map(String::from)).collect::<Vec<_>>()];
        for cell in &self.cells {
            let show = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
            let values: Vec<String> = cell.values.iter().map(ToString::to_string).collect();
            let mut line = vec![cell.param.clone()];
            line.extend(cell.over.iter().map(|(_, value)| value.clone()));
            line.extend([self.metric.clone(), cell.values.len().to_string(), show(cell.mean), show(cell.stderr), values.join(" ")]);
            lines.push(line);
        }
        let lines: Vec<String> = lines.iter().map(|line| line.iter().map(|f| quoted(f)).collect::<Vec<_>>().join(",")).collect();
        lines.join("\n")
    }

    /// A `tabular` environment, the best of each column in bold.
    pub fn to_latex(&self) -> String {
        let columns = self.columns();
        let mut text = format!("\\begin{{tabular}}{{l{}}}\n\\hline\n", "r".repeat(columns.len()));
        let heads: Vec<String> = columns.iter().map(|c| if c.is_empty() { escaped(&self.metric) } else { escaped(c) }).collect();
        text.push_str(&format!(" & {} \\\\\n\\hline\n", heads.join(" & ")));
        for param in self.params() {
            let fields: Vec<String> = columns.iter().map(|column| self.latex_field(&param, column)).collect();
            text.push_str(&format!("{} & {} \\\\\n", escaped(&param), fields.join(" & ")));
        }
        text.push_str("\\hline\n\\end{tabular}");
        text
    }

    fn latex_field(&self, param: &str, column: &str) -> String {
        let Some(cell) = self.cell(param, column) else { return "--".to_string() };
        let text = cell.text().replace('±', "$\\pm$");
        if self.is_best(cell) { format!("\\textbf{{{text}}}") } else { text }
    }
}

/// Each once, in order of first appearance.
fn unique(items: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

/// As CSV wants it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

/// As LaTeX wants it.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        if "_%&#$".contains(letter) {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn cell(param: &str, data: &str, mean: f64, stderr: f64) -> Cell {
        let over = vec![("data".to_string(), data.to_string())];
        Cell { param: param.into(), over, values: vec![mean, mean], mean: Some(mean), stderr: Some(stderr), diverged: 0 }
    }

    fn comparison() -> Comparison {
        Comparison {
            metric: "test.rmse".into(),
            higher_is_better: false,
            cells: vec![
                cell("sp", "uci.yacht", 1.5, 0.123),
                cell("gmp", "uci.yacht", 0.75, 0.04),
                cell("sp", "uci.naval", 0.0021, 0.0001),
                cell("gmp", "uci.naval", 0.0031, 0.0004),
            ],
        }
    }

    #[test]
    fn the_table_marks_the_best_of_each_column() {
        assert_snapshot!(comparison().to_table(false));
    }

    #[test]
    fn csv_has_a_line_for_each_cell() {
        assert_snapshot!(comparison().to_csv());
    }

    #[test]
    fn latex_is_a_tabular_with_the_best_in_bold() {
        assert_snapshot!(comparison().to_latex());
    }

    #[test]
    fn a_single_run_has_no_error_and_a_lost_one_says_so() {
        let mut one = comparison();
        one.cells.truncate(2);
        one.cells[0].stderr = None;
        one.cells[1] = Cell { values: vec![], mean: None, stderr: None, diverged: 2, ..one.cells[1].clone() };
        assert_snapshot!(one.to_table(false));
    }
}
