//! Epilogues: operations on the results of convolutions, and on the gradients of pools, while they are still in registers.

/// Operations on results before they are stored. They happen in the order of the fields, the scale of the ReLU mask last.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<T> {
    /// One number for each unit, added to the results; or null.
    pub bias: *const T,
    /// Negative results become 0; NaN stays.
    pub relu: bool,
    /// The mask of a ReLU, for gradients: the results are gradients behind a ReLU of the forward pass.
    pub relu_mask: ReluMask<T>,
    /// Receives the sums of the results over all pixels, one for each unit; or null. The sums are taken after bias, ReLU and
    /// ReLU mask, and before the scale of the mask.
    pub sums: *mut T,
    /// A max-pool whose results are stored instead, after bias and ReLU. Only in the forward pass, and only if windows of
    /// 2 x 2 tile the results ([`crate::convolution::Geometry::halves`]).
    pub pooled: Option<Pooled<T>>,
}

impl<T> Epilogue<T> {
    /// No operation: results are stored unchanged.
    #[must_use]
    pub fn none() -> Self {
        Self {
            bias: std::ptr::null(),
            relu: false,
            relu_mask: ReluMask::none(),
            sums: std::ptr::null_mut(),
            pooled: None,
        }
    }

    /// Are results stored unchanged, and not summed?
    pub(super) fn is_none(&self) -> bool {
        self.bias.is_null() && !self.relu && self.relu_mask.relu_output.is_null() && self.sums.is_null()
    }
}

/// The mask of a ReLU: a gradient passes where the ReLU's output is above 0, and is 0 elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct ReluMask<T> {
    /// The output of the ReLU in the forward pass, one number for each result in their order. Null: all results pass.
    pub relu_output: *const T,
    /// One number for each unit, by which masked results are multiplied after the sums. Null for 1.
    pub scale: *const T,
    /// Receives sum(result * ReLU output) over all pixels, one for each unit; or null.
    pub weighted: *mut T,
}

impl<T> ReluMask<T> {
    /// No mask: all results pass.
    #[must_use]
    pub fn none() -> Self {
        Self { relu_output: std::ptr::null(), scale: std::ptr::null(), weighted: std::ptr::null_mut() }
    }

    /// The mask for results from number `from` on, whose first unit is `unit`; `weighted` receives their sums.
    #[inline(always)]
    pub(super) fn at(self, from: usize, unit: usize, weighted: *mut T) -> Self {
        let behind = |at: *const T, by: usize| if at.is_null() { at } else { at.wrapping_add(by) };
        Self { relu_output: behind(self.relu_output, from), scale: behind(self.scale, unit), weighted }
    }
}

/// A max-pool over windows of 2 x 2 results. The maximum is stored instead of the results.
#[derive(Clone, Copy, Debug)]
pub struct Pooled<T> {
    /// One number for each unit, by which results are multiplied before the search. Null for 1.
    pub scale: *const T,
    /// Receives the result that won, without the scale, for each window; or null.
    pub unscaled_max: *mut T,
    /// Receives one byte for each window; or null. Bit i is set if pixel i (row by row) is the first largest one; NaN
    /// counts as larger than any number. Bit 4 + i is set if pixel i is above 0.
    pub argmax: *mut u8,
}

/// Pixels of a window.
pub(crate) const PIXELS: usize = 4;
/// The first of the bits that say which pixels are above 0.
pub(crate) const POSITIVE: u32 = 4;
