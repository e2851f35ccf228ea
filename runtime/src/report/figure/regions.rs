//! The linear regions of a network on the plane, and every unit's bent boundary.

use super::{Figure, csv, unit_class};
use crate::analysis::Subject;
use crate::analysis::region::Counted;
use crate::report::plot::{Axis, Plot};
use std::collections::BTreeMap;

/// A little larger than others, for there is much to see.
const SIZE: [f64; 2] = [480.0, 470.0];
/// Colours of regions side by side.
const COLOURS: usize = 10;

/// One drawing for a run.
#[must_use]
pub fn figure(subject: &Subject, counted: &Counted) -> Figure {
    let when = counted.at.map_or(String::new(), |time| format!(" at {time}"));
    let title = format!("{}{when}: {} linear regions", subject.title(), counted.end.regions.len());
    let layer = |place: usize| subject.network.net.layers.get(place).map_or("", |layer| layer.name.as_str());
    let rows = counted.end.creases.iter().map(|crease| {
        let name = format!("{},{}", layer(crease.layer), crease.unit);
        (name, vec![crease.from[0], crease.from[1], crease.to[0], crease.to[1]])
    });
    let csv = csv("layer,unit,from_x1,from_x2,to_x1,to_x2", rows);
    let mut layers: Vec<usize> = counted.end.creases.iter().map(|crease| crease.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let key = layers.iter().enumerate().map(|(depth, place)| (unit_class(depth), layer(*place).to_string())).collect();
    let plots = vec![draw(&title, counted, &layers, layer)];
    let caption = "Linear regions, and the boundaries of all units; those of deeper layers are bent.".to_string();
    let name = format!("regions-{}{}", subject.title(), when.replace(' ', "-"));
    Figure { name, title: format!("Linear regions of {}{when}", subject.title()), caption, plots, key, csv }
}

fn draw<'a>(title: &str, counted: &Counted, layers: &[usize], name: impl Fn(usize) -> &'a str) -> Plot {
    let [low, high] = counted.window;
    let mut plot = Plot::new(title, Axis::linear("x1", low[0]..high[0]), Axis::linear("x2", low[1]..high[1]), SIZE);
    // Pale, so that lines are seen; neighbours differ.
    for colour in 0..COLOURS {
        let regions = counted.end.regions.iter().skip(colour).step_by(COLOURS);
        plot.polygons("", &unit_class(colour), regions.map(|region| region.corners.clone()), 0.14);
    }
    let mut units: BTreeMap<(usize, usize), Vec<[[f64; 2]; 2]>> = BTreeMap::new();
    for crease in &counted.end.creases {
        units.entry((crease.layer, crease.unit)).or_default().push([crease.from, crease.to]);
    }
    for ((layer, unit), pieces) in units {
        let depth = layers.iter().position(|known| *known == layer).unwrap_or(0);
        plot.segments(&format!("{}.{unit}", name(layer)), &unit_class(depth), pieces, 2.0, 1.0);
    }
    plot
}
