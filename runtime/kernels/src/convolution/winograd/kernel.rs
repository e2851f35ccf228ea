//! Transforms the kernels of a convolution to the Winograd domain.

use super::panels::{Panels, apart};
use super::points::{MOST, Points, Square, square};
use crate::convolution::shape::Side;
use crate::memory::{Parallel, SharedPtr};
use crate::simd::{Number, Simd, prefetch};
use std::marker::PhantomData;

/// Rows that a task transforms: a cache line of units.
const ROWS: usize = 16;
/// The largest number of lanes of any vector.
const LANES: usize = 16;

/// `G w G'` of all kernels as `[unit panel][position][channel][width]`. For the gradient at the input the kernels are
/// rotated by 180 degrees, and channels take the place of units.
pub(super) struct Kernels<T, P> {
    pub(super) side: Side,
    /// Units of the convolution.
    pub(super) units: usize,
    /// The layout of the result.
    pub(super) panels: Panels,
    pub(super) w: SharedPtr<T>,
    pub(super) to: SharedPtr<T>,
    pub(super) points: PhantomData<P>,
}

impl<S: Simd, P: Points> Parallel<S> for Kernels<S::Element, P> {
    fn tasks(&self) -> usize {
        self.panels.rows.div_ceil(ROWS)
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let first = task * ROWS;
        let rows = ROWS.min(self.panels.rows - first);
        for column in (0..self.panels.columns).step_by(S::LANES) {
            let count = S::LANES.min(self.panels.columns - column);
            // SAFETY: rows and columns are inside the kernels, and no other task has these rows.
            unsafe {
                match self.side {
                    Side::Forward => {
                        for row in first..first + rows {
                            let mut block = [[S::zero(); MOST]; MOST];
                            for tap in 0..9 {
                                let from = self.w.at((row * 9 + tap) * self.units + column);
                                block[tap / 3][tap % 3] = S::load_first(from, count);
                            }
                            self.store::<S>(row, column, &block);
                        }
                    }
                    Side::Input => self.rotated::<S>(first, rows, column, count),
                }
            }
        }
    }
}

impl<T: Number, P: Points> Kernels<T, P> {
    /// Transforms `rows` units by `count` channels. A small block rotates and transposes the kernels first.
    ///
    /// # Safety
    /// The units and channels exist. The CPU has the features of `S`. No other thread writes these rows.
    #[inline(always)]
    unsafe fn rotated<S: Simd<Element = T>>(&self, first: usize, rows: usize, column: usize, count: usize) {
        let mut block = [[[T::default(); LANES]; ROWS]; 9];
        for lane in 0..count {
            for tap in 0..9 {
                // Prefetches the same tap for the next vector: every line is in another page, which no CPU prefetches by
                // itself. SAFETY: offset 0 is inside any allocation; a prefetch needs no valid address.
                let w = unsafe { self.w.at(0) };
                prefetch(w.wrapping_add(((column + S::LANES + lane) * 9 + tap) * self.units + first));
                let lines = &mut block[8 - tap];
                for (row, line) in lines.iter_mut().enumerate().take(rows) {
                    // Volatile, because the compiler would make a scatter instruction of it, which is several times
                    // slower. SAFETY: channel `column + lane`, the tap and unit `first + row` are inside the kernels;
                    // `lane` is below LANES.
                    unsafe {
                        let from = self.w.at(((column + lane) * 9 + tap) * self.units + first + row);
                        line.as_mut_ptr().add(lane).write_volatile(*from);
                    }
                }
            }
        }
        for row in 0..rows {
            // SAFETY: a row of the block has LANES numbers, as many as the longest vector; the row and the column exist.
            unsafe {
                let mut kernels = [[S::zero(); MOST]; MOST];
                for tap in 0..9 {
                    kernels[tap / 3][tap % 3] = S::load(block[tap][row].as_ptr());
                }
                self.store::<S>(first + row, column, &kernels);
            }
        }
    }

    /// Transforms a vector of kernels and stores it.
    ///
    /// # Safety
    /// Row and column exist. The CPU has the features of `S`. No other thread writes this row.
    #[inline(always)]
    unsafe fn store<S: Simd<Element = T>>(&self, row: usize, column: usize, kernels: &Square<S>) {
        let index = column / self.panels.width;
        // SAFETY: all positions of this row and column are inside `to`.
        unsafe {
            let block = square::<S, P::Kernel>(kernels);
            let one = apart::<S>(self.panels.rows * self.panels.width);
            let to = self.to.at(index * P::POSITIONS * one + row * self.panels.width + column % self.panels.width);
            for i in 0..P::SIZE {
                for j in 0..P::SIZE {
                    block[i][j].store(to.add((i * P::SIZE + j) * one));
                }
            }
        }
    }
}
