//! Reads image sets of any form.

use super::set::ImageSet;
use super::{batches, folder, idx, shapes};
use crate::{DataError, Directories};
use gmpc_compiler::ir::experiment::{DataSpec, ImageSource, Images};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads a set. The last set is kept in memory, so that many runs on the same data read it once.
///
/// # Errors
/// `E0750`: a file is missing. `E0753`, `E0757`, `E0758`, `E0764`: a file is damaged or does not match the declaration.
pub fn load(spec: &DataSpec, images: &Images, directories: &Directories) -> Result<Arc<ImageSet>, DataError> {
    static LAST: Mutex<Option<(String, Arc<ImageSet>)>> = Mutex::new(None);
    let key = format!("{:?} {:?} {:?} {directories:?}", images.source, images.shape, spec.classes);
    // The lock is held while rayon's threads read the files. None of them asks for a set, so there is no deadlock.
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

/// Reads a set without the cache.
pub(super) fn read(spec: &DataSpec, images: &Images, directories: &Directories) -> Result<ImageSet, DataError> {
    let shape = images.shape.map(|[channels, height, width]| [height, width, channels]);
    let set = match &images.source {
        ImageSource::Batches(source) => {
            batches::read(source, shape.unwrap_or([32, 32, 3]), spec.classes, &spec.name, directories)
        }
        ImageSource::Idx(source) => {
            idx::read(source, shape.unwrap_or([28, 28, 1]), spec.classes, &spec.name, directories)
        }
        ImageSource::Folder { train, test, background } => {
            folder::read(train, test.as_deref(), *background, shape, &spec.name, directories)
        }
        ImageSource::Shapes { train, test, draw } => shapes::render(*train, *test, *draw, &spec.name),
    };
    let set = set.map_err(|error| match (error.code, &images.archive) {
        ("E0750", Some(_)) => error.help(format!("`gmpc data fetch {}` downloads it", spec.name)),
        _ => error,
    })?;
    checked(set, spec)
}

/// Checks that a set matches its declaration.
fn checked(set: ImageSet, spec: &DataSpec) -> Result<ImageSet, DataError> {
    let found = set.names.len();
    match spec.classes {
        Some(declared) if declared != found => {
            let reason = format!("the declaration says {declared} classes, the files have {found}");
            Err(DataError::data("E0758", &spec.name, reason).help(format!("write `classes = {found}`")))
        }
        _ if found < 2 => {
            let help = match spec.images().map(|images| &images.source) {
                Some(ImageSource::Folder { .. }) => "a folder of images has a folder for each class",
                _ => "state how many classes the whole set has: `classes = 10`",
            };
            Err(DataError::data("E0757", &spec.name, "every image has the same class").help(help))
        }
        _ if u32::try_from(set.labels.len()).is_err() || set.train == 0 => {
            Err(DataError::data("E0759", &spec.name, format!("there are {} images to train on", set.train))
                .help("a set has 1 to 4,294,967,295 images"))
        }
        _ => Ok(set),
    }
}
