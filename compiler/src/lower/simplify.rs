//! Rewrites a graph into one that computes the same values with fewer and simpler operations.
//!
//! ```text
//! %4 = broadcast %3 : [64, 100]          %5 = mul %3 2 : [1, 100]
//! %5 = mul %4 2     : [64, 100]    →     %6 = broadcast %5 : [64, 100]
//! ```
//!
//! A pass visits operands before their users and rebuilds every node by the rules for its kind. Rules fold constants,
//! apply algebraic identities, share equal nodes, compose movement and postpone broadcasts. They also turn products with
//! an inner or outer size of 1 into elementwise operations, which fusion can combine with others. Passes repeat until
//! nothing changes. Before the first pass, `gather` turns sums of padded products into sums of slices.
//!
//! Rounding may differ from the original in the last place: a division by a constant becomes a product, and constant
//! factors are combined. A product with 0 stays a product, so that NaN and infinity are not lost.

mod algebra;
mod gather;
mod hoist;
mod known;
mod movement;
mod prepare;
mod reduction;
#[cfg(test)]
mod tests;

pub use hoist::hoist;
pub use prepare::prepare;

use crate::ir::graph::{Graph, Id, Node, Op, Output};
use known::Known;

/// The largest number of passes, far more than any graph has needed to reach a fixed point.
const MOST_PASSES: usize = 8;

/// An equivalent graph with fewer and simpler nodes. Inputs, states and outputs stay the same.
#[must_use]
pub fn simplify(graph: &Graph) -> Graph {
    let mut graph = prune(gather::gather(graph.clone()));
    for _ in 0..MOST_PASSES {
        let next = prune(Rewriter::rewrite(&graph));
        if next == graph {
            break;
        }
        graph = next;
    }
    graph
}

/// Keeps only those nodes on which an output depends.
fn prune(mut graph: Graph) -> Graph {
    let mut needed = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|o| needed[o.id().index()] = true);
    for id in graph.ids().rev() {
        if needed[id.index()] {
            graph[id].inputs.iter().for_each(|i| needed[i.index()] = true);
        }
    }
    if needed.iter().all(|needed| *needed) {
        return graph;
    }
    let mut names = vec![Id(0); graph.nodes.len()];
    let stays = names.iter_mut().zip(&needed).filter(|(_, needed)| **needed);
    for (index, (name, _)) in stays.enumerate() {
        *name = Id::new(index);
    }
    let mut needed = needed.into_iter();
    graph.nodes.retain(|_| needed.next() == Some(true));
    graph.nodes.iter_mut().flat_map(|node| &mut node.inputs).for_each(|input| *input = names[input.index()]);
    graph.outputs = renamed(&graph.outputs, &names);
    graph
}

fn renamed(outputs: &[Output], names: &[Id]) -> Vec<Output> {
    let rename = |output: &Output| {
        let mut output = output.clone();
        match &mut output {
            Output::Value { id, .. } | Output::Write { id, .. } => *id = names[id.index()],
        }
        output
    };
    outputs.iter().map(rename).collect()
}

/// For each node, the number of its uses as an operand or an output.
fn users(graph: &Graph) -> Vec<usize> {
    let mut users = vec![0; graph.nodes.len()];
    let operands = graph.nodes.iter().flat_map(|node| node.inputs.iter().copied());
    operands.chain(graph.outputs.iter().map(Output::id)).for_each(|id| users[id.index()] += 1);
    users
}

/// A graph that is being rebuilt.
struct Rewriter {
    graph: Graph,
    known: Known,
    /// Does the node stand for a node of the old graph with a single use? One entry for each node.
    once: Vec<bool>,
}

impl Rewriter {
    fn rewrite(old: &Graph) -> Graph {
        let graph = Graph { inputs: old.inputs.clone(), states: old.states.clone(), ..Graph::default() };
        let mut rewriter = Rewriter { graph, known: Known::default(), once: Vec::new() };
        let users = users(old);
        let mut names: Vec<Id> = Vec::with_capacity(old.nodes.len());
        let mut inputs: Vec<Id> = Vec::new();
        for (node, users) in old.nodes.iter().zip(users) {
            let first = rewriter.graph.nodes.len();
            inputs.clear();
            inputs.extend(node.inputs.iter().map(|i| names[i.index()]));
            let name = rewriter.node(&node.op, &inputs, &node.shape);
            rewriter.once.resize(rewriter.graph.nodes.len(), false);
            rewriter.once[name.index()] |= users == 1;
            names.push(name);
            if let Some(span) = node.span {
                rewriter.graph.mark(first, span);
            }
        }
        rewriter.graph.outputs = renamed(&old.outputs, &names);
        rewriter.graph
    }

    /// The simplest known node that computes this operation.
    fn node(&mut self, op: &Op, inputs: &[Id], shape: &[usize]) -> Id {
        let simpler = match op {
            Op::Reshape => Some(self.reshape(inputs[0], shape)),
            Op::Transpose(axes) => Some(self.transpose(inputs[0], axes)),
            Op::Broadcast => Some(self.broadcast(inputs[0], shape)),
            Op::Slice { .. } | Op::Pad { .. } if self.shape(inputs[0]) == shape => Some(inputs[0]),
            Op::Concat { .. } if inputs.len() == 1 => Some(inputs[0]),
            Op::Sum(axes) => self.sum(inputs[0], axes),
            Op::MaxOver(axes) => self.max_over(inputs[0], axes),
            Op::MatMul { transpose_a, transpose_b } => self.product(inputs, [*transpose_a, *transpose_b], shape),
            op if op.is_elementwise() => self.elementwise(op, inputs, shape),
            _ => None,
        };
        simpler.unwrap_or_else(|| self.push(op.clone(), inputs, shape))
    }

    /// Adds a node without a rule, unless an equal one exists.
    fn push(&mut self, op: Op, inputs: &[Id], shape: &[usize]) -> Id {
        if let Some(known) = self.known.find(&self.graph, &op, inputs, shape) {
            return known;
        }
        self.graph.nodes.push(Node { op, inputs: inputs.to_vec(), shape: shape.to_vec(), span: None });
        let id = Id::new(self.graph.nodes.len() - 1);
        self.known.insert(&self.graph, id);
        id
    }

    /// Did the node have a single use in the old graph?
    fn used_once(&self, id: Id) -> bool {
        self.once.get(id.index()) == Some(&true)
    }

    fn shape(&self, id: Id) -> &[usize] {
        self.graph.shape(id)
    }

    fn op(&self, id: Id) -> &Op {
        &self.graph[id].op
    }

    /// A number repeated to a shape.
    fn full(&mut self, value: f64, shape: &[usize]) -> Id {
        let scalar = self.push(Op::Const(value), &[], &[]);
        self.spread(scalar, shape)
    }

    /// A value repeated to a shape. It has one element, or the rank of the shape.
    fn spread(&mut self, id: Id, shape: &[usize]) -> Id {
        let id = if self.shape(id).len() == shape.len() { id } else { self.reshape(id, &vec![1; shape.len()]) };
        self.broadcast(id, shape)
    }

    /// The number that all elements are equal to, if this is known.
    fn constant(&self, mut id: Id) -> Option<f64> {
        loop {
            match self.op(id) {
                Op::Const(value) => return Some(*value),
                Op::Reshape | Op::Broadcast | Op::Transpose(_) => id = self.graph[id].inputs[0],
                _ => return None,
            }
        }
    }
}
