//! IDX files of the MNIST family: bytes behind a header of big-endian sizes.
//!
//! Source: `http://yann.lecun.com/exdb/mnist/`, "file formats".

use super::batches::reserve;
use super::set::{ImageSet, Store};
use super::{locate, open};
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::Idx;
use std::path::Path;
use std::sync::Arc;

/// No file of this family is larger (EMNIST, unpacked, has 640 MB).
const MOST_BYTES: u64 = 4 << 30;

/// Reads images and labels of both parts.
///
/// # Errors
/// As [`super::load`].
pub(super) fn read(
    source: &Idx,
    shape: [usize; 3],
    set: &str,
    directories: &Directories,
) -> Result<ImageSet, DataError> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut trained = 0;
    for [images, classes] in std::iter::once(&source.train).chain(&source.test) {
        let images = locate::needed(&source.folder, images, set, directories)?;
        let classes = locate::needed(&source.folder, classes, set, directories)?;
        let (bytes, found) = pair(&images, &classes, shape)?;
        reserve(&mut pixels, bytes.len(), set)?;
        pixels.extend_from_slice(&bytes[16..]);
        labels.extend(found.iter().map(|&label| u32::from(label)));
        if trained == 0 {
            trained = labels.len();
        }
    }
    let count = labels.iter().max().map_or(0, |&highest| highest as usize + 1);
    let names = match source.names.len() {
        0 => (0..count).map(|class| class.to_string()).collect(),
        named if named < count => {
            let reason = format!("{named} classes are named, and the labels go up to {}", count - 1);
            return Err(DataError::data("E0758", set, reason).help("name every class in `names`"));
        }
        _ => source.names.clone(),
    };
    Ok(ImageSet { store: Arc::new(Store::Kept { shape, pixels }), labels, train: trained, names })
}

/// The bytes of a file of images, header and all, and as many labels.
pub(super) fn pair(images: &Path, classes: &Path, shape: [usize; 3]) -> Result<(Vec<u8>, Vec<u8>), DataError> {
    let pixels = open::read(images, MOST_BYTES)?;
    let count = header(images, &pixels, &[shape[0], shape[1]])?;
    let labels = open::read(classes, MOST_BYTES)?;
    let labelled = header(classes, &labels, &[])?;
    if count != labelled {
        let reason = format!("there are {labelled} labels, and {count} images in `{}`", images.display());
        return Err(DataError::data("E0753", classes.display().to_string(), reason).help("are these the right files?"));
    }
    Ok((pixels, labels[8..].to_vec()))
}

/// Checks a header of bytes with the axes `[count, axes…]`; returns the count.
fn header(path: &Path, bytes: &[u8], axes: &[usize]) -> Result<usize, DataError> {
    let fault = |reason: String, help: &str| DataError::data("E0753", path.display().to_string(), reason).help(help);
    let again = "it is damaged or no IDX file: copy or fetch it again";
    let word = |place: usize| -> Option<usize> {
        let word = bytes.get(4 * place..4 * place + 4)?;
        <[u8; 4]>::try_from(word).ok().map(|word| u32::from_be_bytes(word) as usize)
    };
    let (Some(magic), Some(count)) = (word(0), word(1)) else {
        return Err(fault("it is too short for an IDX file".to_string(), again));
    };
    let wanted = 0x0800 + axes.len() + 1; // 0x08: bytes
    if magic != wanted {
        return Err(fault(format!("it begins with {magic:#010x}, not {wanted:#010x}"), again));
    }
    let found: Option<Vec<usize>> = (0..axes.len()).map(|axis| word(2 + axis)).collect();
    let found = found.ok_or_else(|| fault("its header is cut off".to_string(), again))?;
    if found != axes {
        let help = "state it in the data set: `shape = [1, height, width]`";
        return Err(fault(format!("its images are {found:?}, not {axes:?}"), help));
    }
    let needed =
        axes.iter().try_fold(count, |n, &size| n.checked_mul(size)).and_then(|n| n.checked_add(8 + 4 * axes.len()));
    match needed == Some(bytes.len()) {
        true => Ok(count),
        false => Err(fault(
            format!("its header promises {count} examples, which its {} bytes do not hold", bytes.len()),
            again,
        )),
    }
}

#[cfg(test)]
mod tests;
