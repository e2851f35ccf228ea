//! Learning curves: a line a run, or the mean of runs that differ in their seeds only, with its standard error.

use super::css;
use crate::analysis::{Subject, stability};
use crate::report::figure::colour;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Points of a line, at most.
const POINTS: usize = 500;

/// Numbers of one run, epoch after epoch, by name.
type History = BTreeMap<String, Vec<(f64, f64)>>;

/// One chart for every quantity in `metrics.jsonl`, and one for the movement of the boundaries.
pub(super) fn charts(subjects: &[Subject]) -> Vec<Value> {
    let histories: Vec<History> = subjects.iter().map(history).collect();
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    for (place, subject) in subjects.iter().enumerate() {
        let name = [subject.about.model.as_str(), &subject.about.data, &subject.about.param].join(" ");
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, members)) => members.push(place),
            None => groups.push((name, vec![place])),
        }
    }
    let mut names: Vec<&String> = histories.iter().flat_map(BTreeMap::keys).collect();
    // What is looked at first comes first: metrics, then movement, then the learning rate.
    names.sort_by_key(|name| (name.as_str() == "lr", name.as_str() == MOVEMENT, name.as_str()));
    names.dedup();
    let chart = |name: &&String| {
        let series = groups.iter().enumerate().filter_map(|(place, (_, members))| {
            let found: Vec<&Vec<(f64, f64)>> = members.iter().filter_map(|k| histories[*k].get(*name)).collect();
            let first = subjects.get(*members.first()?)?;
            let title = if members.len() == 1 {
                first.title()
            } else {
                format!("{}, {} runs", first.about.param, members.len())
            };
            let points = gathered(&found);
            (!points.is_empty())
                .then(|| json!({ "name": title, "colour": css(colour(&first.about.param, place)), "points": points }))
        });
        let series: Vec<Value> = series.collect();
        let log = name.as_str() == MOVEMENT;
        json!({ "title": name, "x": if log { "record" } else { "epoch" }, "log": log, "series": series })
    };
    names.iter().map(chart).collect()
}

/// What the chart of the boundaries' movement is called.
const MOVEMENT: &str = "largest movement of a boundary, max |Δφ| (log scale)";

fn history(subject: &Subject) -> History {
    let text = std::fs::read_to_string(subject.folder.file("metrics.jsonl")).unwrap_or_default();
    let mut found = History::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(epoch) = line["epoch"].as_f64() else { continue };
        let numbers = line.as_object().into_iter().flatten().filter(|(name, _)| name.contains('.') || *name == "lr");
        for (name, value) in numbers.filter_map(|(name, value)| Some((name, value.as_f64()?))) {
            found.entry(name.clone()).or_default().push((epoch, value));
        }
    }
    if let Some(trajectory) = subject.trajectories.first() {
        #[allow(clippy::cast_precision_loss)] // records stay far below 2^53
        let steps = stability(trajectory).location_steps.into_iter().enumerate().map(|(k, y)| ((k + 1) as f64, y));
        found.insert(MOVEMENT.to_string(), steps.collect());
    }
    found
}

/// `[x, mean, standard error]`, thinned; of one run without an error, and largest of its neighbours.
fn gathered(runs: &[&Vec<(f64, f64)>]) -> Vec<Vec<f64>> {
    let longest = runs.iter().map(|run| run.len()).max().unwrap_or(0);
    let step = longest.div_ceil(POINTS).max(1);
    let at = |k: usize| {
        let values: Vec<(f64, f64)> = runs.iter().filter_map(|run| run.get(k).copied()).collect();
        #[allow(clippy::cast_precision_loss)] // a number of runs
        let count = values.len() as f64;
        let mean = values.iter().map(|(_, y)| y).sum::<f64>() / count;
        let x = values.first().map_or(0.0, |(x, _)| *x);
        if runs.len() == 1 {
            let group = runs[0].get(k..(k + step).min(longest)).unwrap_or_default();
            return vec![x, group.iter().map(|(_, y)| *y).fold(mean, f64::max)];
        }
        let variance = values.iter().map(|(_, y)| (y - mean) * (y - mean)).sum::<f64>() / (count - 1.0).max(1.0);
        vec![x, mean, (variance / count).sqrt()]
    };
    let points = (0..longest).step_by(step).map(at);
    points.map(|point| point.into_iter().map(significant).collect()).collect()
}

/// Five digits that count.
fn significant(x: f64) -> f64 {
    format!("{x:.4e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_differ_in_their_seeds_become_a_mean_with_its_standard_error() {
        let (a, b) = (vec![(1.0, 1.0), (2.0, 4.0)], vec![(1.0, 3.0)]);
        let points = gathered(&[&a, &b]);
        assert_eq!(points, [vec![1.0, 2.0, 1.0], vec![2.0, 4.0, 0.0]]);
        assert_eq!(gathered(&[&a]), [vec![1.0, 1.0], vec![2.0, 4.0]]);
    }

    #[test]
    fn a_long_run_is_thinned_and_keeps_its_peaks() {
        let long: Vec<(f64, f64)> = (0..10_000).map(|k| (f64::from(k), f64::from(u8::from(k == 777)))).collect();
        let points = gathered(&[&long]);
        assert!(points.len() <= POINTS && points.iter().any(|point| point[1] == 1.0));
    }
}
