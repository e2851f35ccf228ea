//! The second half of the pipeline: from a graph to a program that a device can load.

use crate::backend::cpu;
use crate::experiment::Precision;
use crate::fuse::fuse;
use crate::graph::Graph;
use crate::kernels;
use crate::plan::{overlap, plan};
use crate::program::{Goal, Measure, Program, StateLayout};
use crate::simplify::{hoist, simplify};

/// Compiles a graph whose first axis is `batch` rows.
#[must_use]
pub fn lower(goal: Goal, precision: Precision, batch: usize, graph: &Graph, measures: Vec<Measure>) -> Program {
    let (graph, prologue) = hoist(&simplify(graph));
    let kernels = fuse(&graph);
    debug_assert_eq!(kernels::verify(&kernels), Ok(()), "{}", kernels::print(&kernels, None));
    let plan = plan(&kernels, &StateLayout::new(&graph.states), precision);
    debug_assert_eq!(overlap(&kernels, &plan, precision), None);
    let code = cpu::emit(&kernels, &plan, precision);
    Program { goal, precision, batch, graph, prologue, measures, code }
}
