//! Graphs of tensor operations. In this form networks are differentiated, simplified and compared with a reference.
//!
//! A graph is a list of nodes. References are indices, and operands come before their users. So there are no cycles, and every
//! walk is a `for` loop. All values are real numbers of the program's precision, also labels and truth values (0 and 1). The
//! batch axis is explicit and comes first. Reductions keep their axes with size 1, so that only `Reshape` changes ranks.
//!
//! ```text
//! %0 = input x           : [64, 13]
//! %1 = state hidden.w    : [13, 100]
//! %2 = matmul %0 %1      : [64, 100]      # first.gmpnet:4:14
//! ```

#![warn(clippy::wildcard_enum_match_arm)]

mod build;
mod evaluate;
pub mod groups;
mod op;
mod print;
mod verify;

pub use evaluate::{Piece, Random, Tensor, evaluate, evaluate_each, independent, pieces, scalar};
pub use op::Op;
pub use verify::verify;

use crate::ir::axes::Meaning;
use crate::ir::internal::index32;
use gmpc_grammar::source::Span;

/// The index of a node in [`Graph::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u32);

impl Id {
    /// The id of the node with this index.
    #[must_use]
    pub fn new(index: usize) -> Id {
        Id(index32(index, "nodes"))
    }

    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Sizes of the axes, outermost first; empty for a scalar.
pub type Shape = Vec<usize>;

/// One operation and the shape of what it computes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// Its operands, all earlier in the list.
    pub inputs: Vec<Id>,
    /// Shape of the result. The product of the sizes fits into `usize` and is at most 2^40.
    pub shape: Shape,
    /// The stage of the model, or the line of a definition, that the node comes from.
    pub span: Option<Span>,
}

/// A tensor that the caller provides for every run: `x`, `target`, and the scalars `lr` and `step`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its shape, batch first.
    pub shape: Shape,
}

/// The purpose of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Learned by training: `hidden.theta`.
    Parameter,
    /// Accumulated in training, used in evaluation: `hidden.running_mean`.
    Statistic,
    /// Set at initialization and never changed: `hidden.sign`.
    Constant,
    /// A state of the optimizer: `adam.m/hidden.theta`.
    Optimizer,
}

/// A tensor that is kept from one run to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its name, `hidden.theta`. Checkpoints use it, so it must not change.
    pub name: String,
    /// Its purpose.
    pub role: Role,
    /// Its shape in the graph. Weights and angles are `[fan_in, units]`, so that the numbers of neighbouring units are
    /// neighbours in memory: scans and matmuls run over units in vectors.
    pub shape: Shape,
    /// Its shape in files: `[units, fan_in]` for a dense weight, `[units, channels, kh, kw]` for a convolution.
    pub file_shape: Shape,
    /// Does the file hold the transpose? It is then a matrix of units by fan-in.
    pub transposed: bool,
    /// The kind it was declared with, and the meaning of its axes.
    pub meaning: Meaning,
}

/// A result of a graph.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A value that the caller gets by its name: `loss`, `prediction`, `grad.hidden.theta`.
    Value {
        /// Its name.
        name: String,
        /// The node.
        id: Id,
    },
    /// The new value of a state. It is written after all reads of the old value.
    Write {
        /// Index in [`Graph::states`].
        state: usize,
        /// The node, of the state's shape.
        id: Id,
    },
}

impl Output {
    /// Returns the node of the result.
    #[must_use]
    pub fn id(&self) -> Id {
        match self {
            Output::Value { id, .. } | Output::Write { id, .. } => *id,
        }
    }
}

/// A computation: from inputs and states to values and new states.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// Operands before users.
    pub nodes: Vec<Node>,
    /// Indexed by [`Op::Input`].
    pub inputs: Vec<Input>,
    /// Indexed by [`Op::State`] and [`Output::Write`]. Every program of one network has the same list.
    pub states: Vec<State>,
    /// The results.
    pub outputs: Vec<Output>,
}

impl std::ops::Index<Id> for Graph {
    type Output = Node;
    fn index(&self, id: Id) -> &Node {
        &self.nodes[id.index()]
    }
}
