//! Layers that draw random numbers in training. In evaluation they change nothing.
//!
//! A number is a function of the seed, the step, the layer and its place in the batch, so it is the same on every device and for every
//! number of threads.

use crate::ir::graph::{Graph, Id, Op};
use crate::ir::internal::index32;

/// The first stream of random numbers of layers. Streams of initialization count up from 0.
const STREAMS: u32 = 1 << 31;
/// The first stream of second numbers, for layers that need two.
const SECOND_STREAMS: u32 = STREAMS | 1 << 30;

/// Keeps each element with probability 1 - p, and scales it by 1 / (1 - p), so that its expectation stays the same.
pub(super) fn dropout(graph: &mut Graph, x: Id, probability: f64, layer: usize) -> Id {
    let shape = graph.shape(x).to_vec();
    kept(graph, x, probability, layer, shape)
}

/// Keeps each example with probability 1 - p, and scales it by 1 / (1 - p).
pub(super) fn stochastic_depth(graph: &mut Graph, x: Id, probability: f64, layer: usize) -> Id {
    let mut shape = graph.shape(x).to_vec();
    shape.iter_mut().skip(1).for_each(|size| *size = 1);
    kept(graph, x, probability, layer, shape)
}

/// Keeps with probability 1 - p: one draw for each number of `draws`, which is repeated to the shape of `x`.
fn kept(graph: &mut Graph, x: Id, probability: f64, layer: usize, draws: Vec<usize>) -> Id {
    if probability == 0.0 {
        return x;
    }
    let stream = STREAMS | index32(layer, "layers");
    let draw = graph.push(Op::Uniform { stream }, vec![], draws);
    let limit = graph.constant(1.0 - probability);
    let keep = graph.binary(Op::Less, draw, limit);
    let shape = graph.shape(x).to_vec();
    let keep = graph.expand(keep, &shape);
    let scaled = graph.scale(x, 1.0 / (1.0 - probability));
    let zero = graph.constant(0.0);
    graph.select(keep, scaled, zero)
}

/// Adds normal numbers with mean 0 and this standard deviation.
pub(super) fn noise(graph: &mut Graph, x: Id, deviation: f64, layer: usize) -> Id {
    if deviation == 0.0 {
        return x;
    }
    let layer = index32(layer, "layers");
    let shape = graph.shape(x).to_vec();
    let normal = normal(graph, &shape, [STREAMS | layer, SECOND_STREAMS | layer]);
    let noise = graph.scale(normal, deviation);
    graph.add(x, noise)
}

/// Standard normal numbers from two streams of uniform ones: sqrt(-2 log(1 - a)) cos(2 pi b) (Box and Muller, 1958).
pub(crate) fn normal(graph: &mut Graph, shape: &[usize], streams: [u32; 2]) -> Id {
    let [a, b] = streams.map(|stream| graph.push(Op::Uniform { stream }, vec![], shape.to_vec()));
    let one = graph.constant(1.0);
    let above_zero = graph.sub(one, a);
    let log = graph.unary(Op::Log, above_zero);
    let square = graph.scale(log, -2.0);
    let radius = graph.unary(Op::Sqrt, square);
    let angle = graph.scale(b, std::f64::consts::TAU);
    let cos = graph.unary(Op::Cos, angle);
    graph.mul(radius, cos)
}
