//! IDX files of the MNIST family: bytes after a header of big-endian sizes.
//!
//! Source: `http://yann.lecun.com/exdb/mnist/`, "file formats".

use super::batch::reserve;
use super::set::{ImageSet, Store};
use super::{locate, open};
use crate::{DataError, Directories, kind};
use gmpc_compiler::ir::experiment::Idx;
use std::path::Path;
use std::sync::Arc;

/// Largest size of a file in bytes. EMNIST, the largest of this family, has 640 MB unpacked.
const MOST_BYTES: u64 = 4 << 30;

/// Reads images and labels of both parts.
///
/// # Errors
/// The errors of [`super::load`].
pub(super) fn read(
    source: &Idx,
    shape: [usize; 3],
    declared: Option<usize>,
    set: &str,
    directories: &Directories,
) -> Result<ImageSet, DataError> {
    one_channel(shape, set)?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut trained = 0;
    for [images, classes] in std::iter::once(&source.train).chain(&source.test) {
        let images = locate::needed(&source.folder, images, set, directories)?;
        let classes = locate::needed(&source.folder, classes, set, directories)?;
        let (mut bytes, found) = pair(&images, &classes, kept(source, shape))?;
        if source.transpose {
            transpose(&mut bytes[16..], shape);
        }
        reserve(&mut pixels, bytes.len(), set)?;
        pixels.extend_from_slice(&bytes[16..]);
        labels.extend(found.iter().map(|&label| u32::from(label)));
        if trained == 0 {
            trained = labels.len();
        }
    }
    // A part of a set may lack the last classes, so the declared number of classes is used, unless a label exceeds it.
    let highest = labels.iter().max().map_or(0, |&highest| highest as usize + 1);
    let count = declared.filter(|&declared| (highest..=256).contains(&declared)).unwrap_or(highest);
    let names = match source.names.len() {
        0 => (0..count).map(|class| class.to_string()).collect(),
        named if named < count => {
            let reason = format!("{named} classes are named, and the labels go up to {}", count - 1);
            return Err(DataError::data("E0758", set, reason).help("name every class in `names`"));
        }
        _ => source.names.clone(),
    };
    Ok(ImageSet {
        store: Arc::new(Store::Kept { shape, pixels: Arc::new(pixels) }),
        labels,
        train: trained,
        names,
        notes: vec![],
    })
}

/// The shape of images in the files.
pub(super) fn kept(source: &Idx, [height, width, channels]: [usize; 3]) -> [usize; 3] {
    if source.transpose { [width, height, channels] } else { [height, width, channels] }
}

/// Transposes images from column-major to row-major order. `shape` is that of the result.
fn transpose(pixels: &mut [u8], [height, width, _]: [usize; 3]) {
    let mut upright = vec![0; height * width];
    for image in pixels.chunks_exact_mut((height * width).max(1)) {
        for (place, to) in upright.iter_mut().enumerate() {
            *to = image[place % width * height + place / width];
        }
        image.copy_from_slice(&upright);
    }
}

/// # Errors
/// `E0753`: the files have one channel, so another number of channels cannot be read.
pub(super) fn one_channel(shape: [usize; 3], set: &str) -> Result<(), DataError> {
    match shape {
        [_, _, 1] => Ok(()),
        [height, width, channels] => {
            let reason = format!("the files of `idx` have one channel, and `shape` says {channels}");
            Err(DataError::data("E0753", set, reason).help(format!("write `shape = [1, {height}, {width}]`")))
        }
    }
}

/// The bytes of an image file with its header, and the labels of its images.
pub(super) fn pair(images: &Path, classes: &Path, shape: [usize; 3]) -> Result<(Vec<u8>, Vec<u8>), DataError> {
    let (pixels, count) = file(images, &[shape[0], shape[1]])?;
    let (labels, labelled) = file(classes, &[])?;
    if count != labelled {
        let reason = format!("there are {labelled} labels, and {count} images in `{}`", images.display());
        return Err(DataError::data("E0753", classes.display().to_string(), reason).help("are these the right files?"));
    }
    if count == 0 {
        return Err(DataError::data("E0753", images.display().to_string(), "there is no image in it")
            .help("is it the right file?"));
    }
    Ok((pixels, labels[8..].to_vec()))
}

const AGAIN: &str = "it is damaged or not an IDX file: copy or download it again";

/// A file of bytes with the axes `[count, axes…]`: all of its bytes, and the count. It never reads more bytes than the
/// header announces, however long a packed file is.
fn file(path: &Path, axes: &[usize]) -> Result<(Vec<u8>, usize), DataError> {
    let bytes = open::read_with(path, MOST_BYTES, |start| header(path, start, axes).map(|(_, needed)| Some(needed)))?;
    let (count, needed) = header(path, &bytes, axes)?;
    match needed == bytes.len() as u64 {
        true => Ok((bytes, count)),
        false => {
            let reason =
                format!("its header announces {count} examples, which do not fit into its {} bytes", bytes.len());
            Err(DataError::data("E0753", path.display().to_string(), reason).help(AGAIN))
        }
    }
}

/// Checks the header of a file with the axes `[count, axes…]`. Returns the count and the required length of the file.
fn header(path: &Path, bytes: &[u8], axes: &[usize]) -> Result<(usize, u64), DataError> {
    let fault = |reason: String, help: &str| DataError::data("E0753", path.display().to_string(), reason).help(help);
    let word = |place: usize| -> Option<usize> {
        let word = bytes.get(4 * place..4 * place + 4)?;
        <[u8; 4]>::try_from(word).ok().map(|word| u32::from_be_bytes(word) as usize)
    };
    if let Some((kind, help)) = stranger(bytes) {
        return Err(fault(format!("it is not an IDX file but {kind}"), help));
    }
    let (Some(magic), Some(count)) = (word(0), word(1)) else {
        return Err(fault("it is too short for an IDX file".to_string(), AGAIN));
    };
    let wanted = 0x0800 + axes.len() + 1; // 0x08: bytes
    if magic != wanted {
        let what = format!("it begins with {magic:#010x}, not {wanted:#010x}");
        // 1 axis of bytes, or 3: an IDX file all the same.
        let swapped = [0x801, 0x803].contains(&magic);
        let help = if swapped { "images and labels are swapped: write `[\"images\", \"labels\"]`" } else { AGAIN };
        return Err(fault(what, help));
    }
    let found: Option<Vec<usize>> = (0..axes.len()).map(|axis| word(2 + axis)).collect();
    let found = found.ok_or_else(|| fault("its header is cut off".to_string(), AGAIN))?;
    if found != axes {
        let help = format!("declare it in the data set: `shape = [1, {}]`", join(&found));
        return Err(fault(format!("its images are {found:?}, not {axes:?}"), &help));
    }
    let needed =
        axes.iter().try_fold(count, |n, &size| n.checked_mul(size)).and_then(|n| n.checked_add(8 + 4 * axes.len()));
    let needed = needed.and_then(|needed| u64::try_from(needed).ok()).filter(|&needed| needed <= MOST_BYTES);
    needed.map(|needed| (count, needed)).ok_or_else(|| {
        fault(format!("its header announces {count} examples, more than any file of this family has"), AGAIN)
    })
}

fn join(sizes: &[usize]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Describes a file that is not of this family, if its first bytes tell what it is, and gives a next step.
pub(super) fn stranger(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let lower: Vec<u8> = bytes.iter().take(HEADER_SHOWN).map(u8::to_ascii_lowercase).collect();
    match lower.as_slice() {
        [0x1F, 0x8B, 8, ..] => Some(("packed by gzip", "rename it to end in `.gz`")),
        [0xFD, b'7', b'z', b'x', b'z', ..] => Some(("packed by xz", "rename it to end in `.xz`")),
        text if text.starts_with(b"version https:") => {
            Some(("a pointer of Git LFS", "get the file with `git lfs pull`"))
        }
        text if text.starts_with(b"<!doctype") || text.starts_with(b"<html") => {
            Some(("a web page", "the download failed: download the file again"))
        }
        // The first bytes of valid files are sizes or labels, so only beginnings that they cannot have are recognized.
        [0, 0, 8, ..] => None,
        _ => kind::of(bytes.get(..HEADER_READ).unwrap_or(bytes))
            .filter(|(what, _)| !what.contains("binary file") && !what.contains("UTF")),
    }
}

/// Number of bytes that are examined to recognize another kind of file.
const HEADER_READ: usize = 2048;
/// Number of bytes that are enough for most kinds.
const HEADER_SHOWN: usize = 16;

#[cfg(test)]
mod tests;
