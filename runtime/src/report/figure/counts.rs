//! How many linear regions networks had over training.

use super::{Drawn, Figure, colour, csv, drawn};
use crate::analysis::Subject;
use crate::analysis::region::Counted;
use crate::failure::Failure;
use plotters::prelude::*;

/// How many regions runs had over training; `None` where none of them recorded that.
///
/// # Errors
/// The drawing failed.
pub fn over_training(counted: &[(&Subject, Counted)]) -> Result<Option<Figure>, Failure> {
    let known: Vec<_> = counted.iter().filter(|(_, found)| !found.over_training.is_empty()).collect();
    if known.is_empty() {
        return Ok(None);
    }
    #[allow(clippy::cast_precision_loss)] // epochs, steps and regions stay far below 2^53
    let points = |found: &Counted| -> Vec<(f64, f64)> {
        found.over_training.iter().map(|(time, regions)| (*time as f64, *regions as f64)).collect()
    };
    let line = |(place, (subject, found)): (usize, &&(&Subject, Counted))| Line {
        name: subject.title(),
        colour: colour(&subject.about.param, place),
        points: points(found),
    };
    let lines: Vec<Line> = known.iter().enumerate().map(line).collect();
    let mut svg = String::new();
    drawn(draw_lines(&mut svg, &lines))?;
    let rows = lines.iter().flat_map(|line| line.points.iter().map(|(t, n)| (line.name.clone(), vec![*t, *n])));
    let csv = csv("run,time,regions", rows);
    let caption = "linear regions over training, over the range of the training rows".to_string();
    Ok(Some(Figure { name: "regions-over-training".to_string(), caption, svg, csv }))
}

/// One run's count over training.
struct Line {
    name: String,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

fn draw_lines(svg: &mut String, lines: &[Line]) -> Drawn {
    let root = SVGBackend::with_string(svg, (760, 380)).into_drawing_area();
    root.fill(&WHITE)?;
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let end = points().map(|(time, _)| *time).fold(1.0, f64::max);
    let most = points().map(|(_, regions)| *regions).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(28)
        .caption("linear regions over training", ("sans-serif", 15))
        .x_label_area_size(38)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("epochs or steps")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    for line in lines {
        let key = line.colour.stroke_width(3);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), line.colour.stroke_width(2)))?
            .label(line.name.clone())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], key));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}
