//! Convolutions of every kind as graph operations.
//!
//! ```text
//! plain        one `convolve`, for which every device has kernels
//! reflected    rows and columns of the image, joined around it; then without padding
//! dilated      stride 1: pixels that are `dilation` apart become images of their own (no wasted products);
//!              otherwise zeros between the taps of the filter
//! depthwise    a sum over taps of shifted images times one number for each channel: loops that fusion generates. Its gradient at the
//!              images has the same form, see `lower/simplify/gather`
//! grouped      one convolution for each group, joined
//! transposed   the gradient of a convolution at its images, `convolve_input`
//! ```
//!
//! So differentiation, fusion and all backends need nothing new. The order of each sum depends on the shape only.

use super::image;
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::internal::internal_error;
use crate::ir::net::{Convolution, Fill, Way};
use crate::ir::window::Window;

/// Adds a convolution of `x` with filters `w`, `[fan_in, units]`. `example` is the shape of its result in the network.
pub(super) fn convolve(graph: &mut Graph, x: Id, w: Id, of: &Convolution, example: &[usize]) -> Id {
    let [_, height, width] = image::image_shape(example);
    let (images, size) = (image::as_images(graph, x), [height, width]);
    let result = match of.way {
        Way::Spread => transposed(graph, images, w, of, size),
        Way::Gather => {
            let (images, of) = reflected(graph, images, of, size);
            dilated(graph, images, w, of, size)
        }
    };
    image::from_images(graph, result, example)
}

/// The size along one axis of an image with its padding.
fn padded_size(window: &Window, axis: usize, size: usize, results: usize) -> usize {
    window.padded(axis, size, results).unwrap_or_else(|| {
        internal_error("parameterize", "more padding than can be counted", format_args!("{window:?} of {size}"))
    })
}

/// The window with the gaps between its taps.
fn reach(of: &Convolution) -> Window {
    of.reach().unwrap_or_else(|| internal_error("parameterize", "a window that cannot be counted", of))
}

/// Puts reflected pixels around the images, so that the convolution needs no padding.
fn reflected(graph: &mut Graph, mut x: Id, of: &Convolution, size: [usize; 2]) -> (Id, Convolution) {
    if of.fill == Fill::Zeros {
        return (x, *of);
    }
    let mut bare = Convolution { fill: Fill::Zeros, ..*of };
    for axis in [0, 1] {
        let (seen, before) = (graph.shape(x)[axis + 1], of.window.before[axis]);
        let after = padded_size(&reach(of), axis, seen, size[axis]) - seen - before;
        let row = |graph: &mut Graph, at: usize| graph.slice(x, axis + 1, at, 1);
        let mut parts: Vec<Id> = (1..=before).rev().map(|at| row(graph, at)).collect();
        parts.push(x);
        parts.extend((0..after).map(|step| row(graph, seen - 2 - step)));
        x = graph.concat(&parts, axis + 1);
        bare.window.before[axis] = 0;
    }
    (x, bare)
}

/// Removes the dilation: from the images with stride 1, otherwise from the filters.
fn dilated(graph: &mut Graph, x: Id, w: Id, of: Convolution, size: [usize; 2]) -> Id {
    // A window with a single tap has no gaps.
    let dilation = [0, 1].map(|axis| if of.window.kernel[axis] == 1 { 1 } else { of.dilation[axis] });
    let of = Convolution { dilation, ..of };
    match (of.dilation, of.window.stride) {
        ([1, 1], _) => grouped(graph, x, w, &of, size),
        (_, [1, 1]) => apart(graph, x, w, &of, size),
        _ => {
            let window = reach(&of);
            let w = with_gaps(graph, w, &of, window);
            grouped(graph, x, w, &Convolution { window, dilation: [1, 1], ..of }, size)
        }
    }
}

/// Pixels that are `dilation` apart become images of their own, to which the filters apply without gaps.
fn apart(graph: &mut Graph, mut x: Id, w: Id, of: &Convolution, size: [usize; 2]) -> Id {
    let [down, across] = of.dilation;
    for axis in [0, 1] {
        let padded = padded_size(&reach(of), axis, graph.shape(x)[axis + 1], size[axis]);
        x = graph.pad(x, axis + 1, of.window.before[axis], padded.next_multiple_of(of.dilation[axis]));
    }
    let [batch, height, width, channels] = four(graph.shape(x));
    let (rows, columns) = (height / down, width / across);
    let split = graph.reshape(x, &[batch, rows, down, columns, across, channels]);
    let phases = graph.transpose(split, &[0, 2, 4, 1, 3, 5]);
    let images = graph.reshape(phases, &[batch * down * across, rows, columns, channels]);
    let window = Window { before: [0, 0], ..of.window };
    let results = [rows + 1 - window.kernel[0], columns + 1 - window.kernel[1]];
    let y = grouped(graph, images, w, &Convolution { window, dilation: [1, 1], ..*of }, results);
    let [high, wide] = results;
    let phases = graph.reshape(y, &[batch, down, across, high, wide, of.units]);
    let joined = graph.transpose(phases, &[0, 3, 1, 4, 2, 5]);
    let y = graph.reshape(joined, &[batch, high * down, wide * across, of.units]);
    let y = graph.slice(y, 1, 0, size[0]);
    graph.slice(y, 2, 0, size[1])
}

/// Puts zeros between the taps of filters `[channels kh kw, units]`.
fn with_gaps(graph: &mut Graph, w: Id, of: &Convolution, reach: Window) -> Id {
    let ([high, wide], [down, across]) = (of.window.kernel, of.dilation);
    let channels = graph.shape(w)[0] / of.window.area();
    let taps = graph.reshape(w, &[channels, high, 1, wide, 1, of.units]);
    let taps = graph.pad(taps, 2, 0, down);
    let taps = graph.pad(taps, 4, 0, across);
    let mut taps = graph.reshape(taps, &[channels, high * down, wide * across, of.units]);
    for axis in [0, 1] {
        taps = graph.slice(taps, axis + 1, 0, reach.kernel[axis]);
    }
    graph.reshape(taps, &[channels * reach.area(), of.units])
}

/// Divides channels and units into groups.
fn grouped(graph: &mut Graph, x: Id, w: Id, of: &Convolution, size: [usize; 2]) -> Id {
    let channels = graph.shape(x)[3];
    match of.channels(channels) {
        _ if of.groups == 1 => plain(graph, x, w, of.window, size),
        1 => depthwise(graph, x, w, of, size),
        each => {
            let units = of.units / of.groups;
            let part = |group: usize| {
                let images = graph.slice(x, 3, group * each, each);
                let filters = graph.slice(w, 1, group * units, units);
                plain(graph, images, filters, of.window, size)
            };
            let parts: Vec<Id> = (0..of.groups).map(part).collect();
            graph.concat(&parts, 3)
        }
    }
}

/// A filter for each channel alone: the sum over taps of the shifted images times the numbers of the tap.
fn depthwise(graph: &mut Graph, mut x: Id, w: Id, of: &Convolution, size: [usize; 2]) -> Id {
    let Window { kernel, stride, before } = of.window;
    for axis in [0, 1] {
        let padded = padded_size(&of.window, axis, graph.shape(x)[axis + 1], size[axis]);
        // The last tap is followed by whole strides, so that a reshape can select every `stride`-th pixel.
        let whole = kernel[axis] - 1 + size[axis] * stride[axis];
        let padded = if stride[axis] == 1 { padded } else { padded.max(whole) };
        x = graph.pad(x, axis + 1, before[axis], padded);
    }
    let [batch, _, _, channels] = four(graph.shape(x));
    let of_each = of.units / channels;
    // Several units of a channel are an axis of their own, along which its pixels are repeated.
    let several = if of_each == 1 { &[][..] } else { &[of_each] };
    let pixels = [&[batch, size[0], size[1], channels], &[1][..several.len()]].concat();
    let factors = [&[1, 1, 1, channels], several].concat();
    let mut sum: Option<Id> = None;
    for i in 0..kernel[0] {
        let row = every(graph, x, 1, i, stride[0], size[0]);
        for j in 0..kernel[1] {
            let seen = every(graph, row, 2, j, stride[1], size[1]);
            let seen = graph.reshape(seen, &pixels);
            let numbers = graph.slice(w, 0, i * kernel[1] + j, 1);
            let numbers = graph.reshape(numbers, &factors);
            let product = graph.mul(seen, numbers);
            sum = Some(sum.map_or(product, |sum| graph.add(sum, product)));
        }
    }
    let sum = sum.unwrap_or_else(|| internal_error("parameterize", "a window without taps", of));
    graph.reshape(sum, &[batch, size[0], size[1], of.units])
}

/// `count` pixels of one axis, from `start` on, `stride` apart.
fn every(graph: &mut Graph, x: Id, axis: usize, start: usize, stride: usize, count: usize) -> Id {
    let part = graph.slice(x, axis, start, count * stride);
    if stride == 1 {
        return part;
    }
    let mut shape = graph.shape(part).to_vec();
    shape[axis] = count;
    shape.insert(axis + 1, stride);
    let split = graph.reshape(part, &shape);
    let first = graph.slice(split, axis + 1, 0, 1);
    shape.remove(axis + 1);
    graph.reshape(first, &shape)
}

/// Adds a convolution with a result of this height and width. In graphs, every window must contain at least one pixel of the image.
/// Padding as large as the window, which is rare, is therefore added by a node of its own.
fn plain(graph: &mut Graph, mut x: Id, w: Id, mut window: Window, size: [usize; 2]) -> Id {
    for axis in [0, 1] {
        if window.before[axis] < window.kernel[axis] {
            continue;
        }
        let padded = padded_size(&window, axis, graph.shape(x)[axis + 1], size[axis]);
        x = graph.pad(x, axis + 1, window.before[axis], padded);
        window.before[axis] = 0;
    }
    graph.convolve(x, w, window, size)
}

/// A transposed convolution: the gradient at the images of the convolution from the result back to `x`. Its filters are those of
/// the layer with channels and units exchanged.
fn transposed(graph: &mut Graph, x: Id, w: Id, of: &Convolution, size: [usize; 2]) -> Id {
    let [batch, _, _, channels] = four(graph.shape(x));
    let area = of.window.area();
    let filters = graph.reshape(w, &[channels, area, of.units]);
    let exchanged = graph.transpose(filters, &[2, 1, 0]);
    let filters = graph.reshape(exchanged, &[of.units * area, channels]);
    graph.push(Op::ConvolveInput(of.window), vec![x, filters], vec![batch, size[0], size[1], of.units])
}

/// The four sizes of a batch of images.
fn four(shape: &[usize]) -> [usize; 4] {
    <[usize; 4]>::try_from(shape)
        .unwrap_or_else(|_| internal_error("parameterize", "no batch of images", format_args!("{shape:?}")))
}
