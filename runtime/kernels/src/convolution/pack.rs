//! Weights, rearranged for the register tiles: panels of columns, every row of a panel side by side.

use super::class::Class;
use super::shape::Side;
use super::slab::fill;
use super::tile::panel;
use crate::memory::{At, Phase};
use crate::simd::{Number, Simd};

/// Width of panel `index` of so many columns, in whole vectors.
#[inline(always)]
pub(super) fn padded<S: Simd>(columns: usize, index: usize) -> usize {
    (columns - index * panel::<S>()).min(panel::<S>()).next_multiple_of(S::LANES)
}

/// Elements of packed weights with so many rows.
pub(super) fn packed<S: Simd>(rows: usize, columns: usize) -> usize {
    rows * columns.next_multiple_of(S::LANES)
}

/// Packs the weights of all classes; a job is one tap of one class.
///
/// Row `(i kw + j) depth + d` of a class's panel holds weight `w[d, tap(i, j), column]` forwards, and `w[column, tap(i, j), d]`
/// for the gradient at the input.
pub(super) struct Pack<'a, T> {
    pub(super) side: Side,
    pub(super) classes: &'a [Class],
    /// The kernel's height and width, and the number of units.
    pub(super) kernel: [usize; 2],
    pub(super) units: usize,
    /// Numbers that are summed over at one tap, and columns.
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) w: At<T>,
    pub(super) packed: At<T>,
}

impl<S: Simd> Phase<S> for Pack<'_, S::Element> {
    fn jobs(&self) -> usize {
        self.classes.iter().map(Class::taps).sum()
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let mut tap = job;
        for class in self.classes {
            if tap < class.taps() {
                for index in 0..self.columns.div_ceil(panel::<S>()) {
                    // SAFETY: the tap and the panel exist.
                    unsafe { self.tap::<S>(class, tap, index) }
                }
                return;
            }
            tap -= class.taps();
        }
    }
}

impl<T: Number> Pack<'_, T> {
    /// One tap of one panel.
    ///
    /// # Safety
    /// Both exist.
    #[inline(always)]
    unsafe fn tap<S: Simd<Element = T>>(&self, class: &Class, tap: usize, index: usize) {
        let first = index * panel::<S>();
        let (columns, width) = (panel::<S>().min(self.columns - first), padded::<S>(self.columns, index));
        let [i, j] = class.tap(tap);
        let at = i * self.kernel[1] + j;
        let taps = self.kernel[0] * self.kernel[1];
        // SAFETY: the panels before this one are full; every row and column below is inside the panel and the weights.
        unsafe {
            let to = self.packed.at(class.packed + first * class.taps() * self.depth + tap * self.depth * width);
            for row in 0..self.depth {
                fill(to.add(row * width + columns), width - columns);
            }
            match self.side {
                Side::Forward => {
                    for row in 0..self.depth {
                        let from = self.w.at((row * taps + at) * self.units + first);
                        std::ptr::copy_nonoverlapping(from, to.add(row * width), columns);
                    }
                }
                Side::Input => {
                    // In blocks, so that the lines written to are still in the first-level cache for the next column.
                    for block in (0..self.depth).step_by(64) {
                        for column in 0..columns {
                            let from = self.w.at(((first + column) * taps + at) * self.units);
                            for row in block..self.depth.min(block + 64) {
                                // One by one: compilers make a scatter of it otherwise, which is several times slower.
                                to.add(row * width + column).write_volatile(*from.add(row));
                            }
                        }
                    }
                }
            }
        }
    }
}
