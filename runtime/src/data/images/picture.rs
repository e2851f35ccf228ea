//! One image in memory.

/// An image: `[height, width, channels]` bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// 1 or 3.
    pub(crate) channels: usize,
    pub(crate) pixels: Vec<u8>,
}
