//! Convolutions of a network: how filters slide over positions, and which channels each of them reads.
//!
//! ```text
//! groups = 1   every filter reads all channels         groups = channels   every filter reads one channel (depthwise)
//! dilation     distance between the positions of a window: 3 taps with dilation 2 reach over 5 pixels
//! fill         what stands around the image: zeros, or the image reflected at its edge
//! ```

use crate::ir::window::Window;

/// What stands around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// Zeros. They are added after modifiers have changed `x`.
    #[default]
    Zeros,
    /// The image reflected at its edge, which is not repeated: `c b | a b c | b a`.
    Reflect,
}

impl Fill {
    /// The words of the language.
    pub const WORDS: [(&'static str, Fill); 2] = [("zeros", Fill::Zeros), ("reflect", Fill::Reflect)];
}

/// Which way a window maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Every result reads a window of the input.
    #[default]
    Gather,
    /// Every input is spread over a window of the result: a transposed convolution.
    Spread,
}

/// A layer of filters over an input of shape `[channels, height, width]` or `[channels, positions]`. Positions are the width of
/// an image of height 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Number of filters, above 0. They become the channels of the result.
    pub units: usize,
    /// The taps of a filter, and how it moves. The padding may be as large as the window; in graphs it is smaller. For
    /// [`Way::Spread`] this is the window of the convolution that maps the result back to the input.
    pub window: Window,
    /// Distance between neighbouring taps, 1 or more; `[height, width]`.
    pub dilation: [usize; 2],
    /// Both channels and units are divided into this many groups, 1 or more, in order. A unit reads the channels of its own group.
    pub groups: usize,
    /// What stands around the image.
    pub fill: Fill,
    /// Forward, or transposed.
    pub way: Way,
}

impl Convolution {
    /// A convolution without groups, dilation and reflection.
    #[must_use]
    pub fn plain(units: usize, window: Window) -> Self {
        Convolution { units, window, dilation: [1, 1], groups: 1, fill: Fill::Zeros, way: Way::Gather }
    }

    /// Is it one that every device and every form of export has a kernel for?
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Convolution::plain(self.units, self.window)
    }

    /// The window with the gaps between its taps, which says how far a filter reaches. `None` if that does not fit into `usize`.
    #[must_use]
    pub fn reach(&self) -> Option<Window> {
        let mut window = self.window;
        for (kernel, dilation) in window.kernel.iter_mut().zip(self.dilation) {
            *kernel = kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
        }
        Some(window)
    }

    /// Number of channels that each unit reads, of an input with this many.
    #[must_use]
    pub fn channels(&self, of: usize) -> usize {
        of / self.groups.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dilated_window_reaches_over_its_gaps() {
        let window = Window { kernel: [3, 1], stride: [1, 1], before: [0, 0] };
        let wide = Convolution { dilation: [4, 9], ..Convolution::plain(2, window) };
        assert_eq!(wide.reach().map(|window| window.kernel), Some([9, 1]));
        let endless = Convolution { dilation: [usize::MAX, 1], ..wide };
        assert_eq!(endless.reach(), None);
        assert!(Convolution::plain(2, window).is_plain() && !wide.is_plain());
    }
}
