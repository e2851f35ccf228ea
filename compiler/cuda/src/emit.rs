//! CUDA C++ text: a kernel for each form of work, and the launches that run the kernels.

pub(crate) mod computed;
pub(crate) mod context;
pub(crate) mod draft;
pub(crate) mod emitter;
pub mod epilogue;
pub mod gather;
pub(crate) mod kernel;
pub(crate) mod library;
pub(crate) mod machine;
pub(crate) mod mapped;
pub(crate) mod nest;
pub mod plain;
pub(crate) mod pool;
pub(crate) mod reduce;
pub(crate) mod round;
pub(crate) mod scan;
pub(crate) mod source;
pub(crate) mod text;
pub(crate) mod threads;
pub(crate) mod traffic;
pub(crate) mod transpose;
pub(crate) mod uniform;
pub(crate) mod values;

use crate::launch::Program;
use crate::layout::Layout;
use crate::prepared::Prepared;
use emitter::Emitter;
use gmpc_compiler::ir::kernels::{self, Location};
use gmpc_compiler::lower::plan::Plan;
use gmpc_grammar::source::Sources;

/// Source and launches for kernels whose buffers have the addresses of `plan`. `sources` turns spans into lines of the model.
#[must_use]
pub fn emit(prepared: &Prepared, plan: &Plan, sources: Option<&Sources>) -> Program {
    let Prepared { kernels, contractions, .. } = prepared;
    let (precision, contractions) = (kernels.precision, *contractions);
    let input = |i: usize| kernels.buffers.iter().position(|b| b.location == Location::Input(i));
    let count = kernels.buffers.iter().filter(|b| matches!(b.location, Location::Input(_))).count();
    let mut emitter = Emitter::new(Layout { kernels, plan, precision, contractions }, sources);
    // One launch for each step. Its inlined kernels become functions that the others call.
    let mut launches = Vec::new();
    let mut first = 0;
    for step in prepared.steps.chunk_by(|a, b| a == b) {
        let now = &kernels.kernels[first..first + step.len()];
        let marked = now.iter().zip(&prepared.inlined[first..]);
        let (inlined, own): (Vec<_>, Vec<_>) = marked.partition(|(_, inlined)| **inlined);
        let computed: Vec<&kernels::Work> = inlined.into_iter().map(|(kernel, _)| &kernel.work).collect();
        let own: Vec<&kernels::Kernel> = own.into_iter().map(|(kernel, _)| kernel).collect();
        launches.extend(emitter.step(&own, &computed));
        first += step.len();
    }
    Program {
        precision,
        contractions,
        // The source is complete only after the last step: every step may add functions to it.
        source: emitter.source(),
        scratch_bytes: plan.scratch_bytes,
        inputs: (0..count).filter_map(input).map(|buffer| plan.offsets[buffer]).collect(),
        outputs: kernels.outputs.iter().map(|o| plan.offsets[o.index()]).collect(),
        random: plan.random,
        launches,
    }
}
