//! `report`: one page about some runs that needs nothing else: text, tables and figures in a single file.

mod comparison;
mod moments;
mod words;

use super::beside::Lead;
use super::figure::Figure;
use super::plot::{Plot, escaped, readable, style};
use crate::analysis::stability::sides;
use crate::analysis::subject::inputs;
use crate::analysis::{Movement, Subject, stability};
use crate::compare::Kept;
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
#[must_use]
pub fn page(contents: &Contents<'_>) -> String {
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
    text.push_str(&boundaries(subjects));
    text.push_str(&lead.map(words::after).unwrap_or_default());
    text.push_str(&sources(contents));
    let _ = write!(text, "<script>\n{SCRIPT}</script>\n</html>\n");
    text
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

fn table(class: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String], tag: &str| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let body: String = rows.iter().map(|row| line(row, "td")).collect();
    format!("<div class=\"wide\"><table class=\"{class}\">\n{}{body}</table></div>\n", line(&head, "th"))
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
    let head = ["run", "param", "data", "seed", "train / valid / test", "precision", "epochs", "best", "result"];
    table("runs", &head, &rows)
}

/// How steady the boundaries were, and a slider over training.
fn boundaries(subjects: &[Subject]) -> String {
    let recorded: Vec<(&Subject, &Trajectory)> =
        subjects.iter().filter_map(|subject| Some((subject, subject.trajectories.first()?))).collect();
    if recorded.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = recorded.iter().map(|(subject, trajectory)| steadiness(subject, trajectory)).collect();
    let head = ["run", "max |Δφ|", "mean |Δφ|", "max turn", "mean turn", "dead", "always on", "splitting", "cells"];
    let mut text = format!(
        "<h2>Boundaries of the units</h2>\n<p>How far a unit's characteristic point φ moved from record to record, how far its \
         boundary turned (radians), and how the boundaries lie over the training rows at the end.</p>\n{}",
        table("runs", &head, &rows)
    );
    text.push_str(&moments::sliders(&recorded));
    text
}

fn steadiness(subject: &Subject, trajectory: &Trajectory) -> Vec<String> {
    let found = stability(trajectory);
    let movement = |of: Movement| [readable(of.max), readable(of.mean)];
    let rows = subject.tables.as_ref().and_then(|tables| inputs(&tables.train, &subject.network));
    let last = trajectory.boundaries(trajectory.records().saturating_sub(1));
    let side = rows.map(|rows| sides(&last, &rows, trajectory.first.fan_in));
    let side = side.map_or(vec!["-".to_string(); 4], |side| {
        [side.dead, side.always, side.splitting, side.cells].map(|count| count.to_string()).to_vec()
    });
    [vec![subject.title()], movement(found.location).to_vec(), movement(found.direction).to_vec(), side].concat()
}

/// The files that were run: of runs with every override applied, of comparisons with the overrides named.
fn sources(contents: &Contents<'_>) -> String {
    let mut text = String::new();
    for kept in contents.comparisons {
        let set: String = kept.set.iter().map(|(key, value)| format!("--set {key}={value} ")).collect();
        let about = format!("{}: gmpc {}, {} {set}on {}", kept.title(), kept.gmpc, kept.file, kept.device);
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
        let text = page(&Contents { title, lead: None, comparisons: &[], subjects: &[], figures: &[] });
        assert_eq!(text.matches("<script").count(), 1, "{text}");
    }
}
