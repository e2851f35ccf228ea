//! Figures 2c and 3i: the largest movement of any unit's boundary from record to record.

use super::{Figure, classes, csv, range};
use crate::analysis::{Stability, Subject, stability};
use crate::report::plot::{Axis, Plot, Scale};
use crate::trajectory::Trajectory;
use gmpc_compiler::experiment::Every;
use std::ops::Range;

/// Points of a line at most; a longer series shows the largest of its neighbours.
const POINTS: usize = 600;
/// A wide panel, as in the paper.
const SIZE: [f64; 2] = [640.0, 320.0];
/// The paper's axis, as powers of two.
const EXPONENTS: Range<f64> = -16.0..16.0;

/// One run's line.
struct Series {
    name: String,
    class: String,
    /// Epochs or steps done, and the movement since the record before.
    points: Vec<(f64, f64)>,
}

/// Figure 2c: of the locations. `None` where nothing was recorded.
#[must_use]
pub fn location(subjects: &[Subject]) -> Option<Figure> {
    let series = series(subjects, |found| &found.location_steps);
    let title = "Figure 2c: how far characteristic points move";
    let what = "largest movement of a characteristic point, max |φ(t + 1) - φ(t)|";
    figure("figure-2c", title, what, "max |Δφ|", (time(subjects), EXPONENTS), series)
}

/// Figure 3i: of the directions, which need two inputs at least.
#[must_use]
pub fn direction(subjects: &[Subject]) -> Option<Figure> {
    let plane = |subject: &Subject| subject.trajectories.first().is_some_and(|t| t.first.fan_in > 1);
    if !subjects.iter().any(plane) {
        return None;
    }
    let series = series(subjects, |found| &found.direction_steps);
    let title = "Figure 3i: how far boundaries turn";
    let what = "largest turn of a boundary from record to record, radians";
    let exponents = series.iter().flat_map(|s| &s.points).map(|(_, y)| y.log2()).filter(|y| *y > EXPONENTS.start);
    let seen = range(exponents, 0.04);
    figure("figure-3i", title, what, "largest turn", (time(subjects), seen), series)
}

fn series(subjects: &[Subject], of: fn(&Stability) -> &Vec<f64>) -> Vec<Series> {
    let recorded: Vec<&Subject> = subjects.iter().filter(|subject| !subject.trajectories.is_empty()).collect();
    let classes = classes(&recorded);
    let one = |(subject, class): (&&Subject, String)| {
        let trajectory: &Trajectory = subject.trajectories.first()?;
        let found = stability(trajectory);
        #[allow(clippy::cast_precision_loss)] // epochs and steps stay far below 2^53
        let points = of(&found).iter().enumerate().map(|(k, y)| (trajectory.time(k + 1) as f64, *y)).collect();
        Some(Series { name: subject.title(), class, points })
    };
    recorded.iter().zip(classes).filter_map(one).collect()
}

/// What time is counted in.
pub(super) fn time(subjects: &[Subject]) -> &'static str {
    let every = subjects.iter().filter_map(|subject| subject.trajectories.first()).map(|trajectory| trajectory.every);
    if every.clone().any(|every| matches!(every, Every::Steps(_))) { "epoch or step" } else { "epoch" }
}

fn figure(
    name: &str,
    title: &str,
    what: &str,
    label: &str,
    (time, exponents): (&str, Range<f64>),
    series: Vec<Series>,
) -> Option<Figure> {
    if series.iter().all(|series| series.points.is_empty()) {
        return None;
    }
    let end = series.iter().filter_map(|s| s.points.last()).map(|(t, _)| *t).fold(1.0, f64::max);
    let y = Axis::scaled(label, exponents.clone(), Scale::Log2);
    let mut plot = Plot::new(what, Axis::linear(time, 0.0..end), y, SIZE);
    for one in &series {
        let points = thinned(&one.points).into_iter();
        let points = points.map(|(t, y)| [t, y.log2().clamp(exponents.start, exponents.end)]);
        plot.line(&one.name, &one.class, points, 1.2);
    }
    let rows = series.iter().flat_map(|s| s.points.iter().map(|(t, y)| (s.name.clone(), vec![*t, *y])));
    let csv = csv("run,time,movement", rows);
    let key = series.iter().map(|s| (s.class.clone(), s.name.clone())).collect();
    let caption = "On a scale of powers of two. What did not move at all lies at the lower edge.".to_string();
    Some(Figure { name: name.into(), title: title.into(), caption, plots: vec![plot], key, csv })
}

/// At most so many points, each the largest of its neighbours.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(POINTS).max(1);
    let largest =
        |group: &[(f64, f64)]| group.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
    points.chunks(group).filter_map(largest).collect()
}
