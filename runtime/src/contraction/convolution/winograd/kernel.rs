//! Kernels to frequencies.

use super::panels::Panels;
use super::points::{MOST, Points, Square, square};
use crate::contraction::convolution::correlate::Side;
use crate::contraction::memory::{At, Phase};
use crate::contraction::simd::{Number, Simd};
use std::marker::PhantomData;

/// Rows of frequencies that a job makes: a cache line of units.
const ROWS: usize = 16;
/// Most lanes of a vector.
const LANES: usize = 16;

/// `G w G'` of all kernels as `[unit panel][frequency][channel][width]`; for the gradient at the input with the kernels turned
/// round, and channels in the place of units.
pub(super) struct Kernels<T, P> {
    pub(super) side: Side,
    /// Of the convolution.
    pub(super) units: usize,
    /// Of one unit panel.
    pub(super) panels: Panels,
    pub(super) w: At<T>,
    pub(super) to: At<T>,
    pub(super) points: PhantomData<P>,
}

impl<S: Simd, P: Points> Phase<S> for Kernels<S::Element, P> {
    fn jobs(&self) -> usize {
        self.panels.rows.div_ceil(ROWS)
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let first = job * ROWS;
        let rows = ROWS.min(self.panels.rows - first);
        for column in (0..self.panels.columns).step_by(S::LANES) {
            let count = S::LANES.min(self.panels.columns - column);
            // SAFETY: the rows and columns exist.
            unsafe {
                match self.side {
                    Side::Forward => {
                        for row in first..first + rows {
                            let taps = |tap: usize| {
                                let from = self.w.at((row * 9 + tap) * self.units + column);
                                S::load_first(from, count)
                            };
                            self.store::<S>(row, column, [0, 1, 2].map(|i| [0, 1, 2].map(|j| taps(i * 3 + j))));
                        }
                    }
                    Side::Input => self.turned::<S>(first, rows, column, count),
                }
            }
        }
    }
}

impl<T: Number, P: Points> Kernels<T, P> {
    /// Some units by a vector of channels: turned round and transposed in a small block on the way.
    ///
    /// # Safety
    /// They exist; the processor has the features of `S`.
    #[inline(always)]
    unsafe fn turned<S: Simd<Element = T>>(&self, first: usize, rows: usize, column: usize, count: usize) {
        let mut block = [[[T::default(); LANES]; ROWS]; 9];
        for lane in 0..count {
            for tap in 0..9 {
                for row in 0..rows {
                    // SAFETY: the channel `column + lane`, the tap and the unit `first + row` exist.
                    block[8 - tap][row][lane] =
                        unsafe { *self.w.at(((column + lane) * 9 + tap) * self.units + first + row) };
                }
            }
        }
        for row in 0..rows {
            // SAFETY: a row of the block is at least as long as a vector.
            unsafe {
                let taps = |tap: usize| S::load(block[tap][row].as_ptr());
                self.store::<S>(first + row, column, [0, 1, 2].map(|i| [0, 1, 2].map(|j| taps(i * 3 + j))));
            }
        }
    }

    /// Transforms a vector of kernels.
    ///
    /// # Safety
    /// Row and column exist; the processor has the features of `S`.
    #[inline(always)]
    unsafe fn store<S: Simd<Element = T>>(&self, row: usize, column: usize, taps: [[S; 3]; 3]) {
        let index = column / self.panels.width;
        // SAFETY: the frequencies of this row and column lie inside `to`.
        unsafe {
            let mut from: Square<S> = [[S::zero(); MOST]; MOST];
            for i in 0..3 {
                from[i][..3].copy_from_slice(&taps[i]);
            }
            let block = square::<S, P::Kernel>(&from);
            let base = index * P::FREQUENCIES * self.panels.rows * self.panels.width;
            let to = self.to.at(base + row * self.panels.width + column % self.panels.width);
            for i in 0..P::SIZE {
                for j in 0..P::SIZE {
                    block[i][j].store(to.add((i * P::SIZE + j) * self.panels.rows * self.panels.width));
                }
            }
        }
    }
}
