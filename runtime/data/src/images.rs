//! Image sets, from files to the bytes of a batch.
//!
//! ```text
//! locate -> open (gz, xz) -> batches | idx | folder | shapes -> ImageSet -prepare-> ImageParts -> ImageRows
//!                            pickle                                split, normalize      decode, steps, feed
//! ```
//!
//! An image has the layout (height, width, channels) with one byte for each number, until it is copied to a program's
//! input. Sets of small images are in memory as bytes, photographs as a list of files. The random numbers for an image
//! are a function of the run's seed, the epoch and the image, so results do not depend on the number of threads.

mod batch;
mod batches;
mod check;
mod decode;
mod describe;
mod draws;
mod fault;
mod feed;
mod files;
mod folder;
mod guard;
mod idx;
mod jpeg;
mod load;
mod locate;
mod look;
mod normalize;
mod npz;
mod open;
mod orientation;
mod parts;
mod pickle;
mod picture;
mod predicted;
mod render;
mod rows;
mod set;
mod shapes;
mod steps;
mod unpack;

pub use check::{Checked, check, is_image};
pub use describe::{Described, describe, notes, preview};
pub use draws::PURPOSE;
pub(crate) use files::data_files;
pub use files::{SetFile, files};
pub use guard::is_guarded;
pub use load::load;
pub use parts::{ImagePart, ImageParts, prepare};
pub use predicted::{collect, rows_of, rows_of_bytes};
pub use rows::{Draw, ImageRows};
pub use set::{ImageSet, Store};
pub use unpack::unpack;

#[cfg(test)]
mod declared;
