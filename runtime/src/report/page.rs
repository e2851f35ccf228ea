//! `report`: one page about some runs that needs nothing else: text, tables, charts and figures in a single file.

mod curves;

use super::figure::{Figure, colour};
use crate::analysis::stability::sides;
use crate::analysis::subject::inputs;
use crate::analysis::{Movement, Subject, stability};
use crate::trajectory::Trajectory;
use serde_json::{Value, json};
use std::fmt::Write;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Moments of training that the slider shows, at most; fewer of many units, so that the page stays small.
const MOMENTS: usize = 80;
/// Boundaries in all of these moments together, about.
const BOUNDARIES: usize = 20_000;
/// Rows drawn beneath boundaries, at most.
const ROWS: usize = 400;

/// The whole page.
#[must_use]
pub fn page(subjects: &[Subject], figures: &[Figure]) -> String {
    let names: Vec<String> = subjects.iter().map(Subject::title).collect();
    let title = format!("gmpc: {}", names.join(", "));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n<h1>{title}</h1>\n",
        title = escaped(&title)
    );
    text.push_str(&runs(subjects));
    for chart in curves::charts(subjects) {
        let _ = write!(
            text,
            "<h2>{}</h2>\n{}",
            escaped(chart["title"].as_str().unwrap_or_default()),
            data("lines", &chart)
        );
    }
    text.push_str(&boundaries(subjects));
    for figure in figures {
        let _ = write!(
            text,
            "<h2>{}</h2>\n<figure class=\"drawn\">{}<figcaption>{}</figcaption></figure>\n",
            escaped(&figure.name),
            figure.svg.trim_start_matches(|c| c != '<'),
            escaped(&figure.caption)
        );
    }
    text.push_str(&sources(subjects));
    let _ = write!(text, "<script>\n{SCRIPT}</script>\n</html>\n");
    text
}

/// Text for between tags or in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Numbers for the script; nothing in them can end the element.
fn data(chart: &str, value: &Value) -> String {
    let text = value.to_string().replace('<', "\\u003c");
    format!("<script type=\"application/json\" data-chart=\"{chart}\">{text}</script>\n")
}

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String], tag: &str| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let body: String = rows.iter().map(|row| line(row, "td")).collect();
    format!("<div class=\"wide\"><table>\n{}{body}</table></div>\n", line(&head, "th"))
}

/// What was run, and what came out.
fn runs(subjects: &[Subject]) -> String {
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
    let head = ["run", "param", "data", "seed", "rows: train / valid / test", "precision", "epochs", "best", "result"];
    table(&head, &rows)
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
        table(&head, &rows)
    );
    for fan_in in [1, 2] {
        let of: Vec<_> = recorded.iter().filter(|(_, trajectory)| trajectory.first.fan_in == fan_in).copied().collect();
        if let Some((first, _)) = of.first() {
            text.push_str(&data("boundaries", &slider(first, &of, fan_in)));
        }
    }
    text
}

fn steadiness(subject: &Subject, trajectory: &Trajectory) -> Vec<String> {
    let found = stability(trajectory);
    let movement = |of: Movement| [format!("{:.3e}", of.max), format!("{:.3e}", of.mean)];
    let rows = subject.tables.as_ref().and_then(|tables| inputs(&tables.train, &subject.network));
    let last = trajectory.boundaries(trajectory.records().saturating_sub(1));
    let side = rows.map(|rows| sides(&last, &rows, trajectory.first.fan_in));
    let side = side.map_or(vec!["-".to_string(); 4], |side| {
        [side.dead, side.always, side.splitting, side.cells].map(|count| count.to_string()).to_vec()
    });
    [vec![subject.title()], movement(found.location).to_vec(), movement(found.direction).to_vec(), side].concat()
}

fn slider(first: &Subject, of: &[(&Subject, &Trajectory)], fan_in: usize) -> Value {
    let rows = first.tables.as_ref().and_then(|tables| inputs(&tables.train, &first.network)).unwrap_or_default();
    let axis = |axis: usize| super::figure::range(rows.iter().skip(axis).step_by(fan_in).copied(), 0.1);
    let axes: Vec<_> = (0..fan_in).map(axis).collect();
    let step = (rows.len() / fan_in).div_ceil(ROWS).max(1);
    let points: Vec<Vec<f64>> =
        rows.chunks(fan_in).step_by(step).map(|row| row.iter().map(|x| short(*x)).collect()).collect();
    let runs: Vec<Value> = of
        .iter()
        .enumerate()
        .map(|(place, (subject, trajectory))| {
            let colour = colour(&subject.about.param, place);
            let most = (BOUNDARIES / (of.len() * trajectory.first.units).max(1)).clamp(12, MOMENTS);
            json!({ "name": subject.title(), "colour": css(colour), "records": moments(trajectory, most) })
        })
        .collect();
    let low: Vec<f64> = axes.iter().map(|axis| axis.start).collect();
    let high: Vec<f64> = axes.iter().map(|axis| axis.end).collect();
    json!({ "inputs": fan_in, "unit": "after", "window": [low, high], "rows": points, "runs": runs })
}

/// A few records, evenly spread, the last among them.
fn moments(trajectory: &Trajectory, most: usize) -> Vec<Value> {
    let last = trajectory.records().saturating_sub(1);
    let count = most.min(last + 1);
    let moment = |k: usize| {
        let record = last * k / (count - 1).max(1);
        let units: Vec<Vec<f64>> = trajectory
            .boundaries(record)
            .into_iter()
            .flatten()
            .map(|boundary| boundary.direction.iter().chain([&boundary.offset]).map(|x| short(*x)).collect())
            .collect();
        json!({ "time": trajectory.time(record), "units": units })
    };
    (0..count).map(moment).collect()
}

/// Four digits after the point: a pixel is coarser.
fn short(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

fn css(colour: plotters::prelude::RGBColor) -> String {
    format!("rgb({},{},{})", colour.0, colour.1, colour.2)
}

/// The files that were run, every override applied.
fn sources(subjects: &[Subject]) -> String {
    let mut text = "<h2>What was run</h2>\n".to_string();
    for subject in subjects {
        let source = subject.folder.source().unwrap_or_default();
        let about = &subject.about;
        let _ = writeln!(
            text,
            "<details><summary>{}: gmpc {}, {}, on {}</summary><pre>{}</pre></details>",
            escaped(&subject.title()),
            escaped(&about.gmpc),
            escaped(&about.file),
            escaped(&about.device),
            escaped(&source)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_file_becomes_part_of_the_page() {
        assert_eq!(escaped("a < b & \"c\""), "a &lt; b &amp; &quot;c&quot;");
        let text = data("lines", &json!({ "title": "</script><script>alert(1)" }));
        assert_eq!(text.matches("</script>").count(), 1, "{text}");
    }
}
