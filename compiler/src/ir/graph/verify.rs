//! The rules of a well-formed graph, one line for each rule. They are checked after every pass that makes a graph, in every
//! build.
//!
//! The time is linear in nodes and operands. A graph may be broken in any way, so every rule checks an index before it uses it.

use super::groups::{binary, comparison, elementwise, reduction, unary, view};
use super::{Graph, Id, Op, Output};
use crate::ir::window::Window;
use std::collections::BTreeSet;

/// Checks operands, shapes and references.
///
/// # Errors
/// The first broken rule, with the printed node.
pub fn verify(graph: &Graph) -> Result<(), String> {
    for id in graph.ids() {
        check(graph, id).map_err(|rule| format!("{id} = {} : {:?}: {rule}", graph[id].op.name(), graph.shape(id)))?;
    }
    // Two writes of one state would make its value depend on the order of the outputs.
    let mut written = BTreeSet::new();
    for output in &graph.outputs {
        if output.id().index() >= graph.nodes.len() {
            return Err(format!("output of unknown node {}", output.id()));
        }
        if let Output::Write { state, id } = output {
            let known = graph.states.get(*state).ok_or("write to an unknown state")?;
            if !written.insert(*state) {
                return Err(format!("{} is written twice", known.name));
            }
            if known.shape != graph.shape(*id) {
                return Err(format!("{} is {:?}, its new value {:?}", known.name, known.shape, graph.shape(*id)));
            }
        }
    }
    Ok(())
}

/// The most operands of an operation that is not a concatenation.
const FEW: usize = 4;

/// Checks one node.
fn check(graph: &Graph, id: Id) -> Result<(), &'static str> {
    let node = &graph[id];
    // Operands first: the rules below look up their shapes, and take them by their position.
    require(node.inputs.iter().all(|input| *input < id), "an operand does not stand before its user")?;
    // Most operations have few operands: their shapes need no memory of their own.
    let (mut few, many): ([&[usize]; FEW], Vec<&[usize]>);
    let shapes: &[&[usize]] = if node.inputs.len() <= FEW {
        few = [&[]; FEW];
        few.iter_mut().zip(&node.inputs).for_each(|(shape, &i)| *shape = graph.shape(i));
        &few[..node.inputs.len()]
    } else {
        many = node.inputs.iter().map(|&i| graph.shape(i)).collect();
        &many
    };
    arity(&node.op, shapes.len())?;
    let out: &[usize] = &node.shape;
    match &node.op {
        Op::Input(i) => require(graph.inputs.get(*i).is_some_and(|x| x.shape == out), "unknown input or its shape"),
        Op::State(i) => require(graph.states.get(*i).is_some_and(|x| x.shape == out), "unknown state or its shape"),
        Op::Const(_) => require(out.is_empty(), "a constant is a scalar"),
        Op::Iota(axis) => require(*axis < out.len(), "no such axis"),
        Op::Uniform { .. } => Ok(()),
        // Elementwise operations do not broadcast: the graph has a node for every broadcast.
        elementwise!() => require(shapes.iter().all(|s| *s == out), "operands and result share one shape"),
        Op::Reshape => require(size(shapes[0]) == size(out), "reshape changes the number of elements"),
        Op::Transpose(axes) => transpose(axes, shapes[0], out),
        Op::Broadcast => broadcast(shapes[0], out),
        Op::Slice { axis, start } => slice(*axis, *start, shapes[0], out),
        Op::Pad { axis, before } => pad(*axis, *before, shapes[0], out),
        Op::Concat { axis } => concat(*axis, shapes, out),
        Op::Sum(axes) | Op::MaxOver(axes) => reduction(axes, shapes[0], out),
        Op::MatMul { transpose_a, transpose_b } => matmul([*transpose_a, *transpose_b], shapes, out),
        Op::Convolve(window) => {
            channels(shapes, 2)?;
            convolution(window, shapes[0], shapes[1], out)
        }
        // The gradients have the same three shapes as the convolution, in other roles.
        Op::ConvolveInput(window) => convolution(window, out, shapes[1], shapes[0]),
        Op::ConvolveWeight(window) => {
            channels(shapes, 2)?;
            convolution(window, shapes[0], out, shapes[1])
        }
        Op::SumPool(window) => pooling(window, shapes[0], out),
        Op::SumPoolGrad(window) => pooling(window, out, shapes[0]),
        Op::MaxPool(window) => {
            channels(shapes, 1)?;
            pooling(window, shapes[0], out)
        }
        Op::MaxPoolGrad(window) => {
            channels(shapes, 2)?;
            pooling(window, shapes[0], shapes[1])?;
            require(shapes[0] == out, "a gradient has its operand's shape")
        }
        Op::Spherical => rows_more(shapes[0], out),
        Op::SphericalGrad => rows_more(out, shapes[1]).and(rows_more(shapes[0], shapes[1])),
        Op::Angles => rows_more(out, shapes[0]),
        Op::Orthogonal => require(out.len() == 2 && out == shapes[0], "an orthogonal matrix has its operand's shape"),
    }
}

/// Does the operation take this number of operands?
fn arity(op: &Op, operands: usize) -> Result<(), &'static str> {
    let fits = match op {
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => {
            return require(operands == 0, "a leaf has no operands");
        }
        Op::Concat { .. } => return require(operands > 0, "nothing to join, or no such axis"),
        unary!() => operands == 1,
        binary!() | comparison!() => operands == 2,
        Op::Select => operands == 3,
        view!() | Op::Pad { .. } | reduction!() | Op::SumPool(_) | Op::SumPoolGrad(_) => operands == 1,
        Op::Spherical | Op::Angles | Op::Orthogonal => operands == 1,
        Op::MatMul { .. } | Op::ConvolveInput(_) | Op::SphericalGrad => operands == 2,
        // A scale and a shift for the images come together.
        Op::Convolve(_) | Op::ConvolveWeight(_) => operands == 2 || operands == 4,
        // A pool may have a scale.
        Op::MaxPool(_) => operands == 1 || operands == 2,
        Op::MaxPoolGrad(_) => operands == 2 || operands == 3,
    };
    require(fits, "wrong number of operands")
}

fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn transpose(axes: &[usize], shape: &[usize], out: &[usize]) -> Result<(), &'static str> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    require(sorted.iter().copied().eq(0..shape.len()), "not a permutation of the axes")?;
    let follows = axes.len() == out.len() && axes.iter().zip(out).all(|(&a, &n)| shape[a] == n);
    require(follows, "shape does not follow the axes")
}

fn broadcast(shape: &[usize], out: &[usize]) -> Result<(), &'static str> {
    require(shape.len() == out.len(), "broadcast changes the rank")?;
    require(shape.iter().zip(out).all(|(a, b)| a == b || *a == 1), "only axes of size 1 are repeated")
}

fn slice(axis: usize, start: usize, shape: &[usize], out: &[usize]) -> Result<(), &'static str> {
    require(same_but(axis, shape, out), "other axes stay as they are")?;
    require(start + out[axis] <= shape[axis], "slice leaves its operand")
}

fn pad(axis: usize, before: usize, shape: &[usize], out: &[usize]) -> Result<(), &'static str> {
    require(same_but(axis, shape, out), "other axes stay as they are")?;
    require(before + shape[axis] <= out[axis], "operand leaves the padded shape")
}

fn concat(axis: usize, shapes: &[&[usize]], out: &[usize]) -> Result<(), &'static str> {
    require(axis < out.len(), "nothing to join, or no such axis")?;
    require(shapes.iter().all(|s| same_but(axis, s, out)), "other axes stay as they are")?;
    require(shapes.iter().map(|s| s[axis]).sum::<usize>() == out[axis], "parts do not add up")
}

fn reduction(axes: &[usize], shape: &[usize], out: &[usize]) -> Result<(), &'static str> {
    require(axes.iter().all(|&axis| axis < out.len()), "no such axis")?;
    let reduced = |i: usize| if axes.contains(&i) { 1 } else { shape[i] };
    require(out.len() == shape.len() && (0..out.len()).all(|i| out[i] == reduced(i)), "reduced axes stay as 1")
}

fn matmul(transposed: [bool; 2], shapes: &[&[usize]], out: &[usize]) -> Result<(), &'static str> {
    require(shapes.iter().all(|s| s.len() == 2) && out.len() == 2, "matmul of matrices")?;
    // The axis of the result in each operand; the other axis of the operand is the inner one.
    let [a, b] = [usize::from(transposed[0]), 1 - usize::from(transposed[1])];
    require(shapes[0][1 - a] == shapes[1][1 - b], "inner sizes differ")?;
    require(out[0] == shapes[0][a] && out[1] == shapes[1][b], "outer sizes differ")
}

/// Do two shapes differ at most in this axis, which both have?
fn same_but(axis: usize, a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && axis < a.len() && a.iter().zip(b).enumerate().all(|(i, (a, b))| i == axis || a == b)
}

/// Do angles and unit vectors fit? They are matrices with one column for each unit.
fn rows_more(angles: &[usize], vectors: &[usize]) -> Result<(), &'static str> {
    let fits = matches!((angles, vectors), (&[n, units], &[rows, columns]) if rows == n + 1 && columns == units);
    require(fits, "unit vectors have one more row than angles")
}

/// Do the operands from index `from` on have one number for each channel of the first operand?
fn channels(shapes: &[&[usize]], from: usize) -> Result<(), &'static str> {
    let fits = |shape: &&[usize]| shape.len() == 4 && shape[..3] == [1, 1, 1] && shape.last() == shapes[0].last();
    require(shapes.iter().skip(from).all(fits), "a scale or shift that is not one number a channel")
}

/// Do images `x`, filters `w` and the result `y` of a convolution fit together?
fn convolution(window: &Window, x: &[usize], w: &[usize], y: &[usize]) -> Result<(), &'static str> {
    require(x.len() == 4 && w.len() == 2 && y.len() == 4, "images have four axes, filters two")?;
    require(w[0] == x[3] * window.area() && w[1] == y[3], "the filters do not fit the channels")?;
    slide(window, x, y)
}

fn pooling(window: &Window, x: &[usize], y: &[usize]) -> Result<(), &'static str> {
    require(x.len() == 4 && y.len() == 4 && x[3] == y[3], "pooling keeps the channels")?;
    slide(window, x, y)
}

/// Does every window contain at least one pixel of the image? A window of padding alone has no maximum.
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

#[cfg(test)]
mod tests;
