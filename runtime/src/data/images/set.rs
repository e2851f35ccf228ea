//! All images of a set: in memory as bytes, or as a list of files.

use super::render::Picture;
use super::{batches, decode, folder, idx, shapes};
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::{DataSpec, ImageSource, Images};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

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

/// Reads a set. The last one read is kept, so that many runs on the same data read it once.
///
/// # Errors
/// `E0750` where a file is missing, `E0753`, `E0757`, `E0758` and `E0764` where one is damaged or not what is declared.
pub fn load(spec: &DataSpec, images: &Images, directories: &Directories) -> Result<Arc<ImageSet>, DataError> {
    static LAST: Mutex<Option<(String, Arc<ImageSet>)>> = Mutex::new(None);
    let key = format!("{:?} {:?} {:?} {directories:?}", images.source, images.shape, spec.classes);
    // Held while reading, which uses rayon's threads: nothing that runs on those asks for a set.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((kept, set)) = last.as_ref()
        && *kept == key
    {
        return Ok(Arc::clone(set));
    }
    *last = None;
    let set = Arc::new(read(spec, images, directories)?);
    *last = Some((key, Arc::clone(&set)));
    Ok(set)
}

/// Reads a set anew.
pub(super) fn read(spec: &DataSpec, images: &Images, directories: &Directories) -> Result<ImageSet, DataError> {
    let shape = images.shape.map(|[channels, height, width]| [height, width, channels]);
    let set = match &images.source {
        ImageSource::Batches(source) => {
            batches::read(source, shape.unwrap_or([32, 32, 3]), spec.classes, &spec.name, directories)
        }
        ImageSource::Idx(source) => idx::read(source, shape.unwrap_or([28, 28, 1]), &spec.name, directories),
        ImageSource::Folder { train, test } => folder::read(train, test.as_deref(), shape, &spec.name, directories),
        ImageSource::Shapes { train, test, draw } => shapes::render(*train, *test, *draw, &spec.name),
    };
    let set = set.map_err(|error| match (error.code, &images.archive) {
        ("E0750", Some(_)) => error.help(format!("`gmpc data fetch {}` gets it", spec.name)),
        _ => error,
    })?;
    checked(set, spec)
}

/// Holds a set to what its declaration says.
fn checked(set: ImageSet, spec: &DataSpec) -> Result<ImageSet, DataError> {
    let found = set.names.len();
    match spec.classes {
        Some(declared) if declared != found => {
            let reason = format!("the declaration says {declared} classes, the files have {found}");
            Err(DataError::data("E0758", &spec.name, reason).help(format!("write `classes = {found}`")))
        }
        _ if found < 2 => Err(DataError::data("E0757", &spec.name, "every image has the same class")
            .help("a folder of images has a folder for each class")),
        _ if u32::try_from(set.labels.len()).is_err() || set.train == 0 => {
            Err(DataError::data("E0759", &spec.name, format!("there are {} images to train on", set.train))
                .help("a set has 1 to 4,294,967,295 images"))
        }
        _ => Ok(set),
    }
}
