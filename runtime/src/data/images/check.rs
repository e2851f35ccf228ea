//! Looking through every file of a set before anything is trained on it: all faults, not only the first.

use super::picture::Picture;
use super::set::Store;
use super::{batches, folder, idx, locate};
use crate::data::{DataError, Directories};
use gmpc_compiler::experiment::{DataSpec, ImageSource, Images};
use rayon::prelude::*;
use std::path::Path;

/// What was found in the files of a set.
#[derive(Debug, Default, PartialEq)]
pub struct Checked {
    /// Files that were read from their beginning to their end.
    pub files: usize,
    /// Images in those that are sound.
    pub images: usize,
    /// What is wrong, in the order of the files.
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

/// Reads everything a set is made of. Nothing is kept.
#[must_use]
pub fn check(spec: &DataSpec, images: &Images, directories: &Directories) -> Checked {
    let mut checked = Checked::default();
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
                let read =
                    pair.and_then(|(images, classes)| idx::pair(&images, &classes, shape.unwrap_or([28, 28, 1])));
                checked.add(read.map(|(_, labels)| labels.len()));
            }
        }
        ImageSource::Folder { train, test } => {
            match folder::read(train, test.as_deref(), shape, &spec.name, directories) {
                Ok(set) => photographs(&set.store, set.labels.len(), &mut checked),
                Err(fault) => checked.faults.push(fault),
            }
        }
        ImageSource::Shapes { .. } => {}
    }
    checked
}

/// Decodes every image.
fn photographs(store: &Store, count: usize, checked: &mut Checked) {
    let found: Vec<Result<usize, DataError>> = (0..count)
        .into_par_iter()
        .map_init(Picture::default, |picture, image| store.read(image, picture).map(|()| 1))
        .collect();
    found.into_iter().for_each(|found| checked.add(found));
}

/// Does a file's name end as that of an image?
#[must_use]
pub fn is_image(path: &Path) -> bool {
    folder::is_image(path)
}
