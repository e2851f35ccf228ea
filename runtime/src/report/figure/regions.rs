//! The linear regions of a network on the plane, and every unit's bent boundary.

use super::{Drawn, Figure, csv, drawn, unit_colour};
use crate::analysis::Subject;
use crate::analysis::region::Counted;
use crate::failure::Failure;
use plotters::prelude::*;

/// One drawing for a run.
///
/// # Errors
/// The drawing failed.
pub fn figure(subject: &Subject, counted: &Counted) -> Result<Figure, Failure> {
    let mut svg = String::new();
    let when = counted.at.map_or(String::new(), |time| format!(" at {time}"));
    let title = format!("{}{when}: {} linear regions", subject.title(), counted.end.regions.len());
    drawn(draw(&mut svg, &title, counted))?;
    let layer = |place: usize| subject.network.net.layers.get(place).map_or("", |layer| layer.name.as_str());
    let rows = counted.end.creases.iter().map(|crease| {
        let name = format!("{},{}", layer(crease.layer), crease.unit);
        (name, vec![crease.from[0], crease.from[1], crease.to[0], crease.to[1]])
    });
    let csv = csv("layer,unit,from_x1,from_x2,to_x1,to_x2", rows);
    let caption = "linear regions, and the boundaries of all units; those of deeper layers are bent".to_string();
    let when = counted.at.map_or(String::new(), |time| format!("-at-{time}"));
    Ok(Figure { name: format!("regions-{}{when}", subject.title()), caption, svg, csv })
}

fn draw(svg: &mut String, title: &str, counted: &Counted) -> Drawn {
    let [low, high] = counted.window;
    let root = SVGBackend::with_string(svg, (620, 600)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(36)
        .y_label_area_size(44)
        .build_cartesian_2d(low[0]..high[0], low[1]..high[1])?;
    chart.configure_mesh().disable_mesh().x_desc("x1").y_desc("x2").draw()?;
    let corners = |corners: &[[f64; 2]]| corners.iter().map(|[x, y]| (*x, *y)).collect::<Vec<_>>();
    // Pale, so that lines are seen; neighbours differ.
    chart.draw_series(
        counted
            .end
            .regions
            .iter()
            .enumerate()
            .map(|(place, region)| Polygon::new(corners(&region.corners), unit_colour(place).mix(0.14).filled())),
    )?;
    let mut layers: Vec<usize> = counted.end.creases.iter().map(|crease| crease.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    chart.draw_series(counted.end.creases.iter().map(|crease| {
        let depth = layers.iter().position(|layer| *layer == crease.layer).unwrap_or(0);
        PathElement::new(corners(&[crease.from, crease.to]), unit_colour(depth).stroke_width(2))
    }))?;
    root.present()?;
    Ok(())
}
