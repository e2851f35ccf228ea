//! Boundaries over training: plots with a slider for time.

use super::escaped;
use crate::analysis::Run;
use crate::analysis::run::inputs;
use crate::report::figure::{classes, crossing, range};
use crate::report::plot::{Axis, Plot, SQUARE, Scale};
use gmpc_compiler::graphs::boundary::Boundary;
use gmpc_compiler::ir::experiment::Every;
use gmpc_runtime::run::records::Trajectory;
use serde_json::{Value, json};
use std::ops::Range;

/// Largest number of times that the slider can show. It is lower for many units, so that the page stays small.
const MOMENTS: usize = 80;
/// Approximate number of boundaries over all of these times.
const BOUNDARIES: usize = 16_000;
/// Largest number of rows that are drawn below the boundaries.
const ROWS: usize = 400;
/// Size in pixels of a plot for units with one input.
const STRIP: [f64; 2] = [470.0, 170.0];

/// One figure for the runs with one input, and one for those with two.
pub(super) fn sliders(recorded: &[(&Run, &Trajectory)]) -> String {
    let of = |fan_in: usize| {
        let of: Vec<_> = recorded.iter().filter(|(_, t)| t.first.fan_in == fan_in).copied().collect();
        if of.is_empty() { String::new() } else { slider(&of, fan_in) }
    };
    of(1) + &of(2)
}

fn slider(of: &[(&Run, &Trajectory)], fan_in: usize) -> String {
    let subjects: Vec<&Run> = of.iter().map(|(subject, _)| *subject).collect();
    let most = |units: usize| (BOUNDARIES / (of.len() * units).max(1)).clamp(8, MOMENTS);
    let (mut drawn, mut moving): (String, Vec<Value>) = (String::new(), Vec::new());
    for ((subject, trajectory), class) in of.iter().zip(classes(&subjects)) {
        let rows = subject.tables.as_ref().and_then(|tables| inputs(&tables.train, &subject.network));
        let mut plot = empty(&subject.title(), &rows.unwrap_or_default(), fan_in);
        let moments = moments(trajectory, &plot, most(trajectory.first.units));
        // The page shows the last record until the slider moves.
        let last = moments.last().cloned().unwrap_or_default();
        plot.plot.moving("segments", &class, last["segments"].as_str().unwrap_or_default(), 1.4);
        plot.plot.moving("dots", &class, last["dots"].as_str().unwrap_or_default(), 6.0);
        drawn += &plot.plot.svg(None);
        moving.push(json!(moments));
    }
    let unit = of.first().map_or("epoch", |(_, t)| if matches!(t.every, Every::Steps(_)) { "step" } else { "epoch" });
    // `<` could end the script element, so it is escaped.
    let data = json!({ "unit": unit, "plots": moving }).to_string().replace('<', "\\u003c");
    let caption = match fan_in {
        1 => "The boundary of every unit over training; dots are training rows.",
        _ => {
            "Every unit's boundary over training, with a dot at its characteristic point; grey dots are training rows."
        }
    };
    format!(
        "<figure class=\"figure moments\" id=\"boundaries-{fan_in}\" data-name=\"boundaries-{fan_in}\">\n\
         <h2>Boundaries over training</h2>\n<div class=\"plots\">\n{drawn}</div>\n\
         <script type=\"application/json\" data-moments>{data}</script>\n<figcaption>{}</figcaption>\n</figure>\n",
        escaped(caption)
    )
}

/// A plot with the rows in it, and the ranges of its axes.
struct Window {
    plot: Plot,
    axes: Vec<Range<f64>>,
}

fn empty(title: &str, rows: &[f64], fan_in: usize) -> Window {
    let axis = |axis: usize| range(rows.iter().skip(axis).step_by(fan_in).copied(), 0.1);
    let axes: Vec<Range<f64>> = (0..fan_in).map(axis).collect();
    let step = (rows.len() / fan_in).div_ceil(ROWS).max(1);
    let some = rows.chunks_exact(fan_in).step_by(step);
    let mut plot = match &axes[..] {
        [x, y] => Plot::new(title, Axis::linear("x1", x.clone()), Axis::linear("x2", y.clone()), SQUARE),
        _ => {
            let x = Axis::linear("x", axes.first().cloned().unwrap_or(0.0..1.0));
            Plot::new(title, x, Axis::scaled("", 0.0..1.0, Scale::Hidden), STRIP)
        }
    };
    plot.dots(
        "training row",
        "c-soft",
        some.filter_map(|row| Some([*row.first()?, *row.get(1).unwrap_or(&0.07)])),
        3.0,
    );
    Window { plot, axes }
}

/// Some records, evenly spaced; the last one is among them.
fn moments(trajectory: &Trajectory, window: &Window, most: usize) -> Vec<Value> {
    let last = trajectory.records().saturating_sub(1);
    let count = most.min(last + 1);
    let moment = |k: usize| {
        let record = last * k / (count - 1).max(1);
        let units: Vec<Boundary> = trajectory.boundaries(record).into_iter().flatten().collect();
        let pieces = units.iter().filter_map(|boundary| piece(boundary, &window.axes));
        let points = units.iter().filter_map(|boundary| point(boundary, &window.axes));
        let (segments, dots) = (window.plot.pieces(pieces), window.plot.places(points));
        json!({ "time": trajectory.time(record), "segments": segments, "dots": dots })
    };
    (0..count).map(moment).collect()
}

/// The visible part of a boundary.
fn piece(boundary: &Boundary, axes: &[Range<f64>]) -> Option<[[f64; 2]; 2]> {
    match axes {
        [x] => {
            let phi = *boundary.location().first()?;
            x.contains(&phi).then_some([[phi, 0.14], [phi, 0.98]])
        }
        [x, y] => crossing(boundary, x, y),
        _ => None,
    }
}

/// Its characteristic point, if it is visible.
fn point(boundary: &Boundary, axes: &[Range<f64>]) -> Option<[f64; 2]> {
    let [x, y] = axes else { return None };
    match boundary.location()[..] {
        [a, b] if x.contains(&a) && y.contains(&b) => Some([a, b]),
        _ => None,
    }
}
