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

/// The kernels of [`lower`]'s program, each as a program of its own with the same memory, and what it computes in words: to be
/// timed one by one. Running one alone gives no sensible numbers.
#[must_use]
pub fn lower_apart(program: &Program) -> Vec<(String, Program)> {
    let kernels = fuse(&program.graph);
    let plan = plan(&kernels, &StateLayout::new(&program.graph.states), program.precision);
    let apart = kernels.kernels.iter().map(|kernel| {
        let one = kernels::Kernels { kernels: vec![kernel.clone()], ..kernels.clone() };
        let text = kernels::print(&one, None);
        let head = text.lines().find(|line| !line.starts_with("buffer")).unwrap_or_default().trim().to_string();
        (head, Program { code: cpu::emit(&one, &plan, program.precision), ..program.clone() })
    });
    apart.collect()
}
