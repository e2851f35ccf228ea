//! Convolutions and their gradients, with zero padding.
//!
//! ```text
//! y[n, r, s, o] = max(bias[o] + sum over i, j, c of x'[n, r stride + i - pad, s stride + j - pad, c] w[c, i, j, o], 0)
//! ```
//!
//! Activations have the layout `[batch, height, width, channels]`, weights `[channels, kernel height, kernel width,
//! units]`; the last index is contiguous. `x'` is x, or `x scale[c] + shift[c]` inside the image. Bias and max are
//! optional. The order of additions depends only on the shape and the algorithm, never on the number of workers.

mod choose;
mod class;
mod compiled;
mod correlate;
mod dispatch;
mod epilogue;
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
use super::epilogue::Epilogue;
use super::workers::Workers;
pub use compiled::Convolved;
use dispatch::Operands;
pub use shape::{Algorithm, Direction, Geometry, Prepare};

/// Elements of the workspace that one call needs with this many workers.
#[must_use]
pub fn workspace<T: Convolved>(
    geometry: &Geometry,
    direction: Direction,
    algorithm: Algorithm,
    variant: Variant,
    workers: usize,
) -> usize {
    T::workspace(variant, geometry, direction, algorithm, workers)
}

/// Computes y and writes all of it. A fused pool writes a quarter of [`Geometry::outputs`].
///
/// # Safety
/// The CPU has the variant's instructions, and the algorithm fits the geometry. `x` and `w` point to [`Geometry::inputs`] and
/// [`Geometry::weights`] numbers. `y` points to [`Geometry::outputs`] numbers, or to a quarter of them with a pool. Vectors in
/// `epilogue` have one number for each unit, those in `prepare` one for each channel. `workspace` points to as many numbers as
/// [`workspace`] returns for these workers. `y` and `workspace` overlap nothing else.
#[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
pub unsafe fn forward<T: Convolved>(
    variant: Variant,
    algorithm: Algorithm,
    geometry: &Geometry,
    x: *const T,
    w: *const T,
    y: *mut T,
    epilogue: Epilogue<T>,
    prepare: Prepare<T>,
    workspace: *mut T,
    workers: &Workers,
) {
    let operands = Operands::Forward { x, w, y, epilogue, prepare };
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::convolve(variant, algorithm, geometry, operands, workspace, workers) }
}

/// Computes the gradient at x from the gradient at y, and writes all of it.
///
/// # Safety
/// As for [`forward`], with `dx` instead of `y`, `dy` instead of `x`, and channels instead of units.
#[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
pub unsafe fn input_gradient<T: Convolved>(
    variant: Variant,
    algorithm: Algorithm,
    geometry: &Geometry,
    dy: *const T,
    w: *const T,
    dx: *mut T,
    epilogue: Epilogue<T>,
    workspace: *mut T,
    workers: &Workers,
) {
    let operands = Operands::Input { dy, w, dx, epilogue };
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::convolve(variant, algorithm, geometry, operands, workspace, workers) }
}

/// Computes the gradient at w from x and the gradient at y, and writes all of it.
///
/// # Safety
/// As for [`forward`], with `dw` instead of `y` and `dy` instead of `w`.
#[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
pub unsafe fn weight_gradient<T: Convolved>(
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
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::convolve(variant, algorithm, geometry, operands, workspace, workers) }
}
