//! What the compiler hands to the runtime: a graph for the witness, code for the processor, and tables that say where
//! everything lies. Text and numbers only; loading and running is the runtime's.

use crate::backend::cpu::Code;
use crate::experiment::{Contractions, Precision};
use crate::graph::Graph;

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// One optimizer step. Inputs `x`, `target`; writes parameters, statistics, optimizer state; outputs the measures'.
    Train,
    /// Loss and metrics with running statistics; writes nothing.
    Evaluate,
    /// Input `x`, output `prediction`, with running statistics; writes nothing.
    Predict,
    /// Training-mode forward and backward without an update, for tests and `gradcheck`. Outputs `prediction`, `loss`,
    /// `grad.output`, `grad.input`, `grad.NAME` for every parameter; writes the statistics.
    Gradients,
    /// No inputs; an output `boundary.NAME`, `[fan_in + 1, units]`, for each layer of ReLU units that reads the network's
    /// input: directions with the signed distances below them, see [`crate::boundary::recorded`]. Writes nothing; the batch
    /// size means nothing.
    Boundaries,
}

/// One compiled computation at one batch size.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is for.
    pub goal: Goal,
    /// Of all its numbers.
    pub precision: Precision,
    /// How its contractions multiply.
    pub contractions: Contractions,
    /// Rows it takes.
    pub batch: usize,
    /// After simplification; the witness runs this. Its inputs are `x`, perhaps `target`, then one scalar for each
    /// output of `prologue`.
    pub graph: Graph,
    /// Scalars that depend on nothing but `lr` and `step` (Adam's bias corrections): inputs `lr`, `step`, both `[]`. The
    /// runtime evaluates it in f64 before each run, on every device, and passes the values on.
    pub prologue: Graph,
    /// The loss first (named `loss`), then the metrics, in `Train` and `Evaluate` programs.
    pub measures: Vec<Measure>,
    /// Code and layout for the processor.
    pub code: Code,
}

/// A loss or metric that can be gathered batch by batch.
///
/// The program outputs sums over its rows; the runtime adds them up in f64 over batches, divides by the number of rows, and
/// evaluates `finish`.
#[derive(Debug, Clone)]
pub struct Measure {
    /// `loss`, `rmse`
    pub name: String,
    /// Indices into the program's named outputs (in `graph.outputs` order, `Value`s only), each of shape `[]`.
    pub sums: Vec<usize>,
    /// From the means `[]`, in order, to one value `[]`.
    pub finish: Graph,
}
