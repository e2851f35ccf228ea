//! `report`: one page about some runs that needs nothing else: text, tables and figures in a single file.

mod comparison;
mod moments;
mod words;

use super::beside::Lead;
use super::figure::Figure;
use super::plot::{Plot, escaped, readable, style};
use crate::analysis::{Activity, Layer, Movement, Stability, Subject, layers};
use crate::compare::Kept;
use crate::failure::Failure;
use crate::trajectory::Trajectory;
use std::fmt::Write;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// What a page is made of; what is empty leaves no trace.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// Its heading.
    pub title: &'a str,
    /// What was run again of the paper.
    pub lead: Option<&'a Lead>,
    /// Comparisons, with the epochs of their runs.
    pub comparisons: &'a [Kept],
    /// Runs.
    pub subjects: &'a [Subject],
    /// Figures of these runs.
    pub figures: &'a [Figure],
}

/// The whole page.
///
/// # Errors
/// Records that are damaged; the device failed.
pub fn page(contents: &Contents<'_>) -> Result<String, Failure> {
    let Contents { title, subjects, figures, lead, .. } = *contents;
    let title = escaped(title);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}{}</style>\n<h1>{title}</h1>\n",
        style()
    );
    text.push_str(&lead.map(words::before).unwrap_or_default());
    text.extend(contents.comparisons.iter().map(|kept| comparison::table(kept, lead.is_some())));
    text.push_str(&runs(subjects));
    text.extend(figures.iter().map(drawn));
    text.push_str(&boundaries(subjects)?);
    text.push_str(&lead.map(words::after).unwrap_or_default());
    text.push_str(&sources(contents));
    let _ = write!(text, "<script>\n{SCRIPT}</script>\n</html>\n");
    Ok(text)
}

/// A figure with its key.
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
        figure.across(),
        escaped(&figure.title),
        escaped(&figure.caption),
        name = escaped(&figure.name),
    )
}

/// A table of many columns.
fn table(class: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    // On a phone each row is a card, whose lines say what they are.
    let cell = |(name, text): (&&str, &String)| format!("<td data-head=\"{}\">{}</td>", escaped(name), escaped(text));
    let line = |row: &Vec<String>| format!("<tr>{}</tr>\n", head.iter().zip(row).map(cell).collect::<String>());
    let names: String = head.iter().map(|name| format!("<th>{}</th>", escaped(name))).collect();
    let body: String = rows.iter().map(line).collect();
    format!("<div class=\"wide\"><table class=\"cards {class}\">\n<tr>{names}</tr>\n{body}</table></div>\n")
}

/// What was run, and what came out.
fn runs(subjects: &[Subject]) -> String {
    if subjects.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = subjects
        .iter()
        .map(|subject| {
            let about = &subject.about;
            let result = subject.result();
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
                figures.collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    let head =
        ["run", "param", "data", "seed", "rows: train / valid / test", "precision", "epochs", "best epoch", "result"];
    table("runs", &head, &rows)
}

/// How steady the boundaries of every layer were and how they lie over the data, and a slider over training.
fn boundaries(subjects: &[Subject]) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for subject in subjects {
        rows.extend(layers(subject)?.layers.iter().map(|layer| steadiness(subject, layer)));
    }
    if rows.is_empty() {
        return Ok(String::new());
    }
    let mut text = format!(
        "<h2>Boundaries of the units</h2>\n<p>How far a unit's characteristic point φ moved from record to record and how far its \
         boundary turned (radians), in the space of its layer's input, where that was recorded; and how the boundaries lie \
         over the training rows at the end: <b>dead</b> units are active for none of them, those that are <b>always on</b> for \
         all (a filter at no place of any image, or at every one), the others split them. <b>Cells</b> are groups of rows that \
         activate different sets of units.</p>\n{}",
        table("steadiness", &STEADINESS, &rows)
    );
    let recorded: Vec<(&Subject, &Trajectory)> =
        subjects.iter().filter_map(|subject| Some((subject, subject.trajectories.first()?))).collect();
    text.push_str(&moments::sliders(&recorded));
    Ok(text)
}

const STEADINESS: [&str; 11] = [
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

fn steadiness(subject: &Subject, layer: &Layer) -> Vec<String> {
    let nothing = || "-".to_string();
    let movement = |of: fn(&Stability) -> Movement| {
        layer
            .stability
            .as_ref()
            .map_or_else(|| [nothing(), nothing()], |found| [of(found).max, of(found).mean].map(readable))
    };
    let count = |of: fn(Activity) -> usize| layer.activity.map_or_else(nothing, |found| of(found).to_string());
    let ([far, further], [turned, wider]) = (movement(|found| found.location), movement(|found| found.direction));
    vec![
        subject.title(),
        layer.first.name.clone(),
        far,
        further,
        turned,
        wider,
        layer.first.units.to_string(),
        count(|found| found.dead),
        count(|found| found.always),
        count(Activity::splitting),
        layer.cells.map_or_else(nothing, |cells| cells.count.to_string()),
    ]
}

/// The files that were run: of runs with every override applied, of comparisons with the overrides named.
fn sources(contents: &Contents<'_>) -> String {
    let mut text = String::new();
    for kept in contents.comparisons {
        let set: String = kept.set.iter().map(|(key, value)| format!("--set {key}={value} ")).collect();
        let title = if contents.lead.is_some() { "Runs of the table".to_string() } else { kept.title() };
        let about = format!("{title}: gmpc {}, {} {set}on {}", kept.gmpc, kept.file, kept.device);
        text += &source(&about, &kept.source);
    }
    for subject in contents.subjects {
        let about = &subject.about;
        let about = format!("{}: gmpc {}, {}, on {}", subject.title(), about.gmpc, about.file, about.device);
        text += &source(&about, &subject.folder.source().unwrap_or_default());
    }
    if text.is_empty() { text } else { format!("<h2>What was run</h2>\n{text}") }
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
        let text = page(&Contents { title, lead: None, comparisons: &[], subjects: &[], figures: &[] }).unwrap();
        assert_eq!(text.matches("<script").count(), 1, "{text}");
    }
}
