//! Runs gmpc programs: devices, data, training, checkpoints, comparison.

pub mod checkpoint;
pub mod data;
pub mod device;
pub mod diverge;
pub mod event;
pub mod exact;
pub mod failure;
pub mod metrics;
pub mod rows;
pub mod scalar;
pub mod schedule;
pub mod session;
pub mod states;
pub mod train;

#[cfg(test)]
mod testing;
