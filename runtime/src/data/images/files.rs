//! Which files a set of images is made of, and whether they are here.

use super::locate;
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::{Batches, Idx, ImageSource, Images};
use std::path::PathBuf;

/// One file or folder of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFile {
    /// Where it is, or would be put.
    pub path: PathBuf,
    /// Its size, if it is here; of a folder 0.
    pub bytes: Option<u64>,
}

/// Names of the files that a set cannot do without; none of a folder and of rendered images.
#[must_use]
pub(in crate::data) fn names(source: &ImageSource) -> Vec<&str> {
    let names: Vec<&String> = match source {
        ImageSource::Batches(Batches { train, test, .. }) => train.iter().chain(test).collect(),
        ImageSource::Idx(Idx { train, test, .. }) => train.iter().chain(test.iter().flatten()).collect(),
        ImageSource::Folder { .. } | ImageSource::Shapes { .. } => vec![],
    };
    names.into_iter().map(String::as_str).collect()
}

/// The folder that the files of a set lie in.
pub(in crate::data) fn folder(source: &ImageSource) -> Option<&str> {
    match source {
        ImageSource::Batches(batches) => Some(&batches.folder),
        ImageSource::Idx(idx) => Some(&idx.folder),
        ImageSource::Folder { .. } | ImageSource::Shapes { .. } => None,
    }
}

/// Every file (or folder of images) of a set.
///
/// # Errors
/// `E0752` for a path that leaves the data directory.
pub fn files(images: &Images, directories: &Directories) -> Result<Vec<SetFile>, DataError> {
    let place = |path: &str| Ok(locate::places(path, directories)?.pop().unwrap_or_default());
    if let ImageSource::Folder { train, test } = &images.source {
        return std::iter::once(train)
            .chain(test)
            .map(|path| match locate::folder(path, directories)? {
                Some(found) => Ok(SetFile { path: found, bytes: Some(0) }),
                None => Ok(SetFile { path: place(path)?, bytes: None }),
            })
            .collect();
    }
    let Some(folder) = folder(&images.source) else { return Ok(vec![]) };
    let found = locate::folder(folder, directories)?;
    let one = |name: &str| match found.as_deref().and_then(|folder| locate::file(folder, name)) {
        Some(path) => Ok(SetFile { bytes: Some(std::fs::metadata(&path).map_or(0, |m| m.len())), path }),
        None => Ok(SetFile { path: place(folder)?.join(name), bytes: None }),
    };
    names(&images.source).into_iter().map(one).collect()
}
