//! Image files to predict for, treated as a run's own images are.

use super::normalize::Numbers;
use super::render::Source;
use super::rows::ImageRows;
use super::set::Store;
use super::{ImagePart, folder};
use crate::data::{DataError, Scale};
use gmpc_compiler::experiment::{ImageStep, Images};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More files than anybody means to name.
const MOST_FILES: usize = 1 << 24;

/// The images among some paths: a file is itself, a folder every image in it, in the order of names.
///
/// # Errors
/// `E0750` for a path that is not there, `E0753` where no image is found.
pub fn collect(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    for input in inputs {
        if input.is_dir() {
            inside(input, &mut paths, 0)?;
        } else if input.is_file() {
            paths.push(input.clone());
        } else {
            return Err(DataError::data("E0750", input.display().to_string(), "there is no such file or folder")
                .help("name image files, or folders of them"));
        }
    }
    match paths.len() {
        0 => Err(DataError::data("E0753", "--input", "there is no image in the folders named")
            .help("images end with .jpg, .jpeg or .png")),
        count if count > MOST_FILES => {
            Err(DataError::data("E0753", "--input", format!("{count} files are too many")).help("name fewer"))
        }
        _ => Ok(paths),
    }
}

/// Images of a folder and of the folders in it.
fn inside(folder: &Path, paths: &mut Vec<PathBuf>, depth: usize) -> Result<(), DataError> {
    for path in folder::entries(folder)? {
        if path.is_dir() && depth < 8 {
            inside(&path, paths, depth + 1)?;
        } else if folder::is_image(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

/// Rows of these files for a network of the example shape `[channels, height, width]`: brought to the size of the set's
/// images where those have one, then through `transform`, normalized by `scale`.
#[must_use]
pub fn rows_of(paths: Vec<PathBuf>, images: &Images, shape: [usize; 3], scale: &Scale) -> ImagePart {
    let [channels, height, width] = shape;
    let kept = images.shape.map(|[_, height, width]| ImageStep::Resize { height, width });
    let plain = kept.into_iter().chain(images.transform.iter().copied()).collect();
    let count = u32::try_from(paths.len()).unwrap_or(u32::MAX); // `collect` bounds them
    let store = Arc::new(Store::Files { channels, paths, size: None });
    let rows: Vec<u32> = (0..count).collect();
    let classes = vec![0.0; rows.len()];
    let source = Arc::new(Source { store, rows, plain, training: vec![], shape: [height, width, channels] });
    ImagePart { images: ImageRows::new(source, Numbers::new(scale)), classes }
}
