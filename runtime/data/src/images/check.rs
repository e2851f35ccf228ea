//! Reads every file of a set before training, to find all errors and not only the first.

use super::picture::Picture;
use super::set::Store;
use super::{batches, folder, idx, locate, look};
use crate::{DataError, Directories};
use gmpc_compiler::ir::experiment::{DataSpec, ImageSource, Images};
use rayon::prelude::*;
use std::path::Path;

/// The result for the files of a set.
#[derive(Debug, Default, PartialEq)]
pub struct Checked {
    /// Number of files that were read completely.
    pub files: usize,
    /// Number of images in the files without errors.
    pub images: usize,
    /// All errors, in the order of the files.
    pub faults: Vec<DataError>,
}

impl Checked {
    fn add(&mut self, found: Result<usize, DataError>) {
        self.files += 1;
        match found {
            Ok(images) => self.images += images,
            Err(fault) => self.faults.push(fault),
        }
    }
}

/// Reads all files of a set and keeps none of the contents.
#[must_use]
pub fn check(spec: &DataSpec, images: &Images, directories: &Directories) -> Checked {
    let mut checked = Checked::default();
    // Without a declared shape, each format has the usual one of its family.
    let shape = images.shape.map(|[channels, height, width]| [height, width, channels]);
    match &images.source {
        ImageSource::Batches(source) => {
            let shape = shape.unwrap_or([32, 32, 3]);
            for name in source.train.iter().chain(&source.test) {
                let path = locate::needed(&source.folder, name, &spec.name, directories);
                checked.add(path.and_then(|path| {
                    let batch = batches::one(&path, source, shape)?;
                    batches::labels_fit(&batch, &path, source, spec.classes)?;
                    Ok(batch.labels.len())
                }));
            }
        }
        ImageSource::Idx(source) => {
            let needed = |name: &str| locate::needed(&source.folder, name, &spec.name, directories);
            for [images, classes] in std::iter::once(&source.train).chain(&source.test) {
                let pair = needed(images).and_then(|images| Ok((images, needed(classes)?)));
                let shape = shape.unwrap_or([28, 28, 1]);
                let read = pair.and_then(|(images, classes)| {
                    idx::one_channel(shape, &spec.name)?;
                    idx::pair(&images, &classes, idx::kept(source, shape))
                });
                checked.add(read.map(|(_, labels)| labels.len()));
            }
        }
        ImageSource::Folder { train, test, background } => {
            match folder::read(train, test.as_deref(), *background, shape, &spec.name, directories) {
                Ok(set) => photographs(&set.store, set.labels.len(), &mut checked),
                Err(fault) => checked.faults.push(fault),
            }
        }
        ImageSource::Shapes { .. } => {}
    }
    checked
}

/// Inspects a file as a run does before training, and decodes it as a run does later.
fn one(store: &Store, image: usize, picture: &mut Picture) -> Result<(), DataError> {
    look::one(store, image, picture)?;
    let read = store.read(image, picture).map(drop);
    picture.forget_large();
    read
}

/// Decodes every image.
fn photographs(store: &Store, count: usize, checked: &mut Checked) {
    let found: Vec<Result<usize, DataError>> = (0..count)
        .into_par_iter()
        .map_init(Picture::default, |picture, image| one(store, image, picture).map(|()| 1))
        .collect();
    found.into_iter().for_each(|found| checked.add(found));
}

/// True if the file's name has the extension of an image.
#[must_use]
pub fn is_image(path: &Path) -> bool {
    folder::is_image(path)
}
