//! The linear regions of a network in the plane, and the boundaries of all units.

use super::{Figure, csv, unit_class};
use crate::analysis::Run;
use crate::analysis::region::Counted;
use crate::report::plot::{Axis, Plot};
use std::collections::BTreeMap;

/// Size of the plot in pixels. It is larger than others because it shows more detail.
const SIZE: [f64; 2] = [480.0, 470.0];
/// Number of colours for regions.
const COLOURS: usize = 10;

/// One plot for a run.
#[must_use]
pub fn figure(subject: &Run, counted: &Counted) -> Figure {
    let when = counted.at.map_or(String::new(), |time| format!(" at {time}"));
    let title = format!("{}{when}: {} linear regions", subject.title(), counted.end.regions.len());
    let layer = |place: usize| subject.network.net.layers.get(place).map_or("", |layer| layer.name.as_str());
    let rows = counted.end.boundaries.iter().map(|piece| {
        let name = format!("{},{}", layer(piece.layer), piece.unit);
        (name, vec![piece.from[0], piece.from[1], piece.to[0], piece.to[1]])
    });
    let csv = csv("layer,unit,from_x1,from_x2,to_x1,to_x2", rows);
    let mut layers: Vec<usize> = counted.end.boundaries.iter().map(|piece| piece.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let key = layers.iter().enumerate().map(|(depth, place)| (unit_class(depth), layer(*place).to_string())).collect();
    let plots = vec![draw(&title, counted, &layers, layer)];
    let caption = "Linear regions, and the boundaries of all units; those of deeper layers are polylines.".to_string();
    let name = format!("regions-{}{}", subject.title(), when.replace(' ', "-"));
    Figure { name, title: format!("Linear regions of {}{when}", subject.title()), caption, plots, key, csv }
}

fn draw<'a>(title: &str, counted: &Counted, layers: &[usize], name: impl Fn(usize) -> &'a str) -> Plot {
    let [low, high] = counted.window;
    let mut plot = Plot::new(title, Axis::linear("x1", low[0]..high[0]), Axis::linear("x2", low[1]..high[1]), SIZE);
    // The colours are pale, so that lines stay visible. Consecutive regions have different colours.
    for colour in 0..COLOURS {
        let regions = counted.end.regions.iter().skip(colour).step_by(COLOURS);
        plot.polygons("", &unit_class(colour), regions.map(|region| region.corners.clone()), 0.14);
    }
    let mut units: BTreeMap<(usize, usize), Vec<[[f64; 2]; 2]>> = BTreeMap::new();
    for piece in &counted.end.boundaries {
        units.entry((piece.layer, piece.unit)).or_default().push([piece.from, piece.to]);
    }
    for ((layer, unit), pieces) in units {
        let depth = layers.iter().position(|known| *known == layer).unwrap_or(0);
        plot.segments(&format!("{}.{unit}", name(layer)), &unit_class(depth), pieces, 2.0, 1.0);
    }
    plot
}
