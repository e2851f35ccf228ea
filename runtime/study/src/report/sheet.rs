//! A comparison as tables that every output format prints: the main table, differences to the baseline, results over
//! data sets, and sensitivity. Each has a title above it, and below it the notes that are needed to read its numbers
//! correctly.

mod markdown;

pub use markdown::markdown;

use super::plot::readable;
use crate::judge::{
    Across, Curve, Difference, Entry, Group, Judged, KEPT, Sensitivity, about_differences, under_the_table,
};
use gmpc_runtime::task::compare::{Cell, Statistics};

/// One table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet {
    /// What the table shows, and from how many runs. No full stop.
    pub title: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// Rows with one field for each column.
    pub rows: Vec<Vec<Field>>,
    /// Notes below the table. No full stop.
    pub notes: Vec<String>,
}

impl Sheet {
    /// The notes for a format in which marked fields are bold.
    #[must_use]
    pub fn rich_notes(&self) -> Vec<String> {
        self.notes_with("bold")
    }

    /// The notes for a format in which marked fields have a star.
    #[must_use]
    pub fn plain_notes(&self) -> Vec<String> {
        self.notes_with("marked *")
    }

    /// Replaces the prefix of the note that explains the marks.
    fn notes_with(&self, mark: &str) -> Vec<String> {
        let one = |note: &String| match note.strip_prefix("marked: ") {
            Some(rest) => format!("{mark}: {rest}"),
            None => note.clone(),
        };
        self.notes.iter().map(one).collect()
    }
}

/// The kind of a field's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// `0.646`, `0.646 ± 0.073`, or a word if there is no number.
    Number,
    /// `[-0.6, -0.2]`
    Interval,
}

/// A field of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its text.
    pub text: String,
    /// A remark in brackets after the text, such as `1 of 10 failed`; empty for none.
    pub after: String,
    /// The kind of its content.
    pub kind: Kind,
    /// True if it is the best of its row, or not significantly worse than the best.
    pub marked: bool,
}

impl Field {
    fn of(kind: Kind, text: impl Into<String>) -> Self {
        Field { text: text.into(), after: String::new(), kind, marked: false }
    }

    /// `0.646 ± 0.073 (1 of 10 failed)`
    #[must_use]
    pub fn whole(&self) -> String {
        if self.after.is_empty() { self.text.clone() } else { format!("{} ({})", self.text, self.after) }
    }
}

/// Every table of a comparison, the main one first.
#[must_use]
pub fn sheets(judged: &Judged<'_>) -> Vec<Sheet> {
    let mut sheets = vec![main(judged)];
    sheets.extend(differences(judged));
    sheets.extend(judged.across.as_ref().and_then(|across| over_sets(judged, across)));
    sheets.extend(sensitivity(judged));
    sheets
}

/// With other axes: one column for each parameterization, and one row for each value of the axes. Without other axes,
/// or if values were chosen: one row for each parameterization.
fn main(judged: &Judged<'_>) -> Sheet {
    let comparison = judged.comparison;
    let better = if comparison.higher_is_better { "higher" } else { "lower" };
    let runs = match runs(judged) {
        [_, 1] => "one run each".to_string(),
        [least, most] if least == most => format!("mean ± standard error of {most} runs"),
        [least, most] => format!("mean ± standard error of {least} to {most} runs"),
    };
    let title = format!("{}, {runs} ({better} is better)", comparison.metric);
    let keys: Vec<String> =
        judged.groups.first().map_or(vec![], |g| g.over.iter().map(|(key, _)| key.clone()).collect());
    // A chosen value needs columns of its own, so the table then has a row for each parameterization.
    let wide = comparison.choose.is_empty() && !keys.is_empty();
    let own: Vec<String> = match wide {
        true => comparison.params.clone(),
        false => [vec!["param".into(), comparison.metric.clone()], comparison.choose.clone()].concat(),
    };
    let over = |group: &Group| group.over.iter().map(|(_, value)| Field::of(Kind::Text, value)).collect::<Vec<_>>();
    let figure = |entry: &Entry| figure(judged, entry);
    let rows = match wide {
        true => {
            let row = |group: &Group| over(group).into_iter().chain(group.entries.iter().map(figure)).collect();
            judged.groups.iter().map(row).collect()
        }
        false => {
            let long = |group: &Group, entry: &Entry| {
                let own = [Field::of(Kind::Text, &entry.chosen.param), figure(entry)];
                let chosen = comparison.choose.iter().map(|key| chosen(entry, key));
                over(group).into_iter().chain(own).chain(chosen).collect()
            };
            judged.groups.iter().flat_map(|group| group.entries.iter().map(move |e| long(group, e))).collect()
        }
    };
    Sheet { title, head: [keys, own].concat(), rows, notes: under_the_table(judged) }
}

/// The smallest and the largest number of runs behind a shown value.
fn runs(judged: &Judged<'_>) -> [usize; 2] {
    let entries = judged.groups.iter().flat_map(|group| &group.entries);
    let counts: Vec<usize> = entries.filter_map(|e| Some(e.cell(judged.comparison)?.values.len())).collect();
    [counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0)]
}

fn figure(judged: &Judged<'_>, entry: &Entry) -> Field {
    let [failed, all] = entry.failed(judged.comparison);
    let text = entry.cell(judged.comparison).map_or("failed".to_string(), rounded);
    let after = if failed > 0 { format!("{failed} of {all} failed") } else { String::new() };
    Field { after, marked: entry.standing.is_marked(), ..Field::of(Kind::Number, text) }
}

fn chosen(entry: &Entry, key: &str) -> Field {
    let Some((_, value)) = entry.chosen.values.iter().find(|(known, _)| known == key) else {
        return Field::of(Kind::Number, "none");
    };
    let edge = entry.chosen.edges.iter().find(|edge| edge.key == key);
    let after = edge.map_or("", |edge| if edge.highest { "highest tried" } else { "lowest tried" });
    Field { after: after.into(), ..Field::of(Kind::Number, value) }
}

fn differences(judged: &Judged<'_>) -> Option<Sheet> {
    let first = judged.differences.first()?;
    let keys = first.over.iter().map(|(key, _)| key.clone());
    let ranked = judged.differences.iter().any(|difference| difference.wilcoxon.is_some());
    let own = ["param", "difference", "95 % interval", "p"].map(String::from);
    let signed = ranked.then(|| "p signed-rank".to_string());
    let head = keys.chain(own).chain(signed).chain(["seeds won".to_string()]).collect();
    let row = |difference: &Difference| {
        let mut row: Vec<Field> = difference.over.iter().map(|(_, value)| Field::of(Kind::Text, value)).collect();
        let found = &difference.paired;
        // The width of the interval says how exactly the mean is known: more decimals would pretend.
        let places = places(if found.low.is_finite() { found.high - found.low } else { found.mean.abs() });
        let interval = match found.low.is_finite() {
            true => Field::of(Kind::Interval, format!("[{:.places$}, {:.places$}]", found.low, found.high)),
            false => Field::of(Kind::Text, "none"),
        };
        row.extend([
            Field::of(Kind::Text, &difference.param),
            Field::of(Kind::Number, format!("{:.places$}", found.mean)),
            interval,
            Field::of(Kind::Number, probability(difference.adjusted)),
        ]);
        if ranked {
            row.push(Field::of(Kind::Number, difference.wilcoxon.map_or("-".into(), probability)));
        }
        row.push(Field::of(Kind::Text, format!("{} of {}", difference.share.wins, difference.share.n)));
        row
    };
    let rows = judged.differences.iter().map(row).collect();
    let title = format!("{}, difference to {}", judged.comparison.metric, first.baseline);
    Some(Sheet { title, head, rows, notes: about_differences(judged) })
}

fn over_sets(judged: &Judged<'_>, across: &Across) -> Option<Sheet> {
    let ranks = across.ranks.as_ref();
    if ranks.is_none() && across.relative.is_empty() {
        return None;
    }
    let baseline = judged.comparison.baseline.as_deref().unwrap_or_default();
    let relative = !across.relative.is_empty();
    // Ranks need three parameterizations, relative figures a baseline: either may be missing, and its columns too.
    let mut head = vec!["param".to_string()];
    head.extend(ranks.map(|_| "mean rank".to_string()));
    head.extend(relative.then(|| [format!("relative to {baseline}"), "95 % interval".into()]).into_iter().flatten());
    let percent = |part: f64| format!("{:.1} %", 100.0 * part);
    let row = |param: &String| {
        let mut row = vec![Field::of(Kind::Text, param)];
        let place = across.params.iter().position(|known| known == param);
        row.extend(ranks.map(|ranks| {
            let rank = place.and_then(|place| ranks.mean.get(place));
            Field::of(Kind::Number, rank.map_or("-".into(), |rank| format!("{rank:.2}")))
        }));
        if relative {
            let found = across.relative.iter().find(|relative| relative.param == *param);
            let [low, high] = found.map_or([f64::NAN; 2], |found| found.interval);
            row.push(Field::of(Kind::Text, found.map_or("-".into(), |found| percent(found.iqm))));
            let interval = format!("[{}, {}]", percent(low), percent(high));
            row.push(Field::of(Kind::Text, if low.is_finite() { interval } else { "-".into() }));
        }
        row
    };
    let mut notes = Vec::new();
    notes.extend(ranks.map(|ranks| {
        format!(
            "rank 1 is the best; ranks that differ by less than {:.2} are level (Nemenyi, 95 %); Friedman p = {}",
            ranks.critical,
            probability(ranks.p)
        )
    }));
    notes.extend(relative.then(|| {
        let better = if judged.comparison.higher_is_better { "above" } else { "below" };
        format!(
            "relative: interquartile mean over all pairs of runs of figure / {baseline} - 1, {better} 0 is better; interval by \
             bootstrap within each data set"
        )
    }));
    let rows = judged.comparison.params.iter().map(row).collect();
    Some(Sheet { title: format!("{} data sets together", across.sets), head, rows, notes })
}

/// One table for each axis of numbers: how much worse the metric is away from the axis's best value.
fn sensitivity(judged: &Judged<'_>) -> Vec<Sheet> {
    let mut found: Vec<Sheet> = vec![];
    let mut keys: Vec<&String> = judged.sensitivities.iter().map(|one| &one.key).collect();
    // Those of one axis follow one another, so nothing has to be sorted.
    keys.dedup();
    for key in keys {
        let all: Vec<&Sensitivity> = judged.sensitivities.iter().filter(|one| one.key == *key).collect();
        let Some(first) = all.first() else { continue };
        let axes = first.over.iter().map(|(key, _)| key.clone());
        let own = ["param", "best at", "works", "sensitivity", "failed"].map(String::from);
        let line = |one: &Sensitivity, curve: &Curve| {
            let mut row: Vec<Field> = one.over.iter().map(|(_, value)| Field::of(Kind::Text, value)).collect();
            let places = places(curve.number);
            let failed: usize = curve.points.iter().map(|point| point.failed).sum();
            let runs: usize = curve.points.iter().map(|point| point.runs).sum();
            row.extend([
                Field::of(Kind::Text, &curve.param),
                Field::of(Kind::Number, readable(curve.best)),
                Field::of(Kind::Text, curve.works.map_or("-".into(), |[low, high]| stretch(low, high))),
                Field::of(Kind::Number, format!("{:.places$}", curve.number)),
                Field::of(Kind::Text, format!("{failed} of {runs}")),
            ]);
            row
        };
        let rows = all.iter().flat_map(|one| one.curves.iter().map(move |curve| line(one, curve))).collect();
        let curves = || all.iter().flat_map(|one| &one.curves);
        let caps: Vec<f64> = curves().map(|curve| curve.cap).collect();
        // The cap is that of each curve, so several curves have a range of them.
        let span = stretch(
            caps.iter().copied().fold(f64::INFINITY, f64::min),
            caps.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        let cap = match curves().all(|curve| curve.measured) {
            true => format!("the untrained network ({span})"),
            false => format!("the worst run ({span}), for the untrained network was not measured"),
        };
        let values = curves().map(|curve| curve.points.len()).max().unwrap_or(0);
        let note = format!(
            "sensitivity (Wortsman et al. 2023): how much worse {} is than at the best value, mean over the {values} values \
             tried, in the unit of {}; what is worse than {cap} is cut to that, and so are runs that failed",
            first.metric, first.metric
        );
        let works = format!(
            "works: the unbroken range around the best value in which no run failed and the mean keeps {:.0} % of what the best value \
             gains over {cap}, which is not much to ask: see the figure for more",
            100.0 * KEPT
        );
        let title = format!("{} against {key}: less sensitive is easier to tune", first.metric);
        found.push(Sheet { title, head: axes.chain(own).collect(), rows, notes: vec![note, works] });
    }
    found
}

/// `0.01 to 0.1`, or the one value.
#[must_use]
pub fn stretch(low: f64, high: f64) -> String {
    if low < high { format!("{} to {}", readable(low), readable(high)) } else { readable(low) }
}

/// A probability such as `0.031` or `< 0.001`; `-` if there is none.
fn probability(p: f64) -> String {
    match p {
        p if p.is_nan() => "-".into(),
        p if p < 0.001 => "< 0.001".into(),
        p => format!("{p:.3}"),
    }
}

/// Number of decimals for a number that is known to about this size: three, or more if these would be zeros.
pub(super) fn places(size: f64) -> usize {
    let places = if size > 0.0 { (1.0 - size.log10().floor()).clamp(3.0, 9.0) } else { 3.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "3 to 9")]
    if size >= 0.001 { 3 } else { places as usize }
}

/// `3.370 ± 0.145` with three decimals, or more if those of the error would be zeros. Only the mean if there is no
/// error.
#[must_use]
pub fn rounded(cell: &Cell) -> String {
    let Statistics { mean, stderr: error, .. } = cell.statistics;
    if !mean.is_finite() {
        return "failed".into();
    }
    let places = places(if error > 0.0 { error } else { mean.abs() });
    if error.is_finite() { format!("{mean:.places$} ± {error:.places$}") } else { format!("{mean:.places$}") }
}
