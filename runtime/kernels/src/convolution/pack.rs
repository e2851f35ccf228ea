//! Packs weights for the register tiles: panels of columns, with contiguous rows.

use super::class::Class;
use super::shape::Side;
use super::slab::fill;
use super::tile::panel;
use crate::memory::{Parallel, SharedPtr};
use crate::simd::{Number, Simd};

/// The width of panel `index`, rounded up to whole vectors.
#[inline(always)]
pub(super) fn padded<S: Simd>(columns: usize, index: usize) -> usize {
    (columns - index * panel::<S>()).min(panel::<S>()).next_multiple_of(S::LANES)
}

/// The size of packed weights in elements.
pub(super) fn packed<S: Simd>(rows: usize, columns: usize) -> usize {
    rows * columns.next_multiple_of(S::LANES)
}

/// Packs the weights of all classes. A task is one tap of one class.
///
/// Row `(i kw + j) depth + d` of a class's panel holds weight `w[d, tap(i, j), column]` forwards, and `w[column, tap(i,
/// j), d]` for the gradient at the input.
pub(super) struct Pack<'a, T> {
    pub(super) side: Side,
    pub(super) classes: &'a [Class],
    /// The kernel's height and width, and the number of units.
    pub(super) kernel: [usize; 2],
    pub(super) units: usize,
    /// Terms of the sum at one tap, and columns.
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) w: SharedPtr<T>,
    pub(super) packed: SharedPtr<T>,
}

impl<S: Simd> Parallel<S> for Pack<'_, S::Element> {
    fn tasks(&self) -> usize {
        self.classes.iter().map(Class::taps).sum()
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let mut tap = task;
        for class in self.classes {
            if tap < class.taps() {
                for index in 0..self.columns.div_ceil(panel::<S>()) {
                    // SAFETY: the tap is one of this class, the panel one of the columns; no other task has this tap.
                    unsafe { self.tap::<S>(class, tap, index) }
                }
                return;
            }
            tap -= class.taps();
        }
    }
}

impl<T: Number> Pack<'_, T> {
    /// Packs one tap of one panel.
    ///
    /// # Safety
    /// The tap and the panel exist, and no other thread packs this tap.
    #[inline(always)]
    unsafe fn tap<S: Simd<Element = T>>(&self, class: &Class, tap: usize, index: usize) {
        let first = index * panel::<S>();
        let (columns, width) = (panel::<S>().min(self.columns - first), padded::<S>(self.columns, index));
        let [i, j] = class.tap(tap);
        let at = i * self.kernel[1] + j;
        let taps = self.kernel[0] * self.kernel[1];
        // SAFETY: all panels before this one are full, so `first` columns lie before it. Every row is below `depth` and
        // every column below `columns`, so accesses are inside the panel and the weights.
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
                    // In blocks, so that the lines which are written stay in the L1 cache for the next column.
                    for block in (0..self.depth).step_by(64) {
                        for column in 0..columns {
                            let from = self.w.at(((first + column) * taps + at) * self.units);
                            for row in block..self.depth.min(block + 64) {
                                // Volatile, because the compiler would make a scatter instruction of it, which is several
                                // times slower.
                                to.add(row * width + column).write_volatile(*from.add(row));
                            }
                        }
                    }
                }
            }
        }
    }
}
