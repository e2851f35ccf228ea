//! All images of a set: in memory as bytes, or as a list of files.

use super::decode::{self, Seen};
use super::picture::Picture;
use crate::{DataError, Note};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The location of the pixels.
#[derive(Debug, PartialEq)]
pub enum Store {
    /// All images are in memory and have the same size.
    Kept {
        /// Height, width and number of channels.
        shape: [usize; 3],
        /// `[images, height, width, channels]`
        pixels: Arc<Vec<u8>>,
    },
    /// Photographs, which are decoded when they are used.
    Files {
        /// Number of channels: 3, or 1 after conversion to grey.
        channels: usize,
        /// Paths in the order of the images.
        paths: Vec<PathBuf>,
        /// Height and width that each image must have, if they are declared.
        size: Option<[usize; 2]>,
        /// Background colour for transparent pixels, if it is declared.
        background: Option<[u8; 3]>,
    },
}

impl Store {
    /// Reads one image. `image` is below the number of images.
    ///
    /// # Errors
    /// `E0751`, `E0764`, `E0765`: a file cannot be read or decoded, or has another size than declared.
    pub(super) fn read(&self, image: usize, picture: &mut Picture) -> Result<Seen, DataError> {
        match self {
            Store::Kept { shape: [height, width, channels], pixels } => {
                let bytes = height * width * channels;
                picture.height = *height;
                picture.width = *width;
                picture.channels = *channels;
                picture.pixels.clear();
                picture.pixels.extend_from_slice(&pixels[image * bytes..][..bytes]);
                Ok(Seen::default())
            }
            Store::Files { channels, paths, size, background } => {
                let seen = decode::read(&paths[image], picture, background.unwrap_or(decode::WHITE))?;
                if *channels == 1 {
                    decode::to_grey(picture);
                }
                check_size(&paths[image], [picture.height, picture.width], *size)?;
                Ok(seen)
            }
        }
    }

    /// True if the background colour for transparent pixels is not declared.
    pub(super) fn guesses_background(&self) -> bool {
        matches!(self, Store::Files { background: None, .. })
    }

    /// The name of an image: the path of its file, or its number.
    #[must_use]
    pub fn name(&self, image: usize) -> String {
        match self {
            Store::Kept { .. } => format!("image {image}"),
            Store::Files { paths, .. } => paths.get(image).map(|p| p.display().to_string()).unwrap_or_default(),
        }
    }
}

/// Checks that an image has the declared size.
///
/// # Errors
/// `E0765`: it has another size.
pub(super) fn check_size(path: &Path, found: [usize; 2], stated: Option<[usize; 2]>) -> Result<(), DataError> {
    match stated {
        Some([height, width]) if found != [height, width] => {
            let reason = format!("the image is {}×{}, not {height}×{width}", found[0], found[1]);
            Err(DataError::data("E0765", path.display().to_string(), reason)
                .help("give all images one size, or leave `shape` out and write `transform = [resize(…)]`"))
        }
        _ => Ok(()),
    }
}

/// All images of a set: first the training images, then the test images.
#[derive(Debug, PartialEq)]
pub struct ImageSet {
    /// The pixels.
    pub store: Arc<Store>,
    /// The class of each image, below the number of names.
    pub labels: Vec<u32>,
    /// Number of training images.
    pub train: usize,
    /// Names of the classes.
    pub names: Vec<String>,
    /// Notes about the files.
    pub notes: Vec<Note>,
}
