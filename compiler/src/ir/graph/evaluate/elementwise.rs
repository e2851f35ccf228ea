//! Elementwise operations. The result takes the memory of the first operand if nothing else needs it.

use super::{Node, Tensor, scalar};
use crate::ir::graph::{Graph, Id, Op};

/// The numbers of an operand. `One`: all of them are this number.
#[derive(Clone, Copy)]
enum Column<'a> {
    One(f64),
    Many(&'a [f64]),
}

impl<'a> Column<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        match tensor.data[..] {
            [value] => Column::One(value),
            ref data => Column::Many(data),
        }
    }

    fn at(self, index: usize) -> f64 {
        match self {
            Column::One(value) => value,
            Column::Many(data) => data[index],
        }
    }
}

/// Computes an elementwise node. `ends` says whether this node is the last one that uses an operand.
pub(super) fn elementwise(node: &Node, values: &mut [Tensor], ends: impl Fn(Id) -> bool) -> Vec<f64> {
    let count = node.shape.iter().product();
    let first = node.inputs[0];
    // The memory of the first operand can be reused if it is not also another operand and has the size of the result.
    let mine = ends(first) && !node.inputs[1..].contains(&first) && values[first.index()].data.len() == count;
    let mut result = match Column::of(&values[first.index()]) {
        _ if mine => std::mem::take(&mut values[first.index()].data),
        Column::One(value) => vec![value; count],
        Column::Many(data) => data.to_vec(),
    };
    let operand = |i: usize| node.inputs.get(i).map_or(Column::One(0.0), |id| Column::of(&values[id.index()]));
    let op = &node.op;
    match (operand(1), operand(2)) {
        (Column::One(b), Column::One(c)) => result.iter_mut().for_each(|a| *a = scalar(op, [*a, b, c])),
        (Column::Many(b), Column::One(c)) => {
            result.iter_mut().zip(b).for_each(|(a, &b)| *a = scalar(op, [*a, b, c]));
        }
        (b, c) => result.iter_mut().enumerate().for_each(|(i, a)| *a = scalar(op, [*a, b.at(i), c.at(i)])),
    }
    result
}

/// Returns for each node: is it a single number, repeated by a broadcast, and used only by elementwise operations? These accept
/// the single number as it is.
pub(super) fn repeated(graph: &Graph) -> Vec<bool> {
    let one = |id: Id| graph[id].shape.iter().all(|&size| size == 1);
    let mut repeated: Vec<bool> =
        graph.ids().map(|id| graph[id].op == Op::Broadcast && graph[id].inputs.iter().all(|&from| one(from))).collect();
    for node in graph.nodes.iter().filter(|node| !node.op.is_elementwise()) {
        node.inputs.iter().for_each(|input| repeated[input.index()] = false);
    }
    graph.outputs.iter().for_each(|output| repeated[output.id().index()] = false);
    repeated
}
