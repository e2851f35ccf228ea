//! Transformed numbers: for each frequency a matrix, cut into panels of columns.

use crate::convolution::tile::panel;
use crate::simd::Simd;

/// `[frequency][panel][row][width]`: rows are tiles or channels, columns are channels or units. The last vector of the last
/// panel is filled with zeros.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Columns of a panel, in whole vectors.
    pub(super) width: usize,
    /// Elements of a frequency.
    pub(super) frequency: usize,
}

/// Elements from one frequency to the next: not a power of two, so that the frequencies of a tile, which are written
/// together, do not compete for one place in the first-level cache.
#[inline(always)]
pub(super) fn apart<S: Simd>(elements: usize) -> usize {
    elements.next_multiple_of(S::LANES) + S::LANES
}

impl Panels {
    #[inline(always)]
    pub(super) fn new<S: Simd>(rows: usize, columns: usize) -> Self {
        let width = panel::<S>().min(columns.next_multiple_of(S::LANES));
        Self { rows, columns, width, frequency: apart::<S>(columns.div_ceil(width) * rows * width) }
    }

    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    /// Columns in use of panel `index`.
    #[inline(always)]
    pub(super) fn used(&self, index: usize) -> usize {
        self.width.min(self.columns - index * self.width)
    }

    /// Where a number of frequency 0 lies.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, column: usize) -> usize {
        (column / self.width * self.rows + row) * self.width + column % self.width
    }
}
