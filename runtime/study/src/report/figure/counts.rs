//! The number of linear regions over training.

use super::drift::time;
use super::{Figure, csv};
use crate::analysis::Run;
use crate::analysis::region::Counted;
use crate::report::plot::{Axis, Plot, WIDE, assigned};

/// The number of linear regions of runs over training; `None` if no run recorded it.
#[must_use]
pub fn over_training(counted: &[(&Run, Counted)]) -> Option<Figure> {
    let known: Vec<_> = counted.iter().filter(|(_, found)| !found.over_training.is_empty()).collect();
    let points = |found: &Counted| -> Vec<[f64; 2]> {
        found.over_training.iter().map(|(time, regions)| [*time as f64, *regions as f64]).collect()
    };
    let line = |((subject, found), class): (&&(&Run, Counted), String)| Line {
        name: subject.title(),
        class,
        points: points(found),
    };
    // All runs are in one plot, so their colours are unique whatever they train.
    let classes = assigned(known.iter().map(|(subject, _)| subject.about.param.as_str()));
    let lines: Vec<Line> = known.iter().zip(classes).map(line).collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    let last = all().map(|[time, _]| *time).reduce(f64::max)?;
    let most = all().map(|[_, regions]| *regions).fold(1.0, f64::max);
    let x = Axis::counts(time(known.iter().map(|(subject, _)| *subject)), 0.0..last.max(1.0));
    let mut plot = Plot::new("linear regions over training", x, Axis::counts("regions", 0.0..most * 1.05), WIDE);
    lines.iter().for_each(|line| plot.line(&line.name, &line.class, line.points.iter().copied(), 1.8));
    let rows = lines.iter().flat_map(|line| line.points.iter().map(|[t, n]| (line.name.clone(), vec![*t, *n])));
    let csv = csv("run,time,regions", rows);
    let key = lines.iter().map(|line| (line.class.clone(), line.name.clone())).collect();
    let caption = "The number of linear regions over the range of the training rows.".to_string();
    let title = "Linear regions over training".to_string();
    Some(Figure { name: "regions-over-training".into(), title, caption, plots: vec![plot], key, csv })
}

/// The counts of one run.
struct Line {
    name: String,
    class: String,
    points: Vec<[f64; 2]>,
}
