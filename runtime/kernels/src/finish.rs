//! What happens to the results of convolutions, and to the gradients of pools, while they are still in registers.

/// What happens to results before they are stored.
#[derive(Clone, Copy, Debug)]
pub struct Finish<T> {
    /// One number a unit, or null.
    pub bias: *const T,
    /// Negative results become 0; NaN stays.
    pub relu: bool,
    /// What is kept, where a rectifier stood behind the results in the step forwards.
    pub gate: Gate<T>,
    /// Where the sums of the results over all pixels go, one a unit, or null: after bias, rectifier and gate, before its factor.
    pub sums: *mut T,
    /// What is stored in place of the results, after bias and rectifier; only where they tile ([`crate::convolution::Geometry::halves`]), and only forwards.
    pub pooled: Option<Pooled<T>>,
}

impl<T> Finish<T> {
    /// Results as they are.
    #[must_use]
    pub fn none() -> Self {
        Self { bias: std::ptr::null(), relu: false, gate: Gate::open(), sums: std::ptr::null_mut(), pooled: None }
    }

    /// Are results stored as they are, and not summed?
    pub(super) fn is_none(&self) -> bool {
        self.bias.is_null() && !self.relu && self.gate.rectified.is_null() && self.sums.is_null()
    }
}

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

/// What is stored of each window of 2 x 2 results, in their place the largest.
#[derive(Clone, Copy, Debug)]
pub struct Pooled<T> {
    /// A factor for each unit before the largest is looked for, or null for 1.
    pub scale: *const T,
    /// Where the largest without the factor go, as many as are stored, or null.
    pub largest: *mut T,
    /// Where a byte for each of them goes, or null: bit i if pixel i of the window, row by row, is the first largest one, NaN
    /// counting as larger than any number, and bit 4 + i if it is above 0.
    pub marks: *mut u8,
}

/// Pixels of a window.
pub(crate) const PIXELS: usize = 4;
/// Where the bits begin that say which pixels are above 0.
pub(crate) const POSITIVE: u32 = 4;
