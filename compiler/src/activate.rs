//! The nonlinearities as graphs. Stable for large arguments, and with the right gradient at 0.

use crate::graph::{Graph, Id, Op};
use crate::net::Activation;

/// Applies an activation to every element.
pub(crate) fn activate(graph: &mut Graph, activation: Activation, x: Id) -> Id {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(graph, x),
        Activation::LeakyRelu(slope) => leaky_relu(graph, x, slope),
        Activation::Tanh => graph.unary(Op::Tanh, x),
        Activation::Sigmoid => sigmoid(graph, x),
        Activation::Gelu => gelu(graph, x),
        Activation::Softplus => softplus(graph, x),
    }
}

/// max(x, 0); at a tie `Max` sends the gradient to its second operand, so relu'(0) = 0.
pub(crate) fn relu(graph: &mut Graph, x: Id) -> Id {
    let zero = graph.constant(0.0);
    graph.binary(Op::Max, x, zero)
}

/// x where x > 0, else slope x
fn leaky_relu(graph: &mut Graph, x: Id, slope: f64) -> Id {
    let zero = graph.constant(0.0);
    let positive = graph.binary(Op::Less, zero, x);
    let scaled = graph.scale(x, slope);
    graph.select(positive, x, scaled)
}

/// e / (1 + e) below 0, 1 / (1 + e) from 0 on, with e = exp(-|x|), which never overflows.
pub(crate) fn sigmoid(graph: &mut Graph, x: Id) -> Id {
    let e = exp_of_minus_abs(graph, x);
    let (zero, one) = (graph.constant(0.0), graph.constant(1.0));
    let negative = graph.binary(Op::Less, x, zero);
    let numerator = graph.select(negative, e, one);
    let denominator = graph.add(e, one);
    graph.div(numerator, denominator)
}

/// max(x, 0) + log(1 + exp(-|x|))
pub(crate) fn softplus(graph: &mut Graph, x: Id) -> Id {
    let (zero, one) = (graph.constant(0.0), graph.constant(1.0));
    let positive = graph.binary(Op::Max, zero, x);
    let e = exp_of_minus_abs(graph, x);
    let sum = graph.add(e, one);
    let log = graph.unary(Op::Log, sum);
    graph.add(positive, log)
}

/// |x| as max(-x, x): unlike `Abs`, whose gradient at 0 is 0, it has the slope of x there, which makes the formulas above
/// differentiable at 0.
fn exp_of_minus_abs(graph: &mut Graph, x: Id) -> Id {
    let minus = graph.unary(Op::Neg, x);
    let size = graph.binary(Op::Max, minus, x);
    let minus_size = graph.unary(Op::Neg, size);
    graph.unary(Op::Exp, minus_size)
}

/// x Phi(x), exact
fn gelu(graph: &mut Graph, x: Id) -> Id {
    let scaled = graph.scale(x, std::f64::consts::FRAC_1_SQRT_2);
    let erf = graph.unary(Op::Erf, scaled);
    let one = graph.constant(1.0);
    let sum = graph.add(erf, one);
    let half = graph.scale(x, 0.5);
    graph.mul(half, sum)
}
