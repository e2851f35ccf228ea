//! Reading a set of images, whatever form it has.

use super::set::ImageSet;
use super::{batches, folder, idx, shapes};
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::{DataSpec, ImageSource, Images};
use std::sync::{Arc, Mutex, PoisonError};

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
