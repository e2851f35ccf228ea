//! Tables with the paper's numbers beside the new ones, for the terminal and for the page.

use crate::reproduce::paper::{Number, citation, sources};
use crate::reproduce::{Item, Metric, Reproduced};
use gmpc_runtime::failure::Failure;
use gmpc_runtime::task::compare::{Cell, Comparison, Statistics};
use serde_json::{Map, Value, json};

/// All texts and tables about a repeated experiment of the paper.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lead {
    /// The paper's title of the experiment.
    pub title: String,
    /// Sentences about what the paper ran.
    pub ran: Vec<String>,
    /// Sentences about what is different here; empty if nothing is.
    pub changed: Vec<String>,
    /// Sentences about what was found, if words are needed.
    pub found: Vec<String>,
    /// The tables with the new and the paper's numbers.
    pub tables: Vec<Table>,
    /// Sentences about the results that the paper states.
    pub claims: Vec<String>,
    /// Known disagreements.
    pub known: Vec<String>,
    /// The places in the paper that its numbers are from.
    pub sources: Vec<String>,
}

/// A table for one metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What it shows, and from how many runs.
    pub caption: String,
    /// Names of the columns; the first column has the names of the rows.
    pub head: Vec<String>,
    /// The rows: a name, and a field for each other column.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// Such as `uci.yacht`, or `paper` for the row below it.
    pub name: String,
    /// True if its numbers are the paper's.
    pub paper: bool,
    /// A text, and whether it is the best of its row.
    pub fields: Vec<(String, bool)>,
}

/// All texts and tables about a repeated experiment.
///
/// # Errors
/// [`Failure::Bug`]: the embedded numbers are wrong, which a test excludes.
pub fn lead(reproduced: &Reproduced) -> Result<Lead, Failure> {
    let Reproduced { item, kept, changed, recorded, other_data } = reproduced;
    let theirs = other_data.as_ref().map_or("paper".to_string(), |data| format!("paper, {data}"));
    let tables = item.metrics.iter().map(|metric| table(item, &kept.comparison, metric, &theirs)).collect();
    let mut ran = item.ran.clone();
    if let Some(recorded) = recorded {
        let seeds: Vec<String> = recorded.seeds.iter().map(|(param, seed)| format!("{param} {seed}")).collect();
        ran.push(format!("Seeds drawn: {}.", seeds.join(", ")));
    }
    let claims = item.claims.iter().map(|claim| claim.text.clone()).collect();
    let used = item.numbers.iter().map(|number| &number.source).chain(item.claims.iter().map(|claim| &claim.source));
    // A title that names the paper's data must not stand above results on other data.
    let title = match other_data {
        Some(_) => format!("{} (here on {})", item.title, kept.data),
        None => item.title.clone(),
    };
    let (changed, known) = (changed.clone(), item.known.clone());
    Ok(Lead { title, ran, changed, found: vec![], tables, claims, known, sources: places(used)? })
}

/// One JSON object for every cell of every metric:
/// `{"event":"beside","param","over","metric","n","mean","stderr","paper":{…}}`, in percent if the paper's number is.
/// `paper` is null if its number is not known, and names its data if they are different.
#[must_use]
pub fn json_lines(reproduced: &Reproduced) -> Vec<Value> {
    let Reproduced { item, kept, other_data, .. } = reproduced;
    let line = |metric: &Metric, cell: &Cell| {
        let ours = Statistics::of(&values(cell, metric));
        let over: Map<String, Value> = cell.over.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let theirs = item.number(&cell.param, &cell.over, &metric.name).map(|number| {
            json!({
                "mean": number.mean, "stderr": number.stderr, "runs": number.runs, "source": number.source,
                "other_data": other_data,
            })
        });
        json!({
            "event": "beside", "param": cell.param, "over": over, "metric": metric.name, "percent": metric.percent,
            "n": ours.n, "mean": ours.mean, "stderr": ours.stderr, "paper": theirs,
        })
    };
    item.metrics.iter().flat_map(|metric| kept.comparison.cells.iter().map(move |cell| line(metric, cell))).collect()
}

/// The citation of the paper, and the meaning of the words for places in it.
///
/// # Errors
/// The errors of [`lead`].
pub fn places<'a>(used: impl Iterator<Item = &'a String>) -> Result<Vec<String>, Failure> {
    let all = sources()?;
    let mut used: Vec<&String> = used.collect();
    used.sort();
    used.dedup();
    let meanings = used.into_iter().filter_map(|word| all.get(word).map(|meaning| format!("{meaning}.")));
    Ok([format!("{}.", citation()?)].into_iter().chain(meanings).collect())
}

fn table(item: &Item, comparison: &Comparison, metric: &Metric, theirs: &str) -> Table {
    let counts = || comparison.cells.iter().map(|cell| values(cell, metric).len());
    let runs = match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
        (_, 1) => "one run each".to_string(),
        (least, most) if least == most => format!("mean ± standard error of {most} runs"),
        (least, most) => format!("mean ± standard error of {least} to {most} runs"),
    };
    let unit = if metric.percent { ", %" } else { "" };
    let axes: Vec<&str> = comparison.over.iter().map(|(key, _)| key.as_str()).collect();
    let head = [vec![axes.join(", ")], comparison.params.clone()].concat();
    let groups = comparison.cells.chunks(comparison.params.len().max(1));
    let rows: Vec<Row> = groups.flat_map(|cells| pair(item, comparison, metric, cells, theirs)).collect();
    let beside = if rows.iter().any(|row| row.paper) { "; below it the paper's" } else { "" };
    Table { caption: format!("{}{unit}: {runs}{beside}", metric.name), head, rows }
}

/// The row of new numbers, and the row of the paper's numbers below it, if there are any.
fn pair(item: &Item, comparison: &Comparison, metric: &Metric, cells: &[Cell], theirs: &str) -> Vec<Row> {
    let name = cells.first().map(Cell::setting).unwrap_or_default();
    let name = if name.is_empty() { "ours".to_string() } else { name };
    let statistics: Vec<Statistics> = cells.iter().map(|cell| Statistics::of(&values(cell, metric))).collect();
    let means: Vec<Option<f64>> = statistics.iter().map(|s| Some(s.mean).filter(|mean| mean.is_finite())).collect();
    let best = best(&means, comparison.higher_is_better);
    let ours = statistics.iter().zip(best).map(|(statistics, best)| (shown(*statistics, metric), best));
    let mut rows = vec![Row { name, paper: false, fields: ours.collect() }];
    let numbers: Vec<Option<&Number>> = cells.iter().map(|c| item.number(&c.param, &c.over, &metric.name)).collect();
    if numbers.iter().any(Option::is_some) {
        let means: Vec<Option<f64>> = numbers.iter().map(|number| Some((*number)?.mean)).collect();
        let best = self::best(&means, comparison.higher_is_better);
        let fields = numbers.iter().zip(best).map(|(number, best)| (stated(*number, metric), best)).collect();
        rows.push(Row { name: theirs.into(), paper: true, fields });
    }
    rows
}

/// The values of any metric over the runs of a cell.
fn values(cell: &Cell, metric: &Metric) -> Vec<f64> {
    let scale = if metric.percent { 100.0 } else { 1.0 };
    cell.outcomes.iter().filter_map(|outcome| Some(outcome.figure(&metric.name)? * scale)).collect()
}

/// Which of these means is the best; none if there is only one.
fn best(means: &[Option<f64>], higher: bool) -> Vec<bool> {
    let known = means.iter().flatten();
    let best = if higher { known.copied().reduce(f64::max) } else { known.copied().reduce(f64::min) };
    let several = means.iter().flatten().count() > 1;
    means.iter().map(|mean| several && mean.is_some_and(|mean| Some(mean) == best)).collect()
}

/// A mean with its standard error: two decimals in percent, else three, or five for a small mean.
fn shown(of: Statistics, metric: &Metric) -> String {
    if !of.mean.is_finite() {
        return "-".into();
    }
    let places = if metric.percent { 2 } else { places_of(of.mean.abs()) };
    if of.stderr.is_finite() {
        format!("{:.places$} ± {:.places$}", of.mean, of.stderr)
    } else {
        format!("{:.places$}", of.mean)
    }
}

fn places_of(mean: f64) -> usize {
    if mean >= 0.05 || mean <= 0.0 { 3 } else { 5 }
}

/// The number as the paper prints it.
fn stated(number: Option<&Number>, metric: &Metric) -> String {
    let places = if metric.percent { 2 } else { 3 };
    match number.map(|number| (number.mean, number.stderr)) {
        None => "not known".into(),
        Some((mean, None)) => format!("{mean:.places$}"),
        Some((mean, Some(error))) => format!("{mean:.places$} ± {error:.places$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_marked_among_several() {
        assert_eq!(best(&[Some(1.0), None, Some(0.5)], false), [false, false, true]);
        assert_eq!(best(&[Some(1.0), None, Some(0.5)], true), [true, false, false]);
        assert_eq!(best(&[Some(1.0), None], true), [false, false]);
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        let metric = Metric { name: "test.rmse".into(), percent: false };
        assert_eq!(shown(Statistics::of(&[0.002, 0.0021]), &metric), "0.00205 ± 0.00005");
        assert_eq!(shown(Statistics::of(&[3.0]), &metric), "3.000");
        assert_eq!(shown(Statistics::of(&[]), &metric), "-");
        let percent = Metric { name: "test.top1".into(), percent: true };
        let number = Number {
            param: "sp".into(),
            over: None,
            metric: "test.top1".into(),
            mean: 38.31,
            stderr: Some(0.13),
            runs: None,
            source: "text".into(),
        };
        assert_eq!(stated(Some(&number), &percent), "38.31 ± 0.13");
        assert_eq!(stated(None, &percent), "not known");
    }
}
