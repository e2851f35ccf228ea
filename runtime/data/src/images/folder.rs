//! Folders of photographs: each class has a folder with its name.

use super::locate;
use super::set::{ImageSet, Store};
use crate::{DataError, Directories, Note};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File extensions that are read, in lower case. Files with other extensions are skipped with a note.
const ENDINGS: [&str; 6] = ["jpg", "jpeg", "jpe", "jfif", "png", "apng"];
/// Largest depth of folders within the folder of a class.
const MOST_DEPTH: usize = 8;
/// Largest number of files. No set of photographs has more.
const MOST_FILES: usize = 1 << 26;

/// Lists the files of both folders. Classes and files are sorted by the bytes of their names.
///
/// # Errors
/// `E0750`: a folder is missing. `E0753`: a folder has no classes or no images, or its classes differ from those of the
/// training folder.
pub(super) fn read(
    train: &str,
    test: Option<&str>,
    background: Option<[u8; 3]>,
    shape: Option<[usize; 3]>,
    set: &str,
    directories: &Directories,
) -> Result<ImageSet, DataError> {
    let train = find(train, set, directories)?;
    let names = classes(&train)?;
    let (mut paths, mut labels) = (Vec::new(), Vec::new());
    let mut notes = Vec::new();
    list(&train, &names, &mut paths, &mut labels, &mut notes)?;
    // Only the training part needs every class: a class that is missing in the test part is merely not measured.
    every_class_has_images(&train, &names, &labels)?;
    let trained = paths.len();
    if let Some(test) = test {
        let test = find(test, set, directories)?;
        if let Some(stranger) = classes(&test)?.iter().find(|name| !names.contains(name)) {
            let reason = format!("the class `{stranger}` is not in the training folder");
            return Err(DataError::data("E0753", test.display().to_string(), reason)
                .help("both folders have a folder of the same name for each class"));
        }
        list(&test, &names, &mut paths, &mut labels, &mut notes)?;
    }
    let (channels, size) = (shape.map_or(3, |shape| shape[2]), shape.map(|[height, width, _]| [height, width]));
    let store = Arc::new(Store::Files { channels, paths, size, background });
    Ok(ImageSet { store, labels, train: trained, names, notes })
}

fn find(path: &str, set: &str, directories: &Directories) -> Result<PathBuf, DataError> {
    if let Some(found) = locate::folder(path, directories)? {
        return Ok(found);
    }
    let tried: Vec<String> = locate::places(path, directories)?.iter().map(|p| format!("`{}`", p.display())).collect();
    Err(DataError::data("E0750", path, format!("there is no such folder; looked for {}", tried.join(" and "))).help(
        format!("put the images of {set} there, one folder for each class, or say where they are with `--data-dir`"),
    ))
}

/// Names of the folders in a folder.
fn classes(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default();
            let name = name.to_str().ok_or_else(|| {
                DataError::data("E0753", path.display().to_string(), "the name of the folder is not UTF-8")
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

/// Everything in a folder except hidden files, sorted by name.
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

/// What a folder contains besides images of its classes.
#[derive(Default)]
struct Others {
    /// Number of files for each extension.
    endings: BTreeMap<String, usize>,
    /// Number of images in folders within a class's folder.
    inner: usize,
    /// Images in no class's folder.
    loose: usize,
}

fn list(
    folder: &Path,
    names: &[String],
    paths: &mut Vec<PathBuf>,
    labels: &mut Vec<u32>,
    notes: &mut Vec<Note>,
) -> Result<(), DataError> {
    let before = paths.len();
    let mut others = Others::default();
    for (class, name) in (0u32..).zip(names) {
        let inner = folder.join(name);
        if inner.is_dir() {
            images_in(&inner, 0, paths, &mut others)?;
        }
        labels.resize(paths.len(), class);
    }
    // Files beside the folders of the classes belong to no class.
    for path in entries(folder)?.iter().filter(|path| path.is_file()) {
        match is_image(path) {
            true => others.loose += 1,
            false => others.pass_over(path),
        }
    }
    notes.extend(others.notes(folder));
    match paths.len() {
        after if after == before => {
            Err(DataError::data("E0753", folder.display().to_string(), "there is no image in it")
                .help("images end with .jpg, .jpeg or .png and are in one folder for each class"))
        }
        after if after > MOST_FILES => {
            Err(DataError::data("E0753", folder.display().to_string(), format!("{after} files are too many"))
                .help("is it the right folder?"))
        }
        _ => Ok(()),
    }
}

/// Collects the images of a folder and of the folders within it, as `predict` does.
fn images_in(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>, others: &mut Others) -> Result<(), DataError> {
    for path in entries(folder)? {
        if path.is_dir() {
            if depth >= MOST_DEPTH {
                let reason = format!("it is a folder in a folder, {depth} deep");
                return Err(DataError::data("E0753", path.display().to_string(), reason)
                    .help("put the images of a class into the class's own folder"));
            }
            images_in(&path, depth + 1, paths, others)?;
        } else if is_image(&path) {
            others.inner += usize::from(depth > 0);
            paths.push(path);
        } else {
            others.pass_over(&path);
        }
    }
    Ok(())
}

impl Others {
    fn pass_over(&mut self, path: &Path) {
        let ending = path.extension().map_or("no ending".to_string(), |e| format!(".{}", e.to_string_lossy()));
        *self.endings.entry(ending).or_default() += 1;
    }

    fn notes(&self, folder: &Path) -> Vec<Note> {
        let place = folder.display().to_string();
        let mut notes = Vec::new();
        if !self.endings.is_empty() {
            let count: usize = self.endings.values().sum();
            let kinds: Vec<String> =
                // A folder may hold any number of endings, and a note is one line.
                self.endings.iter().take(8).map(|(ending, count)| format!("{count} with {ending}")).collect();
            let files = if count == 1 {
                "1 file is skipped, as it is"
            } else {
                &format!("{count} files are skipped, as they are")
            };
            let message = format!("{files} not JPEG or PNG: {}", kinds.join(", "));
            notes.push(Note::new("W0780", &place, message).help("convert them, or remove them from the folder"));
        }
        if self.loose > 0 {
            let (images, lie) = if self.loose == 1 { ("image", "lies") } else { ("images", "lie") };
            let message = format!("{} {images} {lie} beside the folders of the classes, in none of them", self.loose);
            let help = "move each into the folder of its class, or take it out";
            notes.push(Note::new("W0799", &place, message).help(help));
        }
        if self.inner > 0 {
            let message = format!("{} images lie in folders inside the folder of their class", self.inner);
            notes.push(
                Note::new("W0781", &place, message).help("they belong to that class; move them up to silence this"),
            );
        }
        notes
    }
}

/// Refuses a class without images. It is a mistake: its files have another extension, or are missing.
fn every_class_has_images(folder: &Path, names: &[String], labels: &[u32]) -> Result<(), DataError> {
    let mut counts = vec![0usize; names.len()];
    for &label in labels {
        counts[label as usize] += 1;
    }
    let Some(empty) = counts.iter().position(|&count| count == 0) else { return Ok(()) };
    let inner = folder.join(&names[empty]);
    let mut others = Others::default();
    images_in(&inner, 0, &mut Vec::new(), &mut others)?;
    let found = match others.endings.iter().max_by_key(|(_, count)| **count) {
        Some((ending, count)) => format!(": {count} of its files end with {ending}"),
        None => String::new(),
    };
    Err(DataError::data("E0753", inner.display().to_string(), format!("the class has no readable image{found}"))
        .help("convert its images to JPEG or PNG, or remove the folder"))
}

/// True if the file's name has the extension of an image.
pub(super) fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) && !path.is_dir()
}
