//! Files with many images of one size: Python pickles, CIFAR's binary files, or NPZ.
//!
//! Source: `https://www.cs.toronto.edu/~kriz/cifar.html` (layouts of both versions). ImageNet32's batches have the
//! pickled layout with labels from 1.

use super::batch::{Batch, layout, reserve};
use super::set::{ImageSet, Store};
use super::{locate, npz, open, pickle};
use crate::{DataError, Directories};
use gmpc_compiler::ir::experiment::Batches;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest number of images in a file: more than all of ImageNet32.
const MOST_IMAGES: u64 = 2_000_000;
/// Largest size of a pickle without its pixels, for file names and the mean image.
const BESIDES: u64 = 256 << 20;

/// Reads all files of a set, in parallel.
///
/// # Errors
/// The errors of [`super::load`].
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
    // Without a declared number of classes, the highest label gives it. A damaged label could claim billions of
    // classes, so the number is limited before names are made for them.
    let first = i64::from(source.first_label);
    let highest = batches.iter().flat_map(|batch| &batch.labels).max().copied().unwrap_or(first);
    let images: usize = batches.iter().map(|batch| batch.labels.len()).sum();
    let count = classes.map_or_else(|| classes_up_to(highest, first), Some);
    let count = count.filter(|&count| count <= MOST_CLASSES.max(images)).ok_or_else(|| {
        let (code, reason) = match classes {
            Some(classes) => ("E0758", format!("{classes} classes are declared, and there are {images} images")),
            None => ("E0757", label_beyond(&batches, &files, highest, images)),
        };
        DataError::data(code, set, reason).help("are the labels classes? State how many there are: `classes = 10`")
    })?;
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
    Ok(ImageSet {
        store: Arc::new(Store::Kept { shape, pixels: Arc::new(pixels) }),
        labels,
        train: trained,
        names,
        notes: vec![],
    })
}

/// Largest number of classes, unless there are as many images.
const MOST_CLASSES: usize = 1 << 16;

/// Number of classes if `highest` is the label of the last class.
fn classes_up_to(highest: i64, first: i64) -> Option<usize> {
    let count = highest.checked_sub(first)?.checked_add(1)?;
    usize::try_from(count.max(1)).ok()
}

/// A sentence about the image with the label that is far beyond the number of images.
fn label_beyond(batches: &[Batch], files: &[&PathBuf], highest: i64, images: usize) -> String {
    let place = batches.iter().zip(files).find_map(|(batch, path)| {
        let image = batch.labels.iter().position(|&label| label == highest)?;
        Some(format!("image {image} of `{}`", path.display()))
    });
    format!("{} has the label {highest}, and there are {images} images", place.unwrap_or_default())
}

/// Checks that all labels of a file are classes of the set.
///
/// # Errors
/// `E0757` for the first label that is not.
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
    let (range, help) = match label < first {
        true => (
            format!("begin at {first}"),
            "is `first_label` right? labels below 0 are not allowed: number the classes from 0",
        ),
        false => (format!("are {first} to {last}"), "is `classes` right, and `first_label`?"),
    };
    let reason = format!("image {image} has the label {label}; labels {range}");
    DataError::data("E0757", path.display().to_string(), reason).help(help)
}

/// Reads one file. Its first bytes tell which layout it has.
pub(super) fn one(path: &Path, source: &Batches, shape: [usize; 3]) -> Result<Batch, DataError> {
    let image = (shape[0] * shape[1] * shape[2]) as u64;
    let bytes = open::read(path, MOST_IMAGES.saturating_mul(image + 16).saturating_add(BESIDES))?;
    let file = path.display().to_string();
    let batch = match bytes.as_slice() {
        [b'P', b'K', 3, 4, ..] => npz::batch(bytes, shape, source, &file)?,
        [0x80 | b'(', ..] => pickled(&bytes, shape, source, &file)?,
        _ => binary(&bytes, image, source, &file)?,
    };
    if batch.labels.is_empty() {
        return Err(DataError::data("E0753", file, "there is no image in it").help("is it the right file?"));
    }
    Ok(batch)
}

/// Reads a pickle: `{"data": uint8 [images, pixels], "labels": [...]}`.
fn pickled(bytes: &[u8], shape: [usize; 3], source: &Batches, file: &str) -> Result<Batch, DataError> {
    let fault = |reason: String, help: &str| DataError::data("E0764", file, reason).help(help);
    let unread = "if the file is valid, save the arrays again with `numpy.savez`; else copy or download it again";
    let other = format!(
        "save it again: `numpy.savez(\"NAME.npz\", data=images, {}=labels)`, images as bytes (of 0 to 1 `(x * 255).round().astype(\"uint8\")`) \
         [images, channels, height, width]",
        source.labels
    );
    let loaded = pickle::read(bytes).map_err(|reason| fault(reason, unread))?;
    let (found, planes) = loaded.bytes_array("data").map_err(|reason| fault(reason, &other))?;
    let labels = loaded.integers(&source.labels).map_err(|reason| fault(reason, &other))?;
    layout(found, labels.len(), shape).map_err(|(reason, help)| fault(reason, &help))?;
    Ok(Batch { planes: planes.to_vec(), labels })
}

/// Reads records of label bytes and pixels.
fn binary(bytes: &[u8], image: u64, source: &Batches, file: &str) -> Result<Batch, DataError> {
    let (label, image) = (source.label_bytes, usize::try_from(image).unwrap_or(usize::MAX));
    let record = label.saturating_add(image);
    if !bytes.len().is_multiple_of(record) {
        if let Some((kind, help)) = super::idx::stranger(bytes) {
            return Err(DataError::data("E0753", file, format!("it is not a batch of images but {kind}")).help(help));
        }
        let reason = format!("{} bytes are not a whole number of records of {record} bytes", bytes.len());
        return Err(
            DataError::data("E0753", file, reason).help("it is cut off, or is not a batch of images of this size")
        );
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

/// Converts images from `[channels, height, width]` to `[height, width, channels]`.
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

/// Names of the classes from the first file that has them; otherwise their numbers as the files count.
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

/// One name for each line.
fn lines(bytes: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_string())?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect())
}

#[cfg(test)]
mod tests;
