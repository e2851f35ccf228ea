//! What stands under the tables, word for word the same in every format.

use super::halving::{rungs, stopped};
use super::{Group, Judged, Standing};
use crate::statistics::LEAST_PAIRS;
use gmpc_runtime::task::compare::{Splits, words};

/// Under the main table: what a mark means and why it is there, how values were chosen, what the figures speak about.
#[must_use]
pub fn under_the_table(judged: &Judged<'_>) -> Vec<String> {
    let mut said = vec![marks(judged)];
    said.extend(chosen(judged));
    said.extend(rungs(judged.comparison));
    said.extend(stopped(judged.comparison));
    said.extend(rows(judged));
    said.extend(failures(judged));
    if judged.comparison.is_chosen_on_test() {
        said.push("epochs chosen on the test rows (`select = test`): the figures are better than on new data".into());
    }
    said
}

/// What is marked.
fn marks(judged: &Judged<'_>) -> String {
    let comparison = judged.comparison;
    let best = if comparison.higher_is_better { "highest" } else { "lowest" };
    let marked = || judged.groups.iter().filter(|group| group.entries.iter().any(|e| e.standing == Standing::Best));
    let Some(group) = marked().next() else {
        let single = judged.groups.iter().all(|group| group.entries.len() < 2);
        return match (single, most(judged)) {
            (true, _) => "nothing is marked: there is one parameterization".into(),
            (_, 1) => "nothing is marked: one run each says nothing about chance".into(),
            _ => "nothing is marked: fewer than two parameterizations have all of their runs".into(),
        };
    };
    let method = methods(marked());
    let others = marked().map(|group| compared(group) - 1).max().unwrap_or(1);
    let holm = if others > 1 { format!(", Holm over {others}") } else { String::new() };
    // One row a parameterization where values were chosen, else one a group.
    let row = match (judged.groups.len(), comparison.choose.is_empty()) {
        (0 | 1, _) => String::new(),
        (_, true) => " of its row".to_string(),
        (_, false) => {
            let keys: Vec<&str> = group.over.iter().map(|(key, _)| key.as_str()).collect();
            format!(" of those with the same {}", keys.join(" and "))
        }
    };
    let all = group.entries.iter().all(|entry| entry.standing.is_marked()) && judged.groups.len() == 1;
    let none = if all { "; here all are, so none is shown to be better" } else { "" };
    format!(
        "marked: the {best} mean{row}, and what is level with it: paired by seed, p >= 0.05 against it ({method}{holm}){none}"
    )
}

fn methods<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let mut names: Vec<&str> = groups.map(|group| group.method).filter(|method| !method.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "all differences are the same".into() } else { names.join(" and ") }
}

/// Entries that could be compared.
fn compared(group: &Group) -> usize {
    group.entries.iter().filter(|entry| !matches!(entry.standing, Standing::Failed | Standing::Unknown)).count()
}

/// Runs of the largest cell.
fn most(judged: &Judged<'_>) -> usize {
    judged.comparison.cells.iter().map(|cell| cell.outcomes.len()).max().unwrap_or(0)
}

fn chosen(judged: &Judged<'_>) -> Option<String> {
    let comparison = judged.comparison;
    if comparison.choose.is_empty() {
        return None;
    }
    let tried = judged.groups.iter().flat_map(|group| &group.entries).map(|entry| entry.chosen.tried.len()).max()?;
    let on = if comparison.chosen_by.starts_with("test.") { ", which are the test rows (`select = test`)" } else { "" };
    Some(format!(
        "{} chosen for each parameterization by the mean of {} over the seeds{on}, of {tried} tried; test figures of the others \
         are not shown",
        comparison.choose.join(" and "),
        comparison.chosen_by
    ))
}

/// What varies between runs, and so what intervals speak about.
fn rows(judged: &Judged<'_>) -> Option<String> {
    let cells = || judged.comparison.cells.iter();
    let drawn = cells().filter(|cell| cell.splits == Splits::Drawn).count();
    if most(judged) < 2 {
        return None;
    }
    Some(match drawn {
        0 => "all runs have the same test rows: ± and p speak of the randomness of training alone".into(),
        _ if drawn == cells().count() => {
            "runs draw their test rows and share many: ± is too small to compare by, p values are corrected for it \
             (Nadeau and Bengio 2003)"
                .into()
        }
        _ => "where runs draw their test rows and share many, ± is too small to compare by; p values are corrected for it \
              (Nadeau and Bengio 2003)"
            .into(),
    })
}

fn failures(judged: &Judged<'_>) -> Option<String> {
    let shown = judged.groups.iter().flat_map(|group| &group.entries);
    let lost = shown.filter(|entry| entry.standing == Standing::Failed).count();
    let all: usize = judged.comparison.cells.iter().map(|cell| cell.outcomes.len()).sum();
    let failed: usize = judged.comparison.cells.iter().map(|cell| cell.outcomes.len() - cell.values.len()).sum();
    (failed > 0).then(|| {
        let marked = if lost > 0 { ": a mean over the others flatters, so such a cell is not marked" } else { "" };
        let chosen =
            if judged.comparison.choose.is_empty() { "" } else { "; values with failed runs are never chosen" };
        format!("{failed} of {all} runs failed{marked}{chosen}")
    })
}

/// Under the table of differences.
#[must_use]
pub fn about_differences(judged: &Judged<'_>) -> Vec<String> {
    let differences = &judged.differences;
    let Some(first) = differences.first() else { return vec![] };
    let better = if judged.comparison.higher_is_better { "above" } else { "below" };
    let mut methods: Vec<&str> = differences.iter().map(|difference| difference.method).collect();
    methods.sort_unstable();
    methods.dedup();
    let method = match methods[..] {
        ["none"] => "no interval: one pair, or differences that never vary".to_string(),
        _ => {
            format!("95 % intervals by {}", methods.join(" and ").replace("none", "none where differences never vary"))
        }
    };
    // Differences without a p take no part in the correction.
    let tested = differences.iter().filter(|difference| difference.paired.p.is_finite()).count();
    let holm = if tested > 1 { format!(", each for itself; p after Holm over {tested}") } else { String::new() };
    let mut said = vec![format!("seed by seed, {better} 0 is better than {}: {method}{holm}", first.baseline)];
    if differences.iter().any(|difference| difference.wilcoxon.is_some()) {
        // The t test is corrected for shared rows, Wilcoxon's test is not: the reader has to know.
        let drawn = judged.comparison.cells.iter().any(|cell| cell.splits == Splits::Drawn);
        let shared = if drawn { ", nor for the rows that runs share: it is too small then" } else { "" };
        said.push(format!(
            "p signed-rank: Wilcoxon's test, by the signs and the order of the differences alone; not corrected for several \
             comparisons{shared}"
        ));
    }
    if differences.iter().any(|difference| difference.wilcoxon.is_none()) {
        said.push(format!("no signed-rank test below {LEAST_PAIRS} pairs that differ: it could not reach p < 0.05"));
    }
    let alone: Vec<String> = differences
        .iter()
        .filter(|difference| difference.alone > 0)
        .map(|difference| {
            let over = words(&difference.over);
            let of = [difference.param.clone(), over].into_iter().filter(|words| !words.is_empty());
            format!("{} ({})", of.collect::<Vec<_>>().join(", "), difference.alone)
        })
        .collect();
    if !alone.is_empty() {
        said.push(format!("runs left out, since the run of the same seed failed: {}", alone.join("; ")));
    }
    said
}
