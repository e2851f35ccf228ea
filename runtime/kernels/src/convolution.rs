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
mod slab;
mod sums;
#[cfg(test)]
mod tests;
mod tile;
mod weight;
mod winograd;

use super::Variant;
use super::finish::Finish;
use super::simd::Number;
use super::workers::Workers;
use dispatch::Operands;

/// The sizes of a convolution. All but the batch and the padding are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // named as in the formula
pub struct Geometry {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub units: usize,
    /// Height and width, at least 1.
    pub kernel: [usize; 2],
    /// Down and to the right, at least 1.
    pub stride: [usize; 2],
    /// Zeros above and to the left; what is read below or to the right of the image is zero too.
    pub pad: [usize; 2],
}

impl Geometry {
    /// Do windows of 2 x 2 tile the results?
    #[must_use]
    pub fn halves(&self) -> bool {
        self.out_height.is_multiple_of(2) && self.out_width.is_multiple_of(2)
    }

    /// Elements of x.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of y.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.batch * self.out_height * self.out_width * self.units
    }

    /// Elements of w.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1] * self.units
    }
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// As the formula says.
    Direct,
    /// Winograd's F(2 x 2, 3 x 3): 2.25 times fewer multiplications.
    Winograd2,
    /// Winograd's F(4 x 4, 3 x 3): 4 times fewer multiplications.
    Winograd4,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// y of x and w.
    Forward,
    /// The gradient at x, of that at y and w.
    Input,
    /// The gradient at w, of x and that at y.
    Weight,
}

/// What happens to x before it is used: `x scale + shift` inside the image, while the zeros around it stay zero.
#[derive(Clone, Copy, Debug)]
pub struct Prepare<T> {
    /// One number a channel, or null for 1.
    pub scale: *const T,
    /// One number a channel, or null for 0.
    pub shift: *const T,
}

impl<T> Prepare<T> {
    /// x as it is.
    #[must_use]
    pub fn none() -> Self {
        Self { scale: std::ptr::null(), shift: std::ptr::null() }
    }
}

/// Elements of working memory for one call, for this many workers.
#[must_use]
pub fn workspace<T: Number>(
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
pub unsafe fn forward<T: Number>(
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
pub unsafe fn input_gradient<T: Number>(
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
pub unsafe fn weight_gradient<T: Number>(
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
