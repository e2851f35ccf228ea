//! SIMD kernels for matmuls, convolutions, pools and unit vectors. Cranelift has only 128-bit vectors, which cannot reach
//! the peak of the CPU for these.
//!
//! ```text
//! C[m, n] = max(A[m, k] B[k, n] + bias[n], 0)      A and B with any strides, C with contiguous rows; bias and max optional
//! ```
//!
//! A matmul computes one register tile of C at a time. Elements of A are broadcast to all lanes; B and C are read and
//! written in vectors along rows. Tile sizes are compile-time constants. The vector type comes from [`simd`] and is
//! chosen once for a CPU. The order of additions depends only on the shape, never on threads.

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

pub mod compiled;
pub mod convolution;
pub mod epilogue;
pub mod flush;
pub mod matmul;
mod memory;
mod peak;
pub mod pooling;
mod scan;
pub mod simd;
#[cfg(test)]
mod tests;
mod total;
pub mod workers;

pub use peak::{peak_gbps, peak_gflops};
pub use scan::{Spherical, SphericalGrad, spherical_f32, spherical_f64, spherical_grad_f32, spherical_grad_f64};
use std::sync::OnceLock;

/// The instruction set that kernels use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// 512-bit vectors.
    Avx512,
    /// 256-bit vectors with fused multiplication and addition.
    Avx2,
    /// Instructions that every CPU has.
    Portable,
}

impl Variant {
    /// The fastest variant that this CPU can run, detected once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Variant> = OnceLock::new();
        *BEST.get_or_init(|| Self::all().first().copied().unwrap_or(Variant::Portable))
    }

    /// Every variant that this CPU can run, the fastest first.
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

/// A matmul as generated code calls it. Arguments: m, n, k; address, row stride and column stride of A and of B; address
/// and row stride of C; a bias row to add to every row, or null; 1 for a ReLU, else 0. Strides are in elements.
pub type MatMul<T> = unsafe extern "C" fn(
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
pub fn matmul_f32(variant: Variant) -> MatMul<f32> {
    match variant {
        #[cfg(target_arch = "x86_64")]
        Variant::Avx512 => matmul::small::avx512_f32,
        #[cfg(target_arch = "x86_64")]
        Variant::Avx2 => matmul::small::avx2_f32,
        _ => matmul::small::portable_f32,
    }
}

/// The kernel for double precision.
#[must_use]
pub fn matmul_f64(variant: Variant) -> MatMul<f64> {
    match variant {
        #[cfg(target_arch = "x86_64")]
        Variant::Avx512 => matmul::small::avx512_f64,
        #[cfg(target_arch = "x86_64")]
        Variant::Avx2 => matmul::small::avx2_f64,
        _ => matmul::small::portable_f64,
    }
}
