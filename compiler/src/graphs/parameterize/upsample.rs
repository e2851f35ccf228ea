//! More positions: each number repeated, or interpolated between its neighbours.
//!
//! ```text
//! result i lies at (i + 1/2) / factor - 1/2 of the image, so that the centres of pixels stay where they are
//! nearest    the pixel that this position is in           bilinear   by the distance to the two nearest pixels of each axis
//! ```

use super::image;
use crate::ir::graph::{Graph, Id};
use crate::ir::net::Interpolation;

/// Adds the enlarged images of `x`. `example` is the shape of the result in the network.
pub(super) fn upsample(graph: &mut Graph, x: Id, factor: [usize; 2], method: Interpolation, example: &[usize]) -> Id {
    let images = image::as_images(graph, x);
    let large = match method {
        Interpolation::Nearest => nearest(graph, images, factor),
        // One axis after the other: the weights are products of those of both axes.
        Interpolation::Bilinear => {
            let down = linear(graph, images, 1, factor[0]);
            linear(graph, down, 2, factor[1])
        }
    };
    image::from_images(graph, large, example)
}

fn nearest(graph: &mut Graph, x: Id, [down, across]: [usize; 2]) -> Id {
    let &[batch, height, width, channels] = graph.shape(x) else { return x };
    let apart = graph.reshape(x, &[batch, height, 1, width, 1, channels]);
    let repeated = graph.expand(apart, &[batch, height, down, width, across, channels]);
    graph.reshape(repeated, &[batch, height * down, width * across, channels])
}

/// Interpolates along one axis. The numbers at the edge are repeated beyond it.
fn linear(graph: &mut Graph, x: Id, axis: usize, factor: usize) -> Id {
    if factor == 1 {
        return x;
    }
    let mut shape = graph.shape(x).to_vec();
    let size = shape[axis];
    let (first, last) = (graph.slice(x, axis, 0, 1), graph.slice(x, axis, size - 1, 1));
    let wide = graph.concat(&[first, x, last], axis);
    let phase = |step: usize| {
        // Where this phase lies beside its pixel, from -1/2 to 1/2.
        let offset = (step as f64 + 0.5) / factor as f64 - 0.5;
        let neighbour = graph.slice(wide, axis, if offset < 0.0 { 0 } else { 2 }, size);
        let far = graph.scale(neighbour, offset.abs());
        let near = graph.scale(x, 1.0 - offset.abs());
        let mixed = graph.add(near, far);
        let mut apart = graph.shape(mixed).to_vec();
        apart.insert(axis + 1, 1);
        graph.reshape(mixed, &apart)
    };
    let phases: Vec<Id> = (0..factor).map(phase).collect();
    let joined = graph.concat(&phases, axis + 1);
    shape[axis] *= factor;
    graph.reshape(joined, &shape)
}
