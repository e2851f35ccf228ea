//! The result of the compiler: a graph for the reference device, code for the CPU, and tables of addresses. It consists of
//! text and numbers only. The runtime loads and runs it.

use crate::ir::code::Code;
use crate::ir::experiment::{Contractions, Precision};
use crate::ir::graph::Graph;

/// The purpose of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// One optimizer step. Inputs: `x`, `target`. Outputs: the sums of the measures. Writes parameters, statistics and
    /// optimizer states.
    Train,
    /// Loss and metrics with running statistics. Writes nothing.
    Evaluate,
    /// Input `x`, output `prediction`, with running statistics. Writes nothing.
    Predict,
    /// Forward and backward pass of training without an update, for tests and `gradcheck`. Outputs: `prediction`, `loss`,
    /// `grad.output`, `grad.input`, and `grad.NAME` for every parameter. Writes the statistics.
    Gradients,
    /// Boundaries of ReLU units. No inputs. Outputs: `boundary.NAME`, `[fan_in + 1, units]`, for each layer of ReLU units that
    /// reads the network's input. The last row holds the signed distances, the rows above it the directions, see
    /// [`crate::graphs::boundary::recorded`]. Writes nothing. The batch size has no meaning.
    Boundaries,
    /// First values that are computed from the first batch (`first_batch(…)`). Input: `x`. No outputs. Writes these parameters.
    Start,
}

/// The scalars that the runtime sets before each step of a `Train` program. A program that does not read one has no such input.
///
/// `lr` and `step` are the rate and the number of the optimizer's step, from 1. With `accumulate`, `first` and `last` say (1 or
/// 0) whether a batch is the first or the last one of its step, and `share` is the batch's part of the rows of that step. With
/// `average`, `average` is the weight of the new values in the average.
pub const CLOCK: [&str; 6] = ["lr", "step", "first", "last", "share", "average"];

/// One compiled computation at one batch size.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its purpose.
    pub goal: Goal,
    /// The precision of all its numbers.
    pub precision: Precision,
    /// How its contractions multiply.
    pub contractions: Contractions,
    /// The number of rows that it takes.
    pub batch: usize,
    /// The simplified graph, which the reference device runs. Its inputs are `x`, perhaps `target`, then one scalar for each
    /// output of `prologue`.
    pub graph: Graph,
    /// Scalars that depend only on the clock (Adam's bias corrections). Its inputs are `lr`, `step`, and those others of
    /// [`CLOCK`] that the program reads, all `[]`. For
    /// every device, the runtime evaluates it in f64 before each run and passes the values to the program.
    pub prologue: Graph,
    /// The loss (named `loss`), then the metrics. Only `Train` and `Evaluate` programs have measures.
    pub measures: Vec<Measure>,
    /// Code and layout for the CPU.
    pub code: Code,
}

/// A loss or metric that can be accumulated batch by batch.
///
/// The program outputs sums over its rows. The runtime adds the sums of all batches in f64, divides them by the number of rows,
/// and evaluates `finish`.
#[derive(Debug, Clone)]
pub struct Measure {
    /// `loss`, `rmse`
    pub name: String,
    /// Indices into the program's named outputs (in `graph.outputs` order, `Value`s only), each of shape `[]`.
    pub sums: Vec<usize>,
    /// Index of a named output `[rows, 2]`, a score and a truth (0 or 1) for each row. The measure is then the area under the ROC
    /// curve of all rows, and has no sums. Programs for training have no such measure, because the weights change between rows.
    pub ranked: Option<usize>,
    /// Computes the value `[]` of the measure from the means `[]`, in order. A ranked measure has one input, the area.
    pub finish: Graph,
}
