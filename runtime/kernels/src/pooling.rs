//! Max-pools, sum-pools and their gradients.
//!
//! Images have the layout `[batch, height, width, channels]`.

pub(crate) mod argmax;
mod compiled;
pub(crate) mod pool;
mod window;

use super::Variant;
use super::epilogue::Epilogue;
use super::memory::SharedPtr;
use super::workers::Workers;
use argmax::FromArgmax;
pub use compiled::Pooled;
use pool::{Direction, Pool, Through};
pub use window::Window;

/// y = the largest number in each window of `x * scale`, with a scale for each channel (null for 1). NaN if the window
/// contains NaN, -inf if it lies outside the image.
///
/// # Safety
/// The CPU has the variant's instructions. `x` and `y` have the sizes of the window's images and do not overlap.
pub unsafe fn max_pool<T: Pooled>(
    variant: Variant,
    window: &Window,
    x: *const T,
    scale: *const T,
    y: *mut T,
    workers: &Workers,
) {
    let scale = (!scale.is_null()).then(|| SharedPtr::read(scale));
    let pool = Pool {
        kind: Direction::Max,
        window,
        scale,
        x: SharedPtr::read(x),
        small: SharedPtr::read(x),
        to: SharedPtr::write(y),
        epilogue: None,
    };
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::pool(variant, &pool, workers) }
}

/// dx = the gradient of [`max_pool`] at `x * scale`: each number of dy goes to the first largest pixel of its window, row
/// by row. Then `epilogue` is applied. Its sums are taken for each image: `[batch, channels]`.
///
/// # Safety
/// As for [`max_pool`]. `dy` and `dx` are as large as `y` and `x`. The pointers in `epilogue` have the sizes given there. With any
/// epilogue, every pixel lies in exactly one window ([`Window::tiles`]).
#[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
pub unsafe fn max_pool_gradient<T: Pooled>(
    variant: Variant,
    window: &Window,
    x: *const T,
    scale: *const T,
    dy: *const T,
    dx: *mut T,
    epilogue: Epilogue<T>,
    workers: &Workers,
) {
    let scale = (!scale.is_null()).then(|| SharedPtr::read(scale));
    let epilogue = (!epilogue.is_none()).then_some(Through(epilogue));
    let to = SharedPtr::write(dx);
    let pool = Pool {
        kind: Direction::MaxGradient,
        window,
        scale,
        x: SharedPtr::read(x),
        small: SharedPtr::read(dy),
        to,
        epilogue,
    };
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::pool(variant, &pool, workers) }
}

/// The gradient of a max-pool over windows of 2 x 2 that tile the images, from the argmax that the forward pass stored
/// ([`crate::epilogue::Pooled::argmax`]). `relu_mask.relu_output` is the unscaled max-pool output, one element for each
/// window like `dy`. `relu_mask.weighted` receives sum(dy * relu_output); the share of the shift (`bias`) is not
/// included.
///
/// # Safety
/// As for [`max_pool_gradient`]. `argmax` points to one byte for each number of `dy`.
pub unsafe fn max_pool_gradient_from_argmax<T: Pooled>(
    variant: Variant,
    window: &Window,
    argmax: *const u8,
    dy: *const T,
    dx: *mut T,
    epilogue: Epilogue<T>,
    workers: &Workers,
) {
    let pool = FromArgmax {
        window,
        argmax: SharedPtr::read(argmax),
        dy: SharedPtr::read(dy),
        dx: SharedPtr::write(dx),
        epilogue,
    };
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::argmax_pool(variant, &pool, workers) }
}

/// y = the sum of each window; pixels outside the image count as 0.
///
/// # Safety
/// As for [`max_pool`].
pub unsafe fn sum_pool<T: Pooled>(variant: Variant, window: &Window, x: *const T, y: *mut T, workers: &Workers) {
    let pool = Pool {
        kind: Direction::Sum,
        window,
        scale: None,
        x: SharedPtr::read(x),
        small: SharedPtr::read(x),
        to: SharedPtr::write(y),
        epilogue: None,
    };
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::pool(variant, &pool, workers) }
}

/// dx = the gradient of [`sum_pool`].
///
/// # Safety
/// As for [`max_pool`]. `dy` and `dx` are as large as its `y` and `x`.
pub unsafe fn sum_pool_gradient<T: Pooled>(
    variant: Variant,
    window: &Window,
    dy: *const T,
    dx: *mut T,
    workers: &Workers,
) {
    let pool = Pool {
        kind: Direction::SumGradient,
        window,
        scale: None,
        x: SharedPtr::read(dy),
        small: SharedPtr::read(dy),
        to: SharedPtr::write(dx),
        epilogue: None,
    };
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::pool(variant, &pool, workers) }
}

#[cfg(test)]
mod tests;
