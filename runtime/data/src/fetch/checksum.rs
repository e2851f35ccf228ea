//! SHA-256 of files, and whether it is the declared one.

use crate::{DataError, Directories};
use gmpc_compiler::ir::experiment::DataSpec;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The result for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The checksum is the declared one.
    Good,
    /// The checksum is another one.
    Wrong {
        /// The declared checksum.
        declared: String,
        /// The checksum of the file.
        found: String,
    },
    /// No checksum is declared. This is the file's.
    Undeclared(String),
    /// There is no file.
    Missing,
}

/// A file of a data set, and the result for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its path, or the path at which it would be stored.
    pub path: PathBuf,
    /// The result.
    pub verdict: Verdict,
}

/// Compares the files of a data set with their declared checksums.
///
/// # Errors
/// `E0751`: a file cannot be read. `E0752`: a path leaves the data directory.
pub fn verify(spec: &DataSpec, directories: &Directories) -> Result<Vec<Verified>, DataError> {
    let look = |file| {
        let places = directories.places(file)?;
        let found = places.iter().find(|path| path.is_file());
        let Some(path) = found.or(places.last()).cloned() else {
            return Err(DataError::data("E0750", &file.path, "there is no place to look for it"));
        };
        let verdict = match (found, &file.sha256) {
            (None, _) => Verdict::Missing,
            (Some(path), None) => Verdict::Undeclared(of_file(path)?.0),
            (Some(path), Some(declared)) => compare(declared, of_file(path)?.0),
        };
        Ok(Verified { path, verdict })
    };
    super::files(spec).into_iter().map(look).collect()
}

fn compare(declared: &str, found: String) -> Verdict {
    if declared.eq_ignore_ascii_case(&found) {
        return Verdict::Good;
    }
    Verdict::Wrong { declared: declared.to_string(), found }
}

/// Checksum (64 hexadecimal digits) and size of a file, which is read in pieces.
pub(super) fn of_file(path: &Path) -> Result<(String, u64), DataError> {
    let mut file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let mut hash = Sha256::new();
    let bytes = absorb(&mut file, &mut hash).map_err(|e| DataError::io(path, "read it", &e))?;
    Ok((digits(hash), bytes))
}

/// Adds the rest of a file to a checksum, and returns its size in bytes.
pub(super) fn absorb(file: &mut File, hash: &mut Sha256) -> std::io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// The digits as `sha256sum` prints them.
pub(super) fn digits(hash: Sha256) -> String {
    use std::fmt::Write;
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a string cannot fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_sha256sum_prints() {
        // FIPS 180-2, appendix B.1.
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_file(file.path()).unwrap(), (expected.to_string(), 3));
        assert_eq!(compare(&expected.to_uppercase(), expected.to_string()), Verdict::Good);
    }
}
