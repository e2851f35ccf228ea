//! The matmul C = A B in two forms: `small` for generated code, and `packed` for large matrices, whose results threads
//! share.
//!
//! The order of additions depends only on the shape: each result is summed up over blocks of k, in order, by one thread.

mod blocks;
mod compiled;
mod operand;
mod pack;
mod packed;
pub(crate) mod small;
#[cfg(test)]
mod tests;

use super::Variant;
use super::workers::Workers;
pub use compiled::Multiplied;

/// A matrix in memory: element (i, j) is at `at + i * rows + j * columns`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<T> {
    /// The first element.
    pub at: *const T,
    /// Elements between neighbouring rows.
    pub rows: usize,
    /// Elements between neighbouring columns.
    pub columns: usize,
}

/// C = A B with A `[m, k]`, B `[k, n]` and C `[m, n]`.
#[derive(Debug, Clone, Copy)]
pub struct Product<T> {
    /// m, n, k.
    pub shape: [usize; 3],
    /// Left operand.
    pub a: Matrix<T>,
    /// Right operand.
    pub b: Matrix<T>,
    /// The first element of C, whose rows are contiguous.
    pub c: *mut T,
    /// Elements between neighbouring rows of C.
    pub c_rows: usize,
    /// n contiguous numbers that are added to every row; or null.
    pub bias: *const T,
    /// Negative results become 0; NaN stays.
    pub relu: bool,
}

/// Elements of the workspace that [`multiply`] needs with this many workers.
#[must_use]
pub fn workspace<T: Multiplied>(variant: Variant, workers: usize) -> usize {
    T::workspace(variant, workers)
}

/// Computes C and writes all of it.
///
/// # Safety
/// The CPU has the variant's instructions. The matrices have the sizes of the shape, and `bias` is null or has n numbers.
/// `workspace` points to as many numbers as [`workspace`] returns for these workers. C and `workspace` overlap nothing else.
pub unsafe fn multiply<T: Multiplied>(variant: Variant, product: &Product<T>, workspace: *mut T, workers: &Workers) {
    // SAFETY: the contract of this function is that of the call.
    unsafe { T::multiply(variant, product, workspace, workers) }
}
