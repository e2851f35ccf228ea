//! What is done to images by kernels of their own: convolutions, their gradients, and pools.

use super::BufferId;
use crate::window::Window;

/// Which of the three products of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Result from images (a) and filters (b).
    Forward,
    /// Gradient at the images, from the gradient at the result (a) and the filters (b).
    Input,
    /// Gradient at the filters, from the images (a) and the gradient at the result (b).
    Weight,
}

/// c = a * b over windows; images are `[batch, height, width, channels]`, filters `[channels kh kw, units]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolve {
    /// Which product.
    pub pass: Pass,
    /// How the filters move.
    pub window: Window,
    /// Shape of the images that the forward convolution sees.
    pub images: [usize; 4],
    /// Height, width and channels (units) of its result.
    pub result: [usize; 3],
    /// First operand.
    pub a: BufferId,
    /// Second operand.
    pub b: BufferId,
    /// What is written.
    pub c: BufferId,
    /// A factor and a summand for each channel of the images (not of their padding); not for [`Pass::Input`].
    pub prepare: Prepare,
    /// One number a unit to be added; forward only.
    pub bias: Option<BufferId>,
    /// Negative results become 0; NaN stays; forward only.
    pub relu: bool,
    /// What is written of windows of the results in their place, if they are pooled; forward only.
    pub pooled: Option<Pooled>,
    /// What is kept of the gradient at a rectifier's result; only for [`Pass::Input`].
    pub gate: Option<Gate>,
    /// Where the sums over all pixels of what is written go, before the gate's factor, one a channel of it; not for
    /// [`Pass::Weight`].
    pub sums: Option<BufferId>,
}

/// A factor and a summand for each channel of images; none for 1 and 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Prepare {
    /// The factor.
    pub scale: Option<BufferId>,
    /// The summand, after it.
    pub shift: Option<BufferId>,
}

impl Prepare {
    /// Those there are.
    pub fn buffers(self) -> impl Iterator<Item = BufferId> {
        self.scale.into_iter().chain(self.shift)
    }
}

/// The largest of windows of 2 x 2 that tile a convolution's results; the convolution writes these, times their factor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pooled {
    /// A factor for each unit, before the largest is looked for.
    pub scale: Option<BufferId>,
    /// Where the largest without the factor go.
    pub largest: Option<BufferId>,
    /// Where a byte for each of them goes, four in the place of a number: which pixel it was, and which are above 0.
    pub marks: Option<BufferId>,
}

impl Convolve {
    /// Is what is written not what is summed?
    #[must_use]
    pub fn scales(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.scale.is_some())
    }
}

/// What a rectifier's gradient makes of the gradient at its result, while that is at hand: kept where the result is above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What the rectifier gave, as large as the gradient; of a pool with marks the largest of that, as large as `dy`.
    pub rectified: BufferId,
    /// A number for each channel that is added to the gradient before.
    pub shift: Option<BufferId>,
    /// A factor for each channel of what is kept.
    pub scale: Option<BufferId>,
    /// Where the sums of the gradient with that, all of it, times what the rectifier gave go, one a channel; for pools, one an image
    /// and channel. Of a pool with marks without the products of the shift.
    pub weighted: Option<BufferId>,
}

impl Gate {
    pub(super) fn reads(&self) -> impl Iterator<Item = BufferId> {
        [self.rectified].into_iter().chain(self.shift).chain(self.scale)
    }
}

/// What pooling does with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The largest value.
    Max,
    /// Its gradient, to the first largest value.
    MaxGradient,
    /// The sum.
    Sum,
    /// Its gradient, to every place.
    SumGradient,
}

/// Pooling over images `[batch, height, width, channels]`, or its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// What is done.
    pub pooling: Pooling,
    /// How the window moves.
    pub window: Window,
    /// Shape of the images that are pooled.
    pub images: [usize; 4],
    /// Height and width of the result.
    pub result: [usize; 2],
    /// The images; none for the gradient of a sum, and with marks.
    pub x: Option<BufferId>,
    /// A factor for each channel of the images, before the largest is looked for.
    pub scale: Option<BufferId>,
    /// What [`Pooled::marks`] says of windows of 2 x 2, in place of the images; only for the gradient of the largest.
    pub marks: Option<BufferId>,
    /// The gradient at the result; only for gradients.
    pub dy: Option<BufferId>,
    /// What is kept of the gradient at a rectifier's result; only for the gradient of the largest, where every pixel lies in
    /// exactly one window.
    pub gate: Option<Gate>,
    /// Where the sums over the pixels of each image go, before the gate's factor, `[batch, channels]`; only with a gate.
    pub sums: Option<BufferId>,
    /// What is written.
    pub target: BufferId,
}
