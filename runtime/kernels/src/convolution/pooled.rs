//! The largest of windows of 2 x 2 that tile the results, found while these are at hand: the results themselves need no memory.

#![allow(clippy::needless_range_loop)] // windows are written with their indices

use crate::finish::{PIXELS, POSITIVE, Pooled};
use crate::memory::At;
use crate::simd::Bytes;

/// A vector of units, window after window.
pub(super) struct Pooler<S: Bytes> {
    lanes: usize,
    scale: Option<S>,
    largest: *mut S::Element,
    marks: *mut u8,
}

impl<S: Bytes> Pooler<S> {
    /// For `lanes` units from `unit` on.
    ///
    /// # Safety
    /// The units exist; the processor has the features.
    #[inline(always)]
    pub(super) unsafe fn new(pooled: &Pooled<S::Element>, unit: usize, lanes: usize) -> Self {
        // SAFETY: there is a factor for each unit.
        let scale = (!pooled.scale.is_null()).then(|| unsafe { S::load_first(pooled.scale.add(unit), lanes) });
        Self { lanes, scale, largest: pooled.largest, marks: pooled.marks }
    }

    /// Stores the largest of a window at `at` of the pooled images.
    ///
    /// # Safety
    /// The numbers exist there, in `y` and in everything else that is stored; nobody else works on them; the processor has the
    /// features.
    #[inline(always)]
    pub(super) unsafe fn store(&self, window: [S; PIXELS], at: usize, y: At<S::Element>) {
        // SAFETY: as the caller says; of the last vector only the lanes that exist are touched.
        unsafe {
            let mut scaled = window;
            if let Some(scale) = self.scale {
                for i in 0..PIXELS {
                    scaled[i] = window[i].times(scale);
                }
            }
            let (mut best, mut largest, mut which) = (scaled[0], window[0], S::from_bits(S::whole(1)));
            for i in 1..PIXELS {
                let better = S::larger(scaled[i], best);
                best = S::select(better, scaled[i], best);
                largest = S::select(better, window[i], largest);
                which = S::select(better, S::from_bits(S::whole(1 << i)), which);
            }
            self.put(best, y.at(at));
            if !self.largest.is_null() {
                self.put(largest, self.largest.add(at));
            }
            if !self.marks.is_null() {
                self.mark(window, S::bits(which), self.marks.add(at));
            }
        }
    }

    /// # Safety
    /// As [`Self::store`].
    #[inline(always)]
    unsafe fn mark(&self, window: [S; PIXELS], mut marks: S::Bits, to: *mut u8) {
        // SAFETY: as the caller says.
        unsafe {
            for i in 0..PIXELS {
                let bit = S::from_bits(S::whole(1 << POSITIVE << i));
                marks = S::or(marks, S::bits(S::select(S::less(S::zero(), window[i]), bit, S::zero())));
            }
            if self.lanes == S::LANES { S::narrow(marks, to) } else { S::narrow_first(marks, to, self.lanes) }
        }
    }

    /// # Safety
    /// As [`Self::store`].
    #[inline(always)]
    unsafe fn put(&self, value: S, to: *mut S::Element) {
        // SAFETY: as the caller says.
        unsafe { if self.lanes == S::LANES { value.store(to) } else { value.store_first(to, self.lanes) } }
    }
}

/// Pools `rows` rows of `columns` pixels of `units`, both even, which lie side by side at `from`; the first window's numbers go to
/// `first` of the pooled images.
///
/// # Safety
/// The numbers exist, those of the pooled images too, which nobody else works on; the processor has the features.
#[inline(always)]
pub(super) unsafe fn rows<S: Bytes>(
    pooled: &Pooled<S::Element>,
    from: *const S::Element,
    [rows, columns, units]: [usize; 3],
    first: usize,
    y: At<S::Element>,
) {
    for unit in (0..units).step_by(S::LANES) {
        let lanes = S::LANES.min(units - unit);
        // SAFETY: the units exist in every pixel of the rows, and of the pooled images.
        unsafe {
            let pooler = Pooler::<S>::new(pooled, unit, lanes);
            for index in 0..rows / 2 * (columns / 2) {
                let (row, column) = (index / (columns / 2), index % (columns / 2));
                let pixel = |i: usize| (2 * row + i / 2) * columns + 2 * column + i % 2;
                let mut window = [S::zero(); PIXELS];
                for i in 0..PIXELS {
                    window[i] = S::load_first(from.add(pixel(i) * units + unit), lanes);
                }
                pooler.store(window, first + index * units + unit, y);
            }
        }
    }
}
