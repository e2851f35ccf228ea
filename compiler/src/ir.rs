//! The data between passes: what each stage hands to the next, how it is printed, and when it is well formed.
//!
//! Nothing here imports a pass.

pub mod axes;
pub mod code;
pub mod experiment;
pub mod graph;
pub mod internal;
pub mod kernels;
pub mod layout;
pub mod module;
pub mod net;
pub mod program;
pub mod window;
