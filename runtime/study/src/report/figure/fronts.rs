//! Result against cost: the metric against parameters, operations, and epochs to a target, with the Pareto front of
//! each.

use super::cells::Compared;
use super::history::History;
use super::sensitivity::{SMALL, SPAN};
use super::{Figure, csv, range};
use crate::report::plot::{Axis, Plot, Scale, assigned, readable};
use crate::statistics::mean;
use gmpc_runtime::task::compare::{Cell, words};

/// The cost of a cell, from its index.
type Cost<'a> = &'a dyn Fn(usize, &Cell) -> Option<f64>;

/// A cell in a plot.
struct Spot {
    name: String,
    class: String,
    cost: f64,
    figure: f64,
}

/// One plot for each cost that differs between the cells of a data set; `None` if no cost does.
#[must_use]
pub fn of(compared: &Compared<'_>, name: &str) -> Option<Figure> {
    let comparison = compared.judged.comparison;
    // Test figures of values that were not chosen stay hidden, so what is chosen by is drawn for all.
    let metric = if comparison.choose.is_empty() { &comparison.metric } else { &comparison.chosen_by };
    let mut sets: Vec<String> = comparison.cells.iter().map(set_of).collect();
    sets.dedup();
    let shown = compared.shown_cells();
    let (mut plots, mut rows, mut targets) = (vec![], vec![], vec![]);
    for set in &sets {
        let target = target(compared, set, &shown);
        if let Some(target) = target {
            let of = if set.is_empty() { String::new() } else { format!(" for {set}") };
            targets.push(format!(
                "The target{of} is a {} of {}, which every run reaches: the best value of the worst run.",
                comparison.chosen_by,
                readable(target)
            ));
        }
        let costs: [(&str, Cost<'_>); 3] = [
            ("parameters", &|_, cell| Some(cell.outcomes.iter().find_map(|outcome| outcome.size)?.parameters as f64)),
            ("operations of a prediction", &|_, cell| {
                Some(cell.outcomes.iter().find_map(|outcome| outcome.size)?.flops as f64).filter(|flops| *flops > 0.0)
            }),
            ("epochs to the target", &|index, _| epochs_to(compared, index, target?)),
        ];
        for (cost, of) in costs {
            let spots = spots(compared, set, of);
            let differ = spots.iter().any(|spot| (spot.cost - spots[0].cost).abs() > 0.0);
            // Equal costs leave nothing to weigh.
            if spots.len() < 2 || !differ {
                continue;
            }
            let title = if set.is_empty() { cost.to_string() } else { format!("{set}: {cost}") };
            let quoted = |spot: &Spot| format!("\"{}\",{cost}", spot.name.replace('"', "\"\""));
            rows.extend(spots.iter().map(|spot| (quoted(spot), vec![spot.cost, spot.figure])));
            plots.push(plot(&title, cost, metric, &spots, comparison.higher_is_better));
        }
    }
    if plots.is_empty() {
        return None;
    }
    let classes = assigned(comparison.params.iter().map(String::as_str));
    Some(Figure {
        name: format!("fronts-{name}"),
        title: format!("{metric} against cost"),
        caption: format!(
            "Each dot is the mean over the seeds of a parameterization at one setting. Along the dashed line, the Pareto front, no \
             other dot is better in both directions; where one dot is the best in both there is no line. Axes do not begin at 0. {}",
            targets.join(" ")
        ),
        plots,
        key: classes.into_iter().zip(comparison.params.iter().cloned()).collect(),
        csv: csv("series,cost,value,metric", rows),
    })
}

fn set_of(cell: &Cell) -> String {
    cell.over.iter().find(|(key, _)| key == "data").map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Cells of a data set of which every run succeeded.
fn spots(compared: &Compared<'_>, set: &str, of: &dyn Fn(usize, &Cell) -> Option<f64>) -> Vec<Spot> {
    let comparison = compared.judged.comparison;
    let classes = assigned(comparison.params.iter().map(String::as_str));
    let shown = compared.shown_cells();
    let one = |(index, cell): (usize, &Cell)| {
        let whole = cell.values.len() == cell.outcomes.len();
        let figure = if comparison.choose.is_empty() { cell.statistics.mean } else { cell.choice };
        let place = comparison.params.iter().position(|param| *param == cell.param)?;
        let name = [cell.param.clone(), words(&cell.over)].into_iter().filter(|words| !words.is_empty());
        let (name, class) = (name.collect::<Vec<_>>().join(", "), classes.get(place)?.clone());
        let spot = Spot { name, class, cost: of(index, cell)?, figure };
        (whole && figure.is_finite() && set_of(cell) == set && shown.contains(&index)).then_some(spot)
    };
    comparison.cells.iter().enumerate().filter_map(one).collect()
}

/// The value that every shown run of a data set reaches in its best epoch: the worst of the runs' best values.
fn target(compared: &Compared<'_>, set: &str, shown: &[usize]) -> Option<f64> {
    let comparison = compared.judged.comparison;
    let better = |a: f64, b: f64| if comparison.higher_is_better { a > b } else { a < b };
    let best_of = |run: &History| {
        let figures = run.get(&comparison.chosen_by)?.iter().map(|(_, y)| *y);
        figures.reduce(|a, b| if better(b, a) { b } else { a })
    };
    let of_set = shown.iter().filter(|k| comparison.cells.get(**k).is_some_and(|cell| set_of(cell) == set));
    let bests = of_set.flat_map(|k| compared.runs(*k)).filter_map(best_of);
    bests.reduce(|a, b| if better(b, a) { a } else { b })
}

/// The first epoch that reaches the target, as a mean over the runs of a cell.
fn epochs_to(compared: &Compared<'_>, index: usize, target: f64) -> Option<f64> {
    let comparison = compared.judged.comparison;
    let reaches = |y: f64| if comparison.higher_is_better { y >= target } else { y <= target };
    let first =
        |run: &History| run.get(&comparison.chosen_by)?.iter().find(|(_, y)| reaches(*y)).map(|(epoch, _)| *epoch);
    let firsts: Vec<f64> = compared.runs(index).iter().filter_map(first).collect();
    (!firsts.is_empty()).then(|| mean(&firsts))
}

fn plot(title: &str, cost: &str, metric: &str, spots: &[Spot], higher: bool) -> Plot {
    let span = |values: Vec<f64>| {
        let (low, high) = values.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), x| (low.min(*x), high.max(*x)));
        low > 0.0 && high / low > SPAN / 5.0
    };
    let log = [span(spots.iter().map(|s| s.cost).collect()), span(spots.iter().map(|s| s.figure).collect())];
    let on = |log: bool, x: f64| if log { x.log10() } else { x };
    let at = |spot: &Spot| [on(log[0], spot.cost), on(log[1], spot.figure)];
    let scale = |log: bool| if log { Scale::Log10 } else { Scale::Linear };
    let x = Axis::scaled(cost, range(spots.iter().map(|s| at(s)[0]), 0.08), scale(log[0]));
    let y = Axis::scaled(metric, range(spots.iter().map(|s| at(s)[1]), 0.08), scale(log[1]));
    let mut plot = Plot::new(title, x, y, SMALL);
    let better = |a: &Spot, b: &Spot| if higher { a.figure > b.figure } else { a.figure < b.figure };
    // On the front is a spot unless another one is better at no higher cost, or no worse at a lower one.
    let unbeaten = |spot: &&Spot| {
        !spots.iter().any(|other| {
            (other.cost <= spot.cost && better(other, spot)) || (other.cost < spot.cost && !better(spot, other))
        })
    };
    let mut front: Vec<&Spot> = spots.iter().filter(unbeaten).collect();
    front.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    if front.len() > 1 {
        plot.dashed("Pareto front", "c-soft", front.iter().map(|spot| at(spot)), 1.5);
    }
    // After the line, so that dots lie on top of it.
    for spot in spots {
        plot.dots(&spot.name, &spot.class, [at(spot)], 8.0);
    }
    plot
}
