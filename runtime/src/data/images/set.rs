//! All images of a set: in memory as bytes, or as a list of files.

use super::decode;
use super::picture::Picture;
use crate::data::DataError;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the pixels are.
#[derive(Debug, PartialEq)]
pub enum Store {
    /// All of one size, one image after another.
    Kept {
        /// Height, width, channels.
        shape: [usize; 3],
        /// `[images, height, width, channels]`
        pixels: Vec<u8>,
    },
    /// Photographs, decoded when they are needed.
    Files {
        /// 3, or 1: made grey.
        channels: usize,
        /// In the order of the images.
        paths: Vec<PathBuf>,
        /// Height and width that each must have, where the declaration states them.
        size: Option<[usize; 2]>,
    },
}

impl Store {
    /// Reads one image; `image` is below the number of images.
    ///
    /// # Errors
    /// `E0751`, `E0764` and `E0765` for a file that cannot be read, decoded, or has another size than stated.
    pub(crate) fn read(&self, image: usize, picture: &mut Picture) -> Result<(), DataError> {
        match self {
            Store::Kept { shape: [height, width, channels], pixels } => {
                let bytes = height * width * channels;
                picture.height = *height;
                picture.width = *width;
                picture.channels = *channels;
                picture.pixels.clear();
                picture.pixels.extend_from_slice(&pixels[image * bytes..][..bytes]);
                Ok(())
            }
            Store::Files { channels, paths, size } => {
                decode::read(&paths[image], picture)?;
                if *channels == 1 {
                    decode::to_grey(picture);
                }
                match size {
                    Some([height, width]) if [picture.height, picture.width] != [*height, *width] => {
                        let reason = format!("the image is {}×{}, not {height}×{width}", picture.height, picture.width);
                        Err(DataError::data("E0765", paths[image].display().to_string(), reason)
                            .help("give all images one size, or leave `shape` out and write `transform = [resize(…)]`"))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// What to call an image: its file, or its number.
    #[must_use]
    pub fn name(&self, image: usize) -> String {
        match self {
            Store::Kept { .. } => format!("image {image}"),
            Store::Files { paths, .. } => paths.get(image).map(|p| p.display().to_string()).unwrap_or_default(),
        }
    }
}

/// All images of a set: those to train on, then those to test on.
#[derive(Debug, PartialEq)]
pub struct ImageSet {
    /// Their pixels.
    pub store: Arc<Store>,
    /// The class of each, below the number of names.
    pub labels: Vec<u32>,
    /// How many of the first are to train on; the rest is to test on.
    pub train: usize,
    /// Names of the classes.
    pub names: Vec<String>,
}
