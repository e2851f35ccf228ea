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
pub mod depends;
pub(crate) mod differentiate;
pub(crate) mod first_batch;
pub mod freeze;
pub(crate) mod initialize;
pub(crate) mod parameterize;
pub(crate) mod parameters;
pub mod pieces;
pub mod states;
pub(crate) mod step;
pub(crate) mod store;

pub use first_batch::is_asked as asks_for_first_batch;
pub use step::{Options, TargetScale};
