//! Convolutions with more padding below or to the right than above or to the left. cuDNN does not have them. A copy of the
//! images gets the zeros, and the convolution needs no padding.
//!
//! ```text
//! padded = 0                                             forward, gradient at the filters
//! padded[n, i + above, j + left, c] = x[n, i, j, c]
//! dx[n, i, j, c] = padded[n, i + above, j + left, c]     gradient at the images
//! ```

use gmpc_compiler::ir::kernels::{Access, Affine, BufferId, Convolve, Expr, Nest, Store};
use gmpc_compiler::ir::window::Window;

/// Height and width of the images with their zeros. `None` if the padding is equal on both sides.
pub(crate) fn grown(product: &Convolve) -> Option<[usize; 2]> {
    let Window { kernel, stride, before } = product.window;
    let (sizes, results) = ([product.images[1], product.images[2]], [product.result[0], product.result[1]]);
    let even = |axis: usize| {
        let room = (sizes[axis] + 2 * before[axis]).checked_sub(kernel[axis]);
        room.is_some_and(|room| room / stride[axis].max(1) + 1 == results[axis])
    };
    let needed = |axis: usize| {
        let reached = results[axis].saturating_sub(1) * stride[axis] + kernel[axis];
        reached.max(sizes[axis] + before[axis])
    };
    (!even(0) || !even(1)).then(|| [needed(0), needed(1)])
}

/// Elements of the images with their zeros.
pub(crate) fn elements(product: &Convolve, [height, width]: [usize; 2]) -> usize {
    product.images[0] * height * width * product.images[3]
}

/// The same convolution on images of this size that contain their zeros: its window has no padding.
pub(crate) fn without(product: Convolve, [height, width]: [usize; 2]) -> Convolve {
    let [batch, .., channels] = product.images;
    let window = Window { before: [0, 0], ..product.window };
    Convolve { images: [batch, height, width, channels], window, ..product }
}

/// Two nests: the first fills the target with zeros, the second copies the images into it.
pub(crate) fn pad(product: &Convolve, images: BufferId, target: BufferId, size: [usize; 2]) -> [Nest; 2] {
    let count = elements(product, size);
    let mut zeros = Nest { space: vec![count], reduced: vec![false], ..Nest::default() };
    let zero = zeros.push(Expr::Const(0.0));
    let at = Affine { offset: 0, strides: vec![1] };
    zeros.stores.push(Store { access: Access { buffer: target, at }, value: zero, after_reduction: false });
    [zeros, copy(product, (images, plain(product)), (target, inner(product, size)))]
}

/// Copies the images out of a buffer that has zeros around them.
pub(crate) fn crop(product: &Convolve, grown: BufferId, target: BufferId, size: [usize; 2]) -> Nest {
    copy(product, (grown, inner(product, size)), (target, plain(product)))
}

/// Addresses of images by batch, row, column and channel.
fn plain(product: &Convolve) -> Affine {
    let [_, height, width, channels] = product.images;
    Affine { offset: 0, strides: vec![height * width * channels, width * channels, channels, 1] }
}

/// Addresses of the same elements in a buffer that has zeros around the images.
fn inner(product: &Convolve, [height, width]: [usize; 2]) -> Affine {
    let (channels, [above, left]) = (product.images[3], product.window.before);
    let offset = (above * width + left) * channels;
    Affine { offset, strides: vec![height * width * channels, width * channels, channels, 1] }
}

fn copy(product: &Convolve, from: (BufferId, Affine), to: (BufferId, Affine)) -> Nest {
    let mut nest = Nest { space: product.images.to_vec(), reduced: vec![false; 4], ..Nest::default() };
    let value = nest.push(Expr::Load(Access { buffer: from.0, at: from.1 }));
    nest.stores.push(Store { access: Access { buffer: to.0, at: to.1 }, value, after_reduction: false });
    nest
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::ir::kernels::Pass;

    fn product(window: Window, size: usize, result: usize) -> Convolve {
        let [a, b, c] = [0, 1, 2].map(BufferId);
        let (images, result) = ([2, size, size, 3], [result, result, 4]);
        Convolve {
            pass: Pass::Forward,
            window,
            images,
            result,
            a,
            b,
            c,
            prepare: gmpc_compiler::ir::kernels::Prepare::default(),
            bias: None,
            relu: false,
            pooled: None,
            relu_mask: None,
            sums: None,
        }
    }

    #[test]
    fn zeros_are_added_where_the_sides_differ() {
        let window = |kernel, stride, before| Window { kernel: [kernel; 2], stride: [stride; 2], before: [before; 2] };
        assert_eq!(grown(&product(window(3, 1, 1), 32, 32)), None);
        assert_eq!(grown(&product(window(3, 2, 1), 32, 16)), None, "the last row is not reached");
        assert_eq!(grown(&product(window(2, 1, 0), 32, 32)), Some([33, 33]));
        assert_eq!(grown(&product(window(4, 2, 1), 7, 4)), Some([10, 10]));
        assert_eq!(grown(&product(window(7, 2, 3), 224, 112)), None);
    }
}
