//! Matmuls of both precisions, compiled in this crate: see [`crate::convolution`]'s `compiled` for the reason.

use super::{Product, packed};
use crate::Variant;
use crate::simd::Number;
use crate::workers::Workers;

/// A number type for which large matmuls are compiled.
pub trait Multiplied: Number {
    /// See [`super::workspace`].
    fn workspace(variant: Variant, workers: usize) -> usize;

    /// See [`super::multiply`].
    ///
    /// # Safety
    /// The contract of [`super::multiply`].
    unsafe fn multiply(variant: Variant, product: &Product<Self>, workspace: *mut Self, workers: &Workers);
}

/// Calls a function that is generic over the vector type with the vectors of a variant.
macro_rules! with_vectors {
    ($variant:expr, $number:ty, $function:path, $arguments:tt) => {{
        use $function as function;
        match $variant {
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512 => function::<<$number as Number>::Avx512> $arguments,
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => function::<<$number as Number>::Avx2> $arguments,
            _ => function::<<$number as Number>::Portable> $arguments,
        }
    }};
}

macro_rules! compiled {
    ($($number:ty),*) => {$(
        impl Multiplied for $number {
            #[inline(never)]
            fn workspace(variant: Variant, workers: usize) -> usize {
                with_vectors!(variant, $number, packed::workspace, (workers))
            }

            #[inline(never)]
            unsafe fn multiply(variant: Variant, product: &Product<Self>, workspace: *mut Self, workers: &Workers) {
                // SAFETY: the contract of this function is that of the call.
                unsafe { with_vectors!(variant, $number, packed::multiply, (product, workspace, workers)) }
            }
        }
    )*};
}
compiled!(f32, f64);
