//! From a `.gmpnet` syntax tree to programs.

#![forbid(unsafe_code)]

mod activate;
mod arguments;
pub mod backend;
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
mod lower;
pub mod math;
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

pub use convert::convert;
pub use initialize::initialization;
pub use lower::{lower, lower_apart};
pub use step::{Options, TargetScale, states, step_graph};

#[cfg(test)]
pub(crate) mod testing;
