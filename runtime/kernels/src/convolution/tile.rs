//! The matmul in which all algorithms do their work: a few rows by a panel of columns, summed in registers.

#![expect(clippy::needless_range_loop, reason = "tiles are written with their indices, as in the formula")]

mod epilogue;

use crate::epilogue::Epilogue;
use crate::simd::{Arithmetic, Simd, Work, prefetch_far};

/// Columns of a full panel: as many vectors as a row of a register tile has.
pub(super) const fn panel<S: Simd>() -> usize {
    S::TILE.1 * S::LANES
}

/// Cuts `total` into `count` nearly equal parts; returns start and size of part `index`.
#[inline(always)]
pub(super) fn split(total: usize, count: usize, index: usize) -> (usize, usize) {
    let (size, rest) = (total / count, total % count);
    (index * size + index.min(rest), size + usize::from(index < rest))
}

/// Cuts `total` into as few nearly equal parts of at most `most` as possible; returns start and size of part `index`.
#[inline(always)]
pub(super) fn part(total: usize, most: usize, index: usize) -> (usize, usize) {
    split(total, total.div_ceil(most), index)
}

/// A contiguous stretch of a sum: its offsets in the left and in the right operand, and its length.
#[derive(Clone, Copy, Default)]
pub(super) struct Run {
    pub(super) left: usize,
    pub(super) right: usize,
    /// The number of terms.
    pub(super) depth: usize,
}

/// Memory that the next matmul will read. It is prefetched piece by piece while this one computes; otherwise the first
/// rows of the next one would wait for memory.
#[derive(Clone, Copy)]
pub(super) struct Ahead<T> {
    pub(super) at: *const T,
    /// The number of elements.
    pub(super) count: usize,
}

impl<T> Ahead<T> {
    /// No prefetch.
    pub(super) fn none() -> Self {
        Self { at: std::ptr::null(), count: 0 }
    }

    /// Prefetches part `index` of `parts`.
    #[inline(always)]
    fn fetch(&self, index: usize, parts: usize) {
        let line = 64 / size_of::<T>();
        let lines = self.count.div_ceil(line).div_ceil(parts);
        for at in index * lines..(index + 1) * lines {
            prefetch_far(self.at.wrapping_add(at * line));
        }
    }
}

/// `C[i, j] (+)= sum over runs and p < run.depth of A[run + i, p] B[run + p, j]`, then the [`Epilogue`].
///
/// The element of A is at `run.left + i stride + p`, or, if `ACROSS`, at `run.left + i + p stride`. The element of B is at
/// `run.right + p right_stride + j`, that of C at `i target_stride + j`.
///
/// The contract of [`Work::run`] for this work: A is readable at these offsets, B also in whole vectors. C is writable in
/// `columns` and overlaps neither. The ReLU output of the mask has the layout of C. The sums point to totals of whole
/// vectors, to which those of the finished rows are added.
pub(super) struct TileMatMul<'a, S: Arithmetic, const ACROSS: bool> {
    pub(super) rows: usize,
    /// At most a [`panel`].
    pub(super) columns: usize,
    pub(super) runs: &'a [Run],
    pub(super) left: *const S::Element,
    pub(super) left_stride: usize,
    pub(super) right: *const S::Element,
    pub(super) right_stride: usize,
    pub(super) target: *mut S::Element,
    pub(super) target_stride: usize,
    /// Are results added to C?
    pub(super) add: bool,
    pub(super) epilogue: Epilogue<S::Element>,
    pub(super) ahead: [Ahead<S::Element>; 2],
}

impl<S: Arithmetic, const ACROSS: bool> Work<S> for TileMatMul<'_, S, ACROSS> {
    #[inline(always)]
    unsafe fn run(self) {
        let width = self.columns.div_ceil(S::LANES);
        let left_stride = if ACROSS { 1 } else { self.left_stride };
        for tile in 0..self.rows.div_ceil(S::TILE.0) {
            let (row, rows) = part(self.rows, S::TILE.0, tile);
            // SAFETY: `row + rows <= self.rows`, so the rows are inside A and C; the rest is the contract of this work.
            unsafe {
                self.tile_of(
                    tile,
                    rows,
                    width,
                    self.left.add(row * left_stride),
                    self.target.add(row * self.target_stride),
                )
            }
        }
    }
}

impl<S: Arithmetic, const ACROSS: bool> TileMatMul<'_, S, ACROSS> {
    /// Calls the tile of the right size. Its loops have constant bounds, so that the compiler unrolls them into registers.
    ///
    /// # Safety
    /// The contract of [`TileMatMul`].
    #[inline(always)]
    unsafe fn tile_of(
        &self,
        index: usize,
        rows: usize,
        width: usize,
        left: *const S::Element,
        target: *mut S::Element,
    ) {
        macro_rules! pick {
            ($($m:literal $v:literal),*) => {
                match (rows, width) {
                    // SAFETY: the contract of this function is that of the call.
                    $(($m, $v) if $m <= S::TILE.0 && $v <= S::TILE.1 => unsafe { self.tile::<$m, $v>(index, left, target) },)*
                    _ => crate::matmul::small::no_tile(rows, width),
                }
            };
        }
        pick!(
            1 1, 1 2, 1 3, 1 4, 2 1, 2 2, 2 3, 2 4, 3 1, 3 2, 3 3, 3 4,
            4 1, 4 2, 4 3, 4 4, 5 1, 5 2, 5 3, 5 4, 6 1, 6 2, 6 3, 6 4
        );
    }

    /// `M` rows by `V` vectors, which stay in registers over the whole sum. The last vector may be partly filled.
    ///
    /// # Safety
    /// The contract of [`TileMatMul`].
    #[inline(always)]
    unsafe fn tile<const M: usize, const V: usize>(
        &self,
        index: usize,
        left: *const S::Element,
        target: *mut S::Element,
    ) {
        // SAFETY: A, B and C are accessible at the offsets below, by the contract of `TileMatMul`.
        unsafe {
            let mut sums = [[S::zero(); V]; M];
            for (at, run) in self.runs.iter().enumerate() {
                // One piece of the prefetch for each run of each tile, so that it is spread over the whole computation.
                let parts = self.runs.len() * self.rows.div_ceil(S::TILE.0);
                for ahead in &self.ahead {
                    if ahead.count > 0 {
                        ahead.fetch(index * self.runs.len() + at, parts);
                    }
                }
                let (mut a, mut b) = (left.add(run.left), self.right.add(run.right));
                for _ in 0..run.depth {
                    let mut line = [S::zero(); V];
                    for v in 0..V {
                        line[v] = S::load(b.add(v * S::LANES));
                    }
                    for i in 0..M {
                        let factor = S::splat(if ACROSS { a.add(i) } else { a.add(i * self.left_stride) });
                        for v in 0..V {
                            sums[i][v] = sums[i][v].add_product(factor, line[v]);
                        }
                    }
                    // Wrapping, because after the last term the pointers may leave their memory.
                    a = a.wrapping_add(if ACROSS { self.left_stride } else { 1 });
                    b = b.wrapping_add(self.right_stride);
                }
            }
            self.end(&mut sums, target);
        }
    }
}
