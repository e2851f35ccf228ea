//! From a network to graphs of tensor operations: the training step, its parameterizations, gradients, initial values,
//! conversions and boundaries.
//!
//! ```text
//! Net -parameterize-> Graph (forward) -differentiate-> Graph (gradients) -step-> Graph (the whole step)
//! ```

pub(crate) mod activate;
pub mod alone;
pub mod boundary;
pub mod convert;
pub(crate) mod declare;
pub(crate) mod define;
pub(crate) mod differentiate;
pub mod freeze;
pub(crate) mod initialize;
pub(crate) mod parameterize;
pub mod pieces;
pub(crate) mod states;
pub(crate) mod step;
pub(crate) mod store;

pub use step::{Options, TargetScale};
