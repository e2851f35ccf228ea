//! From a declaration to the images a run trains, chooses and reports on.

use super::load::load;
use super::normalize::{self, Numbers};
use super::render::Source;
use super::rows::ImageRows;
use super::set::{ImageSet, Store};
use crate::data::split::{self, Rows};
use crate::data::{DataError, Directories, Scale};
use gmpc_compiler::experiment::{DataFacts, DataSpec, ImageStep, Images, Select, Split};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// One part of the data.
#[derive(Debug)]
pub struct ImagePart {
    /// Its images.
    pub images: ImageRows,
    /// The class of each.
    pub classes: Vec<f64>,
}

/// The images of one run.
#[derive(Debug)]
pub struct ImageParts {
    /// Trained on, in the set's order.
    pub train: ImagePart,
    /// Chosen on; `None` with `select = test` and with `validation = 0`.
    pub valid: Option<ImagePart>,
    /// Reported on.
    pub test: ImagePart,
    /// Of the whole set; `rows` counts all parts together.
    pub facts: DataFacts,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Of each channel, for pixels / 255.
    pub scale: Scale,
    /// SHA-256 of the set and of how it is cut.
    pub sha256: String,
}

/// Reads a set of images and cuts it for one run: a function of the files and the seed.
///
/// # Errors
/// Those of [`load`], `E0759` where the images cannot be cut as asked, and those of images that cannot be decoded while
/// means are measured.
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
        sha256: hash(&set, &rows),
    })
}

fn cut(spec: &DataSpec, set: &ImageSet, select: Select, seed: u64) -> Result<Rows, DataError> {
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX); // `load` has counted them
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

/// Of kept images every byte counts; of files their paths and sizes, for reading a million photographs takes too long.
fn hash(set: &ImageSet, rows: &Rows) -> String {
    let mut hash = Sha256::new();
    match &*set.store {
        Store::Kept { pixels, .. } => hash.update(pixels),
        Store::Files { paths, .. } => {
            for path in paths {
                hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
                hash.update(std::fs::metadata(path).map_or(0, |m| m.len()).to_le_bytes());
            }
        }
    }
    set.labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
    for part in [&rows.train, &rows.valid, &rows.test] {
        hash.update((part.len() as u64).to_le_bytes());
        part.iter().for_each(|row| hash.update(row.to_le_bytes()));
    }
    crate::checkpoint::hexadecimal(&hash.finalize())
}
