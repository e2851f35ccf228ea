//! Figure 3: units of two inputs: their paths over training, and what the network decides where.

use super::{Drawn, Figure, csv, drawn, unit_colour};
use crate::analysis::Subject;
use crate::analysis::subject::{inputs, targets};
use crate::device::Device;
use crate::evaluate::put_weights;
use crate::failure::Failure;
use crate::rows::Rows;
use crate::session::{Programs, Session};
use crate::trajectory::Trajectory;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::sync::Arc;

/// The paper's axes of the paths.
const PATHS: std::ops::Range<f64> = -3.0..3.0;
/// The paper's axes of the decisions, both inputs standardized.
const DECISIONS: std::ops::Range<f64> = -4.5..4.5;
/// Places of the decision's grid along each axis, as in the paper.
const GRID: usize = 100;
/// Points of a path at most.
const POINTS: usize = 300;
/// Crosses along a path at most.
const CROSSES: usize = 12;
/// Rows of data drawn in a panel at most; the table has them all.
const ROWS: usize = 250;
/// Rows of the grid in one band of colour; the contour uses every one.
const BAND: usize = 2;

/// A unit's way: epochs or steps done, and its characteristic point.
type Path = Vec<(u64, f64, f64)>;

/// Figure 3a to h: where each unit's characteristic point went. `None` where no run recorded units of two inputs.
///
/// # Errors
/// The drawing failed.
pub fn trajectories(subjects: &[Subject]) -> Result<Option<Figure>, Failure> {
    let of_two = |subject: &&Subject| subject.trajectories.first().is_some_and(|t| t.first.fan_in == 2);
    let runs: Vec<&Subject> = subjects.iter().filter(of_two).collect();
    if runs.is_empty() {
        return Ok(None);
    }
    let paths: Vec<(String, Vec<Path>)> =
        runs.iter().map(|run| (run.title(), run.trajectories.first().map(paths).unwrap_or_default())).collect();
    let mut svg = String::new();
    drawn(panels(&mut svg, paths.len(), |place, area| draw_paths(area, &paths[place].0, &paths[place].1)))?;
    let mut lines = Vec::new();
    for (run, units) in &paths {
        for (unit, path) in units.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // epochs stay far below 2^53
            lines.extend(path.iter().map(|(time, x, y)| (format!("{run},{unit}"), vec![*time as f64, *x, *y])));
        }
    }
    let caption = "the characteristic point of every unit over training".to_string();
    Ok(Some(Figure { name: "figure-3a-h".into(), caption, svg, csv: csv("run,unit,time,phi1,phi2", lines) }))
}

fn paths(trajectory: &Trajectory) -> Vec<Path> {
    let step = trajectory.records().div_ceil(POINTS).max(1);
    let path = |unit: usize| {
        let records = (0..trajectory.records()).step_by(step);
        let point = |record: usize| {
            let phi = trajectory.boundary(record, unit)?.location();
            Some((trajectory.time(record), *phi.first()?, *phi.get(1)?))
        };
        records.filter_map(point).collect()
    };
    (0..trajectory.first.units).map(path).collect()
}

/// Two panels across.
fn panels(
    svg: &mut String,
    count: usize,
    mut draw: impl FnMut(usize, &DrawingArea<SVGBackend<'_>, Shift>) -> Drawn,
) -> Drawn {
    let across = count.clamp(1, 2);
    let down = count.div_ceil(across).max(1);
    let size = |count: usize| 430 * u32::try_from(count).unwrap_or(1);
    let root = SVGBackend::with_string(svg, (size(across), size(down))).into_drawing_area();
    root.fill(&WHITE)?;
    for (place, area) in root.split_evenly((down, across)).iter().enumerate().take(count) {
        draw(place, area)?;
    }
    root.present()?;
    Ok(())
}

fn draw_paths(area: &DrawingArea<SVGBackend<'_>, Shift>, title: &str, units: &[Path]) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(34)
        .y_label_area_size(40)
        .build_cartesian_2d(PATHS, PATHS)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("x1").y_desc("x2").draw()?;
    for (unit, path) in units.iter().enumerate() {
        let colour = unit_colour(unit);
        let points = || path.iter().map(|(_, x, y)| (*x, *y));
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(1)))?;
        let inside = |(x, y): &(f64, f64)| PATHS.contains(x) && PATHS.contains(y);
        let crosses = points().step_by(path.len().div_ceil(CROSSES).max(1)).filter(inside);
        chart.draw_series(crosses.map(|at| Cross::new(at, 2, colour.mix(0.7))))?;
        if let Some((_, x, y)) = path.last().filter(|(_, x, y)| PATHS.contains(x) && PATHS.contains(y)) {
            chart.draw_series([Circle::new((*x, *y), 5, colour.filled())])?;
        }
    }
    Ok(())
}

/// One run's decisions.
struct Decision {
    run: String,
    /// With its figure on the test rows.
    title: String,
    /// Probability of the second class at each place of the grid, rows of x2 first.
    values: Vec<f64>,
    /// x1, x2, class.
    rows: Vec<[f64; 3]>,
    /// Every unit's characteristic point at the end.
    stars: Vec<(f64, f64)>,
}

/// Figure 3j to m: the probability of the second of two classes over the plane, the training rows, and a star at each unit's
/// characteristic point. `None` where no run has two inputs, two classes and one score.
///
/// # Errors
/// The network cannot be run, or the drawing failed.
pub fn decisions(subjects: &[Subject], device: &Arc<dyn Device>) -> Result<Option<Figure>, Failure> {
    let mut found = Vec::new();
    for subject in subjects {
        found.extend(decision(subject, device)?);
    }
    if found.is_empty() {
        return Ok(None);
    }
    let mut svg = String::new();
    drawn(panels(&mut svg, found.len(), |place, area| draw_decision(area, &found[place])))?;
    let mut lines = Vec::new();
    for one in &found {
        let name = |kind: &str| format!("{},{kind}", one.run);
        lines.extend(
            one.values.iter().enumerate().map(|(k, p)| (name("grid"), vec![place(k % GRID), place(k / GRID), *p])),
        );
        lines.extend(one.rows.iter().map(|row| (name("row"), row.to_vec())));
        lines.extend(one.stars.iter().map(|(x, y)| (name("star"), vec![*x, *y, f64::NAN])));
    }
    let caption = "what the network decides where; stars: the characteristic points of its units".to_string();
    Ok(Some(Figure { name: "figure-3j-m".into(), caption, svg, csv: csv("run,kind,x1,x2,value", lines) }))
}

/// A place of the grid.
#[allow(clippy::cast_precision_loss)] // a hundred places
fn place(k: usize) -> f64 {
    DECISIONS.start + (DECISIONS.end - DECISIONS.start) * k as f64 / (GRID - 1) as f64
}

fn decision(subject: &Subject, device: &Arc<dyn Device>) -> Result<Option<Decision>, Failure> {
    let network = &subject.network;
    let fits = subject.about.inputs.classes == Some(2) && network.net.target_shape == [1];
    let Some(tables) = subject.tables.as_ref().filter(|tables| fits && tables.train.width() == 2) else {
        return Ok(None);
    };
    let grid: Vec<f64> = (0..GRID * GRID).flat_map(|k| [place(k % GRID), place(k / GRID)]).collect();
    let mut session = Session::new(Arc::clone(device), Arc::clone(network) as Arc<dyn Programs>);
    put_weights(&mut session, &subject.folder, &subject.about)?;
    let scores = session.predict(&Rows::new(network.precision(), GRID * GRID, &grid, &[]))?;
    let values = scores.iter().map(|score| 1.0 / (1.0 + libm::exp(-score))).collect();
    let x = inputs(&tables.train, network).unwrap_or_default();
    let classes = targets(&tables.train, network);
    let rows = x.as_chunks::<2>().0.iter().zip(classes).map(|([a, b], class)| [*a, *b, class]).collect();
    let units = subject.first_layers().into_iter().next().map(|first| subject.effective(first.layer)).transpose()?;
    let stars = units.map(|units| (0..units.units()).filter_map(|unit| point(&units, unit)).collect());
    let run = subject.title();
    Ok(Some(Decision { run, title: subject.title_with_result(), values, rows, stars: stars.unwrap_or_default() }))
}

fn point(units: &gmpc_compiler::boundary::Effective, unit: usize) -> Option<(f64, f64)> {
    let phi = units.boundary(unit)?.location();
    Some((*phi.first()?, *phi.get(1)?))
}

fn draw_decision(area: &DrawingArea<SVGBackend<'_>, Shift>, one: &Decision) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .caption(&one.title, ("sans-serif", 15))
        .x_label_area_size(34)
        .y_label_area_size(40)
        .build_cartesian_2d(DECISIONS, DECISIONS)?;
    chart.configure_mesh().disable_mesh().x_desc("x1").y_desc("x2").draw()?;
    let step = place(1) - place(0);
    chart.draw_series(one.values.chunks(GRID).enumerate().step_by(BAND).flat_map(|(row, values)| {
        bands(values).into_iter().map(move |(from, to, level)| {
            let (low, high) = (place(row) - 0.5 * step, place(row + BAND) - 0.5 * step);
            let shade = shade(level);
            Rectangle::new([(place(from) - 0.5 * step, low), (place(to) + 0.5 * step, high)], shade.filled())
        })
    }))?;
    chart.draw_series(contour(&one.values).into_iter().map(|ends| PathElement::new(ends, BLACK.stroke_width(3))))?;
    for (class, colour) in [(0.0, RGBColor(30, 80, 160)), (1.0, RGBColor(150, 40, 20))] {
        let some = one.rows.iter().step_by(one.rows.len().div_ceil(ROWS).max(1));
        let of = some.filter(|[.., c]| (c - class).abs() < 0.5);
        chart.draw_series(of.map(|[x, y, _]| Circle::new((*x, *y), 2, colour.mix(0.7).filled())))?;
    }
    let seen = one.stars.iter().filter(|(x, y)| DECISIONS.contains(x) && DECISIONS.contains(y));
    chart.draw_series(seen.map(|at| EmptyElement::at(*at) + Polygon::new(star(), RED.filled())))?;
    Ok(())
}

/// Neighbours along a row of the same fifth of probability, as one rectangle.
fn bands(values: &[f64]) -> Vec<(usize, usize, usize)> {
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (k, value) in values.iter().enumerate() {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 4
        let level = (value * 5.0).clamp(0.0, 4.0) as usize;
        match found.last_mut().filter(|band| band.2 == level) {
            Some(band) => band.1 = k,
            None => found.push((k, k, level)),
        }
    }
    found
}

/// From blue over white to orange, pale enough for points to be seen.
fn shade(level: usize) -> RGBColor {
    let scale = [(150, 190, 230), (192, 216, 241), (244, 243, 240), (249, 214, 187), (243, 184, 140)];
    let (red, green, blue) = scale[level.min(scale.len() - 1)];
    RGBColor(red, green, blue)
}

/// Pieces of the line of probability one half: marching squares.
fn contour(values: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let at = |i: usize, j: usize| values.get(j * GRID + i).copied().unwrap_or(0.0) - 0.5;
    let mut pieces = Vec::new();
    for (i, j) in (0..GRID - 1).flat_map(|j| (0..GRID - 1).map(move |i| (i, j))) {
        let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
        let mut ends = Vec::new();
        for (a, b) in corners.iter().zip(corners.iter().cycle().skip(1)) {
            let (before, after) = (at(a.0, a.1), at(b.0, b.1));
            if (before < 0.0) != (after < 0.0) {
                let t = before / (before - after);
                let mix = |a: usize, b: usize| place(a) + t * (place(b) - place(a));
                ends.push((mix(a.0, b.0), mix(a.1, b.1)));
            }
        }
        pieces.extend(ends.chunks(2).filter(|pair| pair.len() == 2).map(<[(f64, f64)]>::to_vec));
    }
    pieces
}

/// Five points, in pixels around the middle.
fn star() -> Vec<(i32, i32)> {
    let point = |k: i32| {
        let (angle, radius) = (f64::from(k) * std::f64::consts::PI / 5.0, if k % 2 == 0 { 9.0 } else { 3.6 });
        #[allow(clippy::cast_possible_truncation)] // a few pixels
        let pixel = |x: f64| (radius * x).round() as i32;
        (pixel(angle.sin()), pixel(-angle.cos()))
    };
    (0..10).map(point).collect()
}
