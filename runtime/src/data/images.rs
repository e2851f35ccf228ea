//! Sets of images: from files to the bytes of a batch.
//!
//! ```text
//! locate -> open (gz, xz) -> batches | idx | folder | shapes -> ImageSet -prepare-> ImageParts -> ImageRows
//!                            pickle                                split, normalize      decode, steps, feed
//! ```
//!
//! An image is rows of pixels of channels (height, width, channels), a byte each, until the moment it is copied into a
//! program's input. Sets of small images are kept whole in memory as bytes, photographs as a list of files. What is drawn
//! for an image is a function of the run's seed, the epoch and the image, so nothing depends on threads.

mod batches;
mod check;
mod decode;
mod describe;
mod draws;
mod feed;
mod files;
mod folder;
mod idx;
mod load;
mod locate;
mod normalize;
mod npz;
mod open;
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
pub use describe::{Described, describe, preview};
pub use draws::PURPOSE;
pub use files::{SetFile, files};
pub use load::load;
pub use parts::{ImagePart, ImageParts, prepare};
pub use predicted::{collect, rows_of};
pub use rows::{Draw, ImageRows};
pub use set::{ImageSet, Store};
pub use unpack::unpack;

#[cfg(test)]
mod declared;
