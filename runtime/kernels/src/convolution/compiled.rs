//! Convolutions of both precisions, compiled in this crate.
//!
//! A generic function is compiled by the crate that calls it. Without this file, every change of the runtime would
//! compile all kernels again, with the optimization level of the runtime.

use super::dispatch::{self, Operands};
use super::shape::{Algorithm, Direction, Geometry};
use crate::Variant;
use crate::simd::Number;
use crate::workers::Workers;

/// A number type for which convolutions are compiled.
pub trait Convolved: Number {
    /// See [`super::workspace`].
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
    /// The contract of [`super::forward`] or of the gradient that made `operands`.
    unsafe fn convolve(
        variant: Variant,
        algorithm: Algorithm,
        geometry: &Geometry,
        operands: Operands<Self>,
        workspace: *mut Self,
        workers: &Workers,
    );
}

macro_rules! compiled {
    ($($number:ty),*) => {$(
        impl Convolved for $number {
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
                // SAFETY: the contract of this function is that of the call.
                unsafe { dispatch::convolve(variant, algorithm, geometry, operands, workspace, workers) }
            }
        }
    )*};
}
compiled!(f32, f64);
