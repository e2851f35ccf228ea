//! The sizes of a convolution, its direction and algorithm, and the preparation of its images.

/// The sizes of a convolution. All but the batch and the padding are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in the formula")]
pub struct Geometry {
    pub batch: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub units: usize,
    /// Height and width of a kernel, at least 1.
    pub kernel: [usize; 2],
    /// Steps down and to the right, at least 1.
    pub stride: [usize; 2],
    /// Zeros above and to the left. Reads below or to the right of the image give zero too.
    pub pad: [usize; 2],
}

impl Geometry {
    /// Do windows of 2 x 2 tile the results?
    #[must_use]
    pub fn halves(&self) -> bool {
        self.out_height.is_multiple_of(2) && self.out_width.is_multiple_of(2)
    }

    /// Elements of x.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.batch * self.height * self.width * self.channels
    }

    /// Elements of y.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.batch * self.out_height * self.out_width * self.units
    }

    /// Elements of w.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1] * self.units
    }
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// The sums of the definition.
    Direct,
    /// Winograd's F(2 x 2, 3 x 3): 2.25 times fewer multiplications.
    Winograd2,
    /// Winograd's F(4 x 4, 3 x 3): 4 times fewer multiplications.
    Winograd4,
}

/// The convolution itself, or one of its gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// y from x and w.
    Forward,
    /// The gradient at x, from the gradient at y and w.
    Input,
    /// The gradient at w, from x and the gradient at y.
    Weight,
}

/// The preparation of x: `x scale + shift` inside the image. The zeros around it stay zero.
#[derive(Clone, Copy, Debug)]
pub struct Prepare<T> {
    /// One number for each channel, or null for 1.
    pub scale: *const T,
    /// One number for each channel, or null for 0.
    pub shift: *const T,
}

impl<T> Prepare<T> {
    /// x unchanged.
    #[must_use]
    pub fn none() -> Self {
        Self { scale: std::ptr::null(), shift: std::ptr::null() }
    }
}

/// The direction for which weights are packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::convolution) enum Side {
    Forward,
    Input,
}
