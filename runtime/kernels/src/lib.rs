//! Matrix products, convolutions, pools and unit vectors, the part of a network that Cranelift's 128-bit vectors cannot
//! bring to this processor's peak.
//!
//! ```text
//! C[m, n] = max(A[m, k] B[k, n] + bias[n], 0)      A and B with any strides, rows of C side by side; bias and max on demand
//! ```
//!
//! A register tile of C is computed at a time: elements of A are repeated over all lanes, B and C are read and written in
//! vectors along rows. Tile sizes are constants of the compiler, the vector type comes from [`simd`]; which one is used is
//! decided once for a processor. The order of the additions depends on the shape alone, never on threads.

pub mod compiled;
pub mod convolution;
pub mod finish;
pub mod flush;
mod memory;
mod peak;
pub mod pooling;
mod product;
mod scan;
pub mod simd;
#[cfg(test)]
mod tests;
mod total;
pub mod workers;

pub use peak::peak_gflops;
pub use scan::{Spherical, SphericalGrad, spherical_f32, spherical_f64, spherical_grad_f32, spherical_grad_f64};
use std::sync::OnceLock;

/// Which instructions the kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// 512-bit vectors.
    Avx512,
    /// 256-bit vectors with fused multiplication and addition.
    Avx2,
    /// What any processor has.
    Portable,
}

impl Variant {
    /// The fastest one that this processor can run; found out once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Variant> = OnceLock::new();
        *BEST.get_or_init(|| Self::all().first().copied().unwrap_or(Variant::Portable))
    }

    /// Every variant that this processor can run, the fastest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Variant::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.insert(0, Variant::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                all.insert(0, Variant::Avx512);
            }
        }
        all
    }
}

/// A product as generated code calls it: m, n, k; address, row stride and column stride of A and of B; address and row
/// stride of C; a row to add to every row, or null; 1 if negative results become 0, else 0. Strides are in elements.
pub type Product<T> = unsafe extern "C" fn(
    m: usize,
    n: usize,
    k: usize,
    a: *const T,
    a_rows: usize,
    a_columns: usize,
    b: *const T,
    b_rows: usize,
    b_columns: usize,
    c: *mut T,
    c_rows: usize,
    bias: *const T,
    relu: usize,
);

/// The kernel for single precision.
#[must_use]
pub fn product_f32(variant: Variant) -> Product<f32> {
    match variant {
        #[cfg(target_arch = "x86_64")]
        Variant::Avx512 => product::avx512_f32,
        #[cfg(target_arch = "x86_64")]
        Variant::Avx2 => product::avx2_f32,
        _ => product::portable_f32,
    }
}

/// The kernel for double precision.
#[must_use]
pub fn product_f64(variant: Variant) -> Product<f64> {
    match variant {
        #[cfg(target_arch = "x86_64")]
        Variant::Avx512 => product::avx512_f64,
        #[cfg(target_arch = "x86_64")]
        Variant::Avx2 => product::avx2_f64,
        _ => product::portable_f64,
    }
}
