//! Rewrites a graph into one that computes the same with less.
//!
//! ```text
//! %4 = broadcast %3 : [64, 100]          %5 = mul %3 2 : [1, 100]
//! %5 = mul %4 2     : [64, 100]    →     %6 = broadcast %5 : [64, 100]
//! ```
//!
//! One pass walks operands first and rebuilds every node through a rule of its kind: constants are folded, identities of
//! algebra used, equal nodes shared, movement composed, broadcasts postponed, products with an inner or outer size of 1
//! turned into elementwise work that fusion can take apart. Passes repeat until nothing changes. Rounding may differ from
//! the original in the last place (a division by a constant becomes a product, constant factors join); x 0 stays x 0, so
//! that NaN and infinity are not lost.

mod algebra;
mod hoist;
mod movement;
mod prepare;
mod reduction;
#[cfg(test)]
mod tests;

pub use hoist::hoist;
pub use prepare::prepare;

use crate::graph::{Graph, Id, Node, Op, Output, Shape};
use crate::window::Window;
use std::collections::{HashMap, HashSet};

/// Passes until a fixed point; far more than any graph has needed.
const MOST_PASSES: usize = 8;

/// An equivalent graph with fewer and simpler nodes; inputs, states and outputs stay.
#[must_use]
pub fn simplify(graph: &Graph) -> Graph {
    let mut graph = prune(graph);
    for _ in 0..MOST_PASSES {
        let next = prune(&Rewriter::rewrite(&graph));
        if next == graph {
            break;
        }
        graph = next;
    }
    graph
}

/// Keeps what the outputs need.
fn prune(graph: &Graph) -> Graph {
    let mut needed = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|o| needed[o.id().index()] = true);
    for id in graph.ids().rev() {
        if needed[id.index()] {
            graph[id].inputs.iter().for_each(|i| needed[i.index()] = true);
        }
    }
    let mut names = vec![Id(0); graph.nodes.len()];
    let mut kept = Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::default() };
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let mut node = graph[id].clone();
        node.inputs.iter_mut().for_each(|i| *i = names[i.index()]);
        kept.nodes.push(node);
        names[id.index()] = Id(u32::try_from(kept.nodes.len() - 1).unwrap_or(u32::MAX));
    }
    kept.outputs = renamed(&graph.outputs, &names);
    kept
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

/// How many operands and outputs each node is.
fn users(graph: &Graph) -> Vec<usize> {
    let mut users = vec![0; graph.nodes.len()];
    let operands = graph.nodes.iter().flat_map(|node| node.inputs.iter().copied());
    operands.chain(graph.outputs.iter().map(Output::id)).for_each(|id| users[id.index()] += 1);
    users
}

/// What makes two nodes equal: operation, operands (in one order where it does not matter), shape. Constants are compared by their bits.
type Key = (std::mem::Discriminant<Op>, Vec<usize>, Vec<Id>, Shape);

/// A graph being rebuilt.
struct Rewriter {
    graph: Graph,
    known: HashMap<Key, Id>,
    /// Nodes that stand for one of the old graph with a single user.
    once: HashSet<Id>,
}

impl Rewriter {
    fn rewrite(old: &Graph) -> Graph {
        let graph = Graph { inputs: old.inputs.clone(), states: old.states.clone(), ..Graph::default() };
        let mut rewriter = Rewriter { graph, known: HashMap::new(), once: HashSet::new() };
        let users = users(old);
        let mut names: Vec<Id> = Vec::with_capacity(old.nodes.len());
        for (node, users) in old.nodes.iter().zip(users) {
            let first = rewriter.graph.nodes.len();
            let inputs: Vec<Id> = node.inputs.iter().map(|i| names[i.index()]).collect();
            let name = rewriter.node(&node.op, &inputs, &node.shape);
            if users == 1 {
                rewriter.once.insert(name);
            }
            names.push(name);
            if let Some(span) = node.span {
                rewriter.graph.mark(first, span);
            }
        }
        rewriter.graph.outputs = renamed(&old.outputs, &names);
        rewriter.graph
    }

    /// The simplest node that computes this.
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

    /// The node as it is, shared with an equal one.
    fn push(&mut self, op: Op, inputs: &[Id], shape: &[usize]) -> Id {
        let mut operands = inputs.to_vec();
        if matches!(op, Op::Add | Op::Mul) {
            operands.sort_unstable(); // a + b is b + a, to the last bit
        }
        let key = (std::mem::discriminant(&op), details(&op), operands, shape.to_vec());
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        self.graph.nodes.push(Node { op, inputs: inputs.to_vec(), shape: shape.to_vec(), span: None });
        let id = Id(u32::try_from(self.graph.nodes.len() - 1).unwrap_or(u32::MAX));
        self.known.insert(key, id);
        id
    }

    /// Does nothing else use the node, as far as the old graph tells?
    fn used_once(&self, id: Id) -> bool {
        self.once.contains(&id)
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

    /// A value, of one element or of the same rank, repeated to a shape.
    fn spread(&mut self, id: Id, shape: &[usize]) -> Id {
        let id = if self.shape(id).len() == shape.len() { id } else { self.reshape(id, &vec![1; shape.len()]) };
        self.broadcast(id, shape)
    }

    /// The one number that all elements are, if it is known.
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

fn of_window(window: &Window) -> Vec<usize> {
    [window.kernel, window.stride, window.before].concat()
}

/// Everything of an operation that its discriminant does not say.
#[allow(clippy::cast_possible_truncation)] // bits of a constant, on 64-bit machines as on any that can hold the tensors
fn details(op: &Op) -> Vec<usize> {
    match op {
        Op::Input(index) | Op::State(index) | Op::Iota(index) | Op::Concat { axis: index } => vec![*index],
        Op::Const(value) => vec![(value.to_bits() >> 32) as usize, (value.to_bits() & 0xFFFF_FFFF) as usize],
        Op::Uniform { stream } => vec![*stream as usize],
        Op::Transpose(axes) | Op::Sum(axes) | Op::MaxOver(axes) => axes.clone(),
        Op::Slice { axis, start } => vec![*axis, *start],
        Op::Pad { axis, before } => vec![*axis, *before],
        Op::Convolve(window) | Op::ConvolveInput(window) | Op::ConvolveWeight(window) => of_window(window),
        Op::MaxPool(window) | Op::MaxPoolGrad(window) => of_window(window),
        Op::SumPool(window) | Op::SumPoolGrad(window) => of_window(window),
        Op::MatMul { transpose_a, transpose_b } => vec![usize::from(*transpose_a), usize::from(*transpose_b)],
        _ => vec![],
    }
}
