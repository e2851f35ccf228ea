//! Figures 2c and 3i: the largest movement of any unit's boundary from record to record.

use super::{Drawn, Figure, colour, csv, drawn};
use crate::analysis::{Stability, Subject, stability};
use crate::failure::Failure;
use crate::trajectory::Trajectory;
use plotters::prelude::*;

/// Points of a line at most; a longer series shows the largest of its neighbours.
const POINTS: usize = 1200;
/// The paper's axis, as powers of two.
const EXPONENTS: std::ops::Range<f64> = -16.0..16.0;

/// One run's line.
struct Series {
    name: String,
    colour: RGBColor,
    /// Epochs or steps done, and the movement since the record before.
    points: Vec<(f64, f64)>,
}

/// Figure 2c: of the locations. `None` where nothing was recorded.
///
/// # Errors
/// The drawing failed.
pub fn location(subjects: &[Subject]) -> Result<Option<Figure>, Failure> {
    let series = series(subjects, |found| &found.location_steps);
    figure("figure-2c", "largest movement of a characteristic point, max |phi(t + 1) - phi(t)|", &series)
}

/// Figure 3i: of the directions, which need two inputs at least.
///
/// # Errors
/// The drawing failed.
pub fn direction(subjects: &[Subject]) -> Result<Option<Figure>, Failure> {
    let plane = |subject: &&Subject| subject.trajectories.first().is_some_and(|t| t.first.fan_in > 1);
    if !subjects.iter().any(|subject| plane(&subject)) {
        return Ok(None);
    }
    let series = series(subjects, |found| &found.direction_steps);
    figure("figure-3i", "largest turn of a boundary from record to record, radians", &series)
}

fn series(subjects: &[Subject], of: fn(&Stability) -> &Vec<f64>) -> Vec<Series> {
    let one = |(place, subject): (usize, &Subject)| {
        let trajectory: &Trajectory = subject.trajectories.first()?;
        let found = stability(trajectory);
        #[allow(clippy::cast_precision_loss)] // epochs and steps stay far below 2^53
        let points = of(&found).iter().enumerate().map(|(k, y)| (trajectory.time(k + 1) as f64, *y)).collect();
        let param = &subject.about.param;
        Some(Series { name: subject.title(), colour: colour(param, place), points })
    };
    subjects.iter().enumerate().filter_map(one).collect()
}

fn figure(name: &str, what: &str, series: &[Series]) -> Result<Option<Figure>, Failure> {
    if series.iter().all(|series| series.points.is_empty()) {
        return Ok(None);
    }
    let mut svg = String::new();
    drawn(draw(&mut svg, what, series))?;
    let rows = series.iter().flat_map(|s| s.points.iter().map(|(t, y)| (s.name.clone(), vec![*t, *y])));
    let (name, caption) = (name.to_string(), format!("{what}, log scale"));
    Ok(Some(Figure { name, caption, svg, csv: csv("run,time,movement", rows) }))
}

fn draw(svg: &mut String, what: &str, series: &[Series]) -> Drawn {
    let root = SVGBackend::with_string(svg, (980, 380)).into_drawing_area();
    root.fill(&WHITE)?;
    let end = series.iter().filter_map(|s| s.points.last()).map(|(t, _)| *t).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(28)
        .caption(what, ("sans-serif", 15))
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..end, EXPONENTS)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("epochs or steps")
        .y_labels(9)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("2^{y:.0}"))
        .draw()?;
    for one in series {
        let line = one.colour.stroke_width(1);
        let points = thinned(&one.points).into_iter().map(|(t, y)| (t, y.log2().clamp(EXPONENTS.start, EXPONENTS.end)));
        let key = one.colour.stroke_width(3);
        chart
            .draw_series(LineSeries::new(points, line))?
            .label(one.name.clone())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], key));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// At most so many points, each the largest of its neighbours.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let group = points.len().div_ceil(POINTS).max(1);
    let largest =
        |group: &[(f64, f64)]| group.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
    points.chunks(group).filter_map(largest).collect()
}
