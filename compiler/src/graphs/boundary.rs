//! Boundaries of ReLU units: the characteristic activation boundary of every unit, for every parameterization.
//!
//! ```text
//! definition --differentiate act's argument with respect to x--> w, b     boundary { x : w . x + b = 0 }
//! u = w / |w|    lambda = b / |w|    phi = -lambda u, the point of the boundary nearest to the origin
//! ```
//!
//! This code knows no parameterization by name: it computes weight and offset by differentiating the compiled formula.
//!
//! - [`graph()`] returns a graph that outputs `u` and `lambda` of the first or of all layers. It is compiled and run beside
//!   training steps.
//! - [`extremes`] returns a graph that outputs the smallest and the largest argument of every unit's activation over some rows.
//! - [`effective`] returns one layer as plain numbers, and checks that it is affine.
//!
//! Source: Chen and Ge, arXiv 2305.15912, section 2 (boundary, spatial location, polar form).

mod effective;
mod extremes;
mod geometry;
mod graph;

pub use effective::{Effective, effective};
pub use extremes::extremes;
pub use geometry::{Boundary, turn};
pub use graph::{First, Turning, first_layers, followed_layers, graph, recorded, slopes, turning};
