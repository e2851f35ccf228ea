//! Pools of both precisions, compiled in this crate: see [`crate::convolution`]'s `compiled` for the reason.

use super::argmax::{self, FromArgmax};
use super::pool::{self, Pool};
use crate::Variant;
use crate::simd::Number;
use crate::workers::Workers;

/// A number type for which pools are compiled.
pub trait Pooled: Number {
    /// A pool or its gradient.
    ///
    /// # Safety
    /// The contract of [`super::max_pool`] or of the other function of `pooling` that made `pool`.
    unsafe fn pool(variant: Variant, pool: &Pool<'_, Self>, workers: &Workers);

    /// The gradient of a max-pool from its argmax.
    ///
    /// # Safety
    /// The contract of [`super::max_pool_gradient_from_argmax`].
    unsafe fn argmax_pool(variant: Variant, pool: &FromArgmax<'_, Self>, workers: &Workers);
}

macro_rules! compiled {
    ($($number:ty),*) => {$(
        impl Pooled for $number {
            #[inline(never)]
            unsafe fn pool(variant: Variant, pool: &Pool<'_, Self>, workers: &Workers) {
                // SAFETY: the contract of this function is that of the call.
                unsafe { pool::run(variant, pool, workers) }
            }

            #[inline(never)]
            unsafe fn argmax_pool(variant: Variant, pool: &FromArgmax<'_, Self>, workers: &Workers) {
                // SAFETY: the contract of this function is that of the call.
                unsafe { argmax::run(variant, pool, workers) }
            }
        }
    )*};
}
compiled!(f32, f64);
