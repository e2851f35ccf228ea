//! Adds outputs to a program that say which of its values are finite. They show where a training step diverged.
//!
//! ```text
//! %7 = exp %6        becomes        %7 = exp %6
//!                                   %8 = mul %7 0
//!                                   %9 = sum %8 [0, 1]      0 where all of %7 is finite, else NaN
//! ```
//!
//! Each value is reduced to one number, so that watching a network needs hardly more memory than running it.

use crate::ir::experiment::Contractions;
use crate::ir::graph::groups::{binary, comparison, convolution, joined, pool, reduction, scan, unary, view};
use crate::ir::graph::{Graph, Id, Op, Output};
use crate::ir::program::Program;
use crate::pipeline::generate;

/// A program with one more output for each watched value: 0 if all numbers of the value are finite, otherwise NaN.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The inputs and states of the original program.
    pub program: Program,
    /// The watched values, in the order of the original graph. Their outputs come after the outputs of the original
    /// program, in the same order.
    pub values: Vec<Id>,
    /// How many named outputs come before the first output of a watched value.
    pub first: usize,
}

/// Watches every value of a program, except values that only move the numbers of other values.
///
/// Contractions of the watched program multiply unrounded numbers, because tensor cores are not always available. So a value
/// near the end of the range may be finite in one program and not in the other.
#[must_use]
pub fn watch(program: &Program) -> Watched {
    let mut graph = program.graph.clone();
    let first = graph.outputs.iter().filter(|output| matches!(output, Output::Value { .. })).count();
    let values: Vec<Id> = program.graph.ids().filter(|&id| is_new(&program.graph[id].op)).collect();
    for &id in &values {
        let finite = zero_if_finite(&mut graph, id);
        graph.output(format!("finite.{}", id.index()), finite);
    }
    let program = Program { graph, contractions: Contractions::Full, ..program.clone() };
    Watched { program: Program { code: generate(&program.graph, program.precision), ..program }, values, first }
}

/// The sum of a value's numbers, each times 0: infinity and NaN times 0 are NaN, and NaN stays in every sum.
fn zero_if_finite(graph: &mut Graph, id: Id) -> Id {
    let zeros = graph.scale(id, 0.0);
    let axes: Vec<usize> = (0..graph.shape(zeros).len()).collect();
    let sum = graph.sum(zeros, &axes);
    graph.reshape(sum, &[])
}

/// Can a value of this operation be the first that is not finite?
fn is_new(op: &Op) -> bool {
    match op {
        // Indices, drawn numbers and results of comparisons are always finite. Movement (reshape, slice, …) copies numbers
        // of an operand, and pads with 0: if such a value is not finite, its operand was not finite before.
        Op::Iota(_) | Op::Uniform { .. } | view!() | joined!() | comparison!() => false,
        // Inputs and states come from outside. Arithmetic can overflow, or be undefined (a logarithm of a negative number).
        Op::Input(_) | Op::State(_) | Op::Const(_) | unary!() | binary!() | Op::Select => true,
        reduction!() | Op::MatMul { .. } | convolution!() | pool!() | scan!() => true,
    }
}
