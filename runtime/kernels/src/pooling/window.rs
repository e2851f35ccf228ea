//! The sizes of a pool: images, results and window.

/// Sizes of windows over images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "as a convolution's")]
pub struct Window {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub out_height: usize,
    pub out_width: usize,
    /// Height and width of a window, at least 1.
    pub kernel: [usize; 2],
    /// Steps down and to the right, at least 1.
    pub stride: [usize; 2],
    /// Padding above and to the left of the image.
    pub pad: [usize; 2],
}

impl Window {
    /// Does every pixel lie in exactly one window?
    #[must_use]
    #[inline(always)]
    pub fn tiles(&self) -> bool {
        let whole = self.height == self.out_height * self.stride[0] && self.width == self.out_width * self.stride[1];
        whole && self.kernel == self.stride && self.pad == [0, 0]
    }

    /// The rows (axis 0) or columns (axis 1) of the image that window `index` covers.
    #[inline(always)]
    pub(super) fn covered(&self, axis: usize, index: usize) -> std::ops::Range<usize> {
        let size = [self.height, self.width][axis];
        let first = index * self.stride[axis];
        let end = (first + self.kernel[axis]).saturating_sub(self.pad[axis]).min(size);
        first.saturating_sub(self.pad[axis]).min(end)..end
    }
}
