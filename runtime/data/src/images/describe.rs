//! The description of an image set for `gmpc data info`, and its contact sheet.

use super::decode;
use super::load::load;
use super::look;
use super::normalize;
use super::parts::classes_without_images;
use super::picture::Picture;
use super::render::Source;
use super::steps::{Scratch, resize};
use crate::twins::shared_images;
use crate::{DataError, Directories, Note};
use gmpc_compiler::ir::experiment::{DataSpec, ImageStep, Images};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// Largest number of classes on a contact sheet, and number of images of each.
const MOST_CLASSES: usize = 100;
const EACH: usize = 12;
/// Limits of the side of an image on the sheet, and the gap between two images, in pixels.
const SMALLEST: usize = 32;
const LARGEST: usize = 96;
const GAP: usize = 2;

/// The contents of an image set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Described {
    /// `[channels, height, width]` of the network's input; empty if sizes differ.
    pub shape: Vec<usize>,
    /// Smallest height and width and largest height and width of the files, if no shape is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizes: Option<[[usize; 2]; 2]>,
    /// Number of training images.
    pub train: usize,
    /// Number of test images, if the set separates them.
    pub test: usize,
    /// Mean of each channel over the training images after `transform`, for pixels / 255.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, likewise.
    pub deviation: Vec<f64>,
    /// Name of each class, and its number of training and of test images.
    pub classes: Vec<(String, usize, usize)>,
}

/// Reads a set, counts its images and computes mean and deviation.
///
/// # Errors
/// The errors of [`load`] and of decoding.
pub fn describe(spec: &DataSpec, images: &Images, directories: &Directories) -> Result<Described, DataError> {
    let set = load(spec, images, directories)?;
    let shape = images.example_shape();
    let scale = match shape {
        Some([channels, height, width]) => {
            let rows = (0..u32::try_from(set.train).unwrap_or(u32::MAX)).collect();
            let (store, plain) = (Arc::clone(&set.store), images.transform.clone());
            let source = Source { store, rows, plain, training: vec![], shape: [height, width, channels] };
            Some(normalize::moments(&source)?)
        }
        None => None,
    };
    let mut classes: Vec<(String, usize, usize)> = set.names.iter().map(|name| (name.clone(), 0, 0)).collect();
    for (image, &label) in set.labels.iter().enumerate() {
        if let Some((_, train, test)) = classes.get_mut(label as usize) {
            *(if image < set.train { train } else { test }) += 1;
        }
    }
    let (mean, deviation) = scale.map(|scale| (scale.mean, scale.deviation)).unwrap_or_default();
    let sizes = if shape.is_none() { look::sizes(&look::look(&set.store)?) } else { None };
    let shape = shape.map(Vec::from).unwrap_or_default();
    Ok(Described { shape, sizes, train: set.train, test: set.labels.len() - set.train, mean, deviation, classes })
}

/// Notes about the files of a set.
///
/// # Errors
/// The errors of [`load`] and of inspecting every file.
pub fn notes(spec: &DataSpec, images: &Images, directories: &Directories) -> Result<Vec<Note>, DataError> {
    let set = load(spec, images, directories)?;
    let mut notes = set.notes.clone();
    let looks = look::look(&set.store)?;
    notes.extend(look::notes(&looks, &set.store, &spec.name));
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX); // `load` checked that the count fits
    let (train, all) = (narrow(set.train), narrow(set.labels.len()));
    let [train, test]: [Vec<u32>; 2] = [(0..train).collect(), (train..all).collect()];
    notes.extend(classes_without_images(&set, &train, "to train on"));
    notes.extend(classes_without_images(&set, &test, "to test on"));
    notes.extend(shared_images(&look::keys(&looks, &set.store), &set.labels, &train, &test));
    Ok(notes)
}

/// Writes a PNG with a row of training images for each class, and returns the names of the classes shown.
///
/// # Errors
/// The errors of [`load`] and of decoding; `E0751`: the file cannot be written.
pub fn preview(
    spec: &DataSpec,
    images: &Images,
    directories: &Directories,
    to: &Path,
) -> Result<Vec<String>, DataError> {
    let set = load(spec, images, directories)?;
    let shown = set.names.len().min(MOST_CLASSES);
    let side = images.shape.map_or(LARGEST, |[_, height, width]| height.max(width).clamp(SMALLEST, LARGEST));
    let mut sheet = Sheet::new(shown, side);
    let mut seen = vec![0; shown];
    let (mut picture, mut scratch) = (Picture::default(), Scratch::default());
    for (image, &label) in set.labels[..set.train].iter().enumerate() {
        let Some(place) = seen.get_mut(label as usize).filter(|place| **place < EACH) else { continue };
        let _seen = set.store.read(image, &mut picture)?;
        fit(&mut picture, side, &mut scratch)
            .map_err(|reason| DataError::data("E0765", set.store.name(image), reason).help("leave the image out"))?;
        sheet.put(&picture, label as usize, *place);
        *place += 1;
    }
    sheet.write(to)?;
    Ok(set.names[..shown].to_vec())
}

/// Scales an image so that its longer side has this length.
fn fit(picture: &mut Picture, side: usize, scratch: &mut Scratch) -> Result<(), String> {
    let longer = picture.height.max(picture.width).max(1);
    let scaled = |n: usize| (n * side / longer).max(1);
    let (height, width) = (scaled(picture.height), scaled(picture.width));
    resize(picture, height.min(ImageStep::LARGEST), width.min(ImageStep::LARGEST), scratch)
}

/// Images in rows and columns on a grey background.
struct Sheet {
    side: usize,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    fn new(rows: usize, side: usize) -> Self {
        let (width, height) = (GAP + EACH * (side + GAP), GAP + rows * (side + GAP));
        Sheet { side, width, height, pixels: vec![96; width * height * 3] }
    }

    fn put(&mut self, picture: &Picture, row: usize, column: usize) {
        let (top, left) = (GAP + row * (self.side + GAP), GAP + column * (self.side + GAP));
        for y in 0..picture.height.min(self.side) {
            for x in 0..picture.width.min(self.side) {
                let from = (y * picture.width + x) * picture.channels;
                let to = ((top + y) * self.width + left + x) * 3;
                for c in 0..3 {
                    self.pixels[to + c] = picture.pixels[from + if picture.channels == 3 { c } else { 0 }];
                }
            }
        }
    }

    fn write(&self, to: &Path) -> Result<(), DataError> {
        let bytes = decode::png(&self.pixels, self.width, self.height);
        let bytes = bytes.map_err(|reason| DataError::io(to, "make it", &std::io::Error::other(reason)))?;
        std::fs::write(to, bytes).map_err(|e| DataError::io(to, "write it", &e))
    }
}

#[cfg(test)]
mod tests;
