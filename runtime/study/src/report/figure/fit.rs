//! Figure 2d to g: the fit of networks with one input before and after training, and the locations of their boundaries.

use super::drift::time;
use super::{Figure, classes, csv, range};
use crate::analysis::Run;
use crate::analysis::run::{inputs, targets};
use crate::report::plot::{Axis, Plot, Scale, WIDE};
use gmpc_data::Rows;
use gmpc_device::Device;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::program::session::{Programs, Session};
use gmpc_runtime::run::records::Trajectory;
use gmpc_runtime::task::evaluate::put_weights;
use gmpc_runtime::task::start::{Beginning, begin};
use std::ops::Range;
use std::sync::Arc;

/// Number of strips of characteristic points, from the first record at the bottom to the last at the top.
const STRIPS: usize = 11;
/// Number of points of a curve.
const POINTS: usize = 401;
/// Size of the plot of characteristic points in pixels.
const STRIP: [f64; 2] = [470.0, 300.0];

/// The panel of one run.
struct Panel {
    run: String,
    /// With the run's metric on the test rows.
    title: String,
    class: String,
    rows: Vec<(f64, f64)>,
    /// The test rows. For a computed function they have no noise.
    test: Vec<(f64, f64)>,
    /// x, prediction before training, prediction after training.
    curve: Vec<[f64; 3]>,
    /// The epoch or step, and the location of every unit's boundary.
    strips: Vec<(u64, Vec<f64>)>,
    /// The unit of time: epochs or steps.
    time: &'static str,
}

/// The figure for runs with one input and one output whose data are available. `None` if there is no such run.
///
/// # Errors
/// The network of a run cannot run.
pub fn figure(subjects: &[Run], device: &Arc<dyn Device>) -> Result<Option<Figure>, Failure> {
    let mut panels = Vec::new();
    let is_line = |subject: &&Run| subject.tables.as_ref().is_some_and(|tables| tables.train.width() == 1);
    let all: Vec<&Run> = subjects.iter().filter(is_line).collect();
    for (subject, class) in all.iter().zip(classes(&all)) {
        panels.extend(panel(subject, class, device)?);
    }
    if panels.is_empty() {
        return Ok(None);
    }
    let high = heights(&panels);
    let plots = panels.iter().flat_map(|panel| [Some(fit(panel, &high)), spectrum(panel)]).flatten().collect();
    // The CSV has one row for each mark of the plots. Its second column says which mark it is.
    let mut lines = Vec::new();
    for panel in &panels {
        let name = |kind: &str| format!("{},{kind}", panel.run);
        lines.extend(panel.rows.iter().map(|(x, y)| (name("row"), vec![*x, *y])));
        lines.extend(panel.test.iter().map(|(x, y)| (name("test row"), vec![*x, *y])));
        lines.extend(panel.curve.iter().map(|[x, before, _]| (name("before"), vec![*x, *before])));
        lines.extend(panel.curve.iter().map(|[x, _, after]| (name("after"), vec![*x, *after])));
        let points = panel.strips.iter().flat_map(|(time, units)| units.iter().map(|phi| vec![*phi, *time as f64]));
        lines.extend(points.map(|numbers| (name("phi"), numbers)));
    }
    let caption = "The fit before (dashed) and after training; large dots are training rows, small ones test rows. Beside it are the \
                   characteristic points of all units over training, from the bottom to the top."
        .to_string();
    let (title, key) = ("Figure 2d to g: fit and characteristic points".to_string(), Vec::new());
    Ok(Some(Figure { name: "figure-2d-g".into(), title, caption, plots, key, csv: csv("run,kind,x,y", lines) }))
}

fn panel(subject: &Run, class: String, device: &Arc<dyn Device>) -> Result<Option<Panel>, Failure> {
    let network = &subject.network;
    let Some(tables) = subject.tables.as_ref().filter(|tables| tables.train.width() == 1) else { return Ok(None) };
    let Some(x) = inputs(&tables.train, network).filter(|_| network.net.target_shape == [1]) else { return Ok(None) };
    let rows: Vec<(f64, f64)> = x.iter().copied().zip(targets(&tables.train, network)).collect();
    let test = inputs(&tables.test, network).unwrap_or_default();
    let test = test.into_iter().zip(targets(&tables.test, network)).collect();
    let wide = range(x, 0.025);
    let at = |k: usize| wide.start + (wide.end - wide.start) * k as f64 / (POINTS - 1) as f64;
    let grid: Vec<f64> = (0..POINTS).map(at).collect();
    let points = Rows::new(network.precision(), POINTS, &grid, &[]);
    let mut session = Session::new(Arc::clone(device), Arc::clone(network) as Arc<dyn Programs>);
    let beside = subject.about.beside.as_deref();
    begin(&Beginning { network, tables, beside }, &mut session)?;
    let before = session.predict(&points)?;
    put_weights(&mut session, &subject.folder, &subject.about)?;
    let after = session.predict(&points)?;
    let curve = grid.iter().zip(before).zip(after).map(|((x, before), after)| [*x, before, after]).collect();
    let strips = subject.trajectories.first().map(strips).unwrap_or_default();
    let time = time(std::slice::from_ref(subject));
    let (run, title) = (subject.title(), subject.title_with_result());
    Ok(Some(Panel { run, title, class, rows, test, curve, strips, time }))
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

/// One y axis for all panels that contains every row, so that panels can be compared.
fn heights(panels: &[Panel]) -> Range<f64> {
    let values = |panel: &Panel| -> Vec<f64> {
        let curve = panel.curve.iter().flat_map(|[_, before, after]| [*before, *after]);
        curve.chain(panel.rows.iter().chain(&panel.test).map(|(_, y)| *y)).collect()
    };
    range(panels.iter().flat_map(values), 0.06)
}

/// The predictions of the network and the rows.
fn fit(panel: &Panel, high: &Range<f64>) -> Plot {
    let wide = range(panel.curve.iter().map(|[x, ..]| *x), 0.0);
    let mut plot = Plot::new(&panel.title, Axis::linear("x", wide), Axis::linear("y", high.clone()), WIDE);
    plot.dots("test row", "c-soft", panel.test.iter().map(|(x, y)| [*x, *y]), 2.0);
    plot.dots("training row", "c-ink", panel.rows.iter().map(|(x, y)| [*x, *y]), 5.0);
    plot.dashed("before training", &panel.class, panel.curve.iter().map(|[x, y, _]| [*x, *y]), 1.2);
    plot.line("after training", &panel.class, panel.curve.iter().map(|[x, _, y]| [*x, *y]), 2.0);
    plot
}

/// The locations of the boundaries, one strip above the other.
fn spectrum(panel: &Panel) -> Option<Plot> {
    if panel.strips.is_empty() {
        return None;
    }
    let wide = range(panel.curve.iter().map(|[x, ..]| *x), 0.0);
    let times = panel.strips.iter().map(|(time, _)| time.to_string()).collect();
    let y = Axis::scaled(panel.time, 0.0..panel.strips.len() as f64, Scale::Names(times));
    let x = Axis::linear("φ, the characteristic point of every unit", wide.clone());
    let mut plot = Plot::new(format!("{}: characteristic points", panel.run), x, y, STRIP);
    for (index, (_, points)) in panel.strips.iter().enumerate() {
        let low = index as f64;
        let inside = points.iter().filter(|phi| wide.contains(phi));
        let pieces = inside.map(|phi| [[*phi, low + 0.08], [*phi, low + 0.92]]);
        plot.segments("unit", &panel.class, pieces, 1.2, 0.5);
    }
    Some(plot)
}
