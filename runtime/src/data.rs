//! Data sets: from the file's `data = …` to arrays of numbers that the train loop takes its batches from.
//!
//! ```text
//! DataSpec -load-> Dataset -prepare-> Parts { train, valid, test }        order(seed, epoch) -> rows of a batch
//!            table | numpy | formula      split, standardize                shuffle
//! ```
//!
//! Nothing here panics on what a file holds: every fault is a [`DataError`] that names the file, the place and a next
//! step. All randomness is a function of the run's seed (and the epoch), the same on every platform.

mod dataset;
mod directories;
mod error;
pub mod explain;
pub mod fetch;
mod formula;
pub mod images;
pub mod import;
pub mod info;
mod inputs;
mod labels;
mod load;
mod mersenne;
mod numpy;
mod permutation;
mod prepare;
mod probe;
mod shuffle;
mod split;
mod standardize;
mod table;
mod words;

pub use dataset::{Dataset, Examples};
pub use directories::Directories;
pub use error::{DataError, Fault};
pub use inputs::read_inputs;
pub use load::load;
pub use numpy::write_npy;
pub use prepare::{Parts, prepare};
pub use probe::probe;
pub use shuffle::{order, order_into};
pub use standardize::Scale;

#[cfg(test)]
mod declared;
