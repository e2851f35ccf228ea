//! A window that slides over images: what a convolution multiplies and what pooling looks at.

/// How a window moves over images; sizes are `[height, width]`.
///
/// ```text
/// output (i, j) sees the input rows  i stride[0] - before[0] ..+ kernel[0]
///                and the columns     j stride[1] - before[1] ..+ kernel[1]
/// ```
///
/// What lies outside of the image is padding, on every side; how much of it there is below and to the right follows from
/// the sizes of input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Its size, 1 or more.
    pub kernel: [usize; 2],
    /// Steps between neighbouring outputs, 1 or more.
    pub stride: [usize; 2],
    /// Rows of padding above and columns to the left; below the kernel's size.
    pub before: [usize; 2],
}

impl Window {
    /// Places it looks at, kh kw.
    #[must_use]
    pub fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Does every output see exactly the input at its own place?
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.before == [0, 0]
    }

    /// Rows (axis 0) or columns (axis 1) of an image of this size with all the padding that windows see, and no less than
    /// it has; `None` where there are more than a `usize` counts.
    #[must_use]
    pub fn padded(&self, axis: usize, size: usize, results: usize) -> Option<usize> {
        let seen = results.checked_sub(1)?.checked_mul(self.stride[axis])?.checked_add(self.kernel[axis])?;
        Some(seen.max(self.before[axis].checked_add(size)?))
    }

    /// The input row or column that place `offset` of the window at output `at` looks at; `None` in the padding.
    #[must_use]
    pub fn source(&self, axis: usize, at: usize, offset: usize, size: usize) -> Option<usize> {
        (at * self.stride[axis] + offset).checked_sub(self.before[axis]).filter(|&place| place < size)
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [kernel, stride, before] = [self.kernel, self.stride, self.before].map(|[h, w]| format!("{h}x{w}"));
        write!(f, "{kernel} stride {stride} pad {before}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outside_the_image_are_padding() {
        let window = Window { kernel: [3, 3], stride: [2, 2], before: [1, 1] };
        let seen = |at| (0..3).map(|offset| window.source(0, at, offset, 4)).collect::<Vec<_>>();
        assert_eq!(seen(0), [None, Some(0), Some(1)]);
        assert_eq!(seen(1), [Some(1), Some(2), Some(3)]);
        assert_eq!(seen(2), [Some(3), None, None]);
    }
}
