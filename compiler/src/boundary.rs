//! Where ReLU units switch: the characteristic activation boundary of every unit of every parameterization.
//!
//! ```text
//! definition --differentiate act's argument with respect to x--> w, b     boundary { x : w . x + b = 0 }
//! u = w / |w|    lambda = b / |w|    phi = -lambda u, the point of the boundary nearest to the origin
//! ```
//!
//! Nothing here knows a parameterization: weight and offset are what the compiled formula makes of the states.
//!
//! - [`graph()`] is a graph that hands out `u` and `lambda` of the first or of all layers, to be compiled and run beside
//!   training steps;
//! - [`extremes`] is a graph that tells between which numbers the arguments of every unit's activation lie over some rows;
//! - [`effective`] gives one layer as plain numbers, checked to be affine;
//! - [`Bent`] composes layers: the map of a deep unit around a point, and the linear regions of a network on the plane.
//!
//! Source: Chen and Ge, arXiv 2305.15912, section 2 (boundary, spatial location, polar form).

mod bent;
mod effective;
mod extremes;
mod geometry;
mod graph;
mod regions;

pub use bent::{Bent, Map};
pub use effective::{Effective, effective};
pub use extremes::extremes;
pub use geometry::{Boundary, turn};
pub use graph::{First, Turning, first_layers, followed_layers, graph, recorded, turning};
pub use regions::{Crease, Region, Regions, regions};
