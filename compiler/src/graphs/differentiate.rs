//! Reverse-mode differentiation: adds the gradients of a scalar to its graph.
//!
//! ```text
//! %3 = matmul %0 %1             gradient at %1:  matmul %0 d%3 (a transposed)
//! %4 = max %3 0                 gradient at %3:  select (0 < %3) d%4 0
//! ```
//!
//! It walks once backwards over the nodes between `wrt` and `of`. Gradients of nodes that do not depend on `wrt` are not
//! computed. In this file `y` is a node, `dy` the gradient at this node, and `x` are its operands. [`Op`] defines the gradients
//! at ties and kinks.

#![warn(clippy::wildcard_enum_match_arm)]

use crate::ir::graph::{Graph, Id, Op, Shape};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the gradients of the scalar `of` with respect to each of `wrt`, in their shapes. A gradient is zero if `of` does not
/// depend on the node.
///
/// `stopped` are nodes with a stopped gradient: they count as constants. An example is the maximum that `log_sum_exp` subtracts,
/// whose gradient cancels.
pub(crate) fn differentiate(graph: &mut Graph, of: Id, wrt: &[Id], stopped: &BTreeSet<Id>) -> Vec<Id> {
    let one = graph.full(1.0, &shape(graph, of));
    pull(graph, &[(of, one)], wrt, stopped)
}

/// As [`differentiate`], but starts from given gradients at some nodes: `seeds` are pairs of a node and its gradient.
pub(crate) fn pull(graph: &mut Graph, seeds: &[(Id, Id)], wrt: &[Id], stopped: &BTreeSet<Id>) -> Vec<Id> {
    // Gradients are added after the nodes that exist now. The walk only visits the old nodes.
    let end = seeds.iter().map(|(y, _)| y.index() + 1).max().unwrap_or(0);
    let leads = dependent(graph, wrt, stopped, end);
    let mut gradients: BTreeMap<Id, Id> = BTreeMap::new();
    for &(y, dy) in seeds {
        accumulate(graph, &mut gradients, y, dy);
    }
    // Users come after their operands. So when the walk reaches a node, all its users have added to its gradient.
    for index in (0..end).rev() {
        let y = Id::new(index);
        let Some(&dy) = gradients.get(&y).filter(|_| leads[index]) else { continue };
        let from = graph.nodes.len();
        let operands = graph[y].inputs.clone();
        for (place, &x) in operands.iter().enumerate().filter(|(_, x)| leads[x.index()]) {
            if let Some(dx) = pull_back(graph, y, dy, place) {
                accumulate(graph, &mut gradients, x, dx);
            }
        }
        // A gradient belongs to the same line of the model as its node.
        if let Some(span) = graph[y].span {
            graph.mark(from, span);
        }
    }
    wrt.iter().map(|x| gradients.get(x).copied().unwrap_or_else(|| graph.full(0.0, &shape(graph, *x)))).collect()
}

/// Returns for each of the first `end` nodes: does it depend on one of `wrt`, and not only through stopped nodes?
fn dependent(graph: &Graph, wrt: &[Id], stopped: &BTreeSet<Id>, end: usize) -> Vec<bool> {
    let mut leads = vec![false; end];
    let wrt: BTreeSet<Id> = wrt.iter().copied().collect();
    for id in graph.ids().take(end) {
        let through = graph[id].inputs.iter().any(|x| leads[x.index()]);
        leads[id.index()] = wrt.contains(&id) || through && !stopped.contains(&id);
    }
    leads
}

/// Adds `dx` to the gradient of `x`.
fn accumulate(graph: &mut Graph, gradients: &mut BTreeMap<Id, Id>, x: Id, dx: Id) {
    let sum = match gradients.get(&x) {
        Some(&other) => graph.add(other, dx),
        None => dx,
    };
    gradients.insert(x, sum);
}

/// Returns the contribution of node `y` to the gradient of its operand `i`, in the operand's shape. `dy` is the gradient at `y`.
/// `None` if the derivative is zero or not supported.
fn pull_back(g: &mut Graph, y: Id, dy: Id, i: usize) -> Option<Id> {
    let x = g[y].inputs.clone();
    let op = g[y].op.clone();
    Some(match op {
        // Leaves have no operands, and the derivative of a comparison is zero.
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => return None,
        Op::Less | Op::LessEqual | Op::Equal => return None,
        // Not supported: most second derivatives, and the operations of initialization and conversion.
        Op::SphericalGrad | Op::Angles | Op::Orthogonal => return None,
        Op::ConvolveWeight(_) | Op::MaxPoolGrad(_) | Op::SumPoolGrad(_) => return None,

        Op::Neg => g.unary(Op::Neg, dy),
        Op::Abs => pull_abs(g, x[0], dy),
        Op::Exp => g.mul(dy, y),
        Op::Log => g.div(dy, x[0]),
        Op::Log1p => pull_log1p(g, x[0], dy),
        Op::Sqrt => pull_sqrt(g, y, dy),
        Op::Sin => chain(g, dy, |g| g.unary(Op::Cos, x[0])),
        Op::Cos => pull_cos(g, x[0], dy),
        Op::Tanh => chain(g, dy, |g| one_minus_square(g, y)),
        Op::Erf => chain(g, dy, |g| gaussian(g, x[0])),
        Op::Add => dy,
        Op::Sub if i == 0 => dy,
        Op::Sub => g.unary(Op::Neg, dy),
        Op::Mul if x[0] == x[1] && i == 0 => pull_square(g, x[0], dy),
        Op::Mul if x[0] == x[1] => return None, // the gradient of the first operand includes the second one
        Op::Mul => g.mul(dy, x[1 - i]),
        Op::Div => pull_div(g, y, dy, x[1], i),
        Op::Max => pull_extreme(g, x[1], x[0], dy, i),
        Op::Min => pull_extreme(g, x[0], x[1], dy, i),
        Op::Pow => pull_pow(g, y, dy, i),
        Op::Select if i == 0 => return None,
        Op::Select => masked(g, x[0], dy, i == 1),

        Op::Reshape => g.reshape(dy, &shape(g, x[0])),
        Op::Transpose(axes) => g.transpose(dy, &inverse(&axes)),
        Op::Broadcast => g.sum(dy, &repeated(g, x[0], y)),
        Op::Slice { axis, start } => g.pad(dy, axis, start, g.shape(x[0])[axis]),
        Op::Concat { axis } => g.slice(dy, axis, size(g, &x[..i], axis), g.shape(x[i])[axis]),
        Op::Pad { axis, before } => g.slice(dy, axis, before, g.shape(x[0])[axis]),
        Op::Sum(_) => g.expand(dy, &shape(g, x[0])),
        Op::MaxOver(axes) => pull_max_over(g, x[0], y, dy, &axes),
        Op::MatMul { transpose_a, transpose_b } => pull_matmul(g, [x[0], x[1]], dy, i, (transpose_a, transpose_b)),
        Op::Convolve(window) if i == 0 => g.push(Op::ConvolveInput(window), vec![dy, x[1]], shape(g, x[0])),
        Op::Convolve(window) => g.push(Op::ConvolveWeight(window), vec![x[0], dy], shape(g, x[1])),
        // `boundary::graph` differentiates a gradient once more, to get the derivative in a direction.
        Op::ConvolveInput(window) if i == 0 => g.push(Op::Convolve(window), vec![dy, x[1]], shape(g, x[0])),
        Op::ConvolveInput(window) => g.push(Op::ConvolveWeight(window), vec![dy, x[0]], shape(g, x[1])),
        Op::MaxPool(window) => g.push(Op::MaxPoolGrad(window), vec![x[0], dy], shape(g, x[0])),
        Op::SumPool(window) => g.push(Op::SumPoolGrad(window), vec![dy], shape(g, x[0])),
        Op::Spherical => g.push(Op::SphericalGrad, vec![x[0], dy], shape(g, x[0])),
    })
}

/// Returns a copy of a shape, so that the graph can be changed while the shape is used.
fn shape(g: &Graph, x: Id) -> Shape {
    g.shape(x).to_vec()
}

/// Returns the total size of parts along an axis.
fn size(g: &Graph, parts: &[Id], axis: usize) -> usize {
    parts.iter().map(|&part| g.shape(part)[axis]).sum()
}

/// dy times a slope
fn chain(g: &mut Graph, dy: Id, slope: impl FnOnce(&mut Graph) -> Id) -> Id {
    let slope = slope(g);
    g.mul(dy, slope)
}

/// dy where the condition holds (or where it does not), 0 elsewhere
fn masked(g: &mut Graph, condition: Id, dy: Id, holds: bool) -> Id {
    let zero = g.constant(0.0);
    if holds { g.select(condition, dy, zero) } else { g.select(condition, zero, dy) }
}

fn pull_log1p(g: &mut Graph, x: Id, dy: Id) -> Id {
    let one = g.constant(1.0);
    let sum = g.add(x, one);
    g.div(dy, sum)
}

fn pull_cos(g: &mut Graph, x: Id, dy: Id) -> Id {
    let sin = g.unary(Op::Sin, x);
    let minus = g.unary(Op::Neg, sin);
    g.mul(dy, minus)
}

/// y = x x
fn pull_square(g: &mut Graph, x: Id, dy: Id) -> Id {
    let double = g.scale(dy, 2.0);
    g.mul(double, x)
}

/// Sends the gradient to the first operand where `small` < `large`, otherwise to the second.
fn pull_extreme(g: &mut Graph, small: Id, large: Id, dy: Id, i: usize) -> Id {
    let first = g.binary(Op::Less, small, large);
    masked(g, first, dy, i == 0)
}

/// dy, 0 or -dy by the sign of x
fn pull_abs(g: &mut Graph, x: Id, dy: Id) -> Id {
    let zero = g.constant(0.0);
    let (above, below) = (g.binary(Op::Less, zero, x), g.binary(Op::Less, x, zero));
    let minus = g.unary(Op::Neg, dy);
    let otherwise = g.select(below, minus, zero);
    g.select(above, dy, otherwise)
}

/// dy / (2 sqrt x), and 0 at x = 0
fn pull_sqrt(g: &mut Graph, y: Id, dy: Id) -> Id {
    let half = g.scale(dy, 0.5);
    let slope = g.div(half, y);
    let zero = g.constant(0.0);
    let positive = g.binary(Op::Less, zero, y);
    g.select(positive, slope, zero)
}

fn one_minus_square(g: &mut Graph, y: Id) -> Id {
    let one = g.constant(1.0);
    let square = g.mul(y, y);
    g.sub(one, square)
}

/// 2 / sqrt(pi) exp(-x^2), the slope of `Erf`
fn gaussian(g: &mut Graph, x: Id) -> Id {
    let square = g.mul(x, x);
    let minus = g.unary(Op::Neg, square);
    let exp = g.unary(Op::Exp, minus);
    g.scale(exp, std::f64::consts::FRAC_2_SQRT_PI)
}

/// y = a / b: dy / b, and -dy y / b
fn pull_div(g: &mut Graph, y: Id, dy: Id, b: Id, i: usize) -> Id {
    let quotient = g.div(dy, b);
    if i == 0 {
        return quotient;
    }
    let product = g.mul(quotient, y);
    g.unary(Op::Neg, product)
}

/// y = a^b: dy b a^(b - 1), and dy y log a
fn pull_pow(g: &mut Graph, y: Id, dy: Id, i: usize) -> Id {
    let (a, b) = (g[y].inputs[0], g[y].inputs[1]);
    if i == 1 {
        return chain(g, dy, |g| {
            let log = g.unary(Op::Log, a);
            g.mul(y, log)
        });
    }
    chain(g, dy, |g| {
        let one = g.constant(1.0);
        let lower = g.sub(b, one);
        let power = g.binary(Op::Pow, a, lower);
        g.mul(b, power)
    })
}

/// Sends the gradient to the largest element. If several are equal, each gets the same part.
fn pull_max_over(g: &mut Graph, x: Id, y: Id, dy: Id, axes: &[usize]) -> Id {
    let largest = g.binary(Op::Equal, x, y);
    let count = g.sum(largest, axes);
    let share = g.div(dy, count);
    g.mul(largest, share)
}

fn inverse(axes: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; axes.len()];
    for (i, &axis) in axes.iter().enumerate() {
        inverse[axis] = i;
    }
    inverse
}

/// Returns the axes along which `y` repeats `x`.
fn repeated(g: &Graph, x: Id, y: Id) -> Vec<usize> {
    (0..g.shape(y).len()).filter(|&axis| g.shape(x)[axis] != g.shape(y)[axis]).collect()
}

/// y = a' b', where a' and b' are the operands, transposed if `ta` or `tb` says so.
fn pull_matmul(g: &mut Graph, [a, b]: [Id; 2], dy: Id, i: usize, (ta, tb): (bool, bool)) -> Id {
    match (i, ta, tb) {
        (0, false, _) => g.matmul(dy, b, false, !tb),
        (0, true, _) => g.matmul(b, dy, tb, true),
        (_, _, false) => g.matmul(a, dy, !ta, false),
        (_, _, true) => g.matmul(dy, a, true, ta),
    }
}

#[cfg(test)]
mod tests;
