//! The kernels of both precisions, compiled in this crate.
//!
//! Generic functions are compiled by the crate that calls them: without this, every change of the runtime would build all
//! kernels again, with the runtime's optimization.

use crate::Variant;
use crate::convolution::dispatch::{self, Operands};
use crate::convolution::shape::{Algorithm, Direction, Geometry};
use crate::pooling::marked::{self, Marked};
use crate::pooling::phase::{self, Pool};
use crate::simd::Number;
use crate::workers::Workers;

/// What can be done with a kind of number.
pub trait Compiled: Number {
    /// See [`crate::convolution::workspace`].
    fn workspace(
        variant: Variant,
        geometry: &Geometry,
        direction: Direction,
        algorithm: Algorithm,
        workers: usize,
    ) -> usize;

    /// A convolution or one of its gradients.
    ///
    /// # Safety
    /// As [`crate::convolution::forward`] and its gradients say.
    unsafe fn convolve(
        variant: Variant,
        algorithm: Algorithm,
        geometry: &Geometry,
        operands: Operands<Self>,
        workspace: *mut Self,
        workers: &Workers,
    );

    /// Pooling or its gradient.
    ///
    /// # Safety
    /// As [`crate::pooling::max_pool`] and the others say.
    unsafe fn pool(variant: Variant, pool: &Pool<'_, Self>, workers: &Workers);

    /// The gradient of a marked pool.
    ///
    /// # Safety
    /// As [`crate::pooling::marked_pool_gradient`] says.
    unsafe fn marked_pool(variant: Variant, pool: &Marked<'_, Self>, workers: &Workers);
}

macro_rules! compiled {
    ($($number:ty),*) => {$(
        impl Compiled for $number {
            #[inline(never)]
            fn workspace(
                variant: Variant,
                geometry: &Geometry,
                direction: Direction,
                algorithm: Algorithm,
                workers: usize,
            ) -> usize {
                dispatch::workspace::<$number>(variant, geometry, direction, algorithm, workers)
            }

            #[inline(never)]
            unsafe fn convolve(
                variant: Variant,
                algorithm: Algorithm,
                geometry: &Geometry,
                operands: Operands<Self>,
                workspace: *mut Self,
                workers: &Workers,
            ) {
                // SAFETY: passed on from the caller.
                unsafe { dispatch::convolve(variant, algorithm, geometry, operands, workspace, workers) }
            }

            #[inline(never)]
            unsafe fn pool(variant: Variant, pool: &Pool<'_, Self>, workers: &Workers) {
                // SAFETY: passed on from the caller.
                unsafe { phase::run(variant, pool, workers) }
            }

            #[inline(never)]
            unsafe fn marked_pool(variant: Variant, pool: &Marked<'_, Self>, workers: &Workers) {
                // SAFETY: passed on from the caller.
                unsafe { marked::run(variant, pool, workers) }
            }
        }
    )*};
}
compiled!(f32, f64);
