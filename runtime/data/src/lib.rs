//! Data sets: from the file's `data = …` to arrays of numbers, from which the train loop takes its batches.
//!
//! ```text
//! DataSpec -load-> Dataset -prepare-> Parts { train, valid, test }        order(seed, epoch) -> rows of a batch
//!            table | numpy | formula      split, standardize                shuffle
//! ```
//!
//! Nothing here panics, whatever a file contains: every error is a [`DataError`] with the file, the position and a next
//! step. All randomness is a function of the run's seed (and the epoch), and the same on every platform.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

mod dataset;
pub mod digest;
mod directories;
mod error;
pub mod explain;
pub mod fetch;
mod formula;
mod identity;
pub mod images;
pub mod import;
pub mod info;
mod inputs;
mod kind;
mod labels;
mod load;
mod looks;
mod mersenne;
mod note;
mod numpy;
mod part;
mod permutation;
mod pick;
mod prepare;
mod probe;
mod shuffle;
mod split;
mod standardize;
mod table;
mod twins;
mod visible;
mod wanted;
mod words;

pub use dataset::{Dataset, Examples};
pub use digest::DataFile;
pub use directories::Directories;
pub use error::{DataError, Fault, way_on};
pub use identity::{changed, data_files};
pub use inputs::read_inputs;
pub use load::load;
pub use note::Note;
pub use numpy::write_npy;
pub use part::{Rows, rounded};
pub use pick::Pick;
pub use prepare::{Parts, fits, prepare};
pub use probe::probe;
pub use shuffle::{order, order_into};
pub use standardize::Scale;
pub use wanted::{InputRows, Wanted};

#[cfg(test)]
mod declared;
