//! Checksums of the files of a run that grow: `metrics.jsonl` and the records.
//!
//! A checkpoint contains the checksums of these files at the time when it was written. So a later reader can detect
//! whether a file was edited, damaged or cut. Records have checksums after the run has ended; until then, only missing
//! records are detected, by their number.

use crate::failure::Failure;
use crate::run::records::{FOLDER, STATES};
use gmpc_data::digest::{DataFile, hexadecimal, sha256};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Result, Write, copy, sink};
use std::path::Path;

/// The name of the file with one line for each epoch.
pub const LINES: &str = "metrics.jsonl";

/// A writer that computes the checksum of everything it writes.
#[derive(Debug)]
pub struct Summed<W> {
    /// The writer behind it.
    pub inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Summed<W> {
    /// For a file that already contains `begun`.
    pub fn new(inner: W, begun: &[u8]) -> Self {
        Summed { inner, hash: Sha256::new_with_prefix(begun), bytes: begun.len() as u64 }
    }

    /// Size and checksum of everything written so far, for a file called `name`.
    pub fn sum(&self, name: &str) -> DataFile {
        DataFile { name: name.into(), bytes: self.bytes, sha256: hexadecimal(&self.hash.clone().finalize()) }
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        self.inner.flush()
    }
}

/// The checksums of a run's records, sorted by name.
///
/// # Errors
/// [`Failure::Io`]: a file cannot be read.
pub fn of_records(run: &Path) -> std::result::Result<Vec<DataFile>, Failure> {
    let folder = run.join(FOLDER);
    let mut names = vec![];
    if folder.is_dir() {
        let entries = std::fs::read_dir(&folder).map_err(|error| Failure::io("read", &folder, &error))?;
        let files =
            entries.filter_map(std::result::Result::ok).filter_map(|entry| entry.file_name().into_string().ok());
        names.extend(files.filter(|name| name.ends_with(".npy")).map(|name| format!("{FOLDER}/{name}")));
    }
    if run.join(STATES).is_file() {
        names.push(STATES.into());
    }
    names.sort();
    let sum = |name: &String| {
        let path = run.join(name);
        first_of(&path, u64::MAX, name).map_err(|error| Failure::io("read", &path, &error))
    };
    names.iter().map(sum).collect()
}

/// The names of the files that no longer begin with the bytes of their checksum. A file that has only grown is
/// unchanged.
#[must_use]
pub fn changed(run: &Path, files: &[DataFile]) -> Vec<String> {
    files.iter().filter(|file| !is_whole(run, file)).map(|file| file.name.clone()).collect()
}

fn is_whole(run: &Path, file: &DataFile) -> bool {
    first_of(&run.join(&file.name), file.bytes, &file.name).is_ok_and(|found| found == *file)
}

/// The checksum of the first `bytes` bytes of a file, or of the whole file if it is shorter.
fn first_of(path: &Path, bytes: u64, name: &str) -> Result<DataFile> {
    let mut sum = Summed::new(sink(), b"");
    copy(&mut File::open(path)?.take(bytes), &mut sum)?;
    Ok(sum.sum(name))
}

/// True if the bytes have the size and the checksum of `file`.
#[must_use]
pub fn is_of(bytes: &[u8], file: &DataFile) -> bool {
    bytes.len() as u64 == file.bytes && sha256(bytes) == file.sha256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_digit_a_cut_and_a_missing_file_are_noticed_and_growth_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(LINES);
        let mut lines = Summed::new(Vec::new(), b"begun ");
        lines.write_all(b"0.25").unwrap();
        let sums = [lines.sum(LINES)];
        assert_eq!(sums[0].sha256, sha256(b"begun 0.25"));
        let found = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            changed(place.path(), &sums).len()
        };
        assert_eq!([&b"begun 0.25"[..], b"begun 0.25 and more", b"begun 0.35", b"begun 0.2"].map(found), [0, 0, 1, 1]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(changed(place.path(), &sums), [LINES]);
    }
}
