//! A file's bytes, plain or compressed, never more than the format allows.

use crate::data::DataError;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The contents of a file whose name may end with `.gz` or `.xz`. `most` is the largest size that makes sense for what is
/// in it; one byte more is an error, however small the compressed file is.
///
/// # Errors
/// `E0751` where the system refuses, `E0753` for a damaged or overlong stream.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, DataError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let size = file.metadata().map_err(|e| DataError::io(path, "look at it", &e))?.len();
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let input = BufReader::with_capacity(1 << 16, file);
    let read = match ending.as_deref() {
        Some("gz") => bounded(flate2::bufread::MultiGzDecoder::new(input), most),
        Some("xz") => bounded(lzma_rust2::XzReader::new(input, true), most),
        _ if size > most => return Err(too_long(&name, most)),
        _ => bounded(input, most),
    };
    match read {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(too_long(&name, most)),
        Err(error) => Err(DataError::data("E0753", name, format!("cannot be decompressed or read: {error}"))
            .help("the file is damaged or cut off: copy or fetch it again")),
    }
}

/// Reads to the end; `None` where that is beyond `most`. Memory grows with what is really there.
fn bounded(input: impl Read, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    input.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn too_long(name: &str, most: u64) -> DataError {
    DataError::data("E0753", name, format!("it is larger than {most} bytes, which no file of this kind is"))
        .help("is it the right file?")
}
