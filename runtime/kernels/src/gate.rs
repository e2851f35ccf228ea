//! What a rectifier's gradient makes of a gradient while that is still in registers: kept where the rectifier gave more than 0.

/// Which of the results are kept, and what else is learnt of them on the way.
#[derive(Clone, Copy, Debug)]
pub struct Gate<T> {
    /// What the rectifier gave, one number a result and in their order; null if all results are kept.
    pub rectified: *const T,
    /// A factor for each unit of what is kept, after the sums; null for 1.
    pub scale: *const T,
    /// Where the sums of results times what the rectifier gave go, or null.
    pub weighted: *mut T,
}

impl<T> Gate<T> {
    /// Everything is kept as it is.
    #[must_use]
    pub fn open() -> Self {
        Self { rectified: std::ptr::null(), scale: std::ptr::null(), weighted: std::ptr::null_mut() }
    }

    /// The gate of the results `from` numbers on, whose first unit is `unit`, with sums of their own.
    #[inline(always)]
    pub(super) fn at(self, from: usize, unit: usize, weighted: *mut T) -> Self {
        let behind = |at: *const T, by: usize| if at.is_null() { at } else { at.wrapping_add(by) };
        Self { rectified: behind(self.rectified, from), scale: behind(self.scale, unit), weighted }
    }
}
