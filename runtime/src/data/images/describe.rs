//! What `gmpc data info` tells of a set of images, and its contact sheet.

use super::decode;
use super::load::load;
use super::normalize;
use super::picture::Picture;
use super::render::Source;
use super::steps::{Scratch, resize};
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::{DataSpec, ImageStep, Images};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// Classes that a contact sheet shows at most, and images of each.
const MOST_CLASSES: usize = 100;
const EACH: usize = 12;
/// Sides of a picture on the sheet, and space between two.
const SMALLEST: usize = 32;
const LARGEST: usize = 96;
const GAP: usize = 2;

/// What is in a set of images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Described {
    /// `[channels, height, width]` as a network sees them; empty where sizes differ.
    pub shape: Vec<usize>,
    /// To train on.
    pub train: usize,
    /// To test on, where the set says which.
    pub test: usize,
    /// Of each channel of the training images after `transform`, for pixels / 255.
    pub mean: Vec<f64>,
    /// Likewise.
    pub deviation: Vec<f64>,
    /// Name, images to train on, images to test on.
    pub classes: Vec<(String, usize, usize)>,
}

/// Reads a set and counts and measures.
///
/// # Errors
/// Those of [`load`] and of decoding.
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
    let shape = shape.map(Vec::from).unwrap_or_default();
    Ok(Described { shape, train: set.train, test: set.labels.len() - set.train, mean, deviation, classes })
}

/// Writes a PNG with a row of training images for each class, the first classes first; returns the classes shown.
///
/// # Errors
/// Those of [`load`] and of decoding; `E0751` where the file cannot be written.
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
        set.store.read(image, &mut picture)?;
        fit(&mut picture, side, &mut scratch)
            .map_err(|reason| DataError::data("E0765", set.store.name(image), reason).help("leave the image out"))?;
        sheet.put(&picture, label as usize, *place);
        *place += 1;
    }
    sheet.write(to)?;
    Ok(set.names[..shown].to_vec())
}

/// To a square that holds it whole: the longer side fills it.
fn fit(picture: &mut Picture, side: usize, scratch: &mut Scratch) -> Result<(), String> {
    let longer = picture.height.max(picture.width).max(1);
    let scaled = |n: usize| (n * side / longer).max(1);
    let (height, width) = (scaled(picture.height), scaled(picture.width));
    resize(picture, height.min(ImageStep::LARGEST), width.min(ImageStep::LARGEST), scratch)
}

/// Pictures in rows and columns on grey ground.
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
