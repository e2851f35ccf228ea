//! The result of a comparison in a few sentences, for someone who reads nothing else: which parameterization is better, how sure that
//! is, and at which value.

use super::escaped;
use crate::judge::{Difference, Entry, Group, Judged, Standing};
use crate::report::sheet::{places, rounded};
use gmpc_runtime::task::compare::words;

/// So many groups are told; the table has all.
const TOLD: usize = 10;
/// A difference counts from here on.
const LEVEL: f64 = 0.05;

/// A list of sentences, a group each; empty where nothing can be said.
pub(super) fn in_short(judged: &Judged<'_>) -> String {
    let told = judged.groups.iter().take(TOLD).filter_map(|group| of_group(judged, group));
    let mut items: Vec<String> = told.collect();
    let more = judged.groups.len().saturating_sub(TOLD);
    if more > 0 && !items.is_empty() {
        items.push(format!("<li>{more} more rows stand in the table.</li>\n"));
    }
    if items.is_empty() {
        return String::new();
    }
    // The headings and the differences look at unlike numbers of comparisons, so that they may disagree near the limit.
    let both = judged.groups.len() > 1 && !judged.differences.is_empty();
    let both = if both {
        " A row's first sentence is corrected for the comparisons of its row, differences for all of them."
    } else {
        ""
    };
    format!(
        "<div class=\"short\">\n<b>In short</b>\n<ul>\n{}</ul>\n<p>p is how often chance alone would give so large a difference, or a \
         larger one; it is corrected for the number of comparisons, up to 1. Below {LEVEL} counts here as more than chance. That no \
         difference is shown does not mean that there is none: the interval says how large it may be.{both}</p>\n</div>\n",
        items.concat()
    )
}

fn of_group(judged: &Judged<'_>, group: &Group) -> Option<String> {
    let best = group.entries.iter().find(|entry| entry.standing == Standing::Best)?;
    let over = words(&group.over);
    let before = if over.is_empty() { String::new() } else { format!("<b>{}</b>: ", escaped(&over)) };
    let differences = judged.differences.iter().filter(|one| one.over == group.over && one.paired.low.is_finite());
    let differences: String = differences.map(|one| format!("<li>{}</li>\n", against(judged, one))).collect();
    let below = if differences.is_empty() { differences } else { format!("\n<ul>\n{differences}</ul>\n") };
    Some(format!("<li>{before}{}{below}</li>\n", headline(judged, group, best)))
}

/// Who is shown to be better than whom, or that nobody is; and the figure of the best.
fn headline(judged: &Judged<'_>, group: &Group, best: &Entry) -> String {
    let comparison = judged.comparison;
    let figure = best.cell(comparison).map(rounded).unwrap_or_default();
    let word = if comparison.higher_is_better { "highest" } else { "lowest" };
    let of = |standing: Standing| {
        let all = group.entries.iter().filter(|entry| entry.standing == standing);
        all.map(|entry| escaped(&entry.chosen.param)).collect::<Vec<String>>()
    };
    let (level, behind, failed) = (of(Standing::Level), of(Standing::Behind), of(Standing::Failed));
    let name = escaped(&best.chosen.param);
    let told = match (level.is_empty(), behind.is_empty()) {
        (true, false) => format!("<b>{name} is better than {}</b> (p &lt; {LEVEL}).", listed(&behind)),
        (false, true) => {
            let all = [std::slice::from_ref(&name), &level].concat();
            let seeds = best.cell(comparison).map_or(0, |cell| cell.outcomes.len());
            format!(
                "<b>No parameterization is shown to be better</b>: {seeds} seeds do not settle an order of {}.",
                listed(&all)
            )
        }
        (false, false) => format!(
            "<b>{name} is better than {}</b> (p &lt; {LEVEL}); it cannot be told apart from {}.",
            listed(&behind),
            listed(&level)
        ),
        // The best one stands alone: there is nobody to compare it with.
        (true, true) => String::new(),
    };
    let figure = format!("{name} has the {word} {}, {figure}.", escaped(&comparison.metric));
    // A mean over the runs that ended flatters, so these are not ranked.
    let lost = match failed.is_empty() {
        true => String::new(),
        false => format!("{}: left out, since runs failed.", listed(&failed)),
    };
    [told, figure, chosen(group), narrow(group), lost]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// `Chosen: sp lr = 0.01, gmp lr = 0.1.`
fn chosen(group: &Group) -> String {
    let one = |entry: &Entry| {
        let values = words(&entry.chosen.values);
        (!values.is_empty()).then(|| format!("{} {values}", entry.chosen.param))
    };
    let all: Vec<String> = group.entries.iter().filter_map(one).collect();
    if all.is_empty() { String::new() } else { format!("Best values: {}.", escaped(&all.join("; "))) }
}

/// A warning where a chosen value lies at an end of what was tried: another order may be found beyond.
fn narrow(group: &Group) -> String {
    let one = |entry: &Entry| {
        let side = |highest: bool| if highest { "above" } else { "below" };
        let ends = entry.chosen.edges.iter().map(|edge| format!("{} {}", side(edge.highest), edge.value));
        let ends: Vec<String> = ends.collect();
        (!ends.is_empty()).then(|| format!("{} {}", entry.chosen.param, ends.join(" and ")))
    };
    let all: Vec<String> = group.entries.iter().filter_map(one).collect();
    if all.is_empty() {
        return String::new();
    }
    format!(
        "<b>The range of what was tried is too narrow</b>: better values may lie beyond ({}), and with them another order.",
        escaped(&all.join(", "))
    )
}

/// One difference to the baseline.
fn against(judged: &Judged<'_>, one: &Difference) -> String {
    let found = &one.paired;
    let is_better = if judged.comparison.higher_is_better { found.mean > 0.0 } else { found.mean < 0.0 };
    let verdict = match (one.adjusted < LEVEL, is_better) {
        (true, true) => "better",
        (true, false) => "worse",
        (false, _) => "no difference shown",
    };
    let p = if one.adjusted < 0.001 { "p &lt; 0.001".to_string() } else { format!("p = {:.3}", one.adjusted) };
    let places = places(found.high - found.low);
    let signed = |x: f64| format!("{x:+.places$}").replace('-', "−");
    let side = |x: f64| if (x > 0.0) == judged.comparison.higher_is_better { "better" } else { "worse" };
    format!(
        "{} minus {}: <b>{verdict}</b>; {} on average, 95 % interval {} ({}) to {} ({}), {p}.",
        escaped(&one.param),
        escaped(&one.baseline),
        signed(found.mean),
        signed(found.low),
        side(found.low),
        signed(found.high),
        side(found.high),
    )
}

/// `a`, `a and b`, `a, b and c`
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
