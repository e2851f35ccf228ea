//! Images in graphs have their channels last. So the numbers of neighbouring units are neighbours in memory, as in dense layers.
//!
//! ```text
//! network   [channels, height, width]          [channels, positions]          the order of the language and of files
//! graph     [batch, height, width, channels]   [batch, positions, channels]   the order of kernels
//! ```

use crate::ir::graph::{Graph, Id, Op};

/// Returns the shape of a batch in the graph, from the shape of an example in the network.
pub(crate) fn in_graph(batch: usize, example: &[usize]) -> Vec<usize> {
    match example {
        [channels, height, width] => vec![batch, *height, *width, *channels],
        [channels, positions] => vec![batch, *positions, *channels],
        _ => [&[batch], example].concat(),
    }
}

/// Returns the shape of an example in the network, from the shape of a batch in the graph.
pub(crate) fn in_network(batch: &[usize]) -> Vec<usize> {
    match batch {
        [_, height, width, channels] => vec![*channels, *height, *width],
        [_, positions, channels] => vec![*channels, *positions],
        _ => batch.iter().skip(1).copied().collect(),
    }
}

/// Returns the shape of a batch as the caller hands it in. Images come with their channels last; a series comes in the order of
/// files, `[batch, channels, positions]`, because tables and arrays hold it so.
pub(crate) fn handed_in(batch: usize, example: &[usize]) -> Vec<usize> {
    match example {
        [_, _] => [&[batch], example].concat(),
        _ => in_graph(batch, example),
    }
}

/// The batch that was handed in, in the order of the graph.
pub(crate) fn received(graph: &mut Graph, x: Id, example: &[usize]) -> Id {
    if example.len() == 2 { graph.transpose(x, &[0, 2, 1]) } else { x }
}

/// Reshapes to one axis, in the network's order: channels first. Dense layers after it then have their weights in the order of
/// other frameworks.
pub(super) fn flatten(graph: &mut Graph, x: Id) -> Id {
    let shape = graph.shape(x).to_vec();
    let flat = [shape[0], shape.iter().skip(1).product()];
    let channels_first = match shape.len() {
        4 => graph.transpose(x, &[0, 3, 1, 2]),
        3 => graph.transpose(x, &[0, 2, 1]),
        _ => x,
    };
    graph.reshape(channels_first, &flat)
}

/// A batch of series as images of height 1; images as they are.
pub(super) fn as_images(graph: &mut Graph, x: Id) -> Id {
    match *graph.shape(x) {
        [batch, positions, channels] => graph.reshape(x, &[batch, 1, positions, channels]),
        _ => x,
    }
}

/// The shape of an example as an image: that of a series gets height 1.
pub(crate) fn image_shape(example: &[usize]) -> [usize; 3] {
    match *example {
        [channels, height, width] => [channels, height, width],
        [channels, positions] => [channels, 1, positions],
        _ => [example.first().copied().unwrap_or(1), 1, 1],
    }
}

/// The value `images`, which [`as_images`] made from examples of a form, in the form of its layer.
pub(super) fn from_images(graph: &mut Graph, images: Id, example: &[usize]) -> Id {
    let shape = in_graph(graph.shape(images)[0], example);
    graph.reshape(images, &shape)
}

/// Adds a pool. `example` is the shape of its result in the network.
pub(super) fn pool(graph: &mut Graph, op: Op, x: Id, example: &[usize]) -> Id {
    let images = as_images(graph, x);
    let pooled = graph.pool(op, images, &image_shape(example));
    from_images(graph, pooled, example)
}

/// The axes of the positions of a batch.
fn positions(graph: &Graph, x: Id) -> Vec<usize> {
    (1..graph.shape(x).len().saturating_sub(1)).collect()
}

/// Adds the mean over all positions, `[batch, channels]`.
pub(super) fn global_average(graph: &mut Graph, x: Id) -> Id {
    let axes = positions(graph, x);
    let mean = graph.mean(x, &axes);
    without_positions(graph, mean)
}

/// Adds the maximum over all positions, `[batch, channels]`.
pub(super) fn global_max(graph: &mut Graph, x: Id) -> Id {
    let axes = positions(graph, x);
    let largest = graph.max_over(x, &axes);
    without_positions(graph, largest)
}

fn without_positions(graph: &mut Graph, x: Id) -> Id {
    let shape = graph.shape(x);
    let flat = [shape[0], shape[shape.len() - 1]];
    graph.reshape(x, &flat)
}

/// Adds the largest of each `pieces` neighbouring features.
pub(super) fn maxout(graph: &mut Graph, x: Id, pieces: usize) -> Id {
    let mut shape = graph.shape(x).to_vec();
    let last = shape.len() - 1;
    shape[last] /= pieces;
    let mut divided = shape.clone();
    divided.push(pieces);
    let groups = graph.reshape(x, &divided);
    let largest = graph.max_over(groups, &[last + 1]);
    graph.reshape(largest, &shape)
}

/// Returns the factor that turns a sum of `count` numbers into their mean.
pub(super) fn one_over(count: usize) -> f64 {
    1.0 / count as f64
}
