//! Figures 2c and 3i: the largest movement of any unit's boundary from record to record.

use super::{Figure, classes, csv, experiment, range, together};
use crate::analysis::{Stability, Subject, stability};
use crate::report::plot::{Axis, Plot, Scale, WIDE};
use crate::trajectory::Trajectory;
use gmpc_compiler::experiment::Every;
use std::ops::Range;

/// Points of a line at most; a longer series shows the largest of its neighbours.
const POINTS: usize = 600;
/// The paper's axis, as powers of two.
const EXPONENTS: Range<f64> = -16.0..16.0;

/// One run's line.
struct Series {
    name: String,
    /// Its model and data set.
    experiment: String,
    class: String,
    /// Epochs or steps done, and the movement since the record before.
    points: Vec<(f64, f64)>,
}

/// A figure that is to be drawn.
struct What {
    name: &'static str,
    title: &'static str,
    /// What is measured, at length and at the axis.
    words: &'static str,
    label: &'static str,
}

/// Figure 2c: of the locations. `None` where nothing was recorded.
#[must_use]
pub fn location(subjects: &[Subject]) -> Option<Figure> {
    let what = What {
        name: "figure-2c",
        title: "Figure 2c: how far characteristic points move",
        words: "largest movement of a point, max |φ(t + 1) - φ(t)|",
        label: "max |Δφ|",
    };
    figure(&what, time(subjects), &EXPONENTS, &series(subjects, 1, |found| &found.location_steps))
}

/// Figure 3i: of the directions, which need two inputs at least.
#[must_use]
pub fn direction(subjects: &[Subject]) -> Option<Figure> {
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

/// Of the runs whose first recorded layer has so many inputs or more.
fn series(subjects: &[Subject], inputs: usize, of: fn(&Stability) -> &Vec<f64>) -> Vec<Series> {
    let fits = |subject: &&Subject| subject.trajectories.first().is_some_and(|t| t.first.fan_in >= inputs);
    let recorded: Vec<&Subject> = subjects.iter().filter(fits).collect();
    let classes = classes(&recorded);
    let one = |(subject, class): (&&Subject, String)| {
        let trajectory: &Trajectory = subject.trajectories.first()?;
        let found = stability(trajectory);
        #[allow(clippy::cast_precision_loss)] // epochs and steps stay far below 2^53
        let points = of(&found).iter().enumerate().map(|(k, y)| (trajectory.time(k + 1) as f64, *y)).collect();
        Some(Series { name: subject.title(), experiment: experiment(subject), class, points })
    };
    recorded.iter().zip(classes).filter_map(one).collect()
}

/// What time is counted in.
pub(super) fn time(subjects: &[Subject]) -> &'static str {
    let every = subjects.iter().filter_map(|subject| subject.trajectories.first()).map(|trajectory| trajectory.every);
    if every.clone().any(|every| matches!(every, Every::Steps(_))) { "epoch or step" } else { "epoch" }
}

/// A drawing for each model and data set, so that runs of like length stand together.
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
    let caption =
        format!("The {}, on a scale of powers of two. What did not move at all lies at the lower edge.", what.words);
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

/// At most so many points, each the largest of its neighbours.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(POINTS).max(1);
    let largest =
        |group: &[(f64, f64)]| group.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
    points.chunks(group).filter_map(largest).collect()
}
