//! Reductions of a unit's weights over its fan-in: `mean(w)`, `var(w)`, `sum(w)`, `norm(w)`.

use crate::graph::{Graph, Id, Op};

/// Squared lengths below this count as zero, so that `v / norm(v)` is 0 and not 0 / 0 for the zero vector. Small enough
/// never to matter otherwise, and large enough that its root and the root's reciprocal are ordinary numbers in f32.
const SMALLEST_SQUARE: f64 = 1e-36;

/// Euclidean length over an axis, which stays with size 1.
///
/// At the zero vector the length is 1e-18 and its gradient 0, so `v / norm(v)` is 0 there and the first step leaves it along
/// the negative gradient.
pub(crate) fn norm(graph: &mut Graph, v: Id, axis: usize) -> Id {
    let squares = graph.mul(v, v);
    let sum = graph.sum(squares, &[axis]);
    let floor = graph.constant(SMALLEST_SQUARE);
    let safe = graph.binary(Op::Max, sum, floor);
    graph.unary(Op::Sqrt, safe)
}

/// Mean of squared deviations over axes, which stay with size 1; `mean` is the mean over the same axes.
pub(crate) fn variance(graph: &mut Graph, v: Id, mean: Id, axes: &[usize]) -> Id {
    let deviation = graph.sub(v, mean);
    let squares = graph.mul(deviation, deviation);
    graph.mean(squares, axes)
}
