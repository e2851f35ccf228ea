//! Convolutions that need more zeros below or to the right than above or to the left, which cuDNN does not have: the zeros are
//! put around a copy of the images, and the convolution needs none.
//!
//! ```text
//! padded = 0                                             forward, gradient at the filters
//! padded[n, i + above, j + left, c] = x[n, i, j, c]
//! dx[n, i, j, c] = padded[n, i + above, j + left, c]     gradient at the images
//! ```

use crate::kernels::{Access, Affine, BufferId, Convolve, Expr, Nest, Store};
use crate::window::Window;

/// Height and width of the images with their zeros, where those are needed.
pub(super) fn grown(product: &Convolve) -> Option<[usize; 2]> {
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

/// Numbers of the images with their zeros.
pub(super) fn elements(product: &Convolve, [height, width]: [usize; 2]) -> usize {
    product.images[0] * height * width * product.images[3]
}

/// The same convolution on images of this size, which have their zeros.
pub(super) fn without(product: Convolve, [height, width]: [usize; 2]) -> Convolve {
    let [batch, .., channels] = product.images;
    let window = Window { before: [0, 0], ..product.window };
    Convolve { images: [batch, height, width, channels], window, ..product }
}

/// Zeros everywhere, then the images among them.
pub(super) fn pad(product: &Convolve, images: BufferId, target: BufferId, size: [usize; 2]) -> [Nest; 2] {
    let count = elements(product, size);
    let mut zeros = Nest { space: vec![count], reduced: vec![false], ..Nest::default() };
    let zero = zeros.push(Expr::Const(0.0));
    let at = Affine { offset: 0, strides: vec![1] };
    zeros.stores.push(Store { access: Access { buffer: target, at }, value: zero, late: false });
    [zeros, copy(product, (images, plain(product)), (target, inner(product, size)))]
}

/// The images among their zeros, without them.
pub(super) fn crop(product: &Convolve, grown: BufferId, target: BufferId, size: [usize; 2]) -> Nest {
    copy(product, (grown, inner(product, size)), (target, plain(product)))
}

/// Places of images by batch, row, column and channel.
fn plain(product: &Convolve) -> Affine {
    let [_, height, width, channels] = product.images;
    Affine { offset: 0, strides: vec![height * width * channels, width * channels, channels, 1] }
}

/// The same places among zeros.
fn inner(product: &Convolve, [height, width]: [usize; 2]) -> Affine {
    let (channels, [above, left]) = (product.images[3], product.window.before);
    let offset = (above * width + left) * channels;
    Affine { offset, strides: vec![height * width * channels, width * channels, channels, 1] }
}

fn copy(product: &Convolve, from: (BufferId, Affine), to: (BufferId, Affine)) -> Nest {
    let mut nest = Nest { space: product.images.to_vec(), reduced: vec![false; 4], ..Nest::default() };
    let value = nest.push(Expr::Load(Access { buffer: from.0, at: from.1 }));
    nest.stores.push(Store { access: Access { buffer: to.0, at: to.1 }, value, late: false });
    nest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Pass;

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
            prepare: crate::kernels::Prepare::default(),
            bias: None,
            relu: false,
            pooled: None,
            gate: None,
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
