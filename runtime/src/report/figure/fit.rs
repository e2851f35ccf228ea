//! Figure 2d to g: the fit of networks of one input before and after training, and below it where their units switch.

use super::{Drawn, Figure, colour, csv, drawn, range};
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

/// Strips of characteristic points, from the first record at the bottom to the last at the top.
const STRIPS: usize = 11;
/// Points of a curve.
const POINTS: usize = 401;

/// One run's panel.
struct Panel {
    run: String,
    /// With its figure on the test rows.
    title: String,
    colour: RGBColor,
    rows: Vec<(f64, f64)>,
    /// x, prediction before training, prediction after.
    curve: Vec<[f64; 3]>,
    /// Epoch or step, and every unit's point.
    strips: Vec<(u64, Vec<f64>)>,
}

/// `None` where no run has one input and one output, and its data at hand.
///
/// # Errors
/// The network cannot be run, or the drawing failed.
pub fn figure(subjects: &[Subject], device: &Arc<dyn Device>) -> Result<Option<Figure>, Failure> {
    let mut panels = Vec::new();
    for (place, subject) in subjects.iter().enumerate() {
        panels.extend(panel(subject, place, device)?);
    }
    if panels.is_empty() {
        return Ok(None);
    }
    let mut svg = String::new();
    drawn(draw(&mut svg, &panels))?;
    let mut lines = Vec::new();
    for panel in &panels {
        let name = |kind: &str| format!("{},{kind}", panel.run);
        lines.extend(panel.rows.iter().map(|(x, y)| (name("row"), vec![*x, *y])));
        lines.extend(panel.curve.iter().map(|[x, before, _]| (name("before"), vec![*x, *before])));
        lines.extend(panel.curve.iter().map(|[x, _, after]| (name("after"), vec![*x, *after])));
        #[allow(clippy::cast_precision_loss)] // epochs stay far below 2^53
        let points = panel.strips.iter().flat_map(|(time, units)| units.iter().map(|phi| vec![*phi, *time as f64]));
        lines.extend(points.map(|numbers| (name("phi"), numbers)));
    }
    let caption = "the fit before (dashed) and after training, and the characteristic points over training".to_string();
    Ok(Some(Figure { name: "figure-2d-g".into(), caption, svg, csv: csv("run,kind,x,y", lines) }))
}

fn panel(subject: &Subject, place: usize, device: &Arc<dyn Device>) -> Result<Option<Panel>, Failure> {
    let network = &subject.network;
    let Some(tables) = subject.tables.as_ref().filter(|tables| tables.train.width() == 1) else { return Ok(None) };
    let Some(x) = inputs(&tables.train, network).filter(|_| network.net.target_shape == [1]) else { return Ok(None) };
    let rows: Vec<(f64, f64)> = x.iter().copied().zip(targets(&tables.train, network)).collect();
    let wide = range(x, 0.025);
    #[allow(clippy::cast_precision_loss)] // a few points
    let at = |k: usize| wide.start + (wide.end - wide.start) * k as f64 / (POINTS - 1) as f64;
    let grid: Vec<f64> = (0..POINTS).map(at).collect();
    let points = Rows::new(network.precision(), POINTS, &grid, &[]);
    let mut session = Session::new(Arc::clone(device), Arc::clone(network) as Arc<dyn Programs>);
    session.initialize(subject.about.seed)?;
    let before = session.predict(&points)?;
    put_weights(&mut session, &subject.folder, &subject.about)?;
    let after = session.predict(&points)?;
    let curve = grid.iter().zip(before).zip(after).map(|((x, before), after)| [*x, before, after]).collect();
    let strips = subject.trajectories.first().map(strips).unwrap_or_default();
    let (title, colour) = (subject.title_with_result(), colour(&subject.about.param, place));
    let run = subject.title();
    Ok(Some(Panel { run, title, colour, rows, curve, strips }))
}

fn strips(trajectory: &Trajectory) -> Vec<(u64, Vec<f64>)> {
    let last = trajectory.records().saturating_sub(1);
    let strip = |k: usize| {
        let record = last * k / (STRIPS - 1);
        let points = trajectory.boundaries(record).into_iter().flatten();
        (trajectory.time(record), points.filter_map(|b| b.location().first().copied()).collect())
    };
    (0..STRIPS).map(strip).collect()
}

fn draw(svg: &mut String, panels: &[Panel]) -> Drawn {
    let across = panels.len().min(2);
    let down = panels.len().div_ceil(across);
    let size = |count: usize, each: u32| each * u32::try_from(count).unwrap_or(1);
    let root = SVGBackend::with_string(svg, (size(across, 490), size(down, 480))).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root.split_evenly((down, across)).iter().zip(panels) {
        draw_panel(area, panel)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel) -> Drawn {
    let (top, bottom) = area.split_vertically(290);
    let wide = range(panel.curve.iter().map(|[x, ..]| *x), 0.0);
    let values = panel.curve.iter().flat_map(|[_, before, after]| [*before, *after]);
    let high = range(values.chain(panel.rows.iter().map(|(_, y)| *y)), 0.06);
    let mut chart = ChartBuilder::on(&top)
        .margin(10)
        .margin_right(22)
        .caption(&panel.title, ("sans-serif", 15))
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(wide.clone(), high)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).draw()?;
    chart.draw_series(panel.rows.iter().map(|(x, y)| Circle::new((*x, *y), 3, RED.filled())))?;
    let before = panel.curve.iter().map(|[x, y, _]| (*x, *y));
    chart.draw_series(DashedLineSeries::new(before, 6, 4, panel.colour.stroke_width(1)))?;
    chart.draw_series(LineSeries::new(panel.curve.iter().map(|[x, _, y]| (*x, *y)), panel.colour.stroke_width(2)))?;
    draw_strips(&bottom, panel, wide)
}

fn draw_strips(area: &DrawingArea<SVGBackend<'_>, Shift>, panel: &Panel, wide: std::ops::Range<f64>) -> Drawn {
    if panel.strips.is_empty() {
        return Ok(());
    }
    #[allow(clippy::cast_precision_loss)] // eleven strips
    let count = panel.strips.len() as f64;
    let times: Vec<u64> = panel.strips.iter().map(|(time, _)| *time).collect();
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(22)
        .x_label_area_size(34)
        .y_label_area_size(44)
        .build_cartesian_2d(wide.clone(), 0.0..count)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place among the strips
    let label = move |y: &f64| times.get(*y as usize).map_or(String::new(), u64::to_string);
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("phi, every unit's switching point")
        .y_label_formatter(&label)
        .draw()?;
    for (place, (_, points)) in panel.strips.iter().enumerate() {
        #[allow(clippy::cast_precision_loss)] // eleven strips
        let low = place as f64;
        let inside = points.iter().filter(|phi| wide.contains(phi));
        let colour = panel.colour.mix(0.45);
        chart.draw_series(inside.map(|phi| PathElement::new(vec![(*phi, low + 0.08), (*phi, low + 0.92)], colour)))?;
    }
    Ok(())
}
