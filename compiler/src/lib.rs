//! From a `.gmpnet` syntax tree to programs.

#![forbid(unsafe_code)]

pub mod backend;
pub mod experiment;
pub mod graph;
pub mod math;
pub mod module;
pub mod net;
pub mod program;
