//! A max-pool over windows of 2 x 2, fused into a convolution. The results of the convolution need no memory.

#![expect(clippy::needless_range_loop, reason = "windows are written with their indices")]

use crate::epilogue::{PIXELS, POSITIVE, Pooled};
use crate::memory::SharedPtr;
use crate::simd::Bytes;

/// The pool for one vector of units. Its windows come one after the other.
pub(super) struct Pooler<S: Bytes> {
    lanes: usize,
    scale: Option<S>,
    unscaled_max: *mut S::Element,
    argmax: *mut u8,
}

impl<S: Bytes> Pooler<S> {
    /// The pool for `lanes` units from `unit` on.
    ///
    /// # Safety
    /// The units are inside the vectors of `pooled`, and the CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn new(pooled: &Pooled<S::Element>, unit: usize, lanes: usize) -> Self {
        // SAFETY: `scale` has a number for each unit, by the contract of this function.
        let scale = (!pooled.scale.is_null()).then(|| unsafe { S::load_first(pooled.scale.add(unit), lanes) });
        Self { lanes, scale, unscaled_max: pooled.unscaled_max, argmax: pooled.argmax }
    }

    /// Stores the maximum of a window at offset `at` of the pooled images.
    ///
    /// # Safety
    /// `y`, `unscaled_max` and `argmax` have these units at `at`, on which no other thread works. The CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn store(&self, window: [S; PIXELS], at: usize, y: SharedPtr<S::Element>) {
        // SAFETY: the contract of this function; partial stores write only the units that exist.
        unsafe {
            let mut scaled = window;
            if let Some(scale) = self.scale {
                for i in 0..PIXELS {
                    scaled[i] = window[i].times(scale);
                }
            }
            // The scale may be negative, so the maximum of the scaled results may be the smallest result. `which` holds
            // one bit for the winner; a select needs it as a number.
            let (mut best, mut largest, mut which) = (scaled[0], window[0], S::from_bits(S::whole(1)));
            for i in 1..PIXELS {
                let better = S::larger(scaled[i], best);
                best = S::select(better, scaled[i], best);
                largest = S::select(better, window[i], largest);
                which = S::select(better, S::from_bits(S::whole(1 << i)), which);
            }
            self.put(best, y.at(at));
            if !self.unscaled_max.is_null() {
                self.put(largest, self.unscaled_max.add(at));
            }
            if !self.argmax.is_null() {
                self.store_argmax(window, S::bits(which), self.argmax.add(at));
            }
        }
    }

    /// Adds the bits of pixels above 0 to the bit of the winner, and stores them as bytes.
    ///
    /// # Safety
    /// As for [`Self::store`].
    #[inline(always)]
    unsafe fn store_argmax(&self, window: [S; PIXELS], mut argmax: S::Bits, to: *mut u8) {
        // SAFETY: the contract of this function.
        unsafe {
            for i in 0..PIXELS {
                let bit = S::from_bits(S::whole(1 << POSITIVE << i));
                argmax = S::or(argmax, S::bits(S::select(S::less(S::zero(), window[i]), bit, S::zero())));
            }
            if self.lanes == S::LANES { S::narrow(argmax, to) } else { S::narrow_first(argmax, to, self.lanes) }
        }
    }

    /// Stores a vector of units.
    ///
    /// # Safety
    /// As for [`Self::store`].
    #[inline(always)]
    unsafe fn put(&self, value: S, to: *mut S::Element) {
        // SAFETY: the contract of this function.
        unsafe { if self.lanes == S::LANES { value.store(to) } else { value.store_first(to, self.lanes) } }
    }
}

/// Pools `rows` contiguous rows of `columns` pixels of `units` at `from`. Rows and columns are even. The first window
/// goes to offset `first` of the pooled images.
///
/// # Safety
/// The rows are readable. The pooled images have their windows from `first` on, on which no other thread works. The CPU has the
/// features.
#[inline(always)]
pub(super) unsafe fn rows<S: Bytes>(
    pooled: &Pooled<S::Element>,
    from: *const S::Element,
    [rows, columns, units]: [usize; 3],
    first: usize,
    y: SharedPtr<S::Element>,
) {
    for unit in (0..units).step_by(S::LANES) {
        let lanes = S::LANES.min(units - unit);
        // SAFETY: `lanes` units from `unit` on are inside every pixel of the rows and of the pooled images.
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
