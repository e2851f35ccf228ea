//! The epilogue of single vectors of results: bias, ReLU, ReLU mask, sums.

use crate::epilogue::Epilogue;
use crate::memory::SharedPtr;
use crate::simd::Arithmetic;
use crate::total::Total;

/// The epilogue for one vector of units. Its pixels come one after the other.
pub(super) struct VectorEpilogue<S: Arithmetic> {
    lanes: usize,
    bias: S,
    relu: bool,
    /// The output of the ReLU for the whole image. Null: all results pass.
    relu_output: *const S::Element,
    scale: Option<S>,
    total: S,
    weighted: S,
    /// The totals to which the sums are added.
    to: [*mut S::Element; 2],
}

impl<S: Arithmetic> VectorEpilogue<S> {
    /// The epilogue for `lanes` units from `column` on. Its ReLU outputs are those of the whole image.
    ///
    /// # Safety
    /// The units are inside the vectors of the epilogue. Its sums point to totals of whole vectors. The CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn new(epilogue: &Epilogue<S::Element>, column: usize, lanes: usize) -> Self {
        // SAFETY: the contract of this function.
        unsafe {
            let some = |from: *const S::Element| (!from.is_null()).then(|| S::load_first(from.add(column), lanes));
            let own = |to: *mut S::Element| if to.is_null() { to } else { to.add(2 * column) };
            VectorEpilogue {
                lanes,
                bias: some(epilogue.bias).unwrap_or(S::zero()),
                relu: epilogue.relu,
                relu_output: epilogue.relu_mask.relu_output,
                scale: some(epilogue.relu_mask.scale),
                total: S::zero(),
                weighted: S::zero(),
                to: [own(epilogue.sums), own(epilogue.relu_mask.weighted)],
            }
        }
    }

    /// Applies the epilogue to the vector at offset `at` of the image, and adds it to the sums.
    ///
    /// # Safety
    /// The ReLU's output has these units at `at`, and the CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn finish(&mut self, value: S, at: usize) -> S {
        // SAFETY: the contract of this function; a partial load reads only the units that exist.
        unsafe {
            let mut value = value.add(self.bias);
            if self.relu {
                value = value.relu();
            }
            if !self.relu_output.is_null() {
                let from = self.relu_output.add(at);
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

    /// Applies the epilogue, and stores the vector at offset `at` of the image `y`.
    ///
    /// # Safety
    /// As for [`Self::finish`]. The image has these units at `at`, on which no other thread works.
    #[inline(always)]
    pub(super) unsafe fn store(&mut self, value: S, at: usize, y: SharedPtr<S::Element>) {
        // SAFETY: the contract of this function.
        unsafe {
            let (value, to) = (self.finish(value, at), y.at(at));
            if self.lanes == S::LANES { value.store(to) } else { value.store_first(to, self.lanes) }
        }
    }

    /// Adds the sums of this vector to the totals.
    ///
    /// # Safety
    /// As for [`Self::new`].
    #[inline(always)]
    pub(super) unsafe fn end(self) {
        for (to, sum) in self.to.into_iter().zip([self.total, self.weighted]) {
            if !to.is_null() {
                // SAFETY: `to` points to a total of a whole vector, by the contract of `new`.
                unsafe { Total::add_at(to, sum) }
            }
        }
    }
}
