//! How many linear regions networks had over training.

use super::{Figure, csv};
use crate::analysis::Subject;
use crate::analysis::region::Counted;
use crate::report::plot::{Axis, Plot, WIDE, assigned};

/// How many regions runs had over training; `None` where none of them recorded that.
#[must_use]
pub fn over_training(counted: &[(&Subject, Counted)]) -> Option<Figure> {
    let known: Vec<_> = counted.iter().filter(|(_, found)| !found.over_training.is_empty()).collect();
    #[allow(clippy::cast_precision_loss)] // epochs, steps and regions stay far below 2^53
    let points = |found: &Counted| -> Vec<[f64; 2]> {
        found.over_training.iter().map(|(time, regions)| [*time as f64, *regions as f64]).collect()
    };
    let line = |((subject, found), class): (&&(&Subject, Counted), String)| Line {
        name: subject.title(),
        class,
        points: points(found),
    };
    // All stand in one drawing, whatever they are of.
    let classes = assigned(known.iter().map(|(subject, _)| subject.about.param.as_str()));
    let lines: Vec<Line> = known.iter().zip(classes).map(line).collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    let last = all().map(|[time, _]| *time).reduce(f64::max)?;
    let most = all().map(|[_, regions]| *regions).fold(1.0, f64::max);
    let x = Axis::counts("epoch or step", 0.0..last.max(1.0));
    let mut plot = Plot::new("linear regions over training", x, Axis::counts("regions", 0.0..most * 1.05), WIDE);
    lines.iter().for_each(|line| plot.line(&line.name, &line.class, line.points.iter().copied(), 1.8));
    let rows = lines.iter().flat_map(|line| line.points.iter().map(|[t, n]| (line.name.clone(), vec![*t, *n])));
    let csv = csv("run,time,regions", rows);
    let key = lines.iter().map(|line| (line.class.clone(), line.name.clone())).collect();
    let caption = "How many linear regions the networks had, over the range of the training rows.".to_string();
    let title = "Linear regions over training".to_string();
    Some(Figure { name: "regions-over-training".into(), title, caption, plots: vec![plot], key, csv })
}

/// One run's count over training.
struct Line {
    name: String,
    class: String,
    points: Vec<[f64; 2]>,
}
