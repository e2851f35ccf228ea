//! What "well formed" means for a graph, one line a rule. Run between stages in debug builds and in tests.

use super::{Graph, Id, Op, Output};
use crate::window::Window;

/// Checks operands, shapes and references.
///
/// # Errors
/// The first broken rule, with the printed node.
pub fn verify(graph: &Graph) -> Result<(), String> {
    for id in graph.ids() {
        check(graph, id).map_err(|rule| format!("{id} = {} : {:?}: {rule}", graph[id].op.name(), graph.shape(id)))?;
    }
    for output in &graph.outputs {
        if output.id().index() >= graph.nodes.len() {
            return Err(format!("output of unknown node {}", output.id()));
        }
        if let Output::Write { state, id } = output {
            let known = graph.states.get(*state).ok_or("write to an unknown state")?;
            if known.shape != graph.shape(*id) {
                return Err(format!("{} is {:?}, its new value {:?}", known.name, known.shape, graph.shape(*id)));
            }
        }
    }
    Ok(())
}

fn check(graph: &Graph, id: Id) -> Result<(), &'static str> {
    let node = &graph[id];
    require(node.inputs.iter().all(|input| *input < id), "an operand does not stand before its user")?;
    let shapes: Vec<&[usize]> = node.inputs.iter().map(|&i| graph.shape(i)).collect();
    let size = |s: &[usize]| s.iter().product::<usize>();
    let arity = |n: usize| require(shapes.len() == n, "wrong number of operands");
    let out: &[usize] = &node.shape;
    match &node.op {
        Op::Input(i) => require(graph.inputs.get(*i).is_some_and(|x| x.shape == out), "unknown input or its shape"),
        Op::State(i) => require(graph.states.get(*i).is_some_and(|x| x.shape == out), "unknown state or its shape"),
        Op::Const(_) => require(out.is_empty(), "a constant is a scalar"),
        Op::Iota(axis) => require(*axis < out.len(), "no such axis"),
        Op::Uniform { .. } => arity(0),
        Op::Reshape => arity(1).and(require(size(shapes[0]) == size(out), "reshape changes the number of elements")),
        Op::Transpose(axes) => {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            arity(1)?;
            require(sorted.iter().copied().eq(0..shapes[0].len()), "not a permutation of the axes")?;
            require(axes.iter().zip(out).all(|(&a, &n)| shapes[0][a] == n), "shape does not follow the axes")
        }
        Op::Broadcast => {
            arity(1)?;
            require(shapes[0].len() == out.len(), "broadcast changes the rank")?;
            require(shapes[0].iter().zip(out).all(|(a, b)| a == b || *a == 1), "only axes of size 1 are repeated")
        }
        Op::Slice { axis, start } => {
            arity(1)?;
            require(*axis < out.len() && start + out[*axis] <= shapes[0][*axis], "slice leaves its operand")
        }
        Op::Pad { axis, before } => {
            arity(1)?;
            require(*axis < out.len() && before + shapes[0][*axis] <= out[*axis], "operand leaves the padded shape")
        }
        Op::Concat { axis } => {
            require(!shapes.is_empty() && *axis < out.len(), "nothing to join, or no such axis")?;
            require(shapes.iter().map(|s| s[*axis]).sum::<usize>() == out[*axis], "parts do not add up")
        }
        Op::Sum(axes) | Op::MaxOver(axes) => {
            arity(1)?;
            let kept = |i: usize| if axes.contains(&i) { 1 } else { shapes[0][i] };
            require(out.len() == shapes[0].len() && (0..out.len()).all(|i| out[i] == kept(i)), "reduced axes stay as 1")
        }
        Op::MatMul { transpose_a, transpose_b } => {
            arity(2)?;
            require(shapes.iter().all(|s| s.len() == 2) && out.len() == 2, "matrix product of matrices")?;
            let (a, b) = (usize::from(*transpose_a), usize::from(*transpose_b));
            require(shapes[0][1 - a] == shapes[1][b], "inner sizes differ")?;
            require(out[0] == shapes[0][a] && out[1] == shapes[1][1 - b], "outer sizes differ")
        }
        Op::Convolve(window) => {
            prepared(&shapes)?;
            convolution(window, shapes[0], shapes[1], out)
        }
        Op::ConvolveInput(window) => arity(2).and(convolution(window, out, shapes[1], shapes[0])),
        Op::ConvolveWeight(window) => {
            prepared(&shapes)?;
            convolution(window, shapes[0], out, shapes[1])
        }
        Op::SumPool(window) => arity(1).and(pooling(window, shapes[0], out)),
        Op::MaxPool(window) => {
            per_channel(&shapes, 1)?;
            pooling(window, shapes[0], out)
        }
        Op::MaxPoolGrad(window) => {
            per_channel(&shapes, 2)?;
            pooling(window, shapes[0], shapes[1]).and(require(shapes[0] == out, "a gradient has its operand's shape"))
        }
        Op::SumPoolGrad(window) => arity(1).and(pooling(window, out, shapes[0])),
        Op::Spherical => arity(1).and(require(out[0] == shapes[0][0] + 1 && out[1] == shapes[0][1], "one more row")),
        Op::SphericalGrad => arity(2).and(require(shapes[0] == out && shapes[1][0] == out[0] + 1, "one row less")),
        Op::Angles => arity(1).and(require(out[0] + 1 == shapes[0][0] && out[1] == shapes[0][1], "one row less")),
        op if op.is_elementwise() => require(shapes.iter().all(|s| *s == out), "operands and result share one shape"),
        _ => Err("no rule for this operation"),
    }
}

/// Two operands, or two more with a number for each channel of the first.
fn prepared(shapes: &[&[usize]]) -> Result<(), &'static str> {
    require(shapes.len() == 2 || shapes.len() == 4, "wrong number of operands")?;
    channels(shapes, 2)
}

/// So many operands, or one more with a number for each channel of the first.
fn per_channel(shapes: &[&[usize]], arity: usize) -> Result<(), &'static str> {
    require(shapes.len() == arity || shapes.len() == arity + 1, "wrong number of operands")?;
    channels(shapes, arity)
}

fn channels(shapes: &[&[usize]], from: usize) -> Result<(), &'static str> {
    let fits = |shape: &&[usize]| shape.len() == 4 && shape[..3] == [1, 1, 1] && shape.last() == shapes[0].last();
    require(shapes.iter().skip(from).all(fits), "a factor or summand that is not one number a channel")
}

/// Images `x`, filters `w`, result `y`.
fn convolution(window: &Window, x: &[usize], w: &[usize], y: &[usize]) -> Result<(), &'static str> {
    require(x.len() == 4 && w.len() == 2 && y.len() == 4, "images have four axes, filters two")?;
    require(w[0] == x[3] * window.area() && w[1] == y[3], "the filters do not fit the channels")?;
    slide(window, x, y)
}

fn pooling(window: &Window, x: &[usize], y: &[usize]) -> Result<(), &'static str> {
    require(x.len() == 4 && y.len() == 4 && x[3] == y[3], "pooling keeps the channels")?;
    slide(window, x, y)
}

/// Every window sees at least one place of the image.
fn slide(window: &Window, x: &[usize], y: &[usize]) -> Result<(), &'static str> {
    let fits = |axis: usize| {
        let (before, kernel) = (window.before[axis], window.kernel[axis]);
        let last = (y[axis + 1] - 1) * window.stride[axis];
        before < kernel && last < x[axis + 1] + before && window.stride[axis] > 0
    };
    require(x[0] == y[0] && y[1] > 0 && y[2] > 0, "the batch stays, and there is a result")?;
    require(fits(0) && fits(1), "a window lies outside of the image")
}

fn require(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}
