//! The linear regions of a network over a rectangle of the plane, exactly: a polygon is cut by one unit's boundary after
//! another.
//!
//! ```text
//! rectangle --units of layer 1--> polygons, on each of which layer 1 is affine --units of layer 2--> ...
//! ```
//!
//! Inside a polygon everything before a unit is affine, so its boundary there is a line; over all polygons it is bent.
//! Exact up to rounding: cuts nearer to a corner than 1e-12 of the numbers they are computed from are not made.

use super::bent::{Bent, Map};

/// How near to zero a pre-activation counts as zero, relative to the numbers summed.
const TOLERANCE: f64 = 1e-12;

/// A part of the plane on which the network is affine.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its corners in order, convex.
    pub corners: Vec<[f64; 2]>,
    /// Which units are active in it, layer after layer.
    pub pattern: Vec<bool>,
    /// What the network predicts in it.
    pub map: Map,
}

/// A straight piece of a unit's boundary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crease {
    /// Place of the layer in the net.
    pub layer: usize,
    /// Which unit of it.
    pub unit: usize,
    /// From here.
    pub from: [f64; 2],
    /// To here.
    pub to: [f64; 2],
}

/// All regions of a rectangle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Regions {
    /// They cover the rectangle.
    pub regions: Vec<Region>,
    /// Every unit's boundary, in pieces.
    pub creases: Vec<Crease>,
    /// False: there were more than asked for, and the rest was left out.
    pub complete: bool,
}

/// The regions of a network of two inputs over `low` to `high`, at most so many. `None` where it has another number of inputs.
#[must_use]
pub fn regions(bent: &Bent, low: [f64; 2], high: [f64; 2], most: usize) -> Option<Regions> {
    if bent.inputs != 2 {
        return None;
    }
    let corners = vec![low, [high[0], low[1]], high, [low[0], high[1]]];
    let mut search = Search { bent, most, found: Regions { complete: true, ..Regions::default() } };
    search.layer(0, Piece { corners, pattern: Vec::new() }, &mut Vec::new());
    Some(search.found)
}

/// A polygon with the units decided so far.
#[derive(Debug, Clone)]
struct Piece {
    corners: Vec<[f64; 2]>,
    pattern: Vec<bool>,
}

struct Search<'a> {
    bent: &'a Bent,
    most: usize,
    found: Regions,
}

impl Search<'_> {
    /// Goes on with a layer; `maps` are those of earlier layers inside the piece.
    fn layer(&mut self, layer: usize, piece: Piece, maps: &mut Vec<Map>) {
        if self.found.regions.len() >= self.most {
            self.found.complete = false;
            return;
        }
        if layer == self.bent.steps.len() {
            let map = maps.get(self.bent.output).cloned().unwrap_or_default();
            self.found.regions.push(Region { corners: piece.corners, pattern: piece.pattern, map });
            return;
        }
        let Some(inside) = self.bent.inside(layer, maps) else {
            maps.push(self.bent.value(layer, maps, None));
            self.layer(layer + 1, piece, maps);
            maps.pop();
            return;
        };
        let known = piece.pattern.len();
        let mut pieces = vec![piece];
        for unit in 0..inside.c.len() {
            pieces = pieces.into_iter().flat_map(|piece| self.cut(piece, layer, unit, &inside)).collect();
        }
        for piece in pieces {
            maps.push(self.bent.value(layer, maps, Some((inside.clone(), &piece.pattern[known..]))));
            self.layer(layer + 1, piece, maps);
            maps.pop();
        }
    }

    /// A piece on both sides of a unit's line, or the piece as it is with the side it lies on.
    fn cut(&mut self, piece: Piece, layer: usize, unit: usize, inside: &Map) -> Vec<Piece> {
        let values: Vec<f64> = piece.corners.iter().map(|corner| inside.at(unit, corner)).collect();
        let size = |corner: &[f64; 2]| {
            let terms = inside.row(unit).iter().zip(corner).map(|(a, x)| (a * x).abs());
            terms.sum::<f64>() + inside.c.get(unit).map_or(0.0, |c| c.abs())
        };
        let tolerance = TOLERANCE * piece.corners.iter().map(size).fold(0.0, f64::max);
        let above = values.iter().any(|value| *value > tolerance);
        let below = values.iter().any(|value| *value < -tolerance);
        if !(above && below) {
            return vec![decided(piece, above)];
        }
        let (active, cuts) = side(&piece.corners, &values, 1.0);
        let (inactive, _) = side(&piece.corners, &values, -1.0);
        if let [from, to] = cuts[..] {
            self.found.creases.push(Crease { layer, unit, from, to });
        }
        let with = |corners, active| decided(Piece { corners, pattern: piece.pattern.clone() }, active);
        vec![with(inactive, false), with(active, true)]
    }
}

fn decided(mut piece: Piece, active: bool) -> Piece {
    piece.pattern.push(active);
    piece
}

/// The part of a polygon where the values have this sign, and the points where its outline crosses zero.
fn side(corners: &[[f64; 2]], values: &[f64], sign: f64) -> (Vec<[f64; 2]>, Vec<[f64; 2]>) {
    let (mut part, mut cuts) = (Vec::new(), Vec::new());
    let next = corners.iter().zip(values).cycle().skip(1);
    for ((corner, value), (to, after)) in corners.iter().zip(values).zip(next) {
        if sign * value >= 0.0 {
            part.push(*corner);
        }
        if *value == 0.0 {
            cuts.push(*corner);
        }
        if value * after < 0.0 {
            let t = value / (value - after);
            let cut = [corner[0] + t * (to[0] - corner[0]), corner[1] + t * (to[1] - corner[1])];
            part.push(cut);
            cuts.push(cut);
        }
    }
    (part, cuts)
}

impl Region {
    /// Its area.
    #[must_use]
    pub fn area(&self) -> f64 {
        let next = self.corners.iter().cycle().skip(1);
        let doubled: f64 = self.corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
        0.5 * doubled.abs()
    }

    /// Does it hold this point? Points of its outline may be in several regions, or by rounding in none.
    #[must_use]
    pub fn holds(&self, x: [f64; 2]) -> bool {
        let next = self.corners.iter().cycle().skip(1);
        let cross = |a: &[f64; 2], b: &[f64; 2]| (b[0] - a[0]) * (x[1] - a[1]) - (b[1] - a[1]) * (x[0] - a[0]);
        self.corners.iter().zip(next).all(|(a, b)| cross(a, b) >= 0.0)
    }
}

#[cfg(test)]
mod tests;
