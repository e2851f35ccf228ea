//! From a `.gmpnet` syntax tree to programs.

#![forbid(unsafe_code)]

pub mod experiment;
pub mod graph;
pub mod math;
