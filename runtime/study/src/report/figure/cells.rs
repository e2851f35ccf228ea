//! Learning curves of a comparison as small multiples: one plot for each value of the axes, and in it one line for each
//! parameterization. The plots share their axes and one key.

use super::curves::{Line, THIN, figure, gathered, plot_in, quantities, span};
use super::history::{History, thinned};
use super::sensitivity::SMALL;
use super::{Figure, csv};
use crate::judge::Judged;
use crate::report::plot::assigned;
use gmpc_runtime::task::compare::{Kept, words};

/// Largest number of plots in a figure. Further ones are left out.
const MOST: usize = 24;
/// Largest number of epochs that are read of a run.
const LINES: usize = 600;

/// A stored comparison with its statistics.
pub struct Compared<'a> {
    /// The comparison with the epochs of its runs.
    pub kept: &'a Kept,
    /// Its statistics.
    pub judged: Judged<'a>,
    /// The epochs of each run of each cell. Of long runs only every n-th epoch, because a plot has no room for more.
    runs: Vec<Vec<History>>,
}

impl<'a> Compared<'a> {
    /// Reads the epochs once for all figures.
    #[must_use]
    pub fn new(kept: &'a Kept, judged: Judged<'a>) -> Self {
        let longest = kept.epochs.iter().flatten().map(|text| text.lines().count()).max().unwrap_or(0);
        let step = longest.div_ceil(LINES).max(1);
        Compared { kept, judged, runs: kept.epochs.iter().map(|runs| histories(runs, step)).collect() }
    }

    /// The epochs of a cell's runs.
    pub(super) fn runs(&self, cell: usize) -> &[History] {
        self.runs.get(cell).map_or(&[], Vec::as_slice)
    }

    /// Indices of the cells whose results may be shown: all cells, or the chosen ones.
    pub(super) fn shown_cells(&self) -> Vec<usize> {
        if self.judged.comparison.choose.is_empty() {
            return (0..self.judged.comparison.cells.len()).collect();
        }
        let entries = self.judged.groups.iter().flat_map(|group| &group.entries);
        entries.filter_map(|entry| entry.chosen.cell).collect()
    }
}

fn histories(runs: &[String], step: usize) -> Vec<History> {
    runs.iter().map(|text| thinned(text, step, runs.len() == 1)).collect()
}

/// For a comparison without axes, one figure with every metric. Otherwise one figure for the loss and one for the
/// metric, with a plot for each value of the axes.
#[must_use]
pub fn of(compared: &Compared<'_>, name: &str) -> Vec<Figure> {
    let comparison = compared.judged.comparison;
    let classes = assigned(comparison.params.iter().map(String::as_str));
    let groups: Vec<(String, Vec<Line>)> = compared
        .judged
        .groups
        .iter()
        .map(|group| {
            let lines = group.entries.iter().zip(&classes).filter_map(|(entry, class)| {
                let index = entry.chosen.cell?;
                let cell = comparison.cells.get(index)?;
                Some(Line::of_cell(cell, &words(&entry.chosen.values), class, compared.runs(index).to_vec()))
            });
            (words(&group.over), lines.collect())
        })
        .collect();
    if let [(_, lines)] = &groups[..] {
        let title = "Learning curves";
        // What was chosen by and the training loss first: the others are for a closer look.
        let first = [comparison.chosen_by.as_str(), comparison.metric.as_str(), "train.loss"];
        let (told, rest): (Vec<String>, Vec<String>) =
            quantities(lines).into_iter().partition(|quantity| first.contains(&quantity.as_str()));
        let figures = [
            figure(&format!("curves-{name}"), title, lines, &told),
            figure(&format!("curves-{name}-others"), "Learning curves of the other metrics", lines, &rest),
        ];
        return figures.into_iter().flatten().collect();
    }
    let metric = comparison.metric.split_once('.').map_or("", |(_, metric)| metric);
    let wanted = |name: &String| name.ends_with(&format!(".{metric}")) || name == "train.loss";
    let mut names: Vec<String> = groups.iter().flat_map(|(_, lines)| quantities(lines)).filter(wanted).collect();
    names.sort();
    names.dedup();
    // The metric on the training rows adds nothing to the training loss, so it is left out.
    let train = format!("train.{metric}");
    names.retain(|name| *name != train || metric == "loss");
    let same = compared.judged.groups.iter().all(|group| group.over.iter().all(|(key, _)| key != "data"));
    names.iter().filter_map(|quantity| multiples(compared, name, quantity, &groups, same)).collect()
}

fn multiples(
    compared: &Compared<'_>,
    name: &str,
    quantity: &str,
    groups: &[(String, Vec<Line>)],
    same: bool,
) -> Option<Figure> {
    let comparison = compared.judged.comparison;
    let shown = || groups.iter().take(MOST);
    type Drawn<'a> = Vec<(&'a Line, Vec<[f64; 3]>)>;
    let points: Vec<(&String, Drawn<'_>)> = shown()
        .map(|(title, lines)| {
            let of = |line: &Line| {
                let runs: Vec<_> = line.runs.iter().filter_map(|run| run.get(quantity)).collect();
                gathered(&runs)
            };
            let lines = lines.iter().map(|line| (line, of(line))).filter(|(_, points)| !points.is_empty());
            (title, lines.collect())
        })
        .collect();
    let all = points.iter().flat_map(|(_, lines)| lines).map(|(_, points)| points.as_slice());
    // Figures of different data sets have no common scale: then each plot takes its own range.
    let common = same.then(|| span(all)).flatten();
    let plots: Vec<_> =
        points.iter().filter_map(|(title, lines)| plot_in(title, quantity, lines, SMALL, common)).collect();
    if plots.is_empty() {
        return None;
    }
    let quoted = |title: &str, line: &Line| {
        let name = if title.is_empty() { line.name.clone() } else { format!("{}, {title}", line.name) };
        format!("\"{}\",{quantity}", name.replace('"', "\"\""))
    };
    let rows = points.iter().flat_map(|(title, lines)| {
        lines
            .iter()
            .flat_map(|(line, points)| points.iter().map(|p| (quoted(title, line), p.to_vec())).collect::<Vec<_>>())
    });
    let csv = csv("series,quantity,epoch,mean,standard_error", rows);
    // A mean over the runs that ended flatters, so the caption has to say how many failed.
    let failed: usize = comparison.cells.iter().map(|cell| cell.outcomes.len() - cell.values.len()).sum();
    let all: usize = comparison.cells.iter().map(|cell| cell.outcomes.len()).sum();
    let lost = if failed > 0 { format!(" {failed} of {all} runs failed; a dot marks where.") } else { String::new() };
    let more = groups.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" The first {MOST} of {} are drawn.", groups.len()) } else { String::new() };
    let axes = if same { "All drawings have the same axes." } else { "Each data set has its own scale." };
    let chosen =
        if comparison.choose.is_empty() { "" } else { " Only the chosen value of each parameterization is shown." };
    let classes = assigned(comparison.params.iter().map(String::as_str));
    Some(Figure {
        name: format!("curves-{name}-{}", quantity.replace('.', "-")),
        title: format!("Learning curves: {quantity}"),
        caption: format!(
            "The mean over the seeds, with a band of one standard error; {THIN}. {axes}{chosen}{lost}{more}"
        ),
        plots,
        key: classes.into_iter().zip(comparison.params.iter().cloned()).collect(),
        csv,
    })
}
