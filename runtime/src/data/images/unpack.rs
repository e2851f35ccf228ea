//! The official archive of a set, unpacked: the files the set is made of, and nothing else.
//!
//! Names and sizes in an archive are somebody else's claims. So only regular files whose own name is one of the set's are
//! taken, under that name, into the set's folder; links, folders and paths are not followed.

use super::files;
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::{ImageSource, Images};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Of one file; the largest batch of ImageNet32 has 400 MB.
const MOST_BYTES: u64 = 1 << 31;
/// Entries that are looked at.
const MOST_ENTRIES: usize = 10_000;

/// Unpacks the archive at `archive` unless every file is here already; returns the files written.
///
/// # Errors
/// `E0751` for the disk, `E0753` for an archive that is damaged, or that lacks a file of the set.
pub fn unpack(archive: &Path, images: &Images, directories: &Directories) -> Result<Vec<PathBuf>, DataError> {
    let Some(folder) = files::folder(&images.source) else { return Ok(vec![]) };
    if files::files(images, directories)?.iter().all(|file| file.bytes.is_some()) {
        return Ok(vec![]);
    }
    let folder = directories.below_data(folder)?;
    let needed: BTreeSet<&str> = files::names(&images.source).into_iter().collect();
    let mut wanted = needed.clone();
    if let ImageSource::Batches(batches) = &images.source {
        wanted.extend(batches.names.iter().map(String::as_str));
    }
    let input = BufReader::new(File::open(archive).map_err(|e| DataError::io(archive, "open it", &e))?);
    let mut reader = tar::Archive::new(flate2::bufread::MultiGzDecoder::new(input));
    let damaged = |error: std::io::Error| {
        DataError::data("E0753", archive.display().to_string(), format!("it is no sound tar.gz archive: {error}"))
            .help("delete it and fetch it again")
    };
    let mut written = Vec::new();
    let mut found = BTreeSet::new();
    for entry in reader.entries().map_err(damaged)?.take(MOST_ENTRIES) {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| wanted.get(name)).copied();
        let Some(name) = name.filter(|_| entry.header().entry_type().is_file()) else { continue };
        if entry.size() > MOST_BYTES || !found.insert(name) {
            let reason = format!("its `{name}` is there twice, or larger than {MOST_BYTES} bytes");
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

/// Under a name of its own until it is whole.
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
