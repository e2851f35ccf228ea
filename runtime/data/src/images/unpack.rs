//! Unpacks the official archive of a set: only the files that the set needs.
//!
//! Names and sizes in an archive cannot be trusted. So only regular files with the name of a file of the set are
//! unpacked, under this name, into the set's folder. Links, folders and paths are ignored.

use super::files;
use crate::{DataError, Directories};
use gmpc_compiler::ir::experiment::{ImageSource, Images};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Largest size of a file in bytes. The largest batch of ImageNet32 has 400 MB.
const MOST_BYTES: u64 = 1 << 31;
/// Largest number of entries.
const MOST_ENTRIES: usize = 10_000;

/// Unpacks the archive at `archive`, unless every file exists already. Returns the files that were written.
///
/// # Errors
/// `E0751`: the disk failed. `E0753`: the archive is damaged or lacks a file of the set.
pub fn unpack(archive: &Path, images: &Images, directories: &Directories) -> Result<Vec<PathBuf>, DataError> {
    let Some(folder) = files::folder(&images.source) else { return Ok(vec![]) };
    if files::files(images, directories)?.iter().all(|file| file.bytes.is_some()) {
        return Ok(vec![]);
    }
    let folder = directories.below_data(folder)?;
    let needed: BTreeSet<&str> = files::names(&images.source).into_iter().collect();
    // The file with the class names may be missing, the others may not.
    let mut wanted = needed.clone();
    if let ImageSource::Batches(batches) = &images.source {
        wanted.extend(batches.names.iter().map(String::as_str));
    }
    let input = BufReader::new(File::open(archive).map_err(|e| DataError::io(archive, "open it", &e))?);
    let mut reader = tar::Archive::new(flate2::bufread::MultiGzDecoder::new(input));
    let damaged = |error: std::io::Error| {
        DataError::data("E0753", archive.display().to_string(), format!("it is not a valid tar.gz archive: {error}"))
            .help("delete it and download it again")
    };
    let mut written = Vec::new();
    let mut found = BTreeSet::new();
    for entry in reader.entries().map_err(damaged)?.take(MOST_ENTRIES) {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        // Only the last part of the path counts, so no entry can lead out of the folder.
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| wanted.get(name)).copied();
        let Some(name) = name.filter(|_| entry.header().entry_type().is_file()) else { continue };
        if entry.size() > MOST_BYTES || !found.insert(name) {
            let reason = format!("its `{name}` appears twice, or is larger than {MOST_BYTES} bytes");
            return Err(
                DataError::data("E0753", archive.display().to_string(), reason).help("is it the official archive?")
            );
        }
        written.push(write(&mut entry, &folder, name, archive)?);
    }
    match needed.difference(&found).next() {
        None => Ok(written),
        Some(name) => {
            Err(DataError::data("E0753", archive.display().to_string(), format!("there is no `{name}` in it"))
                .help("is it the official archive?"))
        }
    }
}

/// Writes to a temporary name until the file is complete.
fn write(entry: &mut impl Read, folder: &Path, name: &str, archive: &Path) -> Result<PathBuf, DataError> {
    let target = folder.join(name);
    let io = |doing: &str, e: std::io::Error| DataError::io(&target, doing, &e);
    std::fs::create_dir_all(folder).map_err(|e| io("make its folder", e))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| io("write it", e))?;
    std::io::copy(&mut entry.take(MOST_BYTES), &mut file).map_err(|e| DataError::io(archive, "unpack it", &e))?;
    file.as_file().sync_all().map_err(|e| io("write it", e))?;
    file.persist(&target).map_err(|e| io("write it", e.error))?;
    Ok(target)
}

#[cfg(test)]
mod tests;
