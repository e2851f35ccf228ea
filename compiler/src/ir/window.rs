//! A window that slides over images, for convolutions and pools.

/// How a window moves over images; sizes are `[height, width]`.
///
/// ```text
/// output (i, j) sees the input rows  i stride[0] - before[0] ..+ kernel[0]
///                and the columns     j stride[1] - before[1] ..+ kernel[1]
/// ```
///
/// Everything outside the image is padding. The sizes of input and output determine how much padding there is below and to the
/// right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Its size, 1 or more.
    pub kernel: [usize; 2],
    /// Distance between the windows of neighbouring outputs, 1 or more.
    pub stride: [usize; 2],
    /// Rows of padding above the image and columns to the left of it. Each is smaller than the kernel.
    pub before: [usize; 2],
}

impl Window {
    /// Returns the number of its positions, kh kw.
    #[must_use]
    pub fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Does every output read only the input at its own position?
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.before == [0, 0]
    }

    /// Returns the rows (axis 0) or columns (axis 1) of the padded image: the image itself and all padding that windows read.
    /// `None` if the number does not fit into `usize`.
    #[must_use]
    pub fn padded(&self, axis: usize, size: usize, results: usize) -> Option<usize> {
        let seen = results.checked_sub(1)?.checked_mul(self.stride[axis])?.checked_add(self.kernel[axis])?;
        Some(seen.max(self.before[axis].checked_add(size)?))
    }

    /// Returns the input row or column at position `offset` of the window of output `at`. `None` if it is padding.
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
