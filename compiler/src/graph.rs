//! Tensor operations as a list: the form in which networks are differentiated, simplified and witnessed.
//!
//! Nodes are a `Vec`, references are indices, operands stand before users: no cycles, every walk is a `for` loop.
//! All values are real numbers of the program's precision; labels and truth values (0 and 1) too. The batch axis is
//! explicit and first. Reductions keep their axes with size 1, so that ranks only change in `Reshape`.
//!
//! ```text
//! %0 = input x           : [64, 13]
//! %1 = state hidden.w    : [13, 100]
//! %2 = matmul %0 %1      : [64, 100]      # first.gmpnet:4:14
//! ```

mod build;
mod evaluate;
mod op;
mod print;
mod verify;

pub use evaluate::{Random, Tensor, evaluate, evaluate_each, independent, scalar};
pub use op::Op;
pub use verify::verify;

use gmpc_grammar::source::Span;

/// A node's place in [`Graph::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u32);

impl Id {
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
    /// What is computed.
    pub op: Op,
    /// Operands, all earlier in the list.
    pub inputs: Vec<Id>,
    /// Of the result; the product of the sizes fits `usize` and is at most 2^40.
    pub shape: Shape,
    /// The stage of the model, or the line of a definition, that asked for it.
    pub span: Option<Span>,
}

/// A tensor that comes in from outside with every run: `x`, `target`, and the scalars `lr` and `step`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its shape, batch first.
    pub shape: Shape,
}

/// What a state is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Learned: `hidden.theta`.
    Parameter,
    /// Gathered in training, used in evaluation: `hidden.running_mean`.
    Statistic,
    /// Set at initialization, never changed: `hidden.sign`.
    Constant,
    /// Belongs to the optimizer: `adam.m/hidden.theta`.
    Optimizer,
}

/// A tensor that lives from one run to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// `hidden.theta`; a stable contract, it is the name in checkpoints.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// In the graph. Weights and angles are `[fan_in, units]` here, so that scans and products run over units
    /// that lie side by side in memory.
    pub shape: Shape,
    /// In files: `[units, fan_in]` for a dense weight, `[units, channels, kh, kw]` for a convolution.
    pub file_shape: Shape,
    /// The file holds the transpose of `shape`, read as a matrix of units by fan-in.
    pub transposed: bool,
}

/// What a graph is computed for.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A value handed out under a name: `loss`, `prediction`, `grad.hidden.theta`.
    Value {
        /// Its name.
        name: String,
        /// The node.
        id: Id,
    },
    /// The new value of a state, written after everything has read the old one.
    Write {
        /// Index in [`Graph::states`].
        state: usize,
        /// The node, of the state's shape.
        id: Id,
    },
}

impl Output {
    /// The node it takes its value from.
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
    /// What is kept.
    pub outputs: Vec<Output>,
}

impl std::ops::Index<Id> for Graph {
    type Output = Node;
    fn index(&self, id: Id) -> &Node {
        &self.nodes[id.index()]
    }
}
