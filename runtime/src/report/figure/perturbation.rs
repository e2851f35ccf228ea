//! Figure 1: a unit's boundary in the plane before and after the same small number was added to each of its parameters.

use super::{Drawn, Figure, colour, csv, drawn};
use crate::analysis::Perturbed;
use crate::failure::Failure;
use gmpc_compiler::boundary::Boundary;
use plotters::coord::Shift;
use plotters::prelude::*;

/// The paper's axes, both.
const AXIS: std::ops::Range<f64> = -1.0..0.75;

/// One panel for each perturbation. `None` for units with other than two inputs.
///
/// # Errors
/// The drawing failed.
pub fn figure(found: &[Perturbed]) -> Result<Option<Figure>, Failure> {
    if found.first().is_none_or(|one| one.before.direction.len() != 2) {
        return Ok(None);
    }
    let mut svg = String::new();
    drawn(draw(&mut svg, found))?;
    let row = |one: &Perturbed| {
        let boundary = |of: &Boundary| [of.direction.clone(), vec![of.offset], of.location()].concat();
        let bound = one.bound.unwrap_or(f64::NAN);
        (one.param.clone(), [vec![one.delta, one.turn, bound], boundary(&one.before), boundary(&one.after)].concat())
    };
    let header = "param,eps,turn,bound,u1,u2,lambda,phi1,phi2,new_u1,new_u2,new_lambda,new_phi1,new_phi2";
    let caption = "a characteristic boundary before and after every parameter was changed by eps".to_string();
    Ok(Some(Figure { name: "figure-1".into(), caption, svg, csv: csv(header, found.iter().map(row)) }))
}

fn draw(svg: &mut String, found: &[Perturbed]) -> Drawn {
    let mut deltas: Vec<f64> = found.iter().map(|one| one.delta).collect();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    let width = 260 * u32::try_from(deltas.len()).unwrap_or(1);
    let root = SVGBackend::with_string(svg, (width, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    let (panels, foot) = root.split_vertically(290);
    for (panel, delta) in panels.split_evenly((1, deltas.len())).iter().zip(&deltas) {
        let of: Vec<&Perturbed> = found.iter().filter(|one| (one.delta - delta).abs() <= 0.0).collect();
        draw_panel(panel, *delta, &of)?;
    }
    key(&foot, found)?;
    root.present()?;
    Ok(())
}

fn draw_panel(panel: &DrawingArea<SVGBackend<'_>, Shift>, delta: f64, found: &[&Perturbed]) -> Drawn {
    let mut chart = ChartBuilder::on(panel)
        .margin(8)
        .caption(format!("eps = {delta}"), ("sans-serif", 14))
        .build_cartesian_2d(AXIS, AXIS)?;
    chart.configure_mesh().disable_mesh().disable_axes().draw()?;
    chart.draw_series([Rectangle::new([(AXIS.start, AXIS.start), (AXIS.end, AXIS.end)], BLACK.mix(0.4))])?;
    let brown = RGBColor(140, 86, 75);
    if let Some(one) = found.first() {
        chart.draw_series(line(&one.before).map(|ends| PathElement::new(ends.to_vec(), brown.stroke_width(4))))?;
        draw_location(&mut chart, &one.before, brown)?;
    }
    for (place, one) in found.iter().enumerate() {
        let colour = colour(&one.param, place);
        chart.draw_series(line(&one.after).map(|ends| PathElement::new(ends.to_vec(), colour.stroke_width(2))))?;
        draw_location(&mut chart, &one.after, colour)?;
    }
    Ok(())
}

type Plane<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// A dot at phi, and a thin line to it from the origin.
fn draw_location(chart: &mut Plane<'_, '_>, boundary: &Boundary, colour: RGBColor) -> Drawn {
    let phi = boundary.location();
    let [x, y] = phi[..] else { return Ok(()) };
    if AXIS.contains(&x) && AXIS.contains(&y) {
        chart.draw_series([PathElement::new(vec![(0.0, 0.0), (x, y)], colour.mix(0.5))])?;
        chart.draw_series([Circle::new((x, y), 4, colour.filled())])?;
    }
    Ok(())
}

/// Where the boundary enters and leaves the picture.
fn line(boundary: &Boundary) -> Option<[(f64, f64); 2]> {
    let [u, v] = boundary.direction[..] else { return None };
    let value = |(x, y): (f64, f64)| u * x + v * y + boundary.offset;
    let corners = [(AXIS.start, AXIS.start), (AXIS.end, AXIS.start), (AXIS.end, AXIS.end), (AXIS.start, AXIS.end)];
    let mut ends = Vec::new();
    for (a, b) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        let (before, after) = (value(*a), value(*b));
        if (before < 0.0) != (after < 0.0) {
            let t = before / (before - after);
            ends.push((a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1)));
        }
    }
    <[(f64, f64); 2]>::try_from(ends).ok()
}

/// What the colours mean, with the turns.
fn key(foot: &DrawingArea<SVGBackend<'_>, Shift>, found: &[Perturbed]) -> Drawn {
    let mut names = vec![("before".to_string(), RGBColor(140, 86, 75))];
    let smallest = found.first().map_or(0.0, |one| one.delta);
    let after = found.iter().filter(|one| (one.delta - smallest).abs() <= 0.0).enumerate();
    names.extend(after.map(|(place, one)| (one.param.clone(), colour(&one.param, place))));
    for (place, (name, colour)) in names.iter().enumerate() {
        let x = 20 + 120 * i32::try_from(place).unwrap_or(0);
        foot.draw(&PathElement::new(vec![(x, 30), (x + 22, 30)], colour.stroke_width(4)))?;
        foot.draw(&Text::new(name.clone(), (x + 28, 22), ("sans-serif", 14)))?;
    }
    Ok(())
}
