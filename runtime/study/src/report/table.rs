//! A comparison as CSV and as JSON lines for other programs. `table/booktabs.rs` has the tables for LaTeX.

mod booktabs;

pub use booktabs::latex;

use super::sheet;
use crate::judge::{Across, Curve, Difference, Entry, Group, Judged, Sensitivity};
use gmpc_runtime::task::compare::{Cell, Chosen, Comparison, Halving};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// One line for each entry, with a column for each axis. `edge` names axes whose chosen value is at an end of the tried
/// range. Failed runs are counted, and the last columns have the differences to the baseline.
#[must_use]
pub fn csv(judged: &Judged<'_>) -> String {
    let comparison = judged.comparison;
    let keys = comparison.over.iter().map(|(key, _)| cell_of_csv(key));
    // In the order of `csv_line`, and from `baseline` on in that of `csv_difference`.
    let fixed = [
        "metric",
        "n",
        "mean",
        "stderr",
        "failed",
        "best",
        "chosen_by",
        "standing",
        "chosen",
        "edge",
        "epochs_chosen_on",
        "baseline",
        "difference",
        "low",
        "high",
        "pairs",
        "p",
        "p_holm",
        "p_signed_rank",
        "wins",
        "method",
    ]
    .map(String::from);
    let header: Vec<String> = ["param".to_string()].into_iter().chain(keys).chain(fixed).collect();
    let mut text = header.join(",") + "\n";
    for group in &judged.groups {
        for entry in &group.entries {
            text += &(csv_line(judged, group, entry).join(",") + "\n");
        }
    }
    text
}

fn csv_line(judged: &Judged<'_>, group: &Group, entry: &Entry) -> Vec<String> {
    let comparison = judged.comparison;
    let cell = entry.cell(comparison);
    let number = |number: f64| if number.is_finite() { number.to_string() } else { String::new() };
    let value = |key: &String| {
        let all = entry.chosen.over.iter().chain(&entry.chosen.values);
        all.filter(|(known, _)| known == key).map(|(_, value)| cell_of_csv(value)).next().unwrap_or_default()
    };
    let mut line = vec![cell_of_csv(&entry.chosen.param)];
    line.extend(comparison.over.iter().map(|(key, _)| value(key)));
    let (mean, stderr) = cell.map_or((f64::NAN, f64::NAN), |cell| (cell.statistics.mean, cell.statistics.stderr));
    let n = cell.map_or(0, |cell| cell.statistics.n);
    let [failed, _] = entry.failed(comparison);
    line.extend([cell_of_csv(&comparison.metric), n.to_string(), number(mean), number(stderr), failed.to_string()]);
    line.extend([cell.is_some_and(|_| is_best(entry)).to_string(), cell_of_csv(&comparison.chosen_by)]);
    let edges = entry.chosen.edges.iter().map(|edge| {
        let end = if edge.highest { "highest" } else { "lowest" };
        format!("{} {end}", edge.key)
    });
    let edges = edges.collect::<Vec<_>>().join("; ");
    line.extend([entry.standing.word().to_string(), cell_of_csv(&comparison.choose.join("; ")), cell_of_csv(&edges)]);
    line.push(if comparison.chosen_by.starts_with("test.") { "test" } else { "valid" }.to_string());
    let is_its = |d: &&Difference| d.param == entry.chosen.param && d.over == group.over;
    line.extend(match judged.differences.iter().find(is_its) {
        Some(difference) => csv_difference(difference),
        // As many as `csv_difference` gives, so that every line has all columns.
        None => vec![String::new(); 10],
    });
    line
}

fn csv_difference(difference: &Difference) -> Vec<String> {
    let number = |number: f64| if number.is_finite() { number.to_string() } else { String::new() };
    let paired = &difference.paired;
    vec![
        cell_of_csv(&difference.baseline),
        number(paired.mean),
        number(paired.low),
        number(paired.high),
        paired.n.to_string(),
        number(paired.p),
        number(difference.adjusted),
        difference.wilcoxon.map_or(String::new(), number),
        number(difference.share.wins),
        difference.method.to_string(),
    ]
}

fn is_best(entry: &Entry) -> bool {
    entry.standing == crate::judge::Standing::Best
}

/// One object for each cell: `{"event":"cell","param","over":{…},"metric","n","mean","stderr","values","failed",…}`.
/// Then one for each difference to the baseline, and those with the results over data sets.
///
/// `chosen` holds the values that were chosen for the parameterization. It is `{}` if nothing was to be chosen, and
/// null in cells that were tried and not chosen.
#[must_use]
pub fn json_lines(judged: &Judged<'_>) -> Vec<Value> {
    let comparison = judged.comparison;
    let entries: Vec<&Entry> = judged.groups.iter().flat_map(|group| &group.entries).collect();
    let cell = |(index, cell): (usize, &Cell)| {
        let entry = entries.iter().find(|entry| entry.chosen.cell == Some(index));
        json_cell(comparison, cell, entry.copied())
    };
    let mut lines: Vec<Value> = comparison.cells.iter().enumerate().map(cell).collect();
    lines.extend(comparison.halving.iter().map(json_halving));
    lines.extend(judged.differences.iter().map(|difference| json_difference(comparison, difference)));
    lines.extend(judged.across.iter().flat_map(|across| json_across(comparison, across)));
    lines.extend(judged.sensitivities.iter().flat_map(json_sensitivity));
    lines
}

/// `{"event":"halving","factor":3,"rungs":[{"epochs":9,"values":9},…]}`
fn json_halving(halving: &Halving) -> Value {
    json!({ "event": "halving", "factor": halving.factor, "rungs": halving.rungs })
}

fn json_sensitivity(of: &Sensitivity) -> Vec<Value> {
    let line = |curve: &Curve| {
        let points = curve.points.iter().map(
            |point| json!({ "value": point.value, "mean": point.mean, "stderr": point.error, "failed": point.failed }),
        );
        json!({
            "event": "sensitivity", "param": curve.param, "over": object(&of.over), "key": of.key, "metric": of.metric,
            "sensitivity": curve.number, "best": curve.best, "cap": curve.cap, "cap_measured": curve.measured,
            "works": curve.works, "by_seed": curve.seeds.iter().map(|(seed, x)| json!({ "seed": seed, "sensitivity": x })).collect::<Vec<Value>>(),
            "points": points.collect::<Vec<Value>>(),
        })
    };
    of.curves.iter().map(line).collect()
}

fn object(values: &[(String, String)]) -> Map<String, Value> {
    values.iter().map(|(key, value)| (key.clone(), typed(value))).collect()
}

fn json_cell(comparison: &Comparison, cell: &Cell, entry: Option<&Entry>) -> Value {
    let failed = cell.outcomes.iter().filter_map(|outcome| Some((outcome.seed, outcome.figures.as_ref().err()?)));
    let failed: Vec<Value> = failed.map(|(seed, reason)| json!({ "seed": seed, "message": reason })).collect();
    // One for each of `values`, in the same order: runs without the metric are in neither.
    let seeds: Vec<u64> = cell
        .outcomes
        .iter()
        .filter(|outcome| outcome.figure(&comparison.metric).is_some())
        .map(|outcome| outcome.seed)
        .collect();
    let chosen = |chosen: &Chosen| json!(object(&chosen.values));
    let size = cell.outcomes.iter().find_map(|outcome| outcome.size);
    json!({
        "event": "cell",
        "param": cell.param,
        "over": object(&cell.over),
        "metric": comparison.metric,
        "n": cell.statistics.n,
        "mean": cell.statistics.mean,
        "stderr": cell.statistics.stderr,
        "values": cell.values,
        "seeds": seeds,
        "choice": cell.choice,
        "chosen_by": comparison.chosen_by,
        "chosen": entry.map_or(Value::Null, |entry| chosen(&entry.chosen)),
        "best": entry.is_some_and(is_best),
        "standing": entry.map(|entry| entry.standing.word()),
        "parameters": size.map(|size| size.parameters),
        "flops": size.map(|size| size.flops),
        "failed": failed,
        "stopped_after": cell.stopped,
    })
}

fn json_difference(comparison: &Comparison, difference: &Difference) -> Value {
    let paired = &difference.paired;
    json!({
        "event": "difference",
        "param": difference.param,
        "baseline": difference.baseline,
        "over": object(&difference.over),
        "metric": comparison.metric,
        "mean": paired.mean,
        "low": paired.low,
        "high": paired.high,
        "n": paired.n,
        "method": difference.method,
        "wins": difference.share.wins,
        "wins_low": difference.share.low,
        "wins_high": difference.share.high,
        "p": paired.p,
        "p_holm": difference.adjusted,
        "p_signed_rank": difference.wilcoxon,
        "bootstrap": difference.bootstrap,
        "values": difference.pairs.iter().map(|pair| pair.difference).collect::<Vec<f64>>(),
        "seeds": difference.pairs.iter().map(|pair| pair.seed).collect::<Vec<u64>>(),
        "left_out": difference.alone,
    })
}

fn json_across(comparison: &Comparison, across: &Across) -> Vec<Value> {
    let mut lines = Vec::new();
    if let Some(ranks) = &across.ranks {
        let means = across.params.iter().zip(&ranks.mean).map(|(param, rank)| (param.clone(), json!(rank)));
        lines.push(json!({
            "event": "ranks", "metric": comparison.metric, "ranks": means.collect::<Map<String, Value>>(),
            "sets": ranks.sets, "critical": ranks.critical, "statistic": ranks.statistic, "p": ranks.p,
        }));
    }
    lines.extend(across.relative.iter().map(|relative| {
        let [low, high] = relative.interval;
        json!({
            "event": "relative", "param": relative.param, "baseline": comparison.baseline, "metric": comparison.metric,
            "iqm": relative.iqm, "low": low, "high": high, "sets": relative.sets, "n": relative.n,
            "p_signed_rank": relative.wilcoxon,
        })
    }));
    lines
}

/// A JSON number if the text is one, as in `{"train.optimizer.lr":0.1}`, else a string.
fn typed(text: &str) -> Value {
    let plain = text.replace('_', "");
    let whole = plain.parse::<i64>().map(|number| json!(number));
    whole.or_else(|_| plain.parse::<f64>().map(|number| json!(number))).unwrap_or_else(|_| json!(text))
}

fn cell_of_csv(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

/// Escapes a text for LaTeX.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            // After the end of a row, LaTeX would read a bracket or a star as an argument.
            '[' | ']' | '*' => escaped.extend(['{', c, '}']),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '|' => escaped.push_str("\\textbar{}"),
            '"' => escaped.push_str("{''}"),
            c if c.is_control() || c.is_whitespace() => escaped.push(' '),
            // pdfTeX stops at most letters outside of Western European alphabets.
            c if !c.is_ascii() && (!('À'..='ÿ').contains(&c) || "ÐðÞþ".contains(c)) => {
                let _ = write!(escaped, "U+{:04X}", u32::from(c));
            }
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
