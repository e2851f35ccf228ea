//! Cuts values into blocks of columns that are computed one by one: large weights are drawn in pieces that stay in the cache,
//! and by several threads.

use super::{Random, Tensor, evaluate_at};
use crate::ir::graph::groups::{convolution, elementwise, pool};
use crate::ir::graph::{Graph, Id, Node, Op, Output};

/// Numbers of a block of columns, about: some of them at once lie in the L2 cache.
const BLOCK: usize = 1 << 14;
/// Columns of a block are a multiple of this: random numbers come four at a time.
const MULTIPLE: usize = 4;
/// Numbers of all outputs from which on they are cut.
const LARGE: usize = 1 << 17;

/// Some columns of a value: the indices `first..` of its last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    /// The first of them.
    pub(super) first: usize,
    /// How many the whole value has.
    pub(super) all: usize,
}

/// Outputs of a graph that are computed together, all of their columns or some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Indices of the outputs.
    outputs: Vec<usize>,
    /// First column, number of columns, and columns of the whole values.
    columns: Option<[usize; 3]>,
}

/// Cuts outputs that are computed together into pieces. One piece if they are small, or if a column needs others.
#[must_use]
pub fn pieces(graph: &Graph, outputs: &[usize]) -> Vec<Piece> {
    let whole = Piece { outputs: outputs.to_vec(), columns: None };
    let shapes = outputs.iter().map(|&output| &graph[graph.outputs[output].id()].shape);
    let Some(largest) = shapes.max_by_key(|shape| elements(shape)).filter(|shape| elements(shape) >= LARGE) else {
        return vec![whole];
    };
    let Some(&all) = largest.last().filter(|&&all| cuts(graph, outputs, all)) else { return vec![whole] };
    let count = (BLOCK / (elements(largest) / all)).next_multiple_of(MULTIPLE).max(MULTIPLE);
    let piece = |first: usize| {
        let columns = Some([first, count.min(all - first), all]);
        Piece { outputs: outputs.to_vec(), columns }
    };
    (0..all).step_by(count).map(piece).collect()
}

/// Does each column of these outputs depend on no other column? `all` is the number of columns.
fn cuts(graph: &Graph, outputs: &[usize], all: usize) -> bool {
    let wide = |id: &Id| graph[*id].shape.last() == Some(&all) && elements(&graph[*id].shape) > 1;
    let ends_wide = outputs.iter().all(|&output| wide(&graph.outputs[output].id()));
    let needed = needed(graph, outputs);
    let mut nodes = graph.ids().filter(|id| needed[id.index()]);
    all > 1
        && ends_wide
        && nodes.all(|id| if wide(&id) { column_by_column(graph, &graph[id]) } else { is_number(graph, id) })
}

/// Does a node compute each column from the same column of its operands, or from single numbers?
fn column_by_column(graph: &Graph, node: &Node) -> bool {
    let last = node.shape.len() - 1;
    match &node.op {
        // Each vector is made orthogonal to the ones before it.
        Op::Orthogonal => false,
        Op::Spherical | Op::SphericalGrad | Op::Angles => true,
        Op::Uniform { .. } | Op::Broadcast | Op::Reshape | elementwise!() => true,
        // An operand that is summed up may have another last axis than the result: both have to be the columns.
        Op::Sum(axes) | Op::MaxOver(axes) => {
            !axes.contains(&last) && graph[node.inputs[0]].shape.len() == node.shape.len()
        }
        Op::Slice { axis, .. } | Op::Concat { axis } | Op::Pad { axis, .. } | Op::Iota(axis) => *axis != last,
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Transpose(_) | Op::MatMul { .. } => false,
        convolution!() | pool!() => false,
    }
}

/// Is a node a single number that depends on single numbers alone?
fn is_number(graph: &Graph, id: Id) -> bool {
    let single = |id: Id| elements(&graph[id].shape) == 1;
    let own = !matches!(graph[id].op, Op::Input(_) | Op::State(_) | Op::Uniform { .. });
    own && single(id) && graph[id].inputs.iter().all(|&input| single(input))
}

/// Returns for each node whether one of the outputs needs it.
fn needed(graph: &Graph, outputs: &[usize]) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes.len()];
    outputs.iter().for_each(|&output| needed[graph.outputs[output].id().index()] = true);
    // Operands stand before the nodes that use them, so one walk backwards meets every node after all of its users.
    for id in graph.ids().rev() {
        if needed[id.index()] {
            graph[id].inputs.iter().for_each(|input| needed[input.index()] = true);
        }
    }
    needed
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

impl Piece {
    /// Computes the piece of a graph without inputs whose states are 0 before. Calls `tell` with the index of an output, the first
    /// column, and its value: the whole value, or these columns of it.
    pub fn evaluate(&self, graph: &Graph, random: Random, mut tell: impl FnMut(usize, usize, &Tensor)) {
        let zeros = |state: usize| Tensor::full(&graph.states[state].shape, 0.0);
        let Some([first, count, all]) = self.columns else {
            return evaluate_at(graph, &self.outputs, &[], zeros, (random, None), |output, value| {
                tell(output, 0, value)
            });
        };
        let part = self.part(graph, count, all);
        let places: Vec<usize> = (0..self.outputs.len()).collect();
        let columns = Some(Columns { first, all });
        evaluate_at(&part, &places, &[], zeros, (random, columns), |place, value| {
            tell(self.outputs[place], first, value)
        });
    }

    /// The nodes that the piece needs, with `count` columns instead of all.
    fn part(&self, graph: &Graph, count: usize, all: usize) -> Graph {
        let (needed, mut part) = (needed(graph, &self.outputs), Graph::default());
        let mut place = vec![Id(0); graph.nodes.len()];
        for id in graph.ids().filter(|id| needed[id.index()]) {
            let Node { op, inputs, shape, span } = graph[id].clone();
            let inputs = inputs.iter().map(|input| place[input.index()]).collect();
            let mut shape = shape;
            if let Some(last) = shape.last_mut().filter(|last| **last == all) {
                *last = count;
            }
            place[id.index()] = Id(crate::ir::internal::index32(part.nodes.len(), "nodes"));
            part.nodes.push(Node { op, inputs, shape, span });
        }
        let outputs = self.outputs.iter().map(|&output| place[graph.outputs[output].id().index()]);
        part.outputs = outputs.map(|id| Output::Value { name: String::new(), id }).collect();
        part
    }
}
