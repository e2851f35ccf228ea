//! Compensated sums of many numbers. Gradients of centred values cancel, so a plain sum would keep few digits.

use super::simd::Arithmetic;

/// A vector of sums, and the sum of their rounding errors.
#[derive(Clone, Copy)]
pub(super) struct Total<S> {
    sum: S,
    lost: S,
}

impl<S: Arithmetic> Total<S> {
    /// A total of 0.
    ///
    /// # Safety
    /// The CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        // SAFETY: the contract of this function.
        unsafe { Total { sum: S::zero(), lost: S::zero() } }
    }

    /// Adds numbers. Knuth's two-sum gives the rounding error of each addition exactly; the errors are added up.
    ///
    /// # Safety
    /// The CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn add(&mut self, more: S) {
        // SAFETY: the contract of this function.
        unsafe {
            let whole = self.sum.add(more);
            let back = S::sub(whole, self.sum);
            let error = S::sub(self.sum, S::sub(whole, back)).add(S::sub(more, back));
            self.lost = self.lost.add(error);
            self.sum = whole;
        }
    }

    /// The sum with its rounding errors added back.
    ///
    /// # Safety
    /// The CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn value(self) -> S {
        // SAFETY: the contract of this function.
        unsafe { self.sum.add(self.lost) }
    }

    /// Adds another total.
    ///
    /// # Safety
    /// The CPU has the features.
    #[inline(always)]
    pub(super) unsafe fn join(&mut self, other: Self) {
        // SAFETY: the contract of this function.
        unsafe {
            self.add(other.sum);
            self.lost = self.lost.add(other.lost);
        }
    }

    /// A total from memory: two vectors.
    ///
    /// # Safety
    /// The CPU has the features. Two vectors are readable at the pointer.
    #[inline(always)]
    pub(super) unsafe fn load(from: *const S::Element) -> Self {
        // SAFETY: the contract of this function.
        unsafe { Total { sum: S::load(from), lost: S::load(from.add(S::LANES)) } }
    }

    /// Writes a total to memory: two vectors.
    ///
    /// # Safety
    /// The CPU has the features. Two vectors are writable at the pointer.
    #[inline(always)]
    pub(super) unsafe fn store(self, to: *mut S::Element) {
        // SAFETY: the contract of this function.
        unsafe {
            self.sum.store(to);
            self.lost.store(to.add(S::LANES));
        }
    }

    /// Adds to a total in memory.
    ///
    /// # Safety
    /// As for [`Self::load`] and [`Self::store`].
    #[inline(always)]
    pub(super) unsafe fn add_at(to: *mut S::Element, more: S) {
        // SAFETY: the contract of this function.
        unsafe {
            let mut total = Self::load(to);
            total.add(more);
            total.store(to);
        }
    }
}
