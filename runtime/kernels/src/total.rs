//! Sums of many numbers that keep what rounding loses of them: gradients of centred values cancel.

use super::simd::Arithmetic;

/// A vector of sums, and what rounding lost of them.
#[derive(Clone, Copy)]
pub(super) struct Total<S> {
    sum: S,
    lost: S,
}

impl<S: Arithmetic> Total<S> {
    /// # Safety
    /// The processor has the features.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        // SAFETY: as the caller says.
        unsafe { Total { sum: S::zero(), lost: S::zero() } }
    }

    /// The exact sum of two numbers is two numbers (Knuth); the smaller ones are added up.
    ///
    /// # Safety
    /// The processor has the features.
    #[inline(always)]
    pub(super) unsafe fn add(&mut self, more: S) {
        // SAFETY: as the caller says.
        unsafe {
            let whole = self.sum.add(more);
            let back = S::sub(whole, self.sum);
            let error = S::sub(self.sum, S::sub(whole, back)).add(S::sub(more, back));
            self.lost = self.lost.add(error);
            self.sum = whole;
        }
    }

    /// # Safety
    /// The processor has the features.
    #[inline(always)]
    pub(super) unsafe fn value(self) -> S {
        // SAFETY: as the caller says.
        unsafe { self.sum.add(self.lost) }
    }

    /// Adds another total.
    ///
    /// # Safety
    /// The processor has the features.
    #[inline(always)]
    pub(super) unsafe fn join(&mut self, other: Self) {
        // SAFETY: as the caller says.
        unsafe {
            self.add(other.sum);
            self.lost = self.lost.add(other.lost);
        }
    }

    /// A total from memory: two vectors.
    ///
    /// # Safety
    /// The processor has the features; both vectors are there.
    #[inline(always)]
    pub(super) unsafe fn load(from: *const S::Element) -> Self {
        // SAFETY: as the caller says.
        unsafe { Total { sum: S::load(from), lost: S::load(from.add(S::LANES)) } }
    }

    /// # Safety
    /// As [`Self::load`].
    #[inline(always)]
    pub(super) unsafe fn store(self, to: *mut S::Element) {
        // SAFETY: as the caller says.
        unsafe {
            self.sum.store(to);
            self.lost.store(to.add(S::LANES));
        }
    }

    /// Adds to a total in memory.
    ///
    /// # Safety
    /// As [`Self::load`].
    #[inline(always)]
    pub(super) unsafe fn add_at(to: *mut S::Element, more: S) {
        // SAFETY: as the caller says.
        unsafe {
            let mut total = Self::load(to);
            total.add(more);
            total.store(to);
        }
    }
}
