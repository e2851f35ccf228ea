//! The files of an image set, and whether they are on this machine.

use super::load::load;
use super::set::Store;
use super::{locate, look};
use crate::digest::{self, DataFile, of_file};
use crate::{DataError, Directories};
use gmpc_compiler::ir::experiment::{Batches, DataSpec, Idx, ImageSource, Images};
use std::path::{Path, PathBuf};

/// A file or folder of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFile {
    /// Its path, or the path at which it would be stored.
    pub path: PathBuf,
    /// Its size in bytes if it exists; 0 for a folder.
    pub bytes: Option<u64>,
}

/// Names of the files that a set needs; none for a folder or for rendered images.
#[must_use]
pub(crate) fn names(source: &ImageSource) -> Vec<&str> {
    let names: Vec<&String> = match source {
        ImageSource::Batches(Batches { train, test, .. }) => train.iter().chain(test).collect(),
        ImageSource::Idx(Idx { train, test, .. }) => train.iter().chain(test.iter().flatten()).collect(),
        ImageSource::Folder { .. } | ImageSource::Shapes { .. } => vec![],
    };
    names.into_iter().map(String::as_str).collect()
}

/// The folder with the files of a set.
pub(crate) fn folder(source: &ImageSource) -> Option<&str> {
    match source {
        ImageSource::Batches(batches) => Some(&batches.folder),
        ImageSource::Idx(idx) => Some(&idx.folder),
        ImageSource::Folder { .. } | ImageSource::Shapes { .. } => None,
    }
}

/// Every file (or folder of images) of a set.
///
/// # Errors
/// `E0752`: a path leaves the data directory.
pub fn files(images: &Images, directories: &Directories) -> Result<Vec<SetFile>, DataError> {
    let place = |path: &str| Ok(locate::places(path, directories)?.pop().unwrap_or_default());
    if let ImageSource::Folder { train, test, .. } = &images.source {
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

/// Every file of a set with its checksum.
///
/// # Errors
/// The errors of reading the set.
pub(crate) fn data_files(
    spec: &DataSpec,
    images: &Images,
    directories: &Directories,
) -> Result<Vec<DataFile>, DataError> {
    if let ImageSource::Folder { train, test, .. } = &images.source {
        let set = load(spec, images, directories)?;
        let Store::Files { paths, .. } = &*set.store else { return Ok(vec![]) };
        let looks = look::look(&set.store)?;
        let mut folders = Vec::new();
        for name in std::iter::once(train).chain(test) {
            folders.extend(locate::folder(name, directories)?.map(|folder| (name.as_str(), folder)));
        }
        let one = |(path, look): (&PathBuf, look::Look)| DataFile {
            name: called(path, &folders),
            bytes: look.bytes,
            sha256: digest::hexadecimal(&look.sha256),
        };
        return Ok(paths.iter().zip(looks).map(one).collect());
    }
    let found = files(images, directories)?.into_iter().filter(|file| file.bytes.is_some());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    found.map(|file| of_file(&file.path, name(&file.path))).collect()
}

/// The name of a file in terms of the declaration: the declared folder and the path below it.
fn called(path: &Path, folders: &[(&str, PathBuf)]) -> String {
    let below = folders.iter().find_map(|(name, folder)| Some((name, path.strip_prefix(folder).ok()?)));
    match below {
        Some((name, rest)) => format!("{}/{}", name.trim_end_matches('/'), rest.display()),
        None => path.display().to_string(),
    }
}
