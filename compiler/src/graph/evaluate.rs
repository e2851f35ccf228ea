//! Runs a graph the way a student would: one loop an operation, in f64. Slow, obvious, and the oracle for everything
//! faster. It also runs initialization, conversion and data formulas, so that these give the same bits on every device.

mod windows;

use super::{Graph, Node, Op, Shape};
use crate::math::philox::philox;

/// Numbers in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Axis sizes.
    pub shape: Shape,
    /// As many as the product of the shape.
    pub data: Vec<f64>,
}

impl Tensor {
    /// A tensor of one repeated value.
    #[must_use]
    pub fn full(shape: &[usize], value: f64) -> Self {
        Tensor { shape: shape.to_vec(), data: vec![value; shape.iter().product()] }
    }
}

/// Key and step of the counter-based random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Random {
    /// The run's seed.
    pub seed: u64,
    /// Counts optimizer steps; 0 in initialization.
    pub step: u64,
}

/// Values of all outputs of a graph, in order.
///
/// `inputs` and `states` have the graph's declared shapes.
#[must_use]
pub fn evaluate(graph: &Graph, inputs: &[Tensor], states: &[Tensor], random: Random) -> Vec<Tensor> {
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let value = match &node.op {
            Op::Input(i) => inputs[*i].clone(),
            Op::State(i) => states[*i].clone(),
            Op::Uniform { stream } => uniform(&node.shape, *stream, random),
            _ => compute(node, &values),
        };
        debug_assert_eq!(value.shape, node.shape, "{}", node.op.name());
        values.push(value);
    }
    graph.outputs.iter().map(|o| values[o.id().index()].clone()).collect()
}

fn compute(node: &Node, values: &[Tensor]) -> Tensor {
    let operand = |i: usize| &values[node.inputs[i].index()];
    let shape = node.shape.clone();
    let data = match &node.op {
        Op::Const(value) => vec![*value],
        Op::Iota(axis) => from_index(&shape, |index| to_f64(index[*axis])),
        op if op.is_elementwise() => elementwise(node, values),
        Op::Reshape => operand(0).data.clone(),
        Op::Transpose(axes) => from_index(&shape, |index| {
            let mut source = vec![0; axes.len()];
            for (&axis, &i) in axes.iter().zip(index) {
                source[axis] = i;
            }
            at(operand(0), &source)
        }),
        Op::Broadcast => from_index(&shape, |index| at(operand(0), &wrapped(index, &operand(0).shape))),
        Op::Slice { axis, start } => from_index(&shape, |index| at(operand(0), &moved(index, *axis, *start))),
        Op::Pad { axis, before } => from_index(&shape, |index| {
            let inside = index[*axis].checked_sub(*before).filter(|&i| i < operand(0).shape[*axis]);
            inside.map_or(0.0, |i| at(operand(0), &replaced(index, *axis, i)))
        }),
        Op::Concat { axis } => concat(node, values, *axis),
        Op::Sum(_) => reduce(operand(0), &shape, 0.0, |a, b| a + b),
        Op::MaxOver(_) => reduce(operand(0), &shape, f64::NEG_INFINITY, larger),
        Op::MatMul { transpose_a, transpose_b } => matmul(operand(0), operand(1), *transpose_a, *transpose_b),
        Op::Convolve(window) => windows::convolve(window, &windows::prepared(node, values), operand(1), &shape),
        Op::ConvolveInput(window) => windows::convolve_input(window, operand(0), operand(1), &shape),
        Op::ConvolveWeight(window) => {
            windows::convolve_weight(window, &windows::prepared(node, values), operand(1), &shape)
        }
        Op::MaxPool(window) => windows::max_pool(window, operand(0), &shape),
        Op::MaxPoolGrad(window) => windows::max_pool_grad(window, operand(0), operand(1)),
        Op::SumPool(window) => windows::sum_pool(window, operand(0), &shape),
        Op::SumPoolGrad(window) => windows::sum_pool_grad(window, operand(0), &shape),
        Op::Spherical => spherical(operand(0)),
        Op::SphericalGrad => spherical_grad(operand(0), operand(1)),
        Op::Angles => angles(operand(0)),
        _ => Vec::new(), // leaves that need the caller's values; handled in `evaluate`
    };
    Tensor { shape, data }
}

fn elementwise(node: &Node, values: &[Tensor]) -> Vec<f64> {
    let column = |i: usize| &values[node.inputs[i].index()].data;
    let a = column(0);
    match node.inputs.len() {
        1 => a.iter().map(|&a| scalar(&node.op, [a, 0.0, 0.0])).collect(),
        2 => a.iter().zip(column(1)).map(|(&a, &b)| scalar(&node.op, [a, b, 0.0])).collect(),
        _ => a.iter().zip(column(1)).zip(column(2)).map(|((&a, &b), &c)| scalar(&node.op, [a, b, c])).collect(),
    }
}

/// One elementwise operation on one element; operands that the operation does not have are ignored.
#[must_use]
pub fn scalar(op: &Op, [a, b, c]: [f64; 3]) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match op {
        Op::Neg => -a,
        Op::Abs => a.abs(),
        Op::Exp => libm::exp(a),
        Op::Log => libm::log(a),
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
        Op::Min => -larger(-a, -b),
        Op::Pow => libm::pow(a, b),
        Op::Less => truth(a < b),
        Op::LessEqual => truth(a <= b),
        #[allow(clippy::float_cmp)] // equality is what the operation means
        Op::Equal => truth(a == b),
        Op::Select => {
            if a != 0.0 {
                b
            } else {
                c
            }
        }
        _ => f64::NAN, // not elementwise; `elementwise` never asks
    }
}

/// The larger one; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

#[allow(clippy::cast_precision_loss)] // sizes stay below 2^40
fn to_f64(n: usize) -> f64 {
    n as f64
}

#[allow(clippy::cast_possible_truncation)] // low and high halves, and sizes below 2^34
fn uniform(shape: &[usize], stream: u32, random: Random) -> Tensor {
    let key = [random.seed as u32, (random.seed >> 32) as u32];
    let count = shape.iter().product::<usize>();
    let words = (0..count.div_ceil(4))
        .flat_map(|block| philox([block as u32, stream, random.step as u32, (random.step >> 32) as u32], key));
    let data = words.take(count).map(|word| f64::from(word >> 8) * (1.0 / 16_777_216.0)).collect();
    Tensor { shape: shape.to_vec(), data }
}

/// Calls `value` with every index of a shape in row-major order.
fn from_index(shape: &[usize], mut value: impl FnMut(&[usize]) -> f64) -> Vec<f64> {
    let count: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let mut data = Vec::with_capacity(count);
    for _ in 0..count {
        data.push(value(&index));
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    data
}

fn at(tensor: &Tensor, index: &[usize]) -> f64 {
    tensor.data[position(&tensor.shape, index)]
}

fn position(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |flat, (&size, &i)| flat * size + i)
}

/// The index with axes of size 1 pinned to 0.
fn wrapped(index: &[usize], shape: &[usize]) -> Vec<usize> {
    index.iter().zip(shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect()
}

fn moved(index: &[usize], axis: usize, by: usize) -> Vec<usize> {
    replaced(index, axis, index[axis] + by)
}

fn replaced(index: &[usize], axis: usize, i: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = i;
    index
}

fn concat(node: &Node, values: &[Tensor], axis: usize) -> Vec<f64> {
    from_index(&node.shape, |index| {
        let mut i = index[axis];
        for input in &node.inputs {
            let part = &values[input.index()];
            if i < part.shape[axis] {
                return at(part, &replaced(index, axis, i));
            }
            i -= part.shape[axis];
        }
        f64::NAN // `verify` has checked that the parts add up
    })
}

fn reduce(a: &Tensor, shape: &[usize], start: f64, step: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut result = vec![start; shape.iter().product()];
    let mut next = 0;
    from_index(&a.shape, |index| {
        let slot = position(shape, &wrapped(index, shape));
        result[slot] = step(result[slot], a.data[next]);
        next += 1;
        0.0
    });
    result
}

fn matmul(a: &Tensor, b: &Tensor, transpose_a: bool, transpose_b: bool) -> Vec<f64> {
    let strides = |t: &Tensor, transposed: bool| if transposed { (1, t.shape[1]) } else { (t.shape[1], 1) };
    let ((am, ak), (bk, bn)) = (strides(a, transpose_a), strides(b, transpose_b));
    let (m, k) = if transpose_a { (a.shape[1], a.shape[0]) } else { (a.shape[0], a.shape[1]) };
    let n = if transpose_b { b.shape[0] } else { b.shape[1] };
    let product = |i: usize, j: usize| (0..k).map(|l| a.data[i * am + l * ak] * b.data[l * bk + j * bn]).sum();
    (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| product(i, j)).collect()
}

fn spherical(theta: &Tensor) -> Vec<f64> {
    let (angles, units) = (theta.shape[0], theta.shape[1]);
    let mut u = vec![0.0; (angles + 1) * units];
    for unit in 0..units {
        let mut prefix = 1.0;
        for i in 0..angles {
            let t = theta.data[i * units + unit];
            u[i * units + unit] = prefix * libm::cos(t);
            prefix *= libm::sin(t);
        }
        u[angles * units + unit] = prefix;
    }
    u
}

fn spherical_grad(theta: &Tensor, g: &Tensor) -> Vec<f64> {
    let (angles, units) = (theta.shape[0], theta.shape[1]);
    let mut gradient = vec![0.0; angles * units];
    for unit in 0..units {
        let place = |i: usize| i * units + unit;
        let mut prefix = vec![1.0; angles + 1];
        for i in 0..angles {
            prefix[i + 1] = prefix[i] * libm::sin(theta.data[place(i)]);
        }
        let mut f = g.data[place(angles)];
        for i in (0..angles).rev() {
            let (sin, cos, g) = (libm::sin(theta.data[place(i)]), libm::cos(theta.data[place(i)]), g.data[place(i)]);
            gradient[place(i)] = prefix[i] * (cos * f - g * sin);
            f = g * cos + sin * f;
        }
    }
    gradient
}

fn angles(x: &Tensor) -> Vec<f64> {
    let (n, units) = (x.shape[0], x.shape[1]);
    let mut theta = vec![0.0; n.saturating_sub(1) * units];
    for unit in 0..units {
        let value = |i: usize| x.data[i * units + unit];
        let Some(last) = n.checked_sub(2) else { continue };
        let mut tail = value(n - 1).abs();
        theta[last * units + unit] = libm::atan2(value(n - 1), value(last));
        for i in (0..last).rev() {
            tail = libm::hypot(tail, value(i + 1));
            theta[i * units + unit] = libm::atan2(tail, value(i));
        }
    }
    theta
}
