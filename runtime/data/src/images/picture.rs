//! One image in memory.

/// An image: `[height, width, channels]` bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Number of channels, 1 or 3.
    pub(crate) channels: usize,
    pub(crate) pixels: Vec<u8>,
}

/// Memory beyond this size is freed after an image, so that one large photograph does not occupy it for the rest of a
/// run.
const KEPT: usize = 32 << 20;

impl Picture {
    /// Frees memory that only a large image needed.
    pub(crate) fn forget_large(&mut self) {
        if self.pixels.capacity() > KEPT {
            self.pixels = Vec::new();
        }
    }
}
