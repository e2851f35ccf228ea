//! Reads the bytes of a plain or compressed file, up to the size that the format allows.

use crate::DataError;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Largest dictionary of an xz file in bytes. `xz -9` needs 64 MiB.
const MOST_DICTIONARY: u64 = 256 << 20;

/// The contents of a file whose name may end with `.gz` or `.xz`. `most` is the largest plausible size of the contents.
/// One byte more is an error, however small the compressed file is.
///
/// # Errors
/// `E0751`: the system refuses to read it. `E0753`: the stream is damaged or too long.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, DataError> {
    read_with(path, most, |_| Ok(None))
}

/// Limits for unpacking: every file may be unpacked to the first number of bytes, and a large one to the second number
/// for each of its bytes. Images do not compress better than this; a file that was made to fill the memory does.
const UNPACKED: u64 = 64 << 20;
const FOR_EACH_BYTE: u64 = 64;
/// Number of bytes at the beginning of a file that contain its length.
const HEADER: u64 = 16;

/// As [`read`], for files whose first bytes contain their length: `promise` returns it before the rest is read.
///
/// # Errors
/// The errors of [`read`] and of `promise`.
pub(super) fn read_with(
    path: &Path,
    most: u64,
    promise: impl Fn(&[u8]) -> Result<Option<u64>, DataError>,
) -> Result<Vec<u8>, DataError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| DataError::io(path, "open it", &e))?;
    let size = file.metadata().map_err(|e| DataError::io(path, "look at it", &e))?.len();
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let mut input = BufReader::with_capacity(1 << 16, file);
    if ending.as_deref() == Some("xz") && dictionary(input.fill_buf().unwrap_or_default()) > MOST_DICTIONARY {
        let reason = format!("it needs a dictionary of more than {MOST_DICTIONARY} bytes to be unpacked");
        return Err(DataError::data("E0753", name, reason).help("compress it again with `xz -9`"));
    }
    let packed = matches!(ending.as_deref(), Some("gz" | "xz"));
    let mut input: Box<dyn Read> = match ending.as_deref() {
        Some("gz") => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Some("xz") => Box::new(lzma_rust2::XzReader::new(input, true)),
        _ if size > most => return Err(too_long(&name, most)),
        _ => Box::new(input),
    };
    // Reading 16 bytes of a packed file unpacks hardly more, so the header can be checked before memory is allocated.
    let mut start = Vec::new();
    let begun = (&mut input).take(HEADER).read_to_end(&mut start);
    let promised = if begun.is_ok() { promise(&start)? } else { None };
    let bound = match promised {
        Some(promised) => promised.min(most),
        None if packed => most.min(size.saturating_mul(FOR_EACH_BYTE).max(UNPACKED)),
        None => most,
    };
    let read = begun.and_then(|_| bounded(start, input, bound));
    match read {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) if promised.is_some() => {
            let reason = format!("it continues after the {bound} bytes that its header announces");
            Err(DataError::data("E0753", name, reason)
                .help("it is damaged or not a file of this kind: copy or download it again"))
        }
        Ok(None) if packed && bound < most => {
            let reason = format!("its {size} bytes unpack to more than {bound}, which images never do");
            Err(DataError::data("E0753", name, reason).help("is it the right file? If so, unpack it yourself"))
        }
        Ok(None) => Err(too_long(&name, most)),
        Err(error) => Err(DataError::data("E0753", name, format!("cannot be decompressed or read: {error}"))
            .help("the file is damaged or cut off: copy or download it again")),
    }
}

/// The size of the dictionary in bytes that the first block of an `.xz` file asks for; 0 if the file is not of this
/// kind, which its reader then reports. Source: "The .xz file format", sections 3.1 and 5.3.1. (In files that `xz`
/// writes, later blocks ask for no more. Elsewhere they reserve more memory, but use no more of it than the limit on
/// the contents.)
fn dictionary(bytes: &[u8]) -> u64 {
    let Some([_, flags, rest @ ..]) = bytes.get(12..) else { return 0 };
    // The sizes of the block, if they are present, come before the filter. 0x21 is LZMA2, which has one byte of
    // properties.
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

/// Reads to the end. `None` if there are more than `most` bytes. Memory grows only with bytes that exist.
fn bounded(mut bytes: Vec<u8>, input: impl Read, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    input.take(most.saturating_add(1).saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn too_long(name: &str, most: u64) -> DataError {
    DataError::data("E0753", name, format!("it is larger than {most} bytes, which no file of this kind is"))
        .help("is it the right file?")
}
