//! Images in graphs have their channels last. So the numbers of neighbouring units are neighbours in memory, as in dense layers.
//!
//! ```text
//! network   [channels, height, width]          the order of the language and of files
//! graph     [batch, height, width, channels]   the order of kernels
//! ```

use crate::ir::graph::{Graph, Id, Op};
use crate::ir::internal::internal_error;
use crate::ir::window::Window;

/// Returns the shape of a batch in the graph, from the shape of an example in the network.
pub(crate) fn in_graph(batch: usize, example: &[usize]) -> Vec<usize> {
    match example {
        [channels, height, width] => vec![batch, *height, *width, *channels],
        _ => [&[batch], example].concat(),
    }
}

/// Returns the shape of an example in the network, from the shape of a batch in the graph.
pub(crate) fn in_network(batch: &[usize]) -> Vec<usize> {
    match batch {
        [_, height, width, channels] => vec![*channels, *height, *width],
        _ => batch.iter().skip(1).copied().collect(),
    }
}

/// Reshapes to one axis, in the network's order: channels first. Dense layers after it then have their weights in the order of
/// other frameworks.
pub(super) fn flatten(graph: &mut Graph, x: Id) -> Id {
    let shape = graph.shape(x).to_vec();
    let flat = [shape[0], shape.iter().skip(1).product()];
    if shape.len() != 4 {
        return graph.reshape(x, &flat);
    }
    let channels_first = graph.transpose(x, &[0, 3, 1, 2]);
    graph.reshape(channels_first, &flat)
}

/// Adds a convolution with a result of this height and width. In graphs, every window must contain at least one pixel of the image.
/// Padding as large as the window, which is rare, is therefore added by a node of its own.
pub(super) fn convolve(graph: &mut Graph, mut x: Id, w: Id, mut window: Window, size: [usize; 2]) -> Id {
    for axis in [0, 1] {
        let mut shape = graph.shape(x).to_vec();
        if window.before[axis] < window.kernel[axis] {
            continue;
        }
        let before = window.before[axis];
        shape[axis + 1] = window.padded(axis, shape[axis + 1], size[axis]).unwrap_or_else(|| {
            internal_error("parameterize", "more padding than can be counted", format_args!("{window:?} of {shape:?}"))
        });
        x = graph.push(Op::Pad { axis: axis + 1, before }, vec![x], shape);
        window.before[axis] = 0;
    }
    graph.convolve(x, w, window, size)
}

/// Adds the mean over height and width, `[batch, channels]`.
pub(super) fn global_average(graph: &mut Graph, x: Id) -> Id {
    let flat = [graph.shape(x)[0], graph.shape(x)[3]];
    let mean = graph.mean(x, &[1, 2]);
    graph.reshape(mean, &flat)
}

/// Returns the factor that turns a sum of `count` numbers into their mean.
pub(super) fn one_over(count: usize) -> f64 {
    1.0 / count as f64
}
