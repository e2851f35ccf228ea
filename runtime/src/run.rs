//! A run on disk: its folder, checkpoints and records, the checks on output paths, and the files for TensorBoard.

pub mod checkpoint;
pub mod folder;
pub mod lock;
pub mod metrics;
pub mod output;
pub mod records;
pub mod result;
pub mod seal;
pub mod sums;
pub mod tensorboard;
