//! The second half of the pipeline: from a graph to a program that a device can load.

use crate::backend::{cpu, cuda};
use crate::cost::kernel_flops;
use crate::experiment::{Contractions, Precision};
use crate::fuse::{Epilogues, fuse};
use crate::graph::Graph;
use crate::kernels::{self, Work};
use crate::layout::StateLayout;
use crate::plan::{overlap, overlap_steps, plan, plan_steps};
use crate::program::{Goal, Measure, Program};
use crate::simplify::{hoist, prepare, simplify};
use gmpc_grammar::source::Sources;

/// Compiles a graph whose first axis is `batch` rows; its contractions multiply whole numbers.
#[must_use]
pub fn lower(goal: Goal, precision: Precision, batch: usize, graph: &Graph, measures: Vec<Measure>) -> Program {
    let (graph, prologue) = hoist(&simplify(&prepare(&simplify(graph))));
    let kernels = fuse(&graph, Epilogues::Inside);
    debug_assert_eq!(kernels::verify(&kernels), Ok(()), "{}", kernels::print(&kernels, None));
    let plan = plan(&kernels, &StateLayout::new(&graph.states), precision);
    debug_assert_eq!(overlap(&kernels, &plan, precision), None);
    let code = cpu::emit(&kernels, &plan, precision);
    let contractions = Contractions::Full;
    Program { goal, precision, contractions, batch, graph, prologue, measures, code }
}

/// The CUDA form of a program: the same graph through the same stages, for another machine. `sources` knows the lines of the
/// model, which comments of the source then name.
#[must_use]
pub fn lower_cuda(program: &Program, sources: Option<&Sources>) -> cuda::Program {
    let prepared = cuda::prepare(&fuse(&program.graph, Epilogues::Apart), program.precision, program.contractions);
    let cuda::Prepared { kernels, steps, .. } = &prepared;
    debug_assert_eq!(kernels::verify(kernels), Ok(()), "{}", kernels::print(kernels, None));
    let laid_out = prepared.laid_out();
    let plan = plan_steps(&laid_out, steps, &StateLayout::new(&program.graph.states), program.precision);
    debug_assert_eq!(overlap_steps(&laid_out, steps, &plan, program.precision), None);
    cuda::emit(&prepared, &plan, sources)
}

/// A kernel of a program as a program of its own, to be timed alone.
#[derive(Debug, Clone)]
pub struct Apart {
    /// What it computes, in words.
    pub name: String,
    /// The line of the model it came from, `vgg6.gmpnet:12`, where that is known.
    pub line: Option<String>,
    /// Its floating-point operations.
    pub flops: u64,
    /// With the whole program's memory. Running it alone gives no sensible numbers.
    pub program: Program,
}

/// The kernels of [`lower`]'s program, in order; `sources` knows the lines of the model.
#[must_use]
pub fn lower_apart(program: &Program, sources: &Sources) -> Vec<Apart> {
    let kernels = fuse(&program.graph, Epilogues::Inside);
    let plan = plan(&kernels, &StateLayout::new(&program.graph.states), program.precision);
    let apart = kernels.kernels.iter().map(|kernel| {
        let one = kernels::Kernels { kernels: vec![kernel.clone()], ..kernels.clone() };
        let line = kernel
            .span
            .and_then(|span| Some(format!("{}:{}", sources.get(span.source)?.name, sources.line_column(span).0)));
        let program = Program { code: cpu::emit(&one, &plan, program.precision), ..program.clone() };
        Apart { name: name(&one, &kernel.work), line, flops: kernel_flops(kernel), program }
    });
    apart.collect()
}

/// A loop's sizes and results; of what has kernels of its own the line that the listing has.
fn name(kernels: &kernels::Kernels, work: &Work) -> String {
    let Work::Nest(nest) = work else {
        let text = kernels::print(kernels, None);
        return text.lines().find(|line| !line.starts_with("buffer")).unwrap_or_default().trim().to_string();
    };
    let sizes: Vec<String> = nest.space.iter().map(usize::to_string).collect();
    let mut results: Vec<&str> = work.writes().iter().map(|id| kernels.buffers[id.index()].name.as_str()).collect();
    results.dedup();
    let sizes = if sizes.is_empty() { "one point".to_string() } else { sizes.join(" x ") };
    format!("{} = loop over {sizes}", results.join(", "))
}
