//! What happens to single vectors of results before they are stored: bias, rectifier, gate, sums.

use crate::finish::Finish;
use crate::memory::At;
use crate::simd::Arithmetic;
use crate::total::Total;

/// A vector of units, whose pixels come one after the other.
pub(super) struct Finisher<S: Arithmetic> {
    lanes: usize,
    bias: S,
    relu: bool,
    /// What the rectifier gave, of the whole image; null if all results are kept.
    rectified: *const S::Element,
    scale: Option<S>,
    total: S,
    weighted: S,
    /// Where the sums go.
    to: [*mut S::Element; 2],
}

impl<S: Arithmetic> Finisher<S> {
    /// For `lanes` units from `column` of the finish on; its rectified numbers are those of the whole image.
    ///
    /// # Safety
    /// The units exist in what the finish points to, totals of whole vectors in the sums; the processor has the features.
    #[inline(always)]
    pub(super) unsafe fn new(finish: &Finish<S::Element>, column: usize, lanes: usize) -> Self {
        // SAFETY: as the caller says.
        unsafe {
            let some = |from: *const S::Element| (!from.is_null()).then(|| S::load_first(from.add(column), lanes));
            let own = |to: *mut S::Element| if to.is_null() { to } else { to.add(2 * column) };
            Finisher {
                lanes,
                bias: some(finish.bias).unwrap_or(S::zero()),
                relu: finish.relu,
                rectified: finish.gate.rectified,
                scale: some(finish.gate.scale),
                total: S::zero(),
                weighted: S::zero(),
                to: [own(finish.sums), own(finish.gate.weighted)],
            }
        }
    }

    /// Finishes a vector and counts it; it belongs to `at` of the image.
    ///
    /// # Safety
    /// The numbers exist there in what the rectifier gave; the processor has the features.
    #[inline(always)]
    pub(super) unsafe fn finish(&mut self, value: S, at: usize) -> S {
        // SAFETY: as the caller says; of the last vector only the lanes that exist are touched.
        unsafe {
            let mut value = value.add(self.bias);
            if self.relu {
                value = value.relu();
            }
            if !self.rectified.is_null() {
                let from = self.rectified.add(at);
                let by = if self.lanes == S::LANES { S::load(from) } else { S::load_first(from, self.lanes) };
                self.weighted = self.weighted.add_product(value, by);
                value = value.where_positive(by);
            }
            self.total = self.total.add(value);
            if let Some(scale) = self.scale {
                value = value.times(scale);
            }
            value
        }
    }

    /// Finishes a vector, counts it, and stores it at `at` of the image `y`.
    ///
    /// # Safety
    /// As [`Self::finish`]; the numbers exist in the image, and nobody else works on them.
    #[inline(always)]
    pub(super) unsafe fn store(&mut self, value: S, at: usize, y: At<S::Element>) {
        // SAFETY: as the caller says.
        unsafe {
            let (value, to) = (self.finish(value, at), y.at(at));
            if self.lanes == S::LANES { value.store(to) } else { value.store_first(to, self.lanes) }
        }
    }

    /// Adds the sums to those that are there.
    ///
    /// # Safety
    /// As [`Self::new`].
    #[inline(always)]
    pub(super) unsafe fn end(self) {
        for (to, sum) in self.to.into_iter().zip([self.total, self.weighted]) {
            if !to.is_null() {
                // SAFETY: there is a total of a whole vector.
                unsafe { Total::add_at(to, sum) }
            }
        }
    }
}
