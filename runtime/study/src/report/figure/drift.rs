//! Figures 2c and 3i: the largest drift of any unit's boundary between consecutive records.

use super::{Figure, classes, csv, experiment, range, together};
use crate::analysis::{Drift, Run, drift};
use crate::report::plot::{Axis, Plot, Scale, WIDE};
use gmpc_compiler::ir::experiment::Every;
use gmpc_runtime::run::records::Trajectory;
use std::ops::Range;

/// Largest number of points in a line. A longer series shows the largest of neighbouring points.
const POINTS: usize = 600;
/// The range of the paper's axis, as exponents of 2.
const EXPONENTS: Range<f64> = -16.0..16.0;

/// The line of one run.
struct Series {
    name: String,
    /// The run's model and data set.
    experiment: String,
    class: String,
    /// Number of epochs or steps done, and the drift since the record before.
    points: Vec<(f64, f64)>,
}

/// The texts of a figure.
struct What {
    name: &'static str,
    title: &'static str,
    /// What is measured: a phrase, and a short label for the axis.
    words: &'static str,
    label: &'static str,
}

/// Figure 2c, the drift of locations. `None` if nothing was recorded.
#[must_use]
pub fn location(subjects: &[Run]) -> Option<Figure> {
    let what = What {
        name: "figure-2c",
        title: "Figure 2c: how far characteristic points move",
        words: "largest drift of a point, max |φ(t + 1) - φ(t)|",
        label: "max |Δφ|",
    };
    let series = series(subjects, 1, |found| &found.location_steps);
    // The paper's axis, extended if a point moved further: a line that is cut off would seem to end there.
    let highest = series.iter().flat_map(|s| &s.points).map(|(_, y)| y.log2().ceil()).filter(|y| y.is_finite());
    let exponents = EXPONENTS.start..highest.fold(EXPONENTS.end, f64::max);
    figure(&what, time(subjects), &exponents, &series)
}

/// Figure 3i, the drift of directions, for layers with at least two inputs.
#[must_use]
pub fn direction(subjects: &[Run]) -> Option<Figure> {
    let what = What {
        name: "figure-3i",
        title: "Figure 3i: how far boundaries turn",
        words: "largest turn of a boundary per record, radians",
        label: "largest turn",
    };
    let series = series(subjects, 2, |found| &found.direction_steps);
    let exponents = series.iter().flat_map(|s| &s.points).map(|(_, y)| y.log2()).filter(|y| *y > EXPONENTS.start);
    figure(&what, time(subjects), &range(exponents, 0.04), &series)
}

/// The series of the runs whose first recorded layer has at least this number of inputs.
fn series(subjects: &[Run], inputs: usize, of: fn(&Drift) -> &Vec<f64>) -> Vec<Series> {
    let fits = |subject: &&Run| subject.trajectories.first().is_some_and(|t| t.first.fan_in >= inputs);
    let recorded: Vec<&Run> = subjects.iter().filter(fits).collect();
    let classes = classes(&recorded);
    let one = |(subject, class): (&&Run, String)| {
        let trajectory: &Trajectory = subject.trajectories.first()?;
        let found = drift(trajectory);
        let points = of(&found).iter().enumerate().map(|(k, y)| (trajectory.time(k + 1) as f64, *y)).collect();
        Some(Series { name: subject.title(), experiment: experiment(subject), class, points })
    };
    recorded.iter().zip(classes).filter_map(one).collect()
}

/// The unit of time for the axis.
pub(super) fn time<'a>(subjects: impl IntoIterator<Item = &'a Run>) -> &'static str {
    let every = subjects.into_iter().filter_map(|subject| subject.trajectories.first()).map(|t| t.every);
    let (steps, epochs): (Vec<_>, Vec<_>) = every.partition(|every| matches!(every, Every::Steps(_)));
    match (steps.is_empty(), epochs.is_empty()) {
        (true, _) => "epoch",
        (false, true) => "step",
        (false, false) => "epoch or step",
    }
}

/// One plot for each model and data set, so that runs of similar length are together.
fn figure(what: &What, time: &str, exponents: &Range<f64>, series: &[Series]) -> Option<Figure> {
    if series.iter().all(|series| series.points.is_empty()) {
        return None;
    }
    let experiments = together(series, |series| series.experiment.clone());
    let several = experiments.len() > 1;
    let draw = |(experiment, of): &(String, Vec<&Series>)| {
        let title = if several { format!("{experiment}: {}", what.label) } else { what.words.to_string() };
        plot(&title, time, Axis::scaled(what.label, exponents.clone(), Scale::Log2), of)
    };
    let rows = series.iter().flat_map(|s| s.points.iter().map(|(t, y)| (s.name.clone(), vec![*t, *y])));
    let csv = csv("run,time,movement", rows);
    let name = |s: &Series| if several { format!("{}: {}", s.experiment, s.name) } else { s.name.clone() };
    let key = series.iter().map(|s| (s.class.clone(), name(s))).collect();
    let caption = format!(
        "The {}, on a logarithmic scale to base 2. Points that moved less than 2⁻¹⁶ or not at all are at the lower edge.",
        what.words
    );
    let (name, title) = (what.name.to_string(), what.title.to_string());
    Some(Figure { name, title, caption, plots: experiments.iter().map(draw).collect(), key, csv })
}

fn plot(title: &str, time: &str, y: Axis, series: &[&Series]) -> Plot {
    let end = series.iter().filter_map(|s| s.points.last()).map(|(t, _)| *t).fold(1.0, f64::max);
    let (low, high) = (y.range.start, y.range.end);
    let mut plot = Plot::new(title, Axis::counts(time, 0.0..end), y, WIDE);
    for one in series {
        let points = thinned(&one.points).into_iter().map(|(t, y)| [t, y.log2().clamp(low, high)]);
        plot.line(&one.name, &one.class, points, 1.2);
    }
    plot
}

/// Reduces the points of a line: each point is the largest of its neighbours.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(POINTS).max(1);
    let largest =
        |group: &[(f64, f64)]| group.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
    points.chunks(group).filter_map(largest).collect()
}
