//! Image files to predict for, which are prepared like the run's own images.

use super::normalize::Numbers;
use super::render::Source;
use super::rows::ImageRows;
use super::set::Store;
use super::{ImagePart, folder, look};
use crate::{DataError, Note, Scale};
use gmpc_compiler::ir::experiment::{ImageSource, ImageStep, Images};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest number of files. More are probably a mistake.
const MOST_FILES: usize = 1 << 24;

/// The images in some paths: a file stands for itself, a folder for every image in it. Sorted by name.
///
/// # Errors
/// `E0750`: a path does not exist. `E0753`: there is no image.
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
        0 => Err(DataError::data("E0753", "--input", "there is no image in the named folders")
            .help("images end with .jpg, .jpeg or .png")),
        count if count > MOST_FILES => {
            Err(DataError::data("E0753", "--input", format!("{count} files are too many")).help("name fewer"))
        }
        _ => Ok(paths),
    }
}

/// Images of a folder and of the folders within it.
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

/// Rows of these files for a network with the input shape `[channels, height, width]`, after `transform` and
/// normalization by `scale`, and notes about them. If the training accepted only files of one size, so does this. Sets
/// in one piece, such as CIFAR, have no separate files: for them an image is resized to the set's size, with a note.
///
/// # Errors
/// The errors of inspecting every file.
pub fn rows_of(
    paths: Vec<PathBuf>,
    images: &Images,
    shape: [usize; 3],
    scale: &Scale,
) -> Result<(ImagePart, Vec<Note>), DataError> {
    let [channels, ..] = shape;
    let count = u32::try_from(paths.len()).unwrap_or(u32::MAX); // `collect` limits their number
    let stated = images.shape.map(|[_, height, width]| [height, width]);
    let size = stated.filter(|_| matches!(images.source, ImageSource::Folder { .. }));
    let background = match images.source {
        ImageSource::Folder { background, .. } => background,
        ImageSource::Batches(_) | ImageSource::Idx(_) | ImageSource::Shapes { .. } => None,
    };
    let store = Arc::new(Store::Files { channels, paths, size, background });
    let looks = look::look(&store)?;
    let mut notes = look::notes(&looks, &store, "--input");
    notes.extend(stated.and_then(|stated| look::stretched(&looks, stated)));
    Ok((part_of(store, count, images, shape, scale), notes))
}

/// Rows of images that are bytes in memory, `[images, channels, height, width]` of the size and the count that are given beside them.
///
/// # Errors
/// `E0765` for another number of channels, and for bytes of another count than the shape says.
pub fn rows_of_bytes(
    (bytes, count, [channels, height, width]): (&[u8], usize, [usize; 3]),
    images: &Images,
    shape: [usize; 3],
    scale: &Scale,
) -> Result<ImagePart, DataError> {
    let refused = |reason: String| DataError::data("E0765", "the images", reason);
    if channels != shape[0] {
        let reason = format!("they have {channels} channels, and the network takes {}", shape[0]);
        return Err(refused(reason).help("give an array of the shape [images, channels, height, width]"));
    }
    let (area, rows) = (height.saturating_mul(width), u32::try_from(count));
    let size = area.checked_mul(channels).filter(|size| *size > 0 && size.checked_mul(count) == Some(bytes.len()));
    let (Some(size), Ok(rows)) = (size, rows) else {
        return Err(refused(format!("{} bytes are not {count} images of {height}×{width}", bytes.len())));
    };
    // In memory a pixel's channels lie side by side.
    let image = |image: &'_ [u8]| -> Vec<u8> {
        (0..area)
            .flat_map(|pixel| (0..channels).map(move |channel| channel * area + pixel))
            .map(|at| image[at])
            .collect()
    };
    let pixels = Arc::new(bytes.chunks_exact(size).flat_map(image).collect());
    let store = Arc::new(Store::Kept { shape: [height, width, channels], pixels });
    Ok(part_of(store, rows, images, shape, scale))
}

/// The images of a store, through what the set does to its own.
fn part_of(store: Arc<Store>, count: u32, images: &Images, shape: [usize; 3], scale: &Scale) -> ImagePart {
    let [channels, height, width] = shape;
    let kept = images.shape.map(|[_, height, width]| ImageStep::Resize { height, width });
    let plain = kept.into_iter().chain(images.transform.iter().copied()).collect();
    let rows: Vec<u32> = (0..count).collect();
    let classes = vec![0.0; rows.len()];
    let source = Arc::new(Source { store, rows, plain, training: vec![], shape: [height, width, channels] });
    ImagePart { images: ImageRows::new(source, Numbers::new(scale)), classes }
}
