//! SHA-256 digests as text. They identify data, sources and checkpoints.

use super::DataError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Bytes in one read.
const CHUNK: usize = 1 << 16;

/// A file of a data set, or a folder if there are very many files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name in the declaration, with the path below a folder: `photos/cat/7.jpg`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its contents.
    pub sha256: String,
}

/// The SHA-256 of some bytes as 64 hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal digits, two for each byte.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest of a file, which is read in pieces.
///
/// # Errors
/// `E0751`: the file cannot be read.
pub(crate) fn of_file(path: &Path, name: String) -> Result<DataFile, DataError> {
    use std::io::Read;
    let failed = |error: &std::io::Error| DataError::io(path, "read it", error);
    let mut file = std::fs::File::open(path).map_err(|e| failed(&e))?;
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk).map_err(|e| failed(&e))? {
            0 => return Ok(DataFile { name, bytes, sha256: hexadecimal(&hash.finalize()) }),
            count => {
                hash.update(chunk.get(..count).unwrap_or_default());
                bytes += count as u64;
            }
        }
    }
}
