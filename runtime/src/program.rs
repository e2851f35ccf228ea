//! A network at run time: its programs on a device, its states, and its losses and metrics.

pub mod frozen;
pub mod metrics;
pub mod network;
pub mod scalar;
pub mod session;
