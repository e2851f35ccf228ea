//! From a graph to kernels with planned memory.
//!
//! ```text
//! Graph -simplify-> Graph -fuse-> Kernels -plan-> Plan
//! ```

pub mod cost;
pub mod fuse;
pub mod plan;
pub mod simplify;
