//! Operands and epilogues of matmuls, and the cut of a length into equal parts.

use super::Matrix;

/// A matrix operand: address, row stride, column stride.
#[derive(Clone, Copy)]
pub(super) struct Operand<T> {
    pub(super) at: *const T,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<T> Operand<T> {
    pub(super) fn of(matrix: Matrix<T>) -> Self {
        Operand { at: matrix.at, rows: matrix.rows, columns: matrix.columns }
    }

    /// The operand from element (i, j) on.
    ///
    /// # Safety
    /// The element is inside the matrix.
    #[inline(always)]
    pub(super) unsafe fn from(self, i: usize, j: usize) -> Self {
        // SAFETY: element (i, j) is inside the matrix, by the contract of this function.
        Operand { at: unsafe { self.at.add(i * self.rows + j * self.columns) }, ..self }
    }
}

/// Operations on the results before they are stored.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<T> {
    /// Added to every row, or null.
    pub(super) bias: *const T,
    /// Negative results become 0.
    pub(super) relu: bool,
}

/// Cuts `total` into `total.div_ceil(most)` nearly equal parts; returns start and size of part `index`.
#[inline(always)]
pub(super) fn part(total: usize, most: usize, index: usize) -> (usize, usize) {
    equal(total, total.div_ceil(most), index)
}

/// Cuts `total` into `count` nearly equal parts; returns start and size of part `index`.
#[inline(always)]
pub(super) fn equal(total: usize, count: usize, index: usize) -> (usize, usize) {
    let (size, rest) = (total / count, total % count);
    (index * size + index.min(rest), size + usize::from(index < rest))
}
