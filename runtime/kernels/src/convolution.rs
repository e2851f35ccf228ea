//! Convolutions and their gradients, with zeros around the image.
//!
//! ```text
//! y[n, r, s, o] = max(bias[o] + sum over i, j, c of x'[n, r stride + i - pad, s stride + j - pad, c] w[c, i, j, o], 0)
//! ```
//!
//! Activations lie as `[batch, height, width, channels]`, weights as `[channels, kernel height, kernel width, units]`, the
//! last index side by side. `x'` is x, or `x scale[c] + shift[c]` inside the image; bias and max are on demand. The order
//! of the additions depends on the shape and the algorithm alone, never on the number of workers.

mod choose;
mod class;
mod correlate;
pub(crate) mod dispatch;
mod finisher;
mod pack;
mod pooled;
pub(crate) mod shape;
mod slab;
mod sums;
#[cfg(test)]
mod tests;
mod tile;
mod weight;
mod winograd;

use super::Variant;
use super::compiled::Compiled;
use super::finish::Finish;
use super::workers::Workers;
use dispatch::Operands;
pub use shape::{Algorithm, Direction, Geometry, Prepare};

/// Elements of working memory for one call, for this many workers.
#[must_use]
pub fn workspace<T: Compiled>(
    geometry: &Geometry,
    direction: Direction,
    algorithm: Algorithm,
    variant: Variant,
    workers: usize,
) -> usize {
    T::workspace(variant, geometry, direction, algorithm, workers)
}

/// Computes y, and writes all of it: a quarter of [`Geometry::outputs`] where it is pooled.
///
/// # Safety
/// The processor has the variant's instructions. `x`, `w` and `y` hold [`Geometry::inputs`], [`Geometry::weights`] and
/// [`Geometry::outputs`] numbers, or what pooling leaves of them, the vectors in `finish` and `prepare` one a unit and one a channel, `workspace` as many as
/// [`workspace`] says for these workers; the algorithm fits the geometry. `y` and `workspace` overlap nothing else.
#[allow(clippy::too_many_arguments)] // a kernel's operands
pub unsafe fn forward<T: Compiled>(
    variant: Variant,
    algorithm: Algorithm,
    geometry: &Geometry,
    x: *const T,
    w: *const T,
    y: *mut T,
    finish: Finish<T>,
    prepare: Prepare<T>,
    workspace: *mut T,
    workers: &Workers,
) {
    let operands = Operands::Forward { x, w, y, finish, prepare };
    // SAFETY: passed on from the caller.
    unsafe { T::convolve(variant, algorithm, geometry, operands, workspace, workers) }
}

/// Computes the gradient at x of that at y, and writes all of it.
///
/// # Safety
/// As [`forward`], with `dx` in the place of `y` and `dy` in that of `x`, channels in that of units.
#[allow(clippy::too_many_arguments)] // a kernel's operands
pub unsafe fn input_gradient<T: Compiled>(
    variant: Variant,
    algorithm: Algorithm,
    geometry: &Geometry,
    dy: *const T,
    w: *const T,
    dx: *mut T,
    finish: Finish<T>,
    workspace: *mut T,
    workers: &Workers,
) {
    let operands = Operands::Input { dy, w, dx, finish };
    // SAFETY: passed on from the caller.
    unsafe { T::convolve(variant, algorithm, geometry, operands, workspace, workers) }
}

/// Computes the gradient at w of that at y, and writes all of it.
///
/// # Safety
/// As [`forward`], with `dw` in the place of `y` and `dy` in that of `w`.
#[allow(clippy::too_many_arguments)] // a kernel's operands
pub unsafe fn weight_gradient<T: Compiled>(
    variant: Variant,
    algorithm: Algorithm,
    geometry: &Geometry,
    x: *const T,
    dy: *const T,
    dw: *mut T,
    prepare: Prepare<T>,
    workspace: *mut T,
    workers: &Workers,
) {
    let operands = Operands::Weight { x, dy, dw, prepare };
    // SAFETY: passed on from the caller.
    unsafe { T::convolve(variant, algorithm, geometry, operands, workspace, workers) }
}
