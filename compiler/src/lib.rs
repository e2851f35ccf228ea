//! From a `.gmpnet` syntax tree to programs.
//!
//! ```text
//! text -read-> Ast -resolve-> Module -infer-> Net -step_graph-> Graph -lower-> Program
//!
//! step_graph:  Net -parameterize-> Graph (forward) -differentiate-> Graph (gradients) -> update, statistics, measures
//! lower:       Graph -simplify-> Graph -fuse-> Kernels -plan-> Plan -emit-> Code
//! ```
//!
//! Pure: no files, clock, threads or devices. Passes know the data between them (`module`, `net`, `graph`, `kernels`,
//! `program`), never each other; their order stands here and in `lower`.

#![forbid(unsafe_code)]

mod activate;
mod arguments;
pub mod backend;
pub mod boundary;
pub mod constant;
pub mod convert;
pub mod cost;
mod define;
mod differentiate;
pub mod experiment;
pub mod explain;
pub mod fuse;
pub mod gradcheck;
pub mod graph;
pub mod infer;
mod initialize;
mod instance;
pub mod kernels;
pub mod layout;
mod lower;
pub mod module;
pub mod net;
mod parameterize;
pub mod plan;
pub mod program;
pub mod resolve;
pub mod simplify;
mod stdlib;
mod step;
mod suggest;
pub mod window;

pub use convert::convert;
pub use gmpc_math as math;
pub use initialize::initialization;
pub use lower::{Apart, lower, lower_apart, lower_cuda};
pub use step::{Options, TargetScale, states, step_graph};

use experiment::Experiment;
use gmpc_grammar::diagnostic::Diagnostic;

/// The program of one goal at one batch size.
///
/// # Errors
/// As [`step_graph`].
pub fn compile(
    module: &module::Module,
    net: &net::Net,
    goal: program::Goal,
    batch: usize,
    options: &Options,
) -> Result<program::Program, Vec<Diagnostic>> {
    let (graph, measures) = step_graph(module, net, goal, batch, options)?;
    debug_assert_eq!(graph::verify(&graph), Ok(()), "{}", graph.print(Some(&module.sources)));
    let Experiment { precision, contractions, .. } = module.experiment;
    Ok(program::Program { contractions, ..lower(goal, precision, batch, &graph, measures) })
}

#[cfg(test)]
pub(crate) mod testing;
