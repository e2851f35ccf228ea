//! A file's bytes, plain or compressed, never more than the format allows.

use crate::data::DataError;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// `xz -9` takes 64 MiB.
const MOST_DICTIONARY: u64 = 256 << 20;

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
    let mut input = BufReader::with_capacity(1 << 16, file);
    if ending.as_deref() == Some("xz") && dictionary(input.fill_buf().unwrap_or_default()) > MOST_DICTIONARY {
        let reason = format!("it wants a dictionary of more than {MOST_DICTIONARY} bytes to be unpacked");
        return Err(DataError::data("E0753", name, reason).help("pack it again with `xz -9`"));
    }
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

/// The dictionary that the first block of an `.xz` file asks for, in bytes; 0 where the file is none, which its reader tells.
/// Source: "The .xz file format", sections 3.1 and 5.3.1. (Later blocks ask for no more in any file that `xz` writes; where
/// they do, untouched memory is asked for, of which no more is used than the bound on the contents.)
fn dictionary(bytes: &[u8]) -> u64 {
    let Some([_, flags, rest @ ..]) = bytes.get(12..) else { return 0 };
    // Sizes of the block, where they are stated, come before the filter; 0x21 is LZMA2, which has one byte of properties.
    let skipped = usize::from(flags >> 6 & 1) + usize::from(flags >> 7);
    let mut rest = rest;
    for _ in 0..skipped {
        let end = rest.iter().take(9).position(|byte| byte & 0x80 == 0).map_or(rest.len(), |last| last + 1);
        rest = &rest[end..];
    }
    match rest {
        [0x21, 1, bits, ..] if *bits < 40 => (2 | u64::from(bits & 1)) << (bits / 2 + 11),
        [0x21, 1, ..] => u64::from(u32::MAX),
        _ => 0,
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
