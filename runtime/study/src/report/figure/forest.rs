//! Differences to a baseline as a forest plot: mean and 95 % interval for each parameterization, and a line at zero.

use super::sensitivity::SMALL;
use super::{Figure, csv, range};
use crate::judge::{Difference, Judged};
use crate::report::plot::{Axis, Plot, Scale, WIDE, assigned};
use gmpc_runtime::task::compare::words;

/// Height of one line, and of everything above and below the lines, in pixels.
const LINE: f64 = 30.0;
const REST: f64 = 66.0;

/// One plot for each value of the other axes; `None` without a baseline.
#[must_use]
pub fn of(judged: &Judged<'_>, name: &str) -> Option<Figure> {
    let first = judged.differences.first()?;
    let comparison = judged.comparison;
    let classes = assigned(comparison.params.iter().map(String::as_str));
    let class = |param: &str| {
        let place = comparison.params.iter().position(|known| known == param);
        place.and_then(|place| classes.get(place)).cloned().unwrap_or_default()
    };
    type Over = [(String, String)];
    let mut groups: Vec<(&Over, Vec<&Difference>)> = vec![];
    for difference in &judged.differences {
        match groups.iter_mut().find(|(over, _)| *over == difference.over.as_slice()) {
            Some((_, members)) => members.push(difference),
            None => groups.push((&difference.over, vec![difference])),
        }
    }
    let wide = if groups.len() > 1 { SMALL[0] } else { WIDE[0] };
    // Plots of one data set share their axis. Those of different data sets each have their own scale.
    let same = first.over.iter().all(|(key, _)| key != "data");
    let all: Vec<&Difference> = judged.differences.iter().collect();
    let better = if comparison.higher_is_better { "right" } else { "left" };
    let plots = groups.iter().map(|(over, members)| {
        let title = if over.is_empty() { comparison.metric.clone() } else { words(over) };
        plot(&title, members, if same { &all } else { members }, wide, &class)
    });
    let plots = plots.collect();
    let named = |difference: &Difference| {
        let all = [difference.param.clone(), words(&difference.over)].into_iter().filter(|words| !words.is_empty());
        format!("\"{}\"", all.collect::<Vec<_>>().join(", ").replace('"', "\"\""))
    };
    let row = |difference: &Difference| {
        let found = &difference.paired;
        (named(difference), vec![found.mean, found.low, found.high, found.p, difference.adjusted, found.n as f64])
    };
    let rows: Vec<_> = judged.differences.iter().map(row).collect();
    let params = comparison.params.iter().filter(|param| **param != first.baseline);
    Some(Figure {
        name: format!("differences-{name}"),
        title: format!("{}: each minus {}", comparison.metric, first.baseline),
        caption: format!(
            "Seed by seed, with 95 % intervals; to the {better} of the line is better than {}. An interval across the line \
             is no difference that could be shown.",
            first.baseline
        ),
        plots,
        key: params.map(|param| (class(param), param.clone())).collect(),
        csv: csv("series,mean,low,high,p,p_holm,n", rows),
    })
}

fn plot(
    title: &str,
    members: &[&Difference],
    ranged: &[&Difference],
    wide: f64,
    class: &dyn Fn(&str) -> String,
) -> Plot {
    let ends = ranged.iter().flat_map(|one| [one.paired.mean, one.paired.low, one.paired.high]);
    let x = Axis::linear("difference", range(ends.chain([0.0]), 0.06));
    // Names are drawn from below, so they are reversed to put the first one at the top.
    let names: Vec<String> = members.iter().rev().map(|one| one.param.clone()).collect();
    let count = names.len() as f64;
    let y = Axis::scaled("", 0.0..count, Scale::Names(names));
    let mut plot = Plot::new(title, x, y, [wide, REST + LINE * count]);
    plot.segments("no difference", "c-ink", [[[0.0, 0.0], [0.0, count]]], 1.2, 1.0);
    for (place, one) in members.iter().rev().enumerate() {
        let (y, class) = (place as f64 + 0.5, class(&one.param));
        if one.paired.low.is_finite() {
            let ends = [[one.paired.low, y], [one.paired.high, y]];
            plot.segments(&format!("{}, 95 % interval", one.param), &class, [ends], 2.5, 1.0);
        }
        plot.dots(&one.param, &class, [[one.paired.mean, y]], 9.0);
    }
    plot
}
