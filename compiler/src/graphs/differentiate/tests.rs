//! Compares the gradient of every operation with difference quotients at random points away from kinks. The values at special
//! points, such as kinks and ends of a domain, are checked one by one.

use crate::gradcheck::check_graph;
use crate::ir::axes::Meaning;
use crate::ir::graph::groups::{BINARY, COMPARISONS, UNARY};
use crate::ir::graph::{Graph, Id, Op, Random, Role, State, Tensor, evaluate};
use crate::ir::window::Window;

/// How the gradient of an operation is checked.
enum Case {
    /// Compared with difference quotients: shapes of the operands, range of their elements, shape of the result.
    Smooth(&'static [&'static [usize]], (f64, f64), &'static [usize]),
    /// Not differentiated, for this reason.
    None(&'static str),
}
use Case::{None as Without, Smooth};

const M: &[usize] = &[3, 4];

/// Returns how an operation is checked. The match has no `_`, so a new operation does not compile without an entry here.
#[rustfmt::skip]
fn case(op: &Op) -> Case {
    match op {
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => Without("a leaf"),
        Op::Neg | Op::Exp | Op::Sin | Op::Cos | Op::Tanh | Op::Erf => Smooth(&[M], (-2.0, 2.0), M),
        // The range leaves out 0, where the absolute value has a kink.
        Op::Abs => Smooth(&[M], (0.1, 2.0), M),
        Op::Log | Op::Log1p | Op::Sqrt => Smooth(&[M], (0.3, 3.0), M),
        Op::Add | Op::Sub | Op::Mul | Op::Max | Op::Min => Smooth(&[M, M], (-2.0, 2.0), M),
        // Away from 0, because quotients and logarithms of bases grow there faster than the differences can follow.
        Op::Div | Op::Pow => Smooth(&[M, M], (0.4, 2.0), M),
        Op::Less | Op::LessEqual | Op::Equal => Without("a step"),
        Op::Select => Smooth(&[M, M, M], (-2.0, 2.0), M),
        Op::Reshape => Smooth(&[M], (-2.0, 2.0), &[2, 6]),
        Op::Transpose(_) => Smooth(&[&[3, 4, 2]], (-2.0, 2.0), &[4, 2, 3]),
        Op::Broadcast => Smooth(&[&[3, 1]], (-2.0, 2.0), M),
        Op::Slice { .. } => Smooth(&[M], (-2.0, 2.0), &[3, 2]),
        Op::Concat { .. } => Smooth(&[M, &[3, 2], &[3, 1]], (-2.0, 2.0), &[3, 7]),
        Op::Pad { .. } => Smooth(&[M], (-2.0, 2.0), &[3, 7]),
        Op::Sum(_) | Op::MaxOver(_) => Smooth(&[M], (-2.0, 2.0), &[3, 1]),
        Op::MatMul { transpose_a: false, transpose_b: false } => Smooth(&[M, &[4, 2]], (-2.0, 2.0), &[3, 2]),
        Op::MatMul { transpose_a: true, transpose_b: false } => Smooth(&[M, &[3, 2]], (-2.0, 2.0), &[4, 2]),
        Op::MatMul { transpose_a: false, transpose_b: true } => Smooth(&[M, &[2, 4]], (-2.0, 2.0), &[3, 2]),
        Op::MatMul { transpose_a: true, transpose_b: true } => Smooth(&[M, &[2, 3]], (-2.0, 2.0), &[4, 2]),
        Op::Convolve(_) => Smooth(&[&[2, 5, 4, 3], &[18, 2]], (-2.0, 2.0), &[2, 3, 4, 2]),
        Op::MaxPool(_) | Op::SumPool(_) => Smooth(&[&[2, 5, 4, 3]], (-2.0, 2.0), &[2, 3, 4, 3]),
        Op::ConvolveInput(_) => Smooth(&[&[2, 3, 4, 2], &[18, 2]], (-2.0, 2.0), &[2, 5, 4, 3]),
        Op::ConvolveWeight(_) | Op::MaxPoolGrad(_) | Op::SumPoolGrad(_) => {
            Without("only first derivatives are taken")
        }
        Op::Spherical => Smooth(&[M], (-4.0, 4.0), &[4, 4]),
        Op::SphericalGrad => Without("only first derivatives are taken"),
        Op::Angles | Op::Orthogonal => Without("only in initialization and conversion"),
    }
}

/// Returns every operation. An operation with flags occurs once for each combination of them.
fn all() -> Vec<Op> {
    use Op::{
        Angles, Broadcast, Concat, Const, Convolve, ConvolveInput, ConvolveWeight, Input, Iota, MatMul, MaxOver,
        MaxPool, MaxPoolGrad, Pad, Reshape, Select, Slice, Spherical, SphericalGrad, State, Sum, SumPool, SumPoolGrad,
        Transpose, Uniform,
    };
    // The shapes of operands and results in `case` belong to these axes and windows.
    let mut all = vec![Input(0), State(0), Const(1.0), Iota(0), Uniform { stream: 0 }];
    all.extend([UNARY, BINARY, COMPARISONS].concat());
    all.extend([Select, Reshape, Transpose(vec![1, 2, 0]), Broadcast]);
    all.extend([
        Slice { axis: 1, start: 1 },
        Concat { axis: 1 },
        Pad { axis: 1, before: 2 },
        Sum(vec![1]),
        MaxOver(vec![1]),
    ]);
    for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
        all.push(MatMul { transpose_a, transpose_b });
    }
    // Windows overlap, strides differ per axis, and padding lies on both sides: the cases where indices go wrong.
    let window = Window { kernel: [3, 2], stride: [2, 1], before: [1, 1] };
    all.extend([Convolve(window), ConvolveInput(window), ConvolveWeight(window)]);
    all.extend([MaxPool(window), MaxPoolGrad(window), SumPool(window), SumPoolGrad(window)]);
    all.extend([Spherical, SphericalGrad, Angles]);
    all
}

/// Draws numbers in a range. The same stream always gives the same numbers.
fn draw(shape: &[usize], stream: u32, (low, high): (f64, f64)) -> Tensor {
    let mut graph = Graph::default();
    let id = graph.push(Op::Uniform { stream }, vec![], shape.to_vec());
    graph.output("draw", id);
    let mut value = evaluate(&graph, &[], &[], Random { seed: 7, step: 3 }).remove(0);
    value.data.iter_mut().for_each(|x| *x = low + (high - low) * *x);
    value
}

fn parameter(graph: &mut Graph, shape: &[usize]) -> Id {
    let name = format!("p{}", graph.states.len());
    let state = State {
        name,
        role: Role::Parameter,
        shape: shape.to_vec(),
        file_shape: shape.to_vec(),
        transposed: false,
        meaning: Meaning::default(),
    };
    graph.state(state).1
}

/// Returns a weighted sum of `y`. Every element has a different weight, so that a gradient at the wrong index is noticed.
fn weighted_sum(graph: &mut Graph, y: Id) -> Id {
    let shape = graph.shape(y).to_vec();
    let weights: Vec<Id> = (0..shape.len()).map(|axis| graph.push(Op::Iota(axis), vec![], shape.clone())).collect();
    let mut sum = graph.full(0.7, &shape);
    for (i, weight) in weights.into_iter().enumerate() {
        let scaled = graph.scale(weight, 0.3 + 0.4 * i as f64);
        sum = graph.add(sum, scaled);
    }
    let product = graph.mul(y, sum);
    let axes: Vec<usize> = (0..shape.len()).collect();
    let total = graph.sum(product, &axes);
    graph.reshape(total, &[])
}

#[test]
fn every_operation_has_the_gradient_of_its_differences() {
    let mut skipped = String::new();
    for op in all() {
        let (shapes, range, result) = match case(&op) {
            Smooth(shapes, range, result) => (shapes, range, result),
            Without(reason) => {
                skipped += &format!("{}: {reason}\n", op.name());
                continue;
            }
        };
        let mut graph = Graph::default();
        let operands: Vec<Id> = shapes.iter().map(|shape| parameter(&mut graph, shape)).collect();
        let states = shapes.iter().zip(0..).map(|(shape, stream)| draw(shape, stream, range)).collect();
        let y = graph.push(op.clone(), operands.clone(), result.to_vec());
        let loss = weighted_sum(&mut graph, y);
        // All operands are parameters, so the check covers the gradient of each of them.
        let report = check_graph(graph, &operands, loss, states);
        assert!(report.passed(), "{}: {report:#?}", op.name());
        // A report without any compared element would pass too.
        let checked: usize = report.tensors.iter().map(|t| t.elements).sum();
        assert!(checked > 0, "{}", op.name());
    }
    insta::assert_snapshot!(skipped, @r"
    input: a leaf
    state: a leaf
    const: a leaf
    iota: a leaf
    uniform: a leaf
    less: a step
    less_equal: a step
    equal: a step
    convolve_weight: only first derivatives are taken
    max_pool_grad: only first derivatives are taken
    sum_pool_grad: only first derivatives are taken
    spherical_grad: only first derivatives are taken
    angles: only in initialization and conversion
    ");
}

#[test]
fn an_operation_without_a_gradient_gives_zeros() {
    for op in [Op::Less, Op::LessEqual, Op::Equal] {
        let mut graph = Graph::default();
        let operands = [parameter(&mut graph, M), parameter(&mut graph, M)];
        let y = graph.push(op, operands.to_vec(), M.to_vec());
        let loss = weighted_sum(&mut graph, y);
        let gradients = super::differentiate(&mut graph, loss, &operands, &std::collections::BTreeSet::new());
        for gradient in gradients {
            graph.output("gradient", gradient);
        }
        let values = evaluate(&graph, &[], &[draw(M, 0, (0.0, 1.0)), draw(M, 1, (0.0, 1.0))], Random::default());
        assert!(values.iter().all(|v| v.data.iter().all(|x| *x == 0.0)));
    }
}

/// Returns the gradient of sum(f(x)) at a vector x.
fn gradient_at(values: &[f64], build: impl FnOnce(&mut Graph, Id) -> Id) -> Vec<f64> {
    let mut graph = Graph::default();
    let x = parameter(&mut graph, &[values.len(), 1]);
    let y = build(&mut graph, x);
    let total = graph.sum(y, &[0, 1]);
    let loss = graph.reshape(total, &[]);
    let gradient = super::differentiate(&mut graph, loss, &[x], &std::collections::BTreeSet::new())[0];
    graph.output("gradient", gradient);
    let states = [Tensor { shape: vec![values.len(), 1], data: values.to_vec() }];
    evaluate(&graph, &[], &states, Random::default()).remove(0).data
}

#[test]
fn kinks_have_the_gradients_that_are_written_down() {
    assert_eq!(gradient_at(&[-1.0, 0.0, 2.0], |g, x| g.unary(Op::Abs, x)), [-1.0, 0.0, 1.0]);
    assert_eq!(gradient_at(&[-1.0, 0.0, 2.0], crate::graphs::define::relu), [0.0, 0.0, 1.0]);
    assert_eq!(gradient_at(&[0.0, 0.25], |g, x| g.unary(Op::Sqrt, x)), [0.0, 1.0]);
    assert_eq!(gradient_at(&[1.0, 3.0, 3.0], |g, x| g.max_over(x, &[0])), [0.0, 0.5, 0.5]);
}

#[test]
fn sigmoid_and_softplus_are_smooth_at_zero_and_finite_far_away() {
    assert_eq!(gradient_at(&[0.0], crate::graphs::define::sigmoid), [0.25]);
    assert_eq!(gradient_at(&[0.0], crate::graphs::define::softplus), [0.5]);
    assert_eq!(gradient_at(&[-1e4, 1e4], crate::graphs::define::sigmoid), [0.0, 0.0]);
    assert_eq!(gradient_at(&[-1e4, 1e4], crate::graphs::define::softplus), [0.0, 1.0]);
}

#[test]
fn the_zero_vector_has_a_direction_of_zeros_and_a_finite_gradient() {
    let direction = |g: &mut Graph, x: Id| {
        let norm = crate::graphs::define::norm(g, x, &[0]);
        g.div(x, norm)
    };
    assert!(gradient_at(&[0.0, 0.0], direction).iter().all(|x| x.is_finite()));
    assert_eq!(gradient_at(&[0.0, 0.0], |g, x| crate::graphs::define::norm(g, x, &[0])), [0.0, 0.0]);
    assert_eq!(gradient_at(&[0.0, -2.0], |g, x| crate::graphs::define::norm(g, x, &[0])), [0.0, -1.0]);
}

#[test]
fn a_value_used_twice_gets_the_sum_of_both_gradients() {
    let twice = |g: &mut Graph, x: Id| {
        let sin = g.unary(Op::Sin, x);
        g.add(sin, x)
    };
    assert_eq!(gradient_at(&[0.0], twice), [2.0]);
    assert_eq!(gradient_at(&[3.0], |g, x| g.mul(x, x)), [6.0]);
}
