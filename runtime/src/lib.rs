//! Runs gmpc programs: devices, data, training, checkpoints, comparison.

pub mod analysis;
pub mod bench;
pub mod checkpoint;
pub mod compare;
pub mod convert;
pub mod data;
pub mod device;
pub mod diverge;
pub mod evaluate;
pub mod event;
pub mod exact;
pub mod failure;
pub mod gradcheck;
pub mod launch;
pub mod metrics;
pub mod network;
pub mod predict;
pub mod report;
pub mod reproduce;
pub mod request;
pub mod rows;
pub mod run_folder;
pub mod scalar;
pub mod schedule;
pub mod session;
pub mod states;
pub mod tensorboard;
pub mod train;
pub mod trajectory;

#[cfg(test)]
mod testing;
