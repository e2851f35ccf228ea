//! Figure 1: a unit's boundary in the plane before and after the same small number was added to each of its parameters.

use super::{Figure, crossing, csv};
use crate::analysis::perturb::{FIGURE_1, perturb};
use crate::analysis::{Perturbed, Run, UnitName};
use crate::report::plot::{Axis, Plot, assigned};
use gmpc_compiler::graphs::boundary::Boundary;
use std::ops::Range;

/// The range of both axes in the paper.
const AXIS: Range<f64> = -1.0..0.75;

/// Size of one panel in pixels.
const SIZE: [f64; 2] = [290.0, 300.0];

/// Largest number of runs for which the figure is drawn without being asked for. Each run has its own.
const RUNS: usize = 4;
/// The paper's perturbations.
const PERTURBATIONS: [f64; 4] = [1e-4, 1e-3, 1e-2, 1e-1];

/// The paper's perturbations for the first unit of every run with two inputs, with its final weights.
#[must_use]
pub fn of_runs(subjects: &[Run]) -> Vec<Figure> {
    let one = |subject: &Run| {
        let first = subject.first_layers().into_iter().find(|first| first.fan_in == 2)?;
        // A unit without a boundary has no figure. This is no reason to refuse the page.
        let found = perturb(subject, &UnitName { layer: first.layer, unit: 0 }, &PERTURBATIONS, &FIGURE_1).ok()?;
        let drawn = figure(&found)?;
        let (title, name) = (format!("{}: unit {}.0 of {}", drawn.title, first.name, subject.title()), subject.title());
        let caption =
            format!("{} The star marks the unit in its own parameterization; the others are rewritten.", drawn.caption);
        Some(Figure { name: format!("figure-1-{name}"), title, caption, ..drawn })
    };
    subjects.iter().filter_map(one).take(RUNS).collect()
}

/// One panel for each perturbation. `None` for units with other than two inputs.
#[must_use]
pub fn figure(found: &[Perturbed]) -> Option<Figure> {
    let first = found.first().filter(|one| one.before.direction.len() == 2)?;
    let mut deltas: Vec<f64> = found.iter().map(|one| one.delta).collect();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    let of = |delta: f64| found.iter().filter(move |one| (one.delta - delta).abs() <= 0.0);
    // Every parameterization was perturbed by every number, so those of one number are all.
    let params: Vec<&str> = of(first.delta).map(|one| one.param.as_str()).collect();
    let classes = assigned(params.iter().copied());
    let view = view(found);
    let plots = deltas.iter().map(|delta| panel(*delta, of(*delta), &classes, &view)).collect();
    let mut key = vec![("c-before".to_string(), "before".to_string())];
    key.extend(classes.iter().cloned().zip(params.iter().map(|param| (*param).to_string())));
    let row = |one: &Perturbed| {
        let boundary = |of: &Boundary| [of.direction.clone(), vec![of.offset], of.location()].concat();
        let bound = one.bound.unwrap_or(f64::NAN);
        (one.param.clone(), [vec![one.delta, one.turn, bound], boundary(&one.before), boundary(&one.after)].concat())
    };
    let header = "param,eps,turn,bound,u1,u2,lambda,phi1,phi2,new_u1,new_u2,new_lambda,new_phi1,new_phi2";
    let caption =
        "A characteristic boundary before and after every parameter of its unit was changed by eps. Dots are \
                   characteristic points, dashed lines lead there from the origin."
            .to_string();
    let csv = csv(header, found.iter().map(row));
    let title = "Figure 1: a boundary under perturbation".to_string();
    Some(Figure { name: "figure-1".into(), title, caption, plots, key, csv })
}

/// The range of both axes: the paper's if all characteristic points lie in it. Otherwise a square around the point before
/// and three quarters of the points after the perturbation.
fn view(found: &[Perturbed]) -> Range<f64> {
    let reach = |of: &Boundary| of.location().iter().fold(0.0_f64, |reach, x| reach.max(x.abs()));
    let before = found.first().map_or(0.0, |one| reach(&one.before));
    let mut after: Vec<f64> = found.iter().map(|one| reach(&one.after)).filter(|reach| reach.is_finite()).collect();
    after.sort_by(f64::total_cmp);
    if before.max(after.last().copied().unwrap_or(0.0)) < AXIS.end {
        return AXIS;
    }
    let most = after.get(after.len() * 3 / 4).copied().unwrap_or(before);
    let wide = 1.4 * before.max(most);
    -wide..wide
}

fn panel<'a>(delta: f64, found: impl Iterator<Item = &'a Perturbed>, classes: &[String], view: &Range<f64>) -> Plot {
    let (x, y) = (Axis::linear("x1", view.clone()), Axis::linear("x2", view.clone()));
    let mut plot = Plot::new(format!("eps = {delta}"), x, y, SIZE);
    for (index, one) in found.enumerate() {
        if index == 0 {
            draw(&mut plot, ("before", "c-before"), &one.before, 5.0, view);
        }
        let class = classes.get(index).map_or("c7", String::as_str);
        let name = format!("{}, turned by {:.3}°", one.param, one.turn.to_degrees());
        // Later lines are thinner, so that lines in the same place are all visible.
        let width = [3.6, 2.4, 1.6].get(index).copied().unwrap_or(1.2);
        draw(&mut plot, (&name, class), &one.after, width, view);
    }
    plot
}

/// The boundary, a dot at phi, and a dashed line to it from the origin.
fn draw(plot: &mut Plot, (name, class): (&str, &str), boundary: &Boundary, width: f64, view: &Range<f64>) {
    plot.segments(name, class, crossing(boundary, view, view), width, 1.0);
    if let [x, y] = boundary.location()[..] {
        plot.dashed(name, class, [[0.0, 0.0], [x, y]], 1.2);
        plot.dots(name, class, [[x, y]], 8.0);
    }
}
