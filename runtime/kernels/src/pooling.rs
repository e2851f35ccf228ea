//! Windows over images: the largest number, the sum, and their gradients.
//!
//! Images lie as `[batch, height, width, channels]`.

pub(crate) mod marked;
pub(crate) mod phase;
mod window;

use super::Variant;
use super::compiled::Compiled;
use super::finish::Finish;
use super::memory::At;
use super::workers::Workers;
use marked::Marked;
use phase::{Kind, Pool, Through};
pub use window::Window;

/// y = the largest number of each window of `x scale`, with a factor for each channel (null for 1); NaN where it has one,
/// -inf where it lies outside the image.
///
/// # Safety
/// The processor has the variant's instructions; `x` and `y` are images of the window's sizes and do not overlap.
pub unsafe fn max_pool<T: Compiled>(
    variant: Variant,
    window: &Window,
    x: *const T,
    scale: *const T,
    y: *mut T,
    workers: &Workers,
) {
    let scale = (!scale.is_null()).then(|| At::read(scale));
    let pool =
        Pool { kind: Kind::Largest, window, scale, x: At::read(x), small: At::read(x), to: At::write(y), finish: None };
    // SAFETY: passed on from the caller.
    unsafe { T::pool(variant, &pool, workers) }
}

/// dx = the gradient of [`max_pool`] at `x scale`: each number of dy goes to the first largest pixel of its window, row by row,
/// and what `finish` says happens to it on the way: of it, sums are taken for each image, `[batch, channels]`.
///
/// # Safety
/// As [`max_pool`]; `dy` and `dx` are as large as `y` and `x`; what `finish` points to has the sizes given there. Where it says
/// anything, every pixel lies in exactly one window ([`Window::tiles`]).
#[allow(clippy::too_many_arguments)] // a kernel's operands
pub unsafe fn max_pool_gradient<T: Compiled>(
    variant: Variant,
    window: &Window,
    x: *const T,
    scale: *const T,
    dy: *const T,
    dx: *mut T,
    finish: Finish<T>,
    workers: &Workers,
) {
    let scale = (!scale.is_null()).then(|| At::read(scale));
    let finish = (!finish.is_none()).then_some(Through(finish));
    let to = At::write(dx);
    let pool = Pool { kind: Kind::LargestGradient, window, scale, x: At::read(x), small: At::read(dy), to, finish };
    // SAFETY: passed on from the caller.
    unsafe { T::pool(variant, &pool, workers) }
}

/// As [`max_pool_gradient`] of windows of 2 x 2 that tile the images, from the marks of a convolution that found the largest
/// ([`crate::finish::Pooled::marks`]). The gate is that of the image which the marks are of; its `rectified` are the largest
/// without their factor, as many as `dy`, and its weighted sums those of `dy` times them, what `bias` adds to the gradient not
/// among them.
///
/// # Safety
/// As [`max_pool_gradient`]; there is a byte of marks for each number of `dy`.
pub unsafe fn marked_pool_gradient<T: Compiled>(
    variant: Variant,
    window: &Window,
    marks: *const u8,
    dy: *const T,
    dx: *mut T,
    finish: Finish<T>,
    workers: &Workers,
) {
    let pool = Marked { window, marks: At::read(marks), dy: At::read(dy), dx: At::write(dx), finish };
    // SAFETY: passed on from the caller.
    unsafe { T::marked_pool(variant, &pool, workers) }
}

/// y = the sum of each window; what lies outside the image counts as 0.
///
/// # Safety
/// As [`max_pool`].
pub unsafe fn sum_pool<T: Compiled>(variant: Variant, window: &Window, x: *const T, y: *mut T, workers: &Workers) {
    let pool = Pool {
        kind: Kind::Sum,
        window,
        scale: None,
        x: At::read(x),
        small: At::read(x),
        to: At::write(y),
        finish: None,
    };
    // SAFETY: passed on from the caller.
    unsafe { T::pool(variant, &pool, workers) }
}

/// dx = the gradient of [`sum_pool`].
///
/// # Safety
/// As [`max_pool`]; `dy` and `dx` are as large as its `y` and `x`.
pub unsafe fn sum_pool_gradient<T: Compiled>(
    variant: Variant,
    window: &Window,
    dy: *const T,
    dx: *mut T,
    workers: &Workers,
) {
    let pool = Pool {
        kind: Kind::SumGradient,
        window,
        scale: None,
        x: At::read(dy),
        small: At::read(dy),
        to: At::write(dx),
        finish: None,
    };
    // SAFETY: passed on from the caller.
    unsafe { T::pool(variant, &pool, workers) }
}

#[cfg(test)]
mod tests;
