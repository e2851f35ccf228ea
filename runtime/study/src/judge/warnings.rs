//! What a reader of a comparison must not miss, each with a code that `gmpc explain` knows.

use super::{Difference, Group};
use gmpc_data::Note;
use gmpc_runtime::task::compare::{Comparison, words};

/// Everything worth a warning.
pub(super) fn notes(comparison: &Comparison, groups: &[Group], differences: &[Difference]) -> Vec<Note> {
    let mut notes = Vec::new();
    for key in &comparison.choose {
        notes.extend(at_an_edge(groups, key));
    }
    notes.extend(nothing_chosen(comparison, groups));
    if comparison.baseline.is_some() && comparison.complete {
        notes.extend(no_interval(differences));
        notes.extend(no_partner(differences));
    }
    notes
}

/// So many are named.
const NAMED: usize = 4;

/// `gmp`, or `gmp, uci.yacht`.
fn named(param: &str, over: &[(String, String)]) -> String {
    [param.to_string(), words(over)].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The first few of some names, and how many more there are.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first = names[..names.len() - more].join("; ");
    if more > 0 { format!("{first}; and {more} more") } else { first }
}

/// W0851: the best value lies at an end of what was tried.
fn at_an_edge(groups: &[Group], key: &str) -> Option<Note> {
    let mut found = Vec::new();
    let mut ends = Vec::new();
    for entry in groups.iter().flat_map(|group| &group.entries) {
        for edge in entry.chosen.edges.iter().filter(|edge| edge.key == key) {
            let end = if edge.highest { "highest" } else { "lowest" };
            found.push(format!("{} ({}, the {end})", named(&entry.chosen.param, &entry.chosen.over), edge.value));
            ends.push(edge.highest);
        }
    }
    let further = match (ends.contains(&true), ends.contains(&false)) {
        (true, true) => "both ways",
        (true, false) => "upwards",
        _ => "downwards",
    };
    let message = format!("the best value lies at the end of what was tried for {}", listed(&found));
    (!found.is_empty()).then(|| {
        Note::new("W0851", key, message).help(format!("widen the axis {further}: a better value may lie beyond"))
    })
}

/// W0852: nothing could be chosen.
fn nothing_chosen(comparison: &Comparison, groups: &[Group]) -> Option<Note> {
    if comparison.choose.is_empty() || !comparison.complete {
        return None;
    }
    let without = groups.iter().flat_map(|group| &group.entries).filter(|entry| entry.chosen.cell.is_none());
    let names: Vec<String> = without.map(|entry| named(&entry.chosen.param, &entry.chosen.over)).collect();
    let keys = comparison.choose.join(" and ");
    let message = format!("nothing could be chosen for {}: of every value tried some run failed", listed(&names));
    (!names.is_empty())
        .then(|| Note::new("W0852", keys, message).help("try smaller values, or train one to see where it fails"))
}

/// W0853: pairs that never vary or are too few have no interval.
fn no_interval(differences: &[Difference]) -> Option<Note> {
    let without = differences.iter().filter(|difference| difference.method == "none");
    let names: Vec<String> = without.map(|difference| named(&difference.param, &difference.over)).collect();
    let message = format!("there is no interval for {}: it takes two pairs of runs that differ", listed(&names));
    (!names.is_empty()).then(|| Note::new("W0853", "--baseline", message).help("use `--repeats 10`"))
}

/// W0854: a run without a partner is left out.
fn no_partner(differences: &[Difference]) -> Option<Note> {
    let alone: Vec<String> = differences
        .iter()
        .filter(|difference| difference.alone > 0)
        .map(|difference| format!("{} ({} left out)", named(&difference.param, &difference.over), difference.alone))
        .collect();
    let message = format!("some seeds failed on one side only, and differences are of the others: {}", listed(&alone));
    (!alone.is_empty()).then(|| {
        Note::new("W0854", "--baseline", message).help("read them with care: seeds that fail are not a random sample")
    })
}
