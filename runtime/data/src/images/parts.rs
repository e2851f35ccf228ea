//! From a declaration to the training, validation and test images of a run.

use super::load::load;
use super::look::{self, Look};
use super::normalize::{self, Numbers};
use super::render::Source;
use super::rows::ImageRows;
use super::set::{ImageSet, Store};
use crate::split::{self, Rows};
use crate::twins::shared_images;
use crate::{DataError, Directories, Note, Scale};
use gmpc_compiler::ir::experiment::{DataFacts, DataSpec, ImageStep, Images, Select, Split};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// One part of the data.
#[derive(Debug)]
pub struct ImagePart {
    /// The images.
    pub images: ImageRows,
    /// The class of each image.
    pub classes: Vec<f64>,
}

/// All images of a run.
#[derive(Debug)]
pub struct ImageParts {
    /// The training images, in the set's order.
    pub train: ImagePart,
    /// The validation images; `None` with `select = test` or `validation = 0`.
    pub valid: Option<ImagePart>,
    /// The test images.
    pub test: ImagePart,
    /// Facts about the whole set; `rows` counts all parts together.
    pub facts: DataFacts,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Mean and deviation of each channel, for pixels / 255.
    pub scale: Scale,
    /// SHA-256 of the set and of its split.
    pub sha256: String,
    /// Notes about the images and their split.
    pub notes: Vec<Note>,
}

/// Reads an image set and splits it for one run. The result depends on the files and the seed only.
///
/// # Errors
/// The errors of [`load`]; `E0759`: the images cannot be split as asked; those of images that cannot be decoded for the
/// mean.
pub fn prepare(
    spec: &DataSpec,
    images: &Images,
    augment: &[ImageStep],
    select: Select,
    seed: u64,
    directories: &Directories,
) -> Result<ImageParts, DataError> {
    let set = load(spec, images, directories)?;
    let rows = cut(spec, &set, select, seed)?;
    let looks = look::look(&set.store)?;
    let shape = images.example_shape().ok_or_else(|| {
        DataError::data("E0765", &spec.name, "the images have different sizes").help("write `transform = [resize(…)]`")
    })?;
    let [channels, height, width] = shape;
    let source = |rows: &[u32]| {
        Arc::new(Source {
            store: Arc::clone(&set.store),
            rows: rows.to_vec(),
            plain: images.transform.clone(),
            training: images.training_steps(augment),
            shape: [height, width, channels],
        })
    };
    // Mean and deviation are those of the training images alone.
    let train = source(&rows.train);
    let scale = normalize::scale(&images.normalize, &train)?;
    let numbers = Numbers::new(&scale);
    let part = |source: Arc<Source>| {
        let classes = source.rows.iter().map(|&row| f64::from(set.labels[row as usize])).collect();
        ImagePart { images: ImageRows::new(source, numbers.clone()), classes }
    };
    let count = rows.train.len() + rows.valid.len() + rows.test.len();
    let facts = DataFacts { rows: Some(count), shape: shape.to_vec(), outputs: 1, classes: Some(set.names.len()) };
    Ok(ImageParts {
        train: part(train),
        valid: (!rows.valid.is_empty()).then(|| part(source(&rows.valid))),
        test: part(source(&rows.test)),
        facts,
        labels: set.names.clone(),
        scale,
        sha256: hash(&set, &rows, &looks),
        notes: notes(spec, &set, &rows, &looks),
    })
}

fn cut(spec: &DataSpec, set: &ImageSet, select: Select, seed: u64) -> Result<Rows, DataError> {
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX); // `load` checked that the count fits
    let (train, all) = (narrow(set.train), narrow(set.labels.len()));
    let pool = match spec.sample {
        Some(sample) => split::sample(train, sample, seed, &spec.name)?,
        None => (0..train).collect(),
    };
    let mut rows = match spec.split {
        Split::Random { train } => split::random(&pool, train, seed, &spec.name)?,
        Split::Given | Split::Predefined { .. } => Rows { train: pool, valid: vec![], test: (train..all).collect() },
    };
    if select == Select::Valid && spec.validation > 0.0 {
        split::hold_out(&mut rows, spec.validation, seed, &spec.name)?;
    }
    Ok(rows)
}

/// Notes about the files and the parts that they were split into.
fn notes(spec: &DataSpec, set: &ImageSet, rows: &Rows, looks: &[Look]) -> Vec<Note> {
    let mut notes = set.notes.clone();
    notes.extend(look::notes(looks, &set.store, &spec.name));
    notes.extend(classes_without_images(set, &rows.train, "to train on"));
    notes.extend(classes_without_images(set, &rows.valid, "to choose on"));
    notes.extend(classes_without_images(set, &rows.test, "to test on"));
    notes.extend(shared_images(&look::keys(looks, &set.store), &set.labels, &rows.train, &rows.test));
    notes
}

/// A note about classes without an image in a part. There is no such note for an empty part.
pub(super) fn classes_without_images(set: &ImageSet, part: &[u32], what: &str) -> Option<Note> {
    let mut counts = vec![0usize; set.names.len()];
    for &row in part {
        counts[set.labels[row as usize] as usize] += 1;
    }
    let without: Vec<&String> =
        set.names.iter().zip(&counts).filter(|(_, count)| **count == 0).map(|(n, _)| n).collect();
    if part.is_empty() || without.is_empty() {
        return None;
    }
    let shown = without.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let dots = if without.len() > 5 { ", …" } else { "" };
    let first = set.names.iter().zip(&counts).find(|(_, count)| **count > 0).map_or("", |(name, _)| name);
    let most = match counts.first() {
        Some(0) => format!("; the first that has one is `{first}`"),
        _ => String::new(),
    };
    let have = if without.len() == 1 { "has" } else { "have" };
    let message =
        format!("{} of {} classes {have} no image {what}: {shown}{dots}{most}", without.len(), set.names.len());
    // A folder has an image of each class, so here the split is the reason.
    let help = match &*set.store {
        Store::Kept { .. } => "are the labels right, and `first_label`, and `classes`?",
        Store::Files { .. } => "another `seed`, a larger part or more images would have some",
    };
    Some(Note::new("W0785", "the images", message).help(help))
}

/// The hash covers every byte of images in memory and in files, and the names of classes and files.
fn hash(set: &ImageSet, rows: &Rows, looks: &[Look]) -> String {
    let mut hash = Sha256::new();
    match &*set.store {
        Store::Kept { pixels, .. } => hash.update(pixels.as_slice()),
        Store::Files { paths, .. } => {
            for (path, look) in paths.iter().zip(looks) {
                hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
                hash.update([0]); // a separator that no name contains
                hash.update(look.sha256);
            }
            for name in &set.names {
                hash.update(name.as_bytes());
                hash.update([0]);
            }
        }
    }
    set.labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
    for part in [&rows.train, &rows.valid, &rows.test] {
        hash.update((part.len() as u64).to_le_bytes());
        part.iter().for_each(|row| hash.update(row.to_le_bytes()));
    }
    crate::digest::hexadecimal(&hash.finalize())
}
