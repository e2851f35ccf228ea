//! The layout of transformed numbers: a matrix for each position, cut into panels of columns.

use crate::convolution::tile::panel;
use crate::simd::Simd;

/// The layout `[position][panel][row][width]`. Rows are tiles or channels; columns are channels or units. The last vector
/// of the last panel is filled with zeros.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Columns of a panel, in whole vectors.
    pub(super) width: usize,
    /// Elements from one position to the next.
    pub(super) position_stride: usize,
}

/// A stride between positions that is not a power of two. The positions of a tile are written together, and must not
/// compete for the same set of the L1 cache.
#[inline(always)]
pub(super) fn apart<S: Simd>(elements: usize) -> usize {
    elements.next_multiple_of(S::LANES) + S::LANES
}

impl Panels {
    #[inline(always)]
    pub(super) fn new<S: Simd>(rows: usize, columns: usize) -> Self {
        let width = panel::<S>().min(columns.next_multiple_of(S::LANES));
        Self { rows, columns, width, position_stride: apart::<S>(columns.div_ceil(width) * rows * width) }
    }

    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// The columns of panel `index` that are in use.
    #[inline(always)]
    pub(super) fn used(&self, index: usize) -> usize {
        self.width.min(self.columns - index * self.width)
    }

    /// The offset of a number inside position 0.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, column: usize) -> usize {
        (column / self.width * self.rows + row) * self.width + column % self.width
    }
}
