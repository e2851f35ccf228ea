//! Learning curves: a line a run, or the mean of runs that differ in their seeds only, with its standard error.

use super::{Figure, classes, csv, experiment, range, together};
use crate::analysis::Subject;
use crate::compare::{Cell, Kept};
use crate::report::plot::{Axis, Plot, Scale, WIDE, assigned};
use serde_json::Value;
use std::collections::BTreeMap;

/// Points of a line, at most.
const POINTS: usize = 300;
/// Numbers that span more than this are drawn on a scale of powers of ten.
const SPAN: f64 = 50.0;
/// Comparisons of more groups than this show what was compared and the loss, no more.
const GROUPS: usize = 2;

/// Numbers of one run, epoch after epoch, by name.
pub type History = BTreeMap<String, Vec<(f64, f64)>>;

/// Runs that become one line.
struct Line {
    name: String,
    class: String,
    runs: Vec<History>,
}

/// The lines of `metrics.jsonl`.
#[must_use]
pub fn history(text: &str) -> History {
    let mut found = History::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(epoch) = line["epoch"].as_f64() else { continue };
        let numbers = line.as_object().into_iter().flatten().filter(|(name, _)| name.contains('.') || *name == "lr");
        for (name, value) in numbers.filter_map(|(name, value)| Some((name, value.as_f64()?))) {
            found.entry(name.clone()).or_default().push((epoch, value));
        }
    }
    found
}

/// Every quantity in these runs' `metrics.jsonl`: a figure for each model and data set, so that what stands in one drawing can
/// be compared.
#[must_use]
pub fn of_runs(subjects: &[Subject]) -> Vec<Figure> {
    let groups = together(subjects, experiment);
    let one = |(of, members): &(String, Vec<&Subject>)| {
        let (name, title) = match groups.len() {
            1 => ("learning-curves".to_string(), "Learning curves".to_string()),
            _ => (format!("learning-curves-{}", of.replace(' ', "-")), format!("Learning curves: {of}")),
        };
        of_group(members, &name, &title)
    };
    groups.iter().filter_map(one).collect()
}

fn of_group(subjects: &[&Subject], name: &str, title: &str) -> Option<Figure> {
    let groups = together(subjects.iter().copied(), but_for_the_seed);
    let firsts: Vec<&Subject> = groups.iter().filter_map(|(_, members)| members.first().copied()).collect();
    let line = |((_, members), class): (&(String, Vec<&Subject>), String)| {
        let first = members.first()?;
        let several = format!("{}, {} runs", first.about.param, members.len());
        let name = if members.len() == 1 { first.title() } else { several };
        let read = |subject: &&Subject| {
            history(&std::fs::read_to_string(subject.folder.file("metrics.jsonl")).unwrap_or_default())
        };
        Some(Line { name, class, runs: members.iter().map(read).collect() })
    };
    let lines: Vec<Line> = groups.iter().zip(classes(&firsts)).filter_map(line).collect();
    figure(name, title, &lines, &quantities(&lines))
}

/// What a run is of, the same for runs that differ in their seeds only.
fn but_for_the_seed(subject: &Subject) -> String {
    let source = subject.folder.source().unwrap_or_default();
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("seed"));
    [subject.about.param.as_str(), &lines.collect::<Vec<_>>().join("\n")].join("\n")
}

/// A figure for each combination of a comparison's axes, a line for each parameterization.
#[must_use]
pub fn of_comparison(kept: &Kept) -> Vec<Figure> {
    let comparison = &kept.comparison;
    let group = comparison.params.len().max(1);
    let few = comparison.cells.len() <= GROUPS * group;
    let one = |(place, cells): (usize, &[Cell])| {
        let epochs = kept.epochs.get(place * group..)?;
        let lines = lines(cells, epochs);
        let all = quantities(&lines);
        let metric = comparison.metric.split_once('.').map_or("", |(_, metric)| metric);
        let wanted = |name: &String| name.ends_with(&format!(".{metric}")) || name == "train.loss";
        let shown: Vec<String> = if few { all } else { all.into_iter().filter(wanted).collect() };
        let (name, title) = match cells.first()?.setting() {
            none if none.is_empty() => (String::new(), "Learning curves".to_string()),
            setting => (format!("-{}", file_name(&setting)), format!("Learning curves: {setting}")),
        };
        figure(&format!("curves-{}{name}", kept.title()), &title, &lines, &shown)
    };
    comparison.cells.chunks(group).enumerate().filter_map(one).collect()
}

/// `lr-0.01_batch-64`
fn file_name(setting: &str) -> String {
    setting.replace(" = ", "-").replace(", ", "_").replace([' ', '/', ','], "_")
}

/// Some quantities of a comparison without other axes, as the paper's Figure 4 has them.
#[must_use]
pub fn of_quantities(kept: &Kept, name: &str, title: &str, quantities: &[String]) -> Option<Figure> {
    figure(name, title, &lines(&kept.comparison.cells, &kept.epochs), quantities)
}

fn lines(cells: &[Cell], epochs: &[Vec<String>]) -> Vec<Line> {
    let classes = assigned(cells.iter().map(|cell| cell.param.as_str()));
    let line = |((cell, runs), class): ((&Cell, &Vec<String>), String)| {
        let runs: Vec<History> = runs.iter().map(|text| history(text)).filter(|run| !run.is_empty()).collect();
        let name = if runs.len() > 1 { format!("{}, {} runs", cell.param, runs.len()) } else { cell.param.clone() };
        Line { name, class, runs }
    };
    cells.iter().zip(epochs).zip(classes).map(line).collect()
}

/// Every quantity, the learning rate last.
fn quantities(lines: &[Line]) -> Vec<String> {
    let mut names: Vec<String> = lines.iter().flat_map(|line| &line.runs).flat_map(BTreeMap::keys).cloned().collect();
    names.sort_by_key(|name| (name == "lr", name.clone()));
    names.dedup();
    names
}

/// `None` where no run has any of the quantities.
fn figure(name: &str, title: &str, lines: &[Line], quantities: &[String]) -> Option<Figure> {
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    let mut plots = Vec::new();
    for quantity in quantities.iter().filter(|name| name.as_str() != "lr" || changes(lines)) {
        let whole: Vec<(&Line, Vec<[f64; 3]>)> = lines
            .iter()
            .filter_map(|line| {
                let runs: Vec<&Vec<(f64, f64)>> = line.runs.iter().filter_map(|run| run.get(quantity)).collect();
                Some((line, gathered(&runs))).filter(|(_, points)| !points.is_empty())
            })
            .collect();
        let quoted = |line: &Line| format!("\"{}\",{quantity}", line.name.replace('"', "\"\""));
        rows.extend(whole.iter().flat_map(|(line, points)| points.iter().map(|p| (quoted(line), p.to_vec()))));
        plots.extend(plot(quantity, &whole));
    }
    if plots.is_empty() {
        return None;
    }
    let mut caption = String::from("One line for each run.");
    if lines.iter().any(|line| line.runs.len() > 1) {
        caption = "The mean over runs with different seeds, with a band of one standard error; where runs ended at \
                   different epochs, over those that still went on."
            .into();
    }
    let key = lines.iter().map(|line| (line.class.clone(), line.name.clone())).collect();
    let csv = csv("series,quantity,epoch,mean,standard_error", rows);
    Some(Figure { name: name.into(), title: title.into(), caption, plots, key, csv })
}

/// A rate that stays what it is needs no drawing.
fn changes(lines: &[Line]) -> bool {
    let rates = lines.iter().flat_map(|line| &line.runs).filter_map(|run| run.get("lr"));
    rates.into_iter().any(|rates| rates.windows(2).any(|pair| (pair[0].1 - pair[1].1).abs() > 0.0))
}

fn plot(quantity: &str, lines: &[(&Line, Vec<[f64; 3]>)]) -> Option<Plot> {
    let all = || lines.iter().flat_map(|(_, points)| points);
    let end = all().map(|[x, ..]| *x).fold(f64::NEG_INFINITY, f64::max);
    let start = all().map(|[x, ..]| *x).fold(f64::INFINITY, f64::min);
    let lowest = all().map(|[_, y, _]| *y).fold(f64::INFINITY, f64::min);
    let highest = all().map(|[_, y, _]| *y).fold(f64::NEG_INFINITY, f64::max);
    if !(end - start).is_finite() {
        return None;
    }
    let log = lowest > 0.0 && highest / lowest > SPAN;
    let up = |y: f64| if log { y.max(lowest / 2.0).log10() } else { y };
    let edges = all().flat_map(|[_, y, error]| [up(y - error), up(y + error)]);
    let scale = if log { Scale::Log10 } else { Scale::Linear };
    let y = Axis::scaled("", range(edges, 0.04), scale);
    let x = Axis::counts("epoch", if end > start { start..end } else { start - 0.5..end + 0.5 });
    let mut plot = Plot::new(if quantity == "lr" { "learning rate" } else { quantity }, x, y, WIDE);
    let drawn = lines.iter().map(|(line, points)| (line, thinned(points)));
    let drawn: Vec<(&&Line, Vec<[f64; 3]>)> = drawn.collect();
    for (line, points) in &drawn {
        if line.runs.len() > 1 {
            let band: Vec<[f64; 3]> = points.iter().map(|[x, y, error]| [*x, up(y - error), up(y + error)]).collect();
            plot.band(&line.name, &line.class, &band);
        }
    }
    for (line, points) in &drawn {
        plot.line(&line.name, &line.class, points.iter().map(|[x, y, _]| [*x, up(*y)]), 1.5);
        if points.len() == 1 {
            plot.dots(&line.name, &line.class, points.iter().map(|[x, y, _]| [*x, up(*y)]), 7.0);
        }
    }
    Some(plot)
}

/// x, mean and standard error over the runs that have the epoch.
fn gathered(runs: &[&Vec<(f64, f64)>]) -> Vec<[f64; 3]> {
    let longest = runs.iter().map(|run| run.len()).max().unwrap_or(0);
    let at = |k: usize| {
        let values: Vec<(f64, f64)> = runs.iter().filter_map(|run| run.get(k).copied()).collect();
        #[allow(clippy::cast_precision_loss)] // a number of runs
        let count = values.len() as f64;
        let mean = values.iter().map(|(_, y)| y).sum::<f64>() / count;
        let variance = values.iter().map(|(_, y)| (y - mean) * (y - mean)).sum::<f64>() / (count - 1.0).max(1.0);
        [values.first().map_or(0.0, |(x, _)| *x), mean, (variance / count).sqrt()]
    };
    (0..longest).map(at).collect()
}

/// Fewer points: the lowest and the highest of each group of neighbours, so that no peak is lost, and the last of all.
fn thinned(points: &[[f64; 3]]) -> Vec<[f64; 3]> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let group = points.len().div_ceil(POINTS / 2);
    let ends = |group: &[[f64; 3]]| {
        let key = |a: &usize, b: &usize| group[*a][1].total_cmp(&group[*b][1]);
        let low = (0..group.len()).min_by(key).unwrap_or(0);
        let high = (0..group.len()).max_by(key).unwrap_or(0);
        let mut ends = vec![low.min(high), low.max(high)];
        ends.dedup();
        ends.into_iter().map(|k| group[k]).collect::<Vec<_>>()
    };
    let mut found: Vec<[f64; 3]> = points.chunks(group).flat_map(ends).collect();
    let last = points[points.len() - 1];
    if found.last().is_none_or(|kept| kept[0] < last[0]) {
        found.push(last);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_differ_in_their_seeds_become_a_mean_with_its_standard_error() {
        let (a, b) = (vec![(1.0, 1.0), (2.0, 4.0)], vec![(1.0, 3.0)]);
        assert_eq!(gathered(&[&a, &b]), [[1.0, 2.0, 1.0], [2.0, 4.0, 0.0]]);
        assert_eq!(gathered(&[&a]), [[1.0, 1.0, 0.0], [2.0, 4.0, 0.0]]);
    }

    #[test]
    fn a_long_run_is_thinned_and_keeps_its_peaks_and_its_end() {
        let long: Vec<[f64; 3]> = (0..10_000).map(|k| [f64::from(k), f64::from(u8::from(k == 777)), 0.0]).collect();
        let points = thinned(&long);
        assert!(points.len() <= POINTS + 1 && points.iter().any(|point| point[1] == 1.0));
        assert_eq!(points.last().unwrap()[0], 9_999.0);
    }

    #[test]
    fn lines_of_metrics_are_read_by_name() {
        let found =
            history("{\"event\":\"epoch\",\"epoch\":1,\"lr\":0.1,\"train.loss\":2.0,\"best\":true}\nnonsense\n");
        assert_eq!(found.keys().collect::<Vec<_>>(), ["lr", "train.loss"]);
        assert_eq!(found["train.loss"], [(1.0, 2.0)]);
    }

    #[test]
    fn a_band_is_drawn_of_several_runs_only_and_wide_numbers_on_powers_of_ten() {
        let run = |scale: f64| {
            History::from([("train.loss".to_string(), vec![(1.0, 100.0 * scale), (2.0, scale), (3.0, 0.1 * scale)])])
        };
        let line = |runs: Vec<History>| Line { name: "gmp".into(), class: "c-gmp".into(), runs };
        let svg = |line: Line| figure("f", "t", &[line], &["train.loss".to_string()]).unwrap().svg();
        let (one, two) = (svg(line(vec![run(1.0)])), svg(line(vec![run(1.0), run(2.0)])));
        assert!(!one.contains("class=\"band") && two.contains("class=\"band"));
        assert!(one.contains("log10"));
        assert!(figure("f", "t", &[line(vec![])], &["train.loss".to_string()]).is_none());
    }
}
