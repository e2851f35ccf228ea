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
mod decode;
mod draws;
mod feed;
mod folder;
mod idx;
mod locate;
mod normalize;
mod npz;
mod open;
mod parts;
mod pickle;
mod render;
mod rows;
mod set;
mod shapes;
mod steps;

pub use parts::{ImagePart, ImageParts, prepare};
pub use rows::{Draw, ImageRows};
pub use set::{ImageSet, Store, load};
