//! Computes the exact linear regions of a network over a rectangle of the plane. It cuts polygons by the boundary of
//! one unit after another.
//!
//! ```text
//! rectangle --units of layer 1--> polygons, on each of which layer 1 is affine --units of layer 2--> ...
//! ```
//!
//! Inside a polygon, everything before a unit is affine, so its boundary there is a straight line. Over all polygons it
//! is a polyline. The result is exact up to rounding: a line within a relative distance of 1e-12 from a corner does not
//! cut there.

use super::piecewise::{Map, PiecewiseAffine};

/// A pre-activation counts as zero below this size, relative to the numbers that are summed.
const TOLERANCE: f64 = 1e-12;

/// A convex polygon on which the network is affine.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its corners, in order around the polygon.
    pub corners: Vec<[f64; 2]>,
    /// Which units are active in it, one layer after another.
    pub pattern: Vec<bool>,
    /// The predictions of the network in it, as a map of the inputs.
    pub map: Map,
}

/// A straight piece of a unit's boundary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundaryPiece {
    /// Index of the layer in the network.
    pub layer: usize,
    /// Index of the unit within the layer.
    pub unit: usize,
    /// One end.
    pub from: [f64; 2],
    /// The other end.
    pub to: [f64; 2],
}

/// All regions of a rectangle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Regions {
    /// The regions. They cover the rectangle if `complete`.
    pub regions: Vec<Region>,
    /// The boundaries of all units, in straight pieces.
    pub boundaries: Vec<BoundaryPiece>,
    /// False if there were more than `most` regions and the rest was left out.
    pub complete: bool,
}

/// The regions of a network with two inputs over the rectangle from `low` to `high`, at most `most` of them. `None` if
/// it has another number of inputs.
#[must_use]
pub fn regions(piecewise: &PiecewiseAffine, low: [f64; 2], high: [f64; 2], most: usize) -> Option<Regions> {
    if piecewise.inputs != 2 {
        return None;
    }
    let corners = vec![low, [high[0], low[1]], high, [low[0], high[1]]];
    let mut search = Search { piecewise, most, found: Regions { complete: true, ..Regions::default() } };
    search.layer(0, Piece { corners, pattern: Vec::new() }, &mut Vec::new());
    Some(search.found)
}

/// A polygon, and the units whose side is already decided.
#[derive(Debug, Clone)]
struct Piece {
    corners: Vec<[f64; 2]>,
    pattern: Vec<bool>,
}

struct Search<'a> {
    piecewise: &'a PiecewiseAffine,
    most: usize,
    found: Regions,
}

impl Search<'_> {
    /// Continues with a layer. `maps` are those of earlier layers inside the polygon.
    fn layer(&mut self, layer: usize, piece: Piece, maps: &mut Vec<Map>) {
        if self.found.regions.len() >= self.most {
            self.found.complete = false;
            return;
        }
        if layer == self.piecewise.steps.len() {
            let map = maps.get(self.piecewise.output).cloned().unwrap_or_default();
            self.found.regions.push(Region { corners: piece.corners, pattern: piece.pattern, map });
            return;
        }
        let Some(inside) = self.piecewise.inside(layer, maps) else {
            maps.push(self.piecewise.value(layer, maps, None));
            self.layer(layer + 1, piece, maps);
            maps.pop();
            return;
        };
        // Each unit of the layer cuts all polygons that the units before it left.
        let known = piece.pattern.len();
        let mut pieces = vec![piece];
        for unit in 0..inside.c.len() {
            pieces = pieces.into_iter().flat_map(|piece| self.cut(piece, layer, unit, &inside)).collect();
        }
        for piece in pieces {
            maps.push(self.piecewise.value(layer, maps, Some((inside.clone(), &piece.pattern[known..]))));
            self.layer(layer + 1, piece, maps);
            maps.pop();
        }
    }

    /// Cuts a polygon by a unit's line into two. If the line does not cut it, returns the polygon with the side on
    /// which it lies.
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
        // A corner within the tolerance counts as a point of the line. If many boundaries meet in one point, a polygon
        // has several corners there, and their tiny values of both signs would look like several crossings.
        let values: Vec<f64> = values.iter().map(|value| if value.abs() <= tolerance { 0.0 } else { *value }).collect();
        let (active, cuts) = side(&piece.corners, &values, 1.0);
        let (inactive, _) = side(&piece.corners, &values, -1.0);
        self.found.boundaries.extend(farthest(&cuts).map(|[from, to]| BoundaryPiece { layer, unit, from, to }));
        let with = |corners, active| decided(Piece { corners, pattern: piece.pattern.clone() }, active);
        vec![with(inactive, false), with(active, true)]
    }
}

fn decided(mut piece: Piece, active: bool) -> Piece {
    piece.pattern.push(active);
    piece
}

/// The two ends of a line among the points where it meets the outline of a polygon. Some of the points may be equal.
fn farthest(cuts: &[[f64; 2]]) -> Option<[[f64; 2]; 2]> {
    let pairs = cuts.iter().enumerate().flat_map(|(index, a)| cuts.iter().skip(index + 1).map(move |b| [*a, *b]));
    let length = |[a, b]: &[[f64; 2]; 2]| libm::hypot(a[0] - b[0], a[1] - b[1]);
    pairs.max_by(|one, other| length(one).total_cmp(&length(other)))
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
    /// The area.
    #[must_use]
    pub fn area(&self) -> f64 {
        let next = self.corners.iter().cycle().skip(1);
        let doubled: f64 = self.corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
        0.5 * doubled.abs()
    }

    /// True if it contains this point. Points on an outline may be in several regions, or by rounding in none.
    #[must_use]
    pub fn holds(&self, x: [f64; 2]) -> bool {
        let next = self.corners.iter().cycle().skip(1);
        let cross = |a: &[f64; 2], b: &[f64; 2]| (b[0] - a[0]) * (x[1] - a[1]) - (b[1] - a[1]) * (x[0] - a[0]);
        self.corners.iter().zip(next).all(|(a, b)| cross(a, b) >= 0.0)
    }
}

#[cfg(test)]
mod tests;
