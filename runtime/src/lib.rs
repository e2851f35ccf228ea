//! Runs gmpc programs: devices, data, training, checkpoints, comparison.

pub mod device;
pub mod exact;
pub mod schedule;
