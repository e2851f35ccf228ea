//! Learning curves: one line for each run, or the mean over runs that differ only in their seeds, with its standard
//! error.

use super::history::{History, history};
use super::{Figure, classes, csv, experiment, range, together};
use crate::analysis::Run;
use crate::report::plot::{Axis, Plot, Scale, WIDE, assigned};
use gmpc_runtime::task::compare::{Cell, Kept};
use std::collections::BTreeMap;

/// Largest number of points in a line.
const POINTS: usize = 300;
/// What a caption says about the ends of runs.
pub(super) const THIN: &str =
    "where the first of them has ended, the line is thin and without a band: it is the mean over those that remain";
/// Positive values whose ratio exceeds this are drawn on a logarithmic scale.
const SPAN: f64 = 50.0;

/// Runs that are drawn as one line.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) runs: Vec<History>,
    /// Failed runs: a sentence about each, and its epochs.
    pub(super) failed: Vec<(String, History)>,
}

/// Figures with every metric in the `metrics.jsonl` of these runs: one figure for each model and data set, so that the
/// lines of a plot are comparable.
#[must_use]
pub fn of_runs(subjects: &[Run]) -> Vec<Figure> {
    let groups = together(subjects, experiment);
    let one = |(of, members): &(String, Vec<&Run>)| {
        let (name, title) = match groups.len() {
            1 => ("learning-curves".to_string(), "Learning curves".to_string()),
            _ => (format!("learning-curves-{}", of.replace(' ', "-")), format!("Learning curves: {of}")),
        };
        of_group(members, &name, &title)
    };
    groups.iter().filter_map(one).collect()
}

fn of_group(subjects: &[&Run], name: &str, title: &str) -> Option<Figure> {
    let groups = together(subjects.iter().copied(), but_for_the_seed);
    let firsts: Vec<&Run> = groups.iter().filter_map(|(_, members)| members.first().copied()).collect();
    let line = |((_, members), class): (&(String, Vec<&Run>), String)| {
        let first = members.first()?;
        let several = format!("{}, {} runs", first.about.param, members.len());
        let name = if members.len() == 1 { first.title() } else { several };
        let read = |subject: &&Run| {
            // Whoever makes the page reports unreadable lines. The others are drawn.
            let bytes = std::fs::read(subject.folder.file("metrics.jsonl")).unwrap_or_default();
            history(&String::from_utf8_lossy(&bytes))
        };
        Some(Line { name, class, runs: members.iter().map(read).collect(), failed: vec![] })
    };
    let lines: Vec<Line> = groups.iter().zip(classes(&firsts)).filter_map(line).collect();
    figure(name, title, &lines, &quantities(&lines))
}

/// A key that is equal for runs that differ only in their seeds.
pub(in crate::report) fn but_for_the_seed(subject: &Run) -> String {
    let source = subject.folder.source().unwrap_or_default();
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("seed"));
    [subject.about.param.as_str(), &lines.collect::<Vec<_>>().join("\n")].join("\n")
}

/// Some metrics of a comparison without axes, as in the paper's Figure 4.
#[must_use]
pub fn of_quantities(kept: &Kept, name: &str, title: &str, quantities: &[String]) -> Option<Figure> {
    figure(name, title, &lines(&kept.comparison.cells, &kept.epochs), quantities)
}

fn lines(cells: &[Cell], epochs: &[Vec<String>]) -> Vec<Line> {
    let classes = assigned(cells.iter().map(|cell| cell.param.as_str()));
    let line = |((cell, runs), class): ((&Cell, &Vec<String>), String)| {
        let runs = runs.iter().map(|text| history(text)).collect();
        Line::of_cell(cell, "", &class, runs)
    };
    cells.iter().zip(epochs).zip(classes).map(line).collect()
}

impl Line {
    /// The epoch at which the first run with this quantity ended.
    fn first_end(&self, quantity: &str) -> f64 {
        let lasts = self.runs.iter().filter_map(|run| Some(run.get(quantity)?.last()?.0));
        lasts.fold(f64::INFINITY, f64::min)
    }

    /// The line of a cell. Its name contains the chosen values and the number of failed runs.
    pub(super) fn of_cell(cell: &Cell, chosen: &str, class: &str, all_runs: Vec<History>) -> Self {
        // A mean over the successful runs is too good if others failed, so the name says how many did.
        let failed = cell.outcomes.iter().filter(|outcome| outcome.figures.is_err()).count();
        let all = cell.outcomes.len();
        let lost = cell.outcomes.iter().zip(&all_runs).filter(|(outcome, _)| outcome.figures.is_err());
        let lost: Vec<(String, History)> =
            lost.map(|(outcome, run)| (format!("{}, seed {} failed", cell.param, outcome.seed), run.clone())).collect();
        let runs: Vec<History> = all_runs.into_iter().filter(|run| !run.is_empty()).collect();
        let param = if chosen.is_empty() { cell.param.clone() } else { format!("{}, {chosen}", cell.param) };
        let name = match (runs.len(), failed) {
            (_, 1..) => format!("{param}, {failed} of {all} runs failed"),
            (2.., 0) => format!("{param}, {} runs", runs.len()),
            _ => param,
        };
        Line { name, class: class.to_string(), failed: lost, runs }
    }
}

/// Every metric, the learning rate last.
pub(super) fn quantities(lines: &[Line]) -> Vec<String> {
    let mut names: Vec<String> = lines.iter().flat_map(|line| &line.runs).flat_map(BTreeMap::keys).cloned().collect();
    names.sort_by_key(|name| (name == "lr", name.clone()));
    names.dedup();
    names
}

/// `None` if no run has any of these metrics.
pub(super) fn figure(name: &str, title: &str, lines: &[Line], quantities: &[String]) -> Option<Figure> {
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
        caption = format!("The mean over runs with different seeds, with a band of one standard error; {THIN}.");
    }
    if quantities.iter().any(|name| name.starts_with("train.")) {
        caption.push_str(
            " Metrics of `train` are computed during the epoch, before each step, and the others after it, so they can be \
             better.",
        );
    }
    // A row is epoch, mean and error. An error as large as the mean reaches 0, which has no logarithm.
    if rows.iter().any(|(_, numbers)| matches!(numbers[..], [_, mean, error] if mean > 0.0 && mean <= error)) {
        caption.push_str(" On a logarithmic scale, a band that reaches 0 ends at the lower edge.");
    }
    let key = lines.iter().map(|line| (line.class.clone(), line.name.clone())).collect();
    let csv = csv("series,quantity,epoch,mean,standard_error", rows);
    Some(Figure { name: name.into(), title: title.into(), caption, plots, key, csv })
}

/// True if the learning rate changes. A constant rate is not drawn.
fn changes(lines: &[Line]) -> bool {
    let rates = lines.iter().flat_map(|line| &line.runs).filter_map(|run| run.get("lr"));
    rates.into_iter().any(|rates| rates.windows(2).any(|pair| (pair[0].1 - pair[1].1).abs() > 0.0))
}

fn plot(quantity: &str, lines: &[(&Line, Vec<[f64; 3]>)]) -> Option<Plot> {
    let title = if quantity == "lr" { "learning rate" } else { quantity };
    plot_in(title, quantity, lines, WIDE, None)
}

/// The common ranges of plots side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// The first and the last epoch.
    x: [f64; 2],
    /// The lowest mean, and the lowest and the highest edge of a band.
    y: [f64; 3],
    /// True for a logarithmic scale.
    log: bool,
}

impl Span {
    fn up(self, y: f64) -> f64 {
        if self.log { y.max(self.y[0] / 2.0).log10() } else { y }
    }
}

/// The ranges of some lines; `None` if there is nothing to draw.
pub(super) fn span<'a>(lines: impl Iterator<Item = &'a [[f64; 3]]>) -> Option<Span> {
    let all: Vec<[f64; 3]> = lines.flatten().copied().collect();
    let low = |of: &dyn Fn(&[f64; 3]) -> f64| all.iter().map(of).fold(f64::INFINITY, f64::min);
    let high = |of: &dyn Fn(&[f64; 3]) -> f64| all.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let x = [low(&|p| p[0]), high(&|p| p[0])];
    let (lowest, highest) = (low(&|p| p[1]), high(&|p| p[1]));
    let y = [lowest, low(&|p| p[1] - p[2]), high(&|p| p[1] + p[2])];
    (x[1] - x[0]).is_finite().then_some(Span { x, y, log: lowest > 0.0 && highest / lowest > SPAN })
}

/// A plot of one metric. With a common span it has the same axes as its neighbours. The learning rate has no band,
/// because its differences between runs are not random.
pub(super) fn plot_in(
    title: &str,
    quantity: &str,
    lines: &[(&Line, Vec<[f64; 3]>)],
    size: [f64; 2],
    common: Option<Span>,
) -> Option<Plot> {
    let span = common.or_else(|| self::span(lines.iter().map(|(_, points)| points.as_slice())))?;
    let ([start, end], log) = (span.x, span.log);
    let up = |y: f64| span.up(y);
    let scale = if log { Scale::Log10 } else { Scale::Linear };
    let label = quantity.split_once('.').map_or("", |(_, figure)| figure);
    let y = Axis::scaled(label, range([up(span.y[1]), up(span.y[2])], 0.04), scale);
    let x = Axis::counts("epoch", if end > start { start..end } else { start - 0.5..end + 0.5 });
    let mut plot = Plot::new(title, x, y, size);
    let drawn: Vec<(&&Line, Vec<[f64; 3]>)> = lines.iter().map(|(line, points)| (line, thinned(points))).collect();
    for (line, points) in &drawn {
        if line.runs.len() > 1 && quantity != "lr" {
            let complete = points.iter().filter(|point| point[0] <= line.first_end(quantity));
            let band: Vec<[f64; 3]> = complete.map(|[x, y, error]| [*x, up(y - error), up(y + error)]).collect();
            plot.band(&line.name, &line.class, &band);
        }
    }
    for (line, points) in &drawn {
        let end = line.first_end(quantity);
        let complete = points.iter().filter(|point| point[0] <= end);
        plot.line(&line.name, &line.class, complete.map(|[x, y, _]| [*x, up(*y)]), 1.5);
        // From the last point of the thick line on, so that there is no gap.
        let from = points.iter().rposition(|point| point[0] <= end).unwrap_or(0);
        if let Some(rest) = points.get(from..).filter(|rest| rest.len() > 1) {
            plot.line(&line.name, &line.class, rest.iter().map(|[x, y, _]| [*x, up(*y)]), 0.6);
        }
        if points.len() == 1 {
            plot.dots(&line.name, &line.class, points.iter().map(|[x, y, _]| [*x, up(*y)]), 7.0);
        }
        for (label, run) in &line.failed {
            let last = run.get(quantity).and_then(|points| points.last());
            plot.dots(label, &line.class, last.map(|(x, y)| [*x, up(*y)]), 8.0);
        }
    }
    Some(plot)
}

/// Epoch, mean and standard error over the runs that have this epoch, in the order of the epochs.
pub(super) fn gathered(runs: &[&Vec<(f64, f64)>]) -> Vec<[f64; 3]> {
    // Epochs are not negative, so their bits are in the order of the numbers.
    let mut epochs: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (epoch, value) in runs.iter().flat_map(|run| run.iter()) {
        epochs.entry(epoch.to_bits()).or_default().push(*value);
    }
    let mean_of = |(epoch, values): (u64, Vec<f64>)| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / (count - 1.0).max(1.0);
        [f64::from_bits(epoch), mean, (variance / count).sqrt()]
    };
    epochs.into_iter().map(mean_of).collect()
}

/// Reduces the points of a line: keeps the lowest and the highest of each group of neighbours, so that no peak is lost,
/// and the last point.
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
        // Values of different epochs are never mixed, whatever their places in the runs are.
        let late = vec![(2.0, 6.0), (9.0, 1.0)];
        assert_eq!(gathered(&[&a, &late]), [[1.0, 1.0, 0.0], [2.0, 5.0, 1.0], [9.0, 1.0, 0.0]]);
    }

    #[test]
    fn where_runs_have_ended_the_line_is_thin() {
        let run =
            |last: i32| History::from([("train.loss".to_string(), (1..=last).map(|k| (f64::from(k), 2.0)).collect())]);
        let line = Line { name: "sp".into(), class: "c-sp".into(), runs: vec![run(4), run(9)], failed: vec![] };
        assert_eq!((line.first_end("train.loss"), line.first_end("lr")), (4.0, f64::INFINITY));
        let svg = figure("f", "t", &[line], &["train.loss".to_string()]).unwrap().svg();
        assert!(svg.contains("stroke-width=\"0.6\"") && svg.contains("stroke-width=\"1.5\""), "{svg}");
    }

    #[test]
    fn a_long_run_is_thinned_and_keeps_its_peaks_and_its_end() {
        let long: Vec<[f64; 3]> = (0..10_000).map(|k| [f64::from(k), f64::from(u8::from(k == 777)), 0.0]).collect();
        let points = thinned(&long);
        assert!(points.len() <= POINTS + 1 && points.iter().any(|point| point[1] == 1.0));
        assert_eq!(points.last().unwrap()[0], 9_999.0);
    }

    #[test]
    fn a_band_is_drawn_of_several_runs_only_and_wide_numbers_on_powers_of_ten() {
        let run = |scale: f64| {
            History::from([("train.loss".to_string(), vec![(1.0, 100.0 * scale), (2.0, scale), (3.0, 0.1 * scale)])])
        };
        let line = |runs: Vec<History>| Line { name: "gmp".into(), class: "c-gmp".into(), runs, failed: vec![] };
        let svg = |line: Line| figure("f", "t", &[line], &["train.loss".to_string()]).unwrap().svg();
        let (one, two) = (svg(line(vec![run(1.0)])), svg(line(vec![run(1.0), run(2.0)])));
        assert!(!one.contains("class=\"band") && two.contains("class=\"band"));
        assert!(one.contains("log10"));
        assert!(figure("f", "t", &[line(vec![])], &["train.loss".to_string()]).is_none());
    }
}
