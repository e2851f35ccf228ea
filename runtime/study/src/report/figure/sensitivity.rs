//! The metric against an axis of numbers, such as the learning rate: a line with a band for each parameterization.
//! Failed runs count as the cap, and the chosen value is marked.

use super::{Figure, csv, range};
use crate::judge::{Curve, Judged, Sensitivity};
use crate::report::plot::{Axis, Plot, Scale, WIDE, assigned, readable};
use gmpc_runtime::task::compare::words;

/// Size of small plots in pixels: four of them fit side by side.
pub(super) const SMALL: [f64; 2] = [280.0, 220.0];
/// Positive values whose ratio exceeds this are drawn on a logarithmic scale.
pub(super) const SPAN: f64 = 50.0;

/// One figure for each axis, with one plot for each value of the other axes.
#[must_use]
pub fn of(judged: &Judged<'_>, name: &str) -> Vec<Figure> {
    let mut keys: Vec<&String> = judged.sensitivities.iter().map(|one| &one.key).collect();
    keys.dedup();
    let of_key = |key: &&String| {
        let all: Vec<&Sensitivity> = judged.sensitivities.iter().filter(|one| one.key == **key).collect();
        figure(judged, name, key, &all)
    };
    keys.iter().filter_map(of_key).collect()
}

fn figure(judged: &Judged<'_>, name: &str, key: &str, all: &[&Sensitivity]) -> Option<Figure> {
    let first = all.first()?;
    let params = &judged.comparison.params;
    let classes = assigned(params.iter().map(String::as_str));
    let class = |param: &str| {
        let place = params.iter().position(|known| known == param);
        place.and_then(|place| classes.get(place)).cloned().unwrap_or_default()
    };
    let size = if all.len() > 1 { SMALL } else { WIDE };
    // Plots of the same data share their y axis.
    let same = first.over.iter().all(|(key, _)| key != "data");
    let shared = same.then(|| heights(all));
    let plots = all.iter().map(|one| plot(one, size, shared.unwrap_or_else(|| heights(&[one])), &class)).collect();
    let short = match key.rsplit('.').next().unwrap_or(key) {
        "lr" => "the learning rate",
        word => word,
    };
    let number = |param: &String| {
        let curve = all.iter().flat_map(|one| &one.curves).find(|curve| curve.param == *param);
        match (all.len(), curve) {
            (1, Some(curve)) => format!("{param}, sensitivity {}", readable(curve.number)),
            _ => param.clone(),
        }
    };
    let rows = all.iter().flat_map(|one| one.curves.iter().flat_map(|curve| lines(one, curve)));
    let bands = "The mean over the seeds, with a band of one standard error.";
    let capped = if all.iter().flat_map(|one| &one.curves).all(|curve| curve.measured) {
        "What is worse than the untrained network is cut to its value. Failed runs, in which a number was not finite, count as the untrained \
         network and have a ring around the dot."
    } else {
        "Failed runs, in which a number was not finite, count as the worst run and have a ring around the dot."
    };
    let chosen = if judged.comparison.choose.iter().any(|known| known == key) {
        " Large dots are the chosen values."
    } else {
        ""
    };
    Some(Figure {
        name: format!("sensitivity-{name}-{}", key.replace('.', "-")),
        title: format!("{} against {short}", first.metric),
        caption: format!("{bands} {capped}{chosen} A flat line is easy to tune."),
        plots,
        key: params.iter().map(|param| (class(param), number(param))).collect(),
        csv: csv("series,value,mean,standard_error,failed,runs", rows),
    })
}

fn lines(one: &Sensitivity, curve: &Curve) -> Vec<(String, Vec<f64>)> {
    let name = [curve.param.clone(), words(&one.over)].into_iter().filter(|words| !words.is_empty());
    let name = format!("\"{}\"", name.collect::<Vec<_>>().join(", ").replace('"', "\"\""));
    let row = |point: &crate::judge::Point| {
        (name.clone(), vec![point.value, point.mean, point.error, point.failed as f64, point.runs as f64])
    };
    curve.points.iter().map(row).collect()
}

/// The lowest and the highest value of the y axis, and whether it is logarithmic.
fn heights(all: &[&Sensitivity]) -> (f64, f64, bool) {
    let points = || all.iter().flat_map(|one| &one.curves).flat_map(|curve| &curve.points);
    let low = points().map(|point| point.mean - point.error).fold(f64::INFINITY, f64::min);
    let high = points().map(|point| point.mean + point.error).fold(f64::NEG_INFINITY, f64::max);
    let least = points().map(|point| point.mean).fold(f64::INFINITY, f64::min);
    let log = least > 0.0 && high / least > SPAN;
    (if log { low.max(least / 2.0) } else { low }, high, log)
}

fn plot(one: &Sensitivity, size: [f64; 2], (low, high, log): (f64, f64, bool), class: &dyn Fn(&str) -> String) -> Plot {
    let x_of = |value: f64| if one.log { value.log10() } else { value };
    let up = |y: f64| if log { y.max(low).log10() } else { y };
    let across = one.curves.iter().flat_map(|curve| &curve.points).map(|point| x_of(point.value));
    let mut tried: Vec<f64> = across.clone().collect();
    tried.sort_by(f64::total_cmp);
    tried.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    let label = match one.key.rsplit('.').next() {
        Some("lr") => format!("learning rate ({})", one.key),
        _ => one.key.clone(),
    };
    let x =
        Axis::scaled(&label, range(across, 0.03), if one.log { Scale::Log10 } else { Scale::Linear }).with_ticks(tried);
    let y = Axis::scaled("", range([up(low), up(high)], 0.05), if log { Scale::Log10 } else { Scale::Linear });
    let title = match words(&one.over) {
        none if none.is_empty() => one.metric.clone(),
        words => words,
    };
    let mut plot = Plot::new(title, x, y, size);
    for curve in one.curves.iter().filter(|curve| curve.joined) {
        let band: Vec<[f64; 3]> =
            curve.points.iter().map(|p| [x_of(p.value), up(p.mean - p.error), up(p.mean + p.error)]).collect();
        plot.band(&curve.param, &class(&curve.param), &band);
    }
    for curve in &one.curves {
        let (class, name) = (class(&curve.param), &curve.param);
        let at = |point: &crate::judge::Point| [x_of(point.value), up(point.mean)];
        if curve.joined {
            plot.line(name, &class, curve.points.iter().map(at), 1.8);
        }
        // A ring is a dot with a smaller dot in the colour of the background on it.
        let failed: Vec<_> = curve.points.iter().filter(|point| point.failed > 0).collect();
        for point in &failed {
            let label = format!("{name}: {} of {} runs failed at {}", point.failed, point.runs, readable(point.value));
            plot.dots(&label, &class, [at(point)], 11.0);
            plot.dots("", "c-ground", [at(point)], 8.0);
        }
        plot.dots(name, &class, curve.points.iter().map(at), 4.5);
        let chosen = curve.points.iter().filter(|point| Some(point.value) == curve.chosen);
        let chosen: Vec<[f64; 2]> = chosen.map(at).collect();
        if !chosen.is_empty() {
            plot.dots(&format!("{name}, chosen"), &class, chosen, 9.0);
        }
    }
    plot
}
