//! The CUDA backend: kernels as CUDA C++ text and a list of launches.
//!
//! Nests, scans, pooling and random numbers become kernels of one source that needs no header. Matmuls and convolutions
//! become launches that a library computes. [`Program`] holds everything a runtime needs as text and numbers. Nothing here
//! compiles CUDA, runs anything or holds a device pointer, so all of it is tested on any machine.
//!
//! The text of a kernel depends only on the shape of its work, so layers of one shape share a kernel. A comment above each
//! kernel names the lines of the model that it came from.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

mod count;
pub mod emit;
mod launch;
mod layout;
mod passes;
mod prepared;
mod print;
#[cfg(test)]
mod tests;

pub use count::{Counts, one_by_one};
pub use launch::{Convolution, Kernel, Launch, MatMul, OPTIONS, Operand, Program, Region, Work};

use emit::emit;
use gmpc_compiler::ir::experiment::Contractions;
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::program;
use gmpc_compiler::lower::fuse::{Epilogues, fuse};
use gmpc_compiler::lower::plan::{Planned, plan_steps};
use gmpc_compiler::stage::{Harness, Silent};
use gmpc_grammar::source::Sources;
use passes::{bf16_operands, bf16_results, defer_updates, grouped, inline, library, split};

/// Lowers the graph of a program to CUDA C++ and a list of launches. `sources` turns spans into lines of the model, which the
/// comments of the emitted source name. No observer sees the passes.
#[must_use]
pub fn lower_cuda(program: &program::Program, sources: Option<&Sources>) -> Program {
    lower(program, Harness::new(&Silent, sources))
}

/// Every pass from the graph of a program to CUDA C++, in order.
#[must_use]
pub fn lower(program: &program::Program, harness: Harness) -> Program {
    let (precision, contractions) = (program.precision, program.contractions);
    // Epilogues stay separate: libraries have no pooling and no sums inside their matmuls and convolutions.
    let kernels = harness.run("cuda.fuse", || fuse(&program.graph, Epilogues::Separate, precision));
    let kernels = harness.run("cuda.library", || library::prepare(&kernels));
    // First every operand gets a rounded copy; then the copies that are not needed go away.
    let kernels = match contractions {
        Contractions::Full | Contractions::Tf32 => kernels,
        Contractions::Bf16 => {
            let kernels = harness.run("cuda.bf16_operands", || bf16_operands::use_bf16(kernels));
            harness.run("cuda.bf16_results", || bf16_results::keep_bf16(kernels))
        }
    };
    let kernels = harness.run("cuda.split", || split::split(kernels));
    // Deferred updates leave the states unchanged for longer, so that `inline` may compute more maps again.
    let kernels = harness.run("cuda.defer_updates", || defer_updates::defer_updates(kernels));
    let inlined = harness.run("cuda.inline", || inline::inline(kernels, precision));
    let prepared = harness.run("cuda.group", || grouped(inlined, contractions));
    // The plan comes last: kernels of one step run at the same time, so their buffers must not share memory.
    let (laid_out, states) = (prepared.laid_out(), StateLayout::new(&program.graph.states));
    let planned = harness.run("cuda.plan", || Planned {
        plan: plan_steps(&laid_out, &prepared.steps, &states),
        kernels: &laid_out,
        steps: &prepared.steps,
        states: &states,
    });
    harness.run("cuda.emit", || emit(&prepared, &planned.plan, harness.sources()))
}
