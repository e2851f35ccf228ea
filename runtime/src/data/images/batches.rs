//! Files of many images of one size: pickled as by Python, binary as CIFAR's, or NPZ.
//!
//! Source: `https://www.cs.toronto.edu/~kriz/cifar.html` (layouts of both versions). ImageNet32's batches have the pickled
//! layout with labels from 1.

use super::set::{ImageSet, Store};
use super::{locate, npz, open, pickle};
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::Batches;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images of one file, as it has them.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    /// `[images, channels, height, width]`: planes, as all these files have them.
    pub(super) planes: Vec<u8>,
    /// One an image, as the file counts.
    pub(super) labels: Vec<i64>,
}

/// No official file has more images than ImageNet32's in one piece, with room to spare.
const MOST_IMAGES: u64 = 2_000_000;
/// What a pickle may have besides pixels: file names, the mean image.
const BESIDES: u64 = 256 << 20;

/// Reads all files of a set; the files at once, as many as there are processors.
///
/// # Errors
/// As [`super::load`].
pub(super) fn read(
    source: &Batches,
    shape: [usize; 3],
    classes: Option<usize>,
    set: &str,
    directories: &Directories,
) -> Result<ImageSet, DataError> {
    let locate = |names: &[String]| -> Result<Vec<PathBuf>, DataError> {
        names.iter().map(|name| locate::needed(&source.folder, name, set, directories)).collect()
    };
    let (train, test) = (locate(&source.train)?, locate(&source.test)?);
    let files: Vec<&PathBuf> = train.iter().chain(&test).collect();
    let batches = files.par_iter().map(|path| one(path, source, shape)).collect::<Result<Vec<_>, _>>()?;
    let first = i64::from(source.first_label);
    let highest = batches.iter().flat_map(|batch| &batch.labels).max().copied().unwrap_or(first);
    let count = classes.unwrap_or_else(|| usize::try_from(highest - first + 1).unwrap_or(0).max(1));
    let names = names(source, count, directories)?;
    let (mut pixels, mut labels, mut trained) = (Vec::new(), Vec::new(), 0);
    let total: usize = batches.iter().map(|batch| batch.planes.len()).sum();
    reserve(&mut pixels, total, set)?;
    for (index, (batch, path)) in batches.into_iter().zip(files).enumerate() {
        interleave(&batch.planes, shape, &mut pixels);
        for (image, &label) in batch.labels.iter().enumerate() {
            labels.push(class(label, first, count).ok_or_else(|| out_of_range(path, image, label, first, count))?);
        }
        if index < train.len() {
            trained = labels.len();
        }
    }
    Ok(ImageSet { store: Arc::new(Store::Kept { shape, pixels }), labels, train: trained, names })
}

/// Are all labels of a file classes of the set?
///
/// # Errors
/// `E0757` for the first that is none.
pub(super) fn labels_fit(
    batch: &Batch,
    path: &Path,
    source: &Batches,
    classes: Option<usize>,
) -> Result<(), DataError> {
    let (first, count) = (i64::from(source.first_label), classes.unwrap_or(u32::MAX as usize));
    let strange = batch.labels.iter().position(|&label| class(label, first, count).is_none());
    strange.map_or(Ok(()), |image| Err(out_of_range(path, image, batch.labels[image], first, count)))
}

fn class(label: i64, first: i64, count: usize) -> Option<u32> {
    let class = label.checked_sub(first).and_then(|class| u32::try_from(class).ok())?;
    ((class as usize) < count).then_some(class)
}

fn out_of_range(path: &Path, image: usize, label: i64, first: i64, count: usize) -> DataError {
    let last = first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)) - 1;
    let reason = format!("image {image} has the label {label}; labels are {first} to {last}");
    DataError::data("E0757", path.display().to_string(), reason).help("is `classes` right, and `first_label`?")
}

/// Asks for memory without ending the process where there is none.
pub(super) fn reserve(pixels: &mut Vec<u8>, bytes: usize, set: &str) -> Result<(), DataError> {
    pixels.try_reserve_exact(bytes).map_err(|_| {
        DataError::data("E0753", set, format!("there is not enough memory for {bytes} bytes of pixels"))
            .help("`sample` a part of the set does not help here; use a smaller set")
    })
}

/// Reads one file; which of the layouts it has, its first bytes tell.
pub(super) fn one(path: &Path, source: &Batches, shape: [usize; 3]) -> Result<Batch, DataError> {
    let image = (shape[0] * shape[1] * shape[2]) as u64;
    let bytes = open::read(path, MOST_IMAGES.saturating_mul(image + 16).saturating_add(BESIDES))?;
    let file = path.display().to_string();
    let batch = match bytes.as_slice() {
        [b'P', b'K', 3, 4, ..] => npz::batch(bytes, image, source, &file)?,
        [0x80 | b'(', ..] => pickled(&bytes, image, source, &file)?,
        _ => binary(&bytes, image, source, &file)?,
    };
    if batch.labels.is_empty() {
        return Err(DataError::data("E0753", file, "there is no image in it").help("is it the right file?"));
    }
    Ok(batch)
}

/// `{"data": uint8 [images, pixels], "labels": [...]}`
fn pickled(bytes: &[u8], image: u64, source: &Batches, file: &str) -> Result<Batch, DataError> {
    let fault = |reason: String| {
        DataError::data("E0764", file, reason).help("it is damaged or no batch of images: copy or fetch it again")
    };
    let loaded = pickle::read(bytes).map_err(&fault)?;
    let (shape, planes) = loaded.bytes_array("data").map_err(&fault)?;
    let labels = loaded.integers(&source.labels).map_err(&fault)?;
    let pixels = planes.len() as u64;
    if pixels != (labels.len() as u64).saturating_mul(image) || shape.first() != Some(&labels.len()) {
        return Err(fault(format!(
            "`data` has the shape {shape:?} and there are {} labels of {image} pixels",
            labels.len()
        )));
    }
    Ok(Batch { planes: planes.to_vec(), labels })
}

/// Records of label bytes and pixels.
fn binary(bytes: &[u8], image: u64, source: &Batches, file: &str) -> Result<Batch, DataError> {
    let (label, image) = (source.label_bytes, usize::try_from(image).unwrap_or(usize::MAX));
    let record = label.saturating_add(image);
    if !bytes.len().is_multiple_of(record) {
        let reason = format!("{} bytes are no whole number of records of {record} bytes", bytes.len());
        return Err(DataError::data("E0753", file, reason).help("it is cut off, or no batch of images of this size"));
    }
    let mut batch = Batch { planes: Vec::new(), labels: Vec::with_capacity(bytes.len() / record) };
    batch.planes.reserve_exact(bytes.len() / record * image);
    for record in bytes.chunks_exact(record) {
        let (labels, pixels) = record.split_at(label);
        batch.labels.push(labels.last().copied().map_or(0, i64::from));
        batch.planes.extend_from_slice(pixels);
    }
    Ok(batch)
}

/// From planes to pixels: `[channels, height, width]` to `[height, width, channels]`, image after image.
fn interleave(planes: &[u8], [height, width, channels]: [usize; 3], pixels: &mut Vec<u8>) {
    let plane = height * width;
    if channels == 1 {
        pixels.extend_from_slice(planes);
        return;
    }
    for image in planes.chunks_exact(plane * channels) {
        if let (3, [red, green, blue]) = (channels, [0, 1, 2].map(|c| &image[c * plane..][..plane])) {
            pixels.extend(red.iter().zip(green).zip(blue).flat_map(|((&r, &g), &b)| [r, g, b]));
        }
    }
}

/// Names of the classes: of the first file that has them; else their numbers as the files count.
fn names(source: &Batches, count: usize, directories: &Directories) -> Result<Vec<String>, DataError> {
    let folder = locate::folder(&source.folder, directories)?;
    for name in &source.names {
        let Some(path) = folder.as_deref().and_then(|folder| locate::file(folder, name)) else { continue };
        let bytes = open::read(&path, 1 << 20)?;
        let found = match bytes.first() {
            Some(0x80 | b'(') => pickle::read(&bytes)
                .and_then(|loaded| loaded.texts("label_names").or_else(|_| loaded.texts("fine_label_names"))),
            _ => lines(&bytes),
        };
        let found = found.map_err(|reason| DataError::data("E0764", path.display().to_string(), reason))?;
        if found.len() == count {
            return Ok(found);
        }
        let reason = format!("it names {} classes, and there are {count}", found.len());
        return Err(DataError::data("E0758", path.display().to_string(), reason).help("is `classes` right?"));
    }
    Ok((0..count).map(|class| (class as u64 + u64::from(source.first_label)).to_string()).collect())
}

/// One name a line.
fn lines(bytes: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_string())?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect())
}

#[cfg(test)]
mod tests;
