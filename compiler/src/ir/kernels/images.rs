//! Kernels on images: convolutions, pools, and their gradients.

use super::BufferId;
use crate::ir::window::Window;

/// A convolution, or one of its two gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// The result, from the images (a) and the filters (b).
    Forward,
    /// Gradient at the images, from the gradient at the result (a) and the filters (b).
    BackwardData,
    /// Gradient at the filters, from the images (a) and the gradient at the result (b).
    BackwardFilter,
}

/// c = a * b over windows. Images are `[batch, height, width, channels]`, filters `[channels kh kw, units]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolve {
    /// The convolution or one of its gradients.
    pub pass: Pass,
    /// How the filters move.
    pub window: Window,
    /// Shape of the images of the forward convolution.
    pub images: [usize; 4],
    /// Height, width and channels (units) of the result of the forward convolution.
    pub result: [usize; 3],
    /// First operand.
    pub a: BufferId,
    /// Second operand.
    pub b: BufferId,
    /// Result.
    pub c: BufferId,
    /// A scale and a shift for each channel of the images. They do not change the padding. Not for [`Pass::BackwardData`].
    pub prepare: Prepare,
    /// One number for each unit, which is added. Forward only.
    pub bias: Option<BufferId>,
    /// Do negative results become 0? NaN stays. Forward only.
    pub relu: bool,
    /// The fused pool. Its maxima are written instead of the results. Forward only.
    pub pooled: Option<Pooled>,
    /// The fused mask of a ReLU's gradient. Only for [`Pass::BackwardData`].
    pub relu_mask: Option<ReluMask>,
    /// Output buffer of the sums of the result over all pixels, one for each channel, before the scale of the ReLU mask. Not for
    /// [`Pass::BackwardFilter`].
    pub sums: Option<BufferId>,
}

/// A scale and a shift for each channel of images: x * scale + shift. Without them, the scale is 1 and the shift 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Prepare {
    /// The scale.
    pub scale: Option<BufferId>,
    /// The shift.
    pub shift: Option<BufferId>,
}

impl Prepare {
    /// Returns the buffers of the scale and of the shift, if there are any.
    pub fn buffers(self) -> impl Iterator<Item = BufferId> {
        self.scale.into_iter().chain(self.shift)
    }
}

/// A max-pool that is fused into a convolution. Windows of 2 x 2 tile the convolution's results. The convolution writes the
/// maximum of the scaled results of each window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pooled {
    /// A scale for each unit, which is applied before the maximum is taken.
    pub scale: Option<BufferId>,
    /// Output buffer of the same results without the scale.
    pub unscaled_max: Option<BufferId>,
    /// Output buffer of one byte ([`super::Dtype::U8`]) for each maximum: which pixel it was, and which pixels are above 0.
    pub argmax: Option<BufferId>,
}

impl Convolve {
    /// Does the written result have a scale that its sums do not have?
    #[must_use]
    pub fn scales(&self) -> bool {
        self.relu_mask.as_ref().is_some_and(|relu_mask| relu_mask.scale.is_some())
    }
}

/// The gradient of a ReLU, fused into the kernel that computes the gradient at the ReLU's output. The gradient becomes 0 where
/// the output is 0: scale * (dy + shift) where relu_output > 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ReluMask {
    /// The output of the ReLU, as large as the gradient. For a pool with an argmax, the maxima of the output, as large as `dy`.
    pub relu_output: BufferId,
    /// A number for each channel, which is added to the gradient before the mask.
    pub shift: Option<BufferId>,
    /// A scale for each channel of the masked gradient.
    pub scale: Option<BufferId>,
    /// Output buffer for sum((dy + shift) * relu_output), one number for each channel; for pools, one for each image and channel.
    /// A pool with an argmax leaves out the part of the shift.
    pub weighted: Option<BufferId>,
}

impl ReluMask {
    pub(super) fn reads(&self) -> impl Iterator<Item = BufferId> {
        [self.relu_output].into_iter().chain(self.shift).chain(self.scale)
    }
}

/// The kinds of pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The maximum of each window.
    Max,
    /// The gradient of the maximum. It goes to the first maximum of each window.
    MaxGradient,
    /// The sum of each window.
    Sum,
    /// The gradient of the sum. It goes to every position of each window.
    SumGradient,
}

/// Pooling over images `[batch, height, width, channels]`, or its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// The kind of pool.
    pub pooling: Pooling,
    /// How the window moves.
    pub window: Window,
    /// Shape of the images that are pooled.
    pub images: [usize; 4],
    /// Height and width of the result.
    pub result: [usize; 2],
    /// The images. `None` for the gradient of a sum, and if there is an argmax.
    pub x: Option<BufferId>,
    /// A scale for each channel of the images, which is applied before the maximum is taken.
    pub scale: Option<BufferId>,
    /// The bytes of [`Pooled::argmax`], which replace the images. Only for the gradient of the maximum over windows of 2 x 2.
    pub argmax: Option<BufferId>,
    /// The gradient at the result. Only for gradients.
    pub dy: Option<BufferId>,
    /// The fused mask of a ReLU's gradient. Only for the gradient of the maximum, if every pixel lies in exactly one window.
    pub relu_mask: Option<ReluMask>,
    /// Output buffer of the sums over the pixels of each image, `[batch, channels]`, before the scale of the ReLU mask. Only with
    /// a ReLU mask.
    pub sums: Option<BufferId>,
    /// The result.
    pub target: BufferId,
}
