//! Figure 3, for units with two inputs: the paths of their characteristic points over training, and the decision
//! regions of the network.

use super::{Figure, csv, unit_class};
use crate::analysis::Run;
use crate::analysis::run::{inputs, targets};
use crate::report::plot::{Axis, Plot, SQUARE};
use gmpc_data::Rows;
use gmpc_device::Device;
use gmpc_runtime::failure::Failure;
use gmpc_runtime::program::session::{Programs, Session};
use gmpc_runtime::run::records::Trajectory;
use gmpc_runtime::task::evaluate::put_weights;
use std::ops::Range;
use std::sync::Arc;

/// The range of both axes of the paths in the paper.
const PATHS: Range<f64> = -3.0..3.0;
/// The range of both axes of the decision regions in the paper, for standardized inputs.
const DECISIONS: Range<f64> = -4.5..4.5;
/// Number of grid points along each axis, as in the paper.
const GRID: usize = 100;
/// Largest number of points of a path.
const POINTS: usize = 300;
/// Number of bands of probability.
const LEVELS: usize = 5;
/// Largest number of rows that are drawn in a panel. The table has all of them.
const ROWS: usize = 2000;

/// The path of a unit: epochs or steps done, and both coordinates of its characteristic point.
type Path = Vec<(u64, f64, f64)>;

/// Figure 3a to h: the path of each unit's characteristic point. `None` if no run recorded units with two inputs.
#[must_use]
pub fn trajectories(subjects: &[Run]) -> Option<Figure> {
    let of_two = |subject: &&Run| subject.trajectories.first().is_some_and(|t| t.first.fan_in == 2);
    let runs: Vec<&Run> = subjects.iter().filter(of_two).collect();
    if runs.is_empty() {
        return None;
    }
    let paths: Vec<(String, Vec<Path>)> =
        runs.iter().map(|run| (run.title(), run.trajectories.first().map(paths).unwrap_or_default())).collect();
    let wide = paths.iter().map(|(title, units)| draw_paths(title, units, PATHS));
    let close = paths.iter().map(|(title, units)| draw_paths(&format!("{title}, closer"), units, window(units)));
    let plots = wide.chain(close).collect();
    let mut lines = Vec::new();
    for (run, units) in &paths {
        for (unit, path) in units.iter().enumerate() {
            lines.extend(path.iter().map(|(time, x, y)| (format!("{run},{unit}"), vec![*time as f64, *x, *y])));
        }
    }
    let caption =
        "The characteristic point of every unit over training, a colour a unit; the large dot is its end. The \
                   same in two views: the paper's axes, and as close as the paths allow."
            .to_string();
    let title = "Figure 3a to h: trajectories of characteristic points".to_string();
    let csv = csv("run,unit,time,phi1,phi2", lines);
    Some(Figure { name: "figure-3a-h".into(), title, caption, plots, key: Vec::new(), csv })
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

/// A square that contains 99 % of the coordinates of the paths. Single points far outside do not enlarge it.
fn window(units: &[Path]) -> Range<f64> {
    let mut all: Vec<f64> = units.iter().flatten().flat_map(|(_, x, y)| [x.abs(), y.abs()]).collect();
    all.sort_by(f64::total_cmp);
    let reach = all.get(all.len() * 99 / 100).copied().filter(|reach| reach.is_finite() && *reach > 1e-6);
    let reach = 1.15 * reach.unwrap_or(PATHS.end);
    -reach..reach
}

fn draw_paths(title: &str, units: &[Path], view: Range<f64>) -> Plot {
    let mut plot = Plot::new(title, Axis::linear("x1", view.clone()), Axis::linear("x2", view), SQUARE);
    for (unit, path) in units.iter().enumerate() {
        let (name, class) = (format!("unit {unit}"), unit_class(unit));
        plot.line(&name, &class, path.iter().map(|(_, x, y)| [*x, *y]), 1.0);
        plot.dots(&name, &class, path.last().map(|(_, x, y)| [*x, *y]), 9.0);
    }
    plot
}

/// The decision regions of one run.
struct Decision {
    run: String,
    /// With the run's metric on the test rows.
    title: String,
    /// The names of its classes.
    labels: Vec<String>,
    /// Probability of the second class at each grid point, `[x2, x1]` in row-major order.
    values: Vec<f64>,
    /// x1, x2, class.
    rows: Vec<[f64; 3]>,
    /// The characteristic point of every unit with the final weights.
    stars: Vec<(f64, f64)>,
}

/// Figure 3j to m: the probability of the second of two classes over the plane, the training rows, and a star at the
/// characteristic point of each unit. `None` if no run has two inputs and two classes.
///
/// # Errors
/// The network of a run cannot run.
pub fn decisions(subjects: &[Run], device: &Arc<dyn Device>) -> Result<Option<Figure>, Failure> {
    let mut found = Vec::new();
    for subject in subjects {
        found.extend(decision(subject, device)?);
    }
    if found.is_empty() {
        return Ok(None);
    }
    let plots = found.iter().map(draw_decision).collect();
    // The table has every row, also where the plot shows some of them. A star has no value.
    let mut lines = Vec::new();
    for one in &found {
        let name = |kind: &str| format!("{},{kind}", one.run);
        lines.extend(
            one.values.iter().enumerate().map(|(k, p)| (name("grid"), vec![place(k % GRID), place(k / GRID), *p])),
        );
        lines.extend(one.rows.iter().map(|row| (name("row"), row.to_vec())));
        lines.extend(one.stars.iter().map(|(x, y)| (name("star"), vec![*x, *y, f64::NAN])));
    }
    let most = found.iter().map(|one| one.rows.len()).max().unwrap_or(0);
    let caption = format!(
        "The probability of the second class in fifths, with the line of one half. Dots are training rows of both classes{}, \
         stars the characteristic points of the units.",
        if most > ROWS {
            format!(" (of more than {ROWS} rows, evenly spaced; the table has all of them)")
        } else {
            String::new()
        }
    );
    let title = "Figure 3j to m: decisions".to_string();
    let csv = csv("run,kind,x1,x2,value", lines);
    Ok(Some(Figure { name: "figure-3j-m".into(), title, caption, plots, key: key(&found), csv }))
}

/// What the colours stand for; classes by their names where all runs have the same.
fn key(found: &[Decision]) -> Vec<(String, String)> {
    let same = found.windows(2).all(|pair| pair[0].labels == pair[1].labels);
    let class = |at: usize| match found.first().and_then(|one| one.labels.get(at)).filter(|_| same) {
        Some(label) => format!("row of class {label}"),
        None => format!("row of the {} class", ["first", "second"][at]),
    };
    let levels = (0..LEVELS).map(|level| (format!("c-level{level}"), fifth(level)));
    let marks = [("c-class0", class(0)), ("c-class1", class(1)), ("c-star", "characteristic point of a unit".into())];
    levels.chain(marks.map(|(colour, name)| (colour.to_string(), name))).collect()
}

/// `probability 0.2 to 0.4`
fn fifth(level: usize) -> String {
    let [low, high] = [level, level + 1].map(|edge| edge as f64 / LEVELS as f64);
    format!("probability {low} to {high}")
}

/// The coordinate of a grid point.
fn place(k: usize) -> f64 {
    DECISIONS.start + (DECISIONS.end - DECISIONS.start) * k as f64 / (GRID - 1) as f64
}

fn decision(subject: &Run, device: &Arc<dyn Device>) -> Result<Option<Decision>, Failure> {
    let network = &subject.network;
    // One score with `binary_cross_entropy`, or one for each class with `cross_entropy`.
    let scores = network.net.layers.get(network.net.output).map_or(0, |layer| layer.shape.iter().product());
    let fits = subject.about.inputs.classes == Some(2) && matches!(scores, 1 | 2);
    let Some(tables) = subject.tables.as_ref().filter(|tables| fits && tables.train.width() == 2) else {
        return Ok(None);
    };
    let grid: Vec<f64> = (0..GRID * GRID).flat_map(|k| [place(k % GRID), place(k / GRID)]).collect();
    let mut session = Session::new(Arc::clone(device), Arc::clone(network) as Arc<dyn Programs>);
    put_weights(&mut session, &subject.folder, &subject.about)?;
    let predicted = session.predict(&Rows::new(network.precision(), GRID * GRID, &grid, &[]))?;
    // The softmax of two scores is the sigmoid of their difference.
    let score = |of: &[f64]| if let [no, yes] = of { yes - no } else { of.first().copied().unwrap_or(f64::NAN) };
    let values = predicted.chunks(scores).map(|of| 1.0 / (1.0 + libm::exp(-score(of)))).collect();
    let x = inputs(&tables.train, network).unwrap_or_default();
    let classes = targets(&tables.train, network);
    let rows = x.as_chunks::<2>().0.iter().zip(classes).map(|([a, b], class)| [*a, *b, class]).collect();
    let units = subject.first_layers().into_iter().next().map(|first| subject.effective(first.layer)).transpose()?;
    let stars = units.map(|units| (0..units.units()).filter_map(|unit| point(&units, unit)).collect());
    let run = subject.title();
    let (title, labels) = (subject.title_with_result(), subject.about.inputs.labels.clone());
    Ok(Some(Decision { run, title, labels, values, rows, stars: stars.unwrap_or_default() }))
}

fn point(units: &gmpc_compiler::graphs::boundary::Effective, unit: usize) -> Option<(f64, f64)> {
    let phi = units.boundary(unit)?.location();
    Some((*phi.first()?, *phi.get(1)?))
}

fn draw_decision(one: &Decision) -> Plot {
    let mut plot = Plot::new(&one.title, Axis::linear("x1", DECISIONS), Axis::linear("x2", DECISIONS), SQUARE);
    let step = place(1) - place(0);
    for level in 0..LEVELS {
        let boxes = one.values.chunks(GRID).enumerate().flat_map(|(row, values)| {
            let of_level = bands(values).into_iter().filter(move |band| band.2 == level);
            of_level.map(move |(from, to, _)| {
                let (low, high) = (place(row) - 0.5 * step, place(row) + 0.5 * step);
                let (left, right) = (place(from) - 0.5 * step, place(to) + 0.5 * step);
                vec![[left, low], [right, low], [right, high], [left, high]]
            })
        });
        plot.polygons(&fifth(level), &format!("c-level{level}"), boxes, 1.0);
    }
    // The contour, the rows and the stars are drawn over the bands of probability.
    let pieces = contour(&one.values);
    let pieces = pieces.iter().filter_map(|ends| <[(f64, f64); 2]>::try_from(ends.as_slice()).ok());
    plot.segments("probability one half", "c-edge", pieces.map(|ends| ends.map(|(x, y)| [x, y])), 2.5, 1.0);
    for (class, colour) in [(0.0, "c-class0"), (1.0, "c-class1")] {
        let some = one.rows.iter().step_by(one.rows.len().div_ceil(ROWS).max(1));
        let of = some.filter(|[.., c]| (c - class).abs() < 0.5);
        plot.dots(&format!("row of class {class}"), colour, of.map(|[x, y, _]| [*x, *y]), 4.0);
    }
    let seen = one.stars.iter().filter(|(x, y)| DECISIONS.contains(x) && DECISIONS.contains(y));
    plot.polygons("characteristic point", "c-star", seen.map(|(x, y)| star(*x, *y)), 1.0);
    plot
}

/// Joins neighbouring grid points in a row whose probabilities are in the same band to one rectangle.
fn bands(values: &[f64]) -> Vec<(usize, usize, usize)> {
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (k, value) in values.iter().enumerate() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4")]
        let level = ((value * 5.0).clamp(0.0, 4.0) as usize).min(LEVELS - 1);
        match found.last_mut().filter(|band| band.2 == level) {
            Some(band) => band.1 = k,
            None => found.push((k, k, level)),
        }
    }
    found
}

/// Pieces of the contour line at probability one half, by marching squares.
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

/// The corners of a star with five points.
fn star(x: f64, y: f64) -> Vec<[f64; 2]> {
    let point = |k: u8| {
        let (angle, radius) = (f64::from(k) * std::f64::consts::PI / 5.0, if k.is_multiple_of(2) { 0.2 } else { 0.08 });
        [x + radius * angle.sin(), y + radius * angle.cos()]
    };
    (0..10).map(point).collect()
}
