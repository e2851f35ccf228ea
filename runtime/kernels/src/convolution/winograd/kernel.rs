//! Kernels to frequencies.

use super::panels::{Panels, apart};
use super::points::{MOST, Points, Square, square};
use crate::convolution::shape::Side;
use crate::memory::{At, Phase};
use crate::simd::{Number, Simd, prefetch};
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
                            let mut block = [[S::zero(); MOST]; MOST];
                            for tap in 0..9 {
                                let from = self.w.at((row * 9 + tap) * self.units + column);
                                block[tap / 3][tap % 3] = S::load_first(from, count);
                            }
                            self.store::<S>(row, column, &block);
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
                // The same of the next vector: every line lies in a page of its own, which no processor foresees.
                // SAFETY: the address of the first number.
                let w = unsafe { self.w.at(0) };
                prefetch(w.wrapping_add(((column + S::LANES + lane) * 9 + tap) * self.units + first));
                let lines = &mut block[8 - tap];
                for (row, line) in lines.iter_mut().enumerate().take(rows) {
                    // One by one: compilers make a scatter of it otherwise, which is several times slower.
                    // SAFETY: the channel `column + lane`, the tap and the unit `first + row` exist, `lane` is below LANES.
                    unsafe {
                        let from = self.w.at(((column + lane) * 9 + tap) * self.units + first + row);
                        line.as_mut_ptr().add(lane).write_volatile(*from);
                    }
                }
            }
        }
        for row in 0..rows {
            // SAFETY: a row of the block is at least as long as a vector.
            unsafe {
                let mut kernels = [[S::zero(); MOST]; MOST];
                for tap in 0..9 {
                    kernels[tap / 3][tap % 3] = S::load(block[tap][row].as_ptr());
                }
                self.store::<S>(first + row, column, &kernels);
            }
        }
    }

    /// Transforms a vector of kernels.
    ///
    /// # Safety
    /// Row and column exist; the processor has the features of `S`.
    #[inline(always)]
    unsafe fn store<S: Simd<Element = T>>(&self, row: usize, column: usize, kernels: &Square<S>) {
        let index = column / self.panels.width;
        // SAFETY: the frequencies of this row and column lie inside `to`.
        unsafe {
            let block = square::<S, P::Kernel>(kernels);
            let one = apart::<S>(self.panels.rows * self.panels.width);
            let to = self.to.at(index * P::FREQUENCIES * one + row * self.panels.width + column % self.panels.width);
            for i in 0..P::SIZE {
                for j in 0..P::SIZE {
                    block[i][j].store(to.add((i * P::SIZE + j) * one));
                }
            }
        }
    }
}
