//! Images in the graph: channels last, so that what belongs to a unit lies side by side, as in dense layers.
//!
//! ```text
//! network   [channels, height, width]          as people write it
//! graph     [batch, height, width, channels]   as processors like it
//! ```

use crate::graph::{Graph, Id, Op};
use crate::window::Window;

/// A batch of examples of a network's shape.
pub(crate) fn in_graph(batch: usize, example: &[usize]) -> Vec<usize> {
    match example {
        [channels, height, width] => vec![batch, *height, *width, *channels],
        _ => [&[batch], example].concat(),
    }
}

/// The shape of one example, from a batch of them.
pub(crate) fn in_network(batch: &[usize]) -> Vec<usize> {
    match batch {
        [_, height, width, channels] => vec![*channels, *height, *width],
        _ => batch.iter().skip(1).copied().collect(),
    }
}

/// To one axis, in the network's order: channels outermost.
pub(super) fn flatten(graph: &mut Graph, x: Id) -> Id {
    let shape = graph.shape(x).to_vec();
    let flat = [shape[0], shape.iter().skip(1).product()];
    if shape.len() != 4 {
        return graph.reshape(x, &flat);
    }
    let channels_first = graph.transpose(x, &[0, 3, 1, 2]);
    graph.reshape(channels_first, &flat)
}

/// A convolution with a result of this height and width. Windows of graphs see at least one pixel each, so padding as large
/// as the window, which is rare, is put around the image by itself.
pub(super) fn convolve(graph: &mut Graph, mut x: Id, w: Id, mut window: Window, size: [usize; 2]) -> Id {
    for axis in [0, 1] {
        let mut shape = graph.shape(x).to_vec();
        if window.before[axis] < window.kernel[axis] {
            continue;
        }
        let before = window.before[axis];
        shape[axis + 1] = window.padded(axis, shape[axis + 1], size[axis]).unwrap_or(usize::MAX);
        x = graph.push(Op::Pad { axis: axis + 1, before }, vec![x], shape);
        window.before[axis] = 0;
    }
    graph.convolve(x, w, window, size)
}

/// The mean over height and width, `[batch, channels]`.
pub(super) fn global_average(graph: &mut Graph, x: Id) -> Id {
    let flat = [graph.shape(x)[0], graph.shape(x)[3]];
    let mean = graph.mean(x, &[1, 2]);
    graph.reshape(mean, &flat)
}

/// The factor that turns a sum of `count` numbers into their mean.
#[allow(clippy::cast_precision_loss)] // counts stay far below 2^53
pub(super) fn one_over(count: usize) -> f64 {
    1.0 / count as f64
}
