//! Folders of photographs: a folder a class, its name the class's.

use super::locate;
use super::set::{ImageSet, Store};
use crate::data::{DataError, Directories};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Endings of files that are read, in small letters; others are passed over.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];
/// More files than any set of photographs has.
const MOST_FILES: usize = 1 << 26;

/// Lists the files of both folders; classes and files are in the order of their names' bytes.
///
/// # Errors
/// `E0750` for a folder that is not there, `E0753` for one without classes or images, or with other classes than the
/// training folder.
pub(super) fn read(
    train: &str,
    test: Option<&str>,
    shape: Option<[usize; 3]>,
    set: &str,
    directories: &Directories,
) -> Result<ImageSet, DataError> {
    let train = find(train, set, directories)?;
    let names = classes(&train)?;
    let (mut paths, mut labels) = (Vec::new(), Vec::new());
    list(&train, &names, &mut paths, &mut labels)?;
    let trained = paths.len();
    if let Some(test) = test {
        let test = find(test, set, directories)?;
        if let Some(stranger) = classes(&test)?.iter().find(|name| !names.contains(name)) {
            let reason = format!("the class `{stranger}` is not among those to train on");
            return Err(DataError::data("E0753", test.display().to_string(), reason)
                .help("both folders have a folder of the same name for each class"));
        }
        list(&test, &names, &mut paths, &mut labels)?;
    }
    let (channels, size) = (shape.map_or(3, |shape| shape[2]), shape.map(|[height, width, _]| [height, width]));
    Ok(ImageSet { store: Arc::new(Store::Files { channels, paths, size }), labels, train: trained, names })
}

fn find(path: &str, set: &str, directories: &Directories) -> Result<PathBuf, DataError> {
    if let Some(found) = locate::folder(path, directories)? {
        return Ok(found);
    }
    let tried: Vec<String> = locate::places(path, directories)?.iter().map(|p| format!("`{}`", p.display())).collect();
    Err(DataError::data("E0750", path, format!("there is no such folder; looked for {}", tried.join(" and ")))
        .help(format!("put the images of {set} there, a folder a class, or say where they are with `--data-dir`")))
}

/// Names of the folders of a folder that is there.
fn classes(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default();
            let name = name.to_str().ok_or_else(|| {
                DataError::data("E0753", path.display().to_string(), "the name of the folder is no UTF-8 text")
                    .help("a folder's name is the name of its class: rename it")
            })?;
            names.push(name.to_string());
        }
    }
    match names.is_empty() {
        false => Ok(names),
        true => Err(DataError::data("E0753", folder.display().to_string(), "there is no folder in it")
            .help("put the images of each class into a folder with the class's name")),
    }
}

/// Everything in a folder, hidden files left out, in the order of names.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = std::fs::read_dir(folder).map_err(|e| DataError::io(folder, "list it", &e))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| DataError::io(folder, "list it", &e))?.path();
        if !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn list(folder: &Path, names: &[String], paths: &mut Vec<PathBuf>, labels: &mut Vec<u32>) -> Result<(), DataError> {
    let before = paths.len();
    for (class, name) in (0u32..).zip(names) {
        let inner = folder.join(name);
        if inner.is_dir() {
            paths.extend(entries(&inner)?.into_iter().filter(|path| is_image(path)));
        }
        labels.resize(paths.len(), class);
    }
    match paths.len() {
        after if after == before => {
            Err(DataError::data("E0753", folder.display().to_string(), "there is no image in it")
                .help("images end with .jpg, .jpeg or .png and lie in a folder a class"))
        }
        after if after > MOST_FILES => {
            Err(DataError::data("E0753", folder.display().to_string(), format!("{after} files are too many"))
                .help("is it the right folder?"))
        }
        _ => Ok(()),
    }
}

/// Does a file's name end like an image's?
pub(super) fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) && path.is_file()
}
