//! `report`: a page about runs and comparisons as one self-contained HTML file with text, tables and figures.

mod comparison;
mod moments;
mod short;
mod words;

use super::beside::Lead;
use super::figure::curves::but_for_the_seed;
use super::figure::{Figure, together};
use super::plot::{Plot, escaped, readable, style};
use super::shown::Shown;
use crate::analysis::{Activity, Drift, Extent, Layer, Run, layers};
use gmpc_compiler::ir::experiment::Select;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::run::records::Trajectory;
use gmpc_runtime::task::compare::{Kept, Statistics};
use std::fmt::Write;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// The contents of a page. Empty parts are left out.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// Its heading.
    pub title: &'a str,
    /// The experiment of the paper that was repeated, if any.
    pub lead: Option<&'a Lead>,
    /// Comparisons with their statistics and figures.
    pub comparisons: &'a [Shown<'a>],
    /// The runs.
    pub subjects: &'a [Run],
    /// Figures of the runs.
    pub figures: &'a [Figure],
    /// Files that could not be read, and what is missing in the figures because of it.
    pub unread: &'a [String],
}

/// The whole page.
///
/// # Errors
/// Records are damaged; the device failed.
pub fn page(contents: &Contents<'_>) -> Result<String, Failure> {
    let Contents { title, lead, .. } = *contents;
    let title = escaped(title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}{}</style>\n<h1>{title}</h1>\n",
        style()
    );
    let sections = sections(contents)?;
    text.push_str(&listed(&sections));
    text.push_str(&lead.map(words::before).unwrap_or_default());
    let whole = |section: &Section| format!("<section id=\"{}\">\n{}</section>\n", escaped(&section.id), section.text);
    text.extend(sections.iter().map(whole));
    text.push_str(&lead.map(words::after).unwrap_or_default());
    text.push_str(&sources(contents));
    let _ = write!(text, "<script>\n{SCRIPT}</script>\n</html>\n");
    Ok(text)
}

/// A part of the page that the table of contents lists.
struct Section {
    id: String,
    title: String,
    /// The HTML of the part, with its heading.
    text: String,
}

impl Section {
    fn of_figure(figure: &Figure) -> Self {
        Section { id: format!("part-{}", figure.name), title: figure.title.clone(), text: drawn(figure) }
    }
}

/// All sections between the text about the paper and the sources.
fn sections(contents: &Contents<'_>) -> Result<Vec<Section>, Failure> {
    let section = |id: &str, title: &str, text: String| Section { id: id.into(), title: title.into(), text };
    let mut all: Vec<Section> = Vec::new();
    for shown in contents.comparisons {
        all.extend(comparison::sections(shown, contents.lead.is_some()));
    }
    if !contents.subjects.is_empty() {
        all.push(section("runs", "Runs", runs(contents.subjects)));
    }
    if !contents.unread.is_empty() {
        let items = contents.unread.iter().map(|what| format!("<p class=\"unread\">{}</p>\n", escaped(what)));
        all.push(section("unread", "What could not be read", items.collect()));
    }
    all.extend(contents.figures.iter().map(Section::of_figure));
    let boundaries = boundaries(contents.subjects)?;
    if !boundaries.is_empty() {
        all.push(section("boundaries", "Boundaries of the units", boundaries));
    }
    Ok(all)
}

/// A table of contents, if there are at least three sections.
fn listed(sections: &[Section]) -> String {
    if sections.len() < 3 {
        return String::new();
    }
    let item = |one: &Section| format!("<li><a href=\"#{}\">{}</a></li>\n", escaped(&one.id), escaped(&one.title));
    let items: String = sections.iter().map(item).collect();
    format!("<nav class=\"contents\" aria-label=\"Contents\">\n<ul>\n{items}</ul>\n</nav>\n")
}

/// The HTML of a figure with its key.
fn drawn(figure: &Figure) -> String {
    let key: String = figure
        .key
        .iter()
        .map(|(class, name)| format!("<span><i class=\"{class}\"></i>{}</span>", escaped(name)))
        .collect();
    let plots: String = figure.plots.iter().map(|plot: &Plot| plot.svg(None)).collect();
    format!(
        "<figure class=\"figure\" id=\"{name}\" data-name=\"{name}\" data-across=\"{}\">\n<h2>{}</h2>\n\
         <div class=\"key\">{key}</div>\n<div class=\"plots\">\n{plots}</div>\n<figcaption>{}</figcaption>\n</figure>\n",
        if figure.is_small() { 4 } else { figure.across() },
        escaped(&figure.title),
        escaped(&figure.caption),
        name = escaped(&figure.name),
    )
}

/// The HTML of a table.
fn table(class: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    // On a phone each row is a card, and every line of the card repeats the name of its column.
    let cell = |(name, text): (&&str, &String)| format!("<td data-head=\"{}\">{}</td>", escaped(name), escaped(text));
    let line = |row: &Vec<String>| format!("<tr>{}</tr>\n", head.iter().zip(row).map(cell).collect::<String>());
    let names: String = head.iter().map(|name| format!("<th>{}</th>", escaped(name))).collect();
    let body: String = rows.iter().map(line).collect();
    format!("<div class=\"wide\"><table class=\"cards {class}\">\n<tr>{names}</tr>\n{body}</table></div>\n")
}

/// The table of runs with their results.
fn runs(subjects: &[Run]) -> String {
    if subjects.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = subjects
        .iter()
        .map(|subject| {
            let about = &subject.about;
            let result = &subject.result;
            // Only test figures: on rows that a run was trained or chosen on, it looks better than it is.
            let figures = result.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("test."));
            let figures = figures.filter_map(|(name, value)| Some(format!("{name} {:.4}", value.as_f64()?)));
            let number = |name: &str| result[name].as_u64().map_or("-".to_string(), |number| number.to_string());
            vec![
                subject.title(),
                about.param.clone(),
                about.data.clone(),
                about.seed.to_string(),
                format!("{} / {} / {}", about.rows[0], about.rows[1], about.rows[2]),
                about.precision.clone(),
                number("epochs"),
                number("best_epoch"),
                figures.collect::<Vec<_>>().join(", ") + chosen(subject),
            ]
        })
        .collect();
    let head =
        ["run", "param", "data", "seed", "rows: train / valid / test", "precision", "epochs", "best epoch", "result"];
    table("runs", &head, &rows) + &seeds(subjects)
}

/// A table that groups runs which differ only in their seeds. Empty if there are no such runs.
fn seeds(subjects: &[Run]) -> String {
    let groups = together(subjects, but_for_the_seed);
    // A single run has no spread, and the table of runs says the rest already.
    if groups.iter().all(|(_, members)| members.len() < 2) {
        return String::new();
    }
    let mut metrics: Vec<String> = Vec::new();
    let figures = |subject: &Run| {
        let all = subject.result.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("test."));
        all.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect::<Vec<_>>()
    };
    for (name, _) in subjects.iter().flat_map(figures) {
        if !metrics.contains(&name) {
            metrics.push(name);
        }
    }
    let row = |(_, members): &(String, Vec<&Run>)| {
        let seeds: Vec<String> = members.iter().map(|member| member.about.seed.to_string()).collect();
        let first = members.first();
        let about = [first.map(|one| one.about.param.clone()), first.map(|one| one.about.data.clone())];
        let mut row: Vec<String> = about.into_iter().map(Option::unwrap_or_default).collect();
        row.push(seeds.join(", "));
        for metric in &metrics {
            let values = members.iter().flat_map(|member| figures(member)).filter(|(name, _)| name == metric);
            let found = Statistics::of(&values.map(|(_, value)| value).collect::<Vec<f64>>());
            row.push(match (found.n, found.stderr.is_finite()) {
                (0, _) => "-".to_string(),
                (_, false) => readable(found.mean),
                (n, true) => format!("{} ± {} ({n})", readable(found.mean), readable(found.stderr)),
            });
        }
        row
    };
    let rows: Vec<Vec<String>> = groups.iter().map(row).collect();
    let head: Vec<&str> = ["param", "data", "seeds"].into_iter().chain(metrics.iter().map(String::as_str)).collect();
    let text = table("seeds", &head, &rows);
    format!(
        "<p class=\"caption\">Runs that differ in their seeds only: mean ± standard error (number of runs)</p>\n{text}"
    )
}

/// A remark for metrics that are better than on new data.
fn chosen(subject: &Run) -> &'static str {
    let train = subject.network.module.experiment.train.as_ref();
    if train.is_some_and(|train| train.select == Select::Test) { " (epochs chosen on the test rows)" } else { "" }
}

/// The table of boundary drift and of activity for every layer, and a slider that shows boundaries over training.
fn boundaries(subjects: &[Run]) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for subject in subjects {
        rows.extend(layers(subject)?.layers.iter().map(|layer| drift(subject, layer)));
    }
    if rows.is_empty() {
        return Ok(String::new());
    }
    let mut text = format!(
        "<h2>Boundaries of the units</h2>\n<p>The distance that a unit's characteristic point φ moved and the angle that its boundary \
         turned (radians) between consecutive records, in the space of its layer's input, if they were recorded. The other \
         columns are about the training rows at the end: <b>dead</b> units are constant on all rows and <b>always on</b> units \
         linear (a filter at all positions of all images); <b>splitting</b> units have rows on both sides of a kink. <b>Cells</b> are groups of rows that activate the same set of units.</p>\n{}",
        table("drift", &DRIFT, &rows)
    );
    let recorded: Vec<(&Run, &Trajectory)> =
        subjects.iter().filter_map(|subject| Some((subject, subject.trajectories.first()?))).collect();
    text.push_str(&moments::sliders(&recorded));
    Ok(text)
}

const DRIFT: [&str; 11] = [
    "run",
    "layer",
    "max |Δφ|",
    "mean |Δφ|",
    "max turn",
    "mean turn",
    "units",
    "dead",
    "always on",
    "splitting",
    "cells",
];

fn drift(subject: &Run, layer: &Layer) -> Vec<String> {
    let nothing = || "-".to_string();
    let drift = |of: fn(&Drift) -> Extent| {
        layer
            .drift
            .as_ref()
            .map_or_else(|| [nothing(), nothing()], |found| [of(found).max, of(found).mean].map(readable))
    };
    let count = |of: fn(Activity) -> usize| layer.activity.map_or_else(nothing, |found| of(found).to_string());
    let ([far, further], [turned, wider]) = (drift(|found| found.location), drift(|found| found.direction));
    vec![
        subject.title(),
        layer.first.name.clone(),
        far,
        further,
        turned,
        wider,
        layer.units.to_string(),
        count(|found| found.dead),
        count(|found| found.always),
        count(Activity::splitting),
        layer.cells.map_or_else(nothing, |cells| cells.count.to_string()),
    ]
}

/// The source files: those of runs with all overrides applied, those of comparisons with their overrides in the title.
fn sources(contents: &Contents<'_>) -> String {
    let mut text = String::new();
    for kept in contents.comparisons.iter().map(|shown| shown.kept) {
        let set: String =
            kept.set.iter().map(|(key, value)| format!("--set {} ", quoted(&format!("{key}={value}")))).collect();
        let of_the_table = contents.lead.is_some() && contents.comparisons.len() == 1;
        let title = if of_the_table { "Runs of the table".to_string() } else { kept.title() };
        let about = format!("{title}: gmpc {}, on {}", kept.gmpc, kept.device);
        let command = format!("gmpc compare {} {}{set}", kept.file, asked(kept));
        text += &format!(
            "<pre>{}</pre>\n<p>What the command does not say is in the file.</p>\n",
            escaped(command.trim_end())
        );
        text += &source(&about, &kept.source);
    }
    for subject in contents.subjects {
        let about = &subject.about;
        let about = format!("{}: gmpc {}, {}, on {}", subject.title(), about.gmpc, about.file, about.device);
        text += &source(&about, &subject.folder.source().unwrap_or_default());
    }
    if text.is_empty() { text } else { format!("<h2>What was run</h2>\n{text}") }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_alphanumeric() || "=.,_-+:/".contains(c));
    if plain { word.to_string() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// The options of a comparison.
fn asked(kept: &Kept) -> String {
    let comparison = &kept.comparison;
    let seeds = comparison.cells.iter().map(|cell| cell.outcomes.len()).max().unwrap_or(0);
    let mut text = format!("--param {} --repeats {seeds} ", quoted(&comparison.params.join(",")));
    for (key, values) in &comparison.over {
        text += &format!("--over {} ", quoted(&format!("{key}={}", values.join(","))));
    }
    if !comparison.choose.is_empty() {
        text += &format!("--choose {} ", comparison.choose.join(","));
    }
    if let Some(baseline) = &comparison.baseline {
        text += &format!("--baseline {} ", quoted(baseline));
    }
    if let Some(halving) = &comparison.halving {
        text += &format!("--halve {} ", halving.factor);
    }
    text
}

fn source(about: &str, text: &str) -> String {
    format!("<details><summary>{}</summary><pre>{}</pre></details>\n", escaped(about), escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_file_becomes_part_of_the_page() {
        assert_eq!(escaped("a < b & \"c\""), "a &lt; b &amp; &quot;c&quot;");
        let title = "</title><script>alert(1)";
        let text =
            page(&Contents { title, lead: None, comparisons: &[], subjects: &[], figures: &[], unread: &[] }).unwrap();
        assert_eq!(text.matches("<script").count(), 1, "{text}");
    }
}
