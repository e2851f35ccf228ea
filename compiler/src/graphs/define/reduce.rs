//! Reductions of a unit's weights over its fan-in: `mean(w)`, `var(w)`, `sum(w)`, `norm(w)`.

use crate::ir::graph::{Graph, Id, Op};

/// The smallest squared length. With it, `v / norm(v)` of the zero vector is 0 and not 0 / 0. It is small enough not to matter
/// for other vectors. It is large enough that its root and the reciprocal of the root are normal numbers in f32.
const SMALLEST_SQUARE: f64 = 1e-36;

/// Adds the Euclidean length over axes, which stay with size 1.
///
/// The length of the zero vector is 1e-18 and its gradient is 0. So `v / norm(v)` is 0 there, and the first optimizer step moves
/// `v` along the negative gradient.
pub(crate) fn norm(graph: &mut Graph, v: Id, axes: &[usize]) -> Id {
    let squares = graph.mul(v, v);
    let sum = graph.sum(squares, axes);
    let floor = graph.constant(SMALLEST_SQUARE);
    let safe = graph.binary(Op::Max, sum, floor);
    graph.unary(Op::Sqrt, safe)
}

/// Adds the mean of squared deviations over axes, which stay with size 1. `mean` is the mean over the same axes.
pub(crate) fn variance(graph: &mut Graph, v: Id, mean: Id, axes: &[usize]) -> Id {
    let deviation = graph.sub(v, mean);
    let squares = graph.mul(deviation, deviation);
    graph.mean(squares, axes)
}
