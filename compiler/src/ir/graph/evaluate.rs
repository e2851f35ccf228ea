//! The reference evaluator: runs a graph in the simplest way, with one loop for each operation, in f64. All faster devices are
//! compared with it. It also runs initialization, conversion and data formulas, so that these give the same bits for every
//! device.

mod columns;
mod elementwise;
mod movement;
mod orthogonal;
mod parts;
#[cfg(test)]
mod tests;
mod windows;

pub use columns::{Piece, pieces};
pub use parts::independent;

use super::groups::{convolution, elementwise, joined, pool, reduction, scan, view};
use super::{Graph, Id, Node, Op, Shape};
use crate::ir::internal::internal_error;
use crate::math::philox::philox;
use columns::Columns;
use std::borrow::Cow;

/// Numbers in row-major order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensor {
    /// Sizes of the axes.
    pub shape: Shape,
    /// The numbers, as many as the product of the sizes.
    pub data: Vec<f64>,
}

impl Tensor {
    /// Returns a tensor with the same number everywhere.
    #[must_use]
    pub fn full(shape: &[usize], value: f64) -> Self {
        Tensor { shape: shape.to_vec(), data: vec![value; shape.iter().product()] }
    }
}

/// Seed and step of the counter-based random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Random {
    /// The run's seed, which is the key.
    pub seed: u64,
    /// The number of the optimizer step; 0 in initialization. It is a part of the counter.
    pub step: u64,
}

/// Returns the values of all outputs of a graph, in order.
///
/// `inputs` and `states` have the graph's declared shapes.
#[must_use]
pub fn evaluate(graph: &Graph, inputs: &[Tensor], states: &[Tensor], random: Random) -> Vec<Tensor> {
    let mut results = vec![Tensor::default(); graph.outputs.len()];
    let all: Vec<usize> = (0..results.len()).collect();
    evaluate_each(graph, &all, inputs, |i| states[i].clone(), random, |output, value| results[output] = value.clone());
    results
}

/// As [`evaluate`], for some outputs. `wanted` are their indices. Calls `tell` with the index and the value of an output as soon
/// as it is computed. `state` returns the old value of a state.
///
/// A value is dropped after its last use, so that large graphs of small parts need little memory.
pub fn evaluate_each(
    graph: &Graph,
    wanted: &[usize],
    inputs: &[Tensor],
    state: impl Fn(usize) -> Tensor,
    random: Random,
    tell: impl FnMut(usize, &Tensor),
) {
    evaluate_at(graph, wanted, inputs, state, (random, None), tell);
}

/// As [`evaluate_each`], for a graph whose values are some columns of larger ones.
fn evaluate_at(
    graph: &Graph,
    wanted: &[usize],
    inputs: &[Tensor],
    state: impl Fn(usize) -> Tensor,
    (random, columns): (Random, Option<Columns>),
    mut tell: impl FnMut(usize, &Tensor),
) {
    let last = last_uses(graph, wanted);
    let repeated = elementwise::repeated(graph);
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let node = &graph[id];
        let value = match &node.op {
            // No wanted output needs this node. An empty tensor keeps `values` in the order of the nodes.
            _ if last[id.index()].is_none() => Tensor::default(),
            Op::Input(i) => inputs[*i].clone(),
            Op::State(i) => state(*i),
            Op::Uniform { stream } => uniform(&node.shape, *stream, random, columns),
            // Elementwise operations accept a single number as an operand, so it is not copied to the whole shape.
            Op::Broadcast if repeated[id.index()] => {
                Tensor { shape: node.shape.clone(), data: values[node.inputs[0].index()].data.clone() }
            }
            // An operand whose last use this is may give its memory to the result.
            elementwise!() => {
                let data = elementwise::elementwise(node, &mut values, |input| last[input.index()] == Some(id));
                Tensor { shape: node.shape.clone(), data }
            }
            Op::Const(_) | Op::Iota(_) | view!() | joined!() | reduction!() => compute(node, &values),
            Op::MatMul { .. } | convolution!() | pool!() | scan!() => compute(node, &values),
        };
        assert!(value.shape == node.shape || last[id.index()].is_none(), "{}", node.op.name());
        let outputs = wanted.iter().filter(|&&output| graph.outputs[output].id() == id);
        outputs.for_each(|&output| tell(output, &value));
        values.push(value);
        // The node itself is included: an output that no other node uses is dropped at once.
        for input in node.inputs.iter().chain([&id]) {
            if last[input.index()].is_some_and(|last| last <= id) {
                values[input.index()] = Tensor::default();
            }
        }
    }
}

/// Returns for each node the last node that uses it; the node itself if it is only an output, `None` if nothing uses it.
fn last_uses(graph: &Graph, wanted: &[usize]) -> Vec<Option<Id>> {
    let mut last = vec![None; graph.nodes.len()];
    wanted.iter().map(|&output| graph.outputs[output].id()).for_each(|id| last[id.index()] = Some(id));
    for id in graph.ids().rev() {
        if last[id.index()].is_some() {
            graph[id].inputs.iter().for_each(|input| last[input.index()] = last[input.index()].max(Some(id)));
        }
    }
    last
}

/// Computes a node that depends only on the values of its operands.
fn compute(node: &Node, values: &[Tensor]) -> Tensor {
    let operand = |i: usize| &values[node.inputs[i].index()];
    let shape = node.shape.clone();
    let data = match &node.op {
        Op::Const(value) => vec![*value],
        Op::Iota(axis) => movement::iota(&shape, *axis),
        Op::Reshape => operand(0).data.clone(),
        Op::Transpose(axes) => movement::transpose(operand(0), axes, &shape),
        Op::Broadcast => movement::broadcast(operand(0), &shape),
        Op::Slice { axis, start } => movement::slice(operand(0), *axis, *start, &shape),
        Op::Pad { axis, before } => movement::pad(operand(0), *axis, *before, &shape),
        Op::Concat { axis } => movement::concat(node, values, *axis),
        Op::Sum(_) => movement::reduce(operand(0), &shape, 0.0, |a, b| a + b),
        // `larger` passes a NaN on. `f64::max` would drop it and hide a diverged training.
        Op::MaxOver(_) => movement::reduce(operand(0), &shape, f64::NEG_INFINITY, larger),
        Op::MatMul { transpose_a, transpose_b } => matmul(operand(0), operand(1), *transpose_a, *transpose_b),
        Op::Convolve(window) => windows::convolve(window, &windows::prepared(node, values), operand(1), &shape),
        Op::ConvolveInput(window) => windows::convolve_input(window, operand(0), operand(1), &shape),
        Op::ConvolveWeight(window) => {
            windows::convolve_weight(window, &windows::prepared(node, values), operand(1), &shape)
        }
        Op::MaxPool(window) => windows::max_pool(window, &windows::scaled(node, values, 1), &shape),
        Op::MaxPoolGrad(window) => windows::max_pool_grad(window, &windows::scaled(node, values, 2), operand(1)),
        Op::SumPool(window) => windows::sum_pool(window, operand(0), &shape),
        Op::SumPoolGrad(window) => windows::sum_pool_grad(window, operand(0), &shape),
        Op::Spherical => spherical(operand(0)),
        Op::SphericalGrad => spherical_grad(operand(0), operand(1)),
        Op::Angles => angles(operand(0)),
        Op::Orthogonal => orthogonal::orthogonal(operand(0)),
        Op::Input(_) | Op::State(_) | Op::Uniform { .. } | elementwise!() => {
            // `evaluate_each` computes these: they need states, random numbers, or the memory of an operand.
            internal_error("evaluate", format_args!("no loop computes {}", node.op.name()), format_args!("{node:?}"))
        }
    };
    Tensor { shape, data }
}

/// Applies an elementwise operation to one element. Operands that the operation does not have are ignored.
#[must_use]
pub fn scalar(op: &Op, [a, b, c]: [f64; 3]) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    // Functions come from `libm` and not from the system's library, so that all machines give the same bits. The root is
    // rounded correctly by every processor.
    match op {
        Op::Neg => -a,
        Op::Abs => a.abs(),
        Op::Exp => libm::exp(a),
        Op::Log => libm::log(a),
        Op::Log1p => libm::log1p(a),
        Op::Sqrt => a.sqrt(),
        Op::Sin => libm::sin(a),
        Op::Cos => libm::cos(a),
        Op::Tanh => libm::tanh(a),
        Op::Erf => libm::erf(a),
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div => a / b,
        Op::Max => larger(a, b),
        // Both are NaN if an operand is: a NaN must not disappear in a comparison.
        Op::Min => -larger(-a, -b),
        Op::Pow => libm::pow(a, b),
        Op::Less => truth(a < b),
        Op::LessEqual => truth(a <= b),
        Op::Equal => truth(a == b),
        Op::Select => {
            if a != 0.0 {
                b
            } else {
                c
            }
        }
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => not_elementwise(op),
        view!() | joined!() | reduction!() => not_elementwise(op),
        Op::MatMul { .. } | convolution!() | pool!() | scan!() => not_elementwise(op),
    }
}

fn not_elementwise(op: &Op) -> ! {
    unreachable!("{} is not elementwise", op.name())
}

/// Returns the larger number; NaN if one of them is NaN.
fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// Draws uniform numbers as [`Op::Uniform`] defines them, or some columns of them.
#[expect(clippy::cast_possible_truncation, reason = "low and high halves, and sizes below 2^34")]
fn uniform(shape: &[usize], stream: u32, random: Random, columns: Option<Columns>) -> Tensor {
    let key = [random.seed as u32, (random.seed >> 32) as u32];
    let count = shape.iter().product::<usize>();
    let mut data = Vec::with_capacity(count);
    // A row of columns lies between others; the whole is one row.
    let (row, first, all) = match (columns, shape.last()) {
        (Some(columns), Some(&row)) => (row.max(1), columns.first, columns.all),
        _ => (count.max(1), 0, count),
    };
    for line in 0..count / row {
        let (begin, end) = (line * all + first, line * all + first + row);
        for block in begin / 4..end.div_ceil(4) {
            let words = philox([block as u32, stream, random.step as u32, (random.step >> 32) as u32], key);
            // The numbers of the block that belong to the row.
            let inside = begin.saturating_sub(4 * block)..(end - 4 * block).min(4);
            data.extend(words[inside].iter().map(|word| f64::from(word >> 8) * (1.0 / 16_777_216.0)));
        }
    }
    Tensor { shape: shape.to_vec(), data }
}

/// Rows of the result that are computed together, so that a row of the right operand is read once for all of them.
const ROWS: usize = 16;

/// Multiplies matrices. Every sum runs over the inner index in ascending order: the blocks of rows do not change the bits.
fn matmul(a: &Tensor, b: &Tensor, transpose_a: bool, transpose_b: bool) -> Vec<f64> {
    let (row, column) = if transpose_a { (1, a.shape[1]) } else { (a.shape[1], 1) };
    let (m, k) = if transpose_a { (a.shape[1], a.shape[0]) } else { (a.shape[0], a.shape[1]) };
    let n = if transpose_b { b.shape[0] } else { b.shape[1] };
    // The innermost loop runs along a row of `b`, so a transposed `b` is copied first.
    let transposed = || (0..k * n).map(|at| b.data[at % n * k + at / n]).collect();
    let b: Cow<'_, [f64]> = if transpose_b { Cow::Owned(transposed()) } else { Cow::Borrowed(&b.data) };
    let mut c = vec![0.0; m * n];
    if n == 0 {
        return c;
    }
    for (block, rows) in c.chunks_mut(ROWS * n).enumerate() {
        for (l, line) in b.chunks_exact(n).enumerate() {
            for (i, sums) in rows.chunks_exact_mut(n).enumerate() {
                let factor = a.data[(block * ROWS + i) * row + l * column];
                sums.iter_mut().zip(line).for_each(|(sum, b)| *sum += factor * b);
            }
        }
    }
    c
}

/// [`Op::Spherical`], with `prefix` the product of the sines so far.
fn spherical(theta: &Tensor) -> Vec<f64> {
    let units = theta.shape[1];
    let (mut u, mut prefix) = (Vec::with_capacity(theta.data.len() + units), vec![1.0; units]);
    for row in theta.data.chunks_exact(units.max(1)) {
        for (prefix, &t) in prefix.iter_mut().zip(row) {
            u.push(*prefix * libm::cos(t));
            *prefix *= libm::sin(t);
        }
    }
    u.extend(prefix);
    u
}

/// [`Op::SphericalGrad`], with `prefix` for P and `f` for F of its definition.
fn spherical_grad(theta: &Tensor, g: &Tensor) -> Vec<f64> {
    let (angles, units) = (theta.shape[0], theta.shape[1]);
    let mut gradient = vec![0.0; angles * units];
    for unit in 0..units {
        let place = |i: usize| i * units + unit;
        let mut prefix = vec![1.0; angles + 1];
        for i in 0..angles {
            prefix[i + 1] = prefix[i] * libm::sin(theta.data[place(i)]);
        }
        // Backwards, because F_i depends on F_{i+1}. No division: it is exact where a sine is zero.
        let mut f = g.data[place(angles)];
        for i in (0..angles).rev() {
            let (sin, cos, g) = (libm::sin(theta.data[place(i)]), libm::cos(theta.data[place(i)]), g.data[place(i)]);
            gradient[place(i)] = prefix[i] * (cos * f - g * sin);
            f = g * cos + sin * f;
        }
    }
    gradient
}

/// Returns the length of (x, y). The plain root is faster. It is used where no square can overflow or underflow.
fn length(x: f64, y: f64) -> f64 {
    const SAFE: std::ops::Range<f64> = 1e-140..1e140;
    if SAFE.contains(&x.abs()) && y.abs() < SAFE.end { (x * x + y * y).sqrt() } else { libm::hypot(x, y) }
}

/// [`Op::Angles`], with `tail` the length |x_{k+1..n}| of the components after the current one.
fn angles(x: &Tensor) -> Vec<f64> {
    let (n, units) = (x.shape[0], x.shape[1]);
    let mut theta = vec![0.0; n.saturating_sub(1) * units];
    let row = |i: usize| &x.data[i * units..(i + 1) * units];
    let Some(last) = n.checked_sub(2) else { return theta };
    let mut tail: Vec<f64> = row(n - 1).iter().map(|value| value.abs()).collect();
    // Backwards, so that each length follows from the one before by one more component.
    for (i, theta) in theta.chunks_exact_mut(units.max(1)).enumerate().rev() {
        for (unit, theta) in theta.iter_mut().enumerate() {
            if i == last {
                *theta = libm::atan2(row(n - 1)[unit], row(i)[unit]);
            } else {
                tail[unit] = length(tail[unit], row(i + 1)[unit]);
                *theta = libm::atan2(tail[unit], row(i)[unit]);
            }
        }
    }
    theta
}
