//! Finds the files of an image set: with several extensions, in the set's folder or in a folder within it.

use crate::{DataError, Directories};
use std::path::{Path, PathBuf};

/// Extensions that may follow a file's name. The first that exists is used.
const KINDS: [&str; 4] = ["", ".bin", ".txt", ".npz"];
const PACKED: [&str; 3] = ["", ".gz", ".xz"];
/// Largest number of folders in a set's folder that are searched.
const MOST_FOLDERS: usize = 64;

/// A folder as a declaration names it: beside the user's file, or in the data directory. `None` if it is in neither.
pub(super) fn folder(path: &str, directories: &Directories) -> Result<Option<PathBuf>, DataError> {
    Ok(places(path, directories)?.into_iter().find(|place| place.is_dir()))
}

/// The paths at which a folder is searched. At the last one it would be stored.
pub(super) fn places(path: &str, directories: &Directories) -> Result<Vec<PathBuf>, DataError> {
    let beside = directories.beside.iter().map(|folder| folder.join(path));
    if Path::new(path).is_absolute() {
        return Ok(vec![PathBuf::from(path)]);
    }
    match directories.below_data(path) {
        Ok(below) => Ok(beside.chain([below]).collect()),
        // A path must not leave the data directory. Relative to the user's own file it may lead anywhere.
        Err(_) if directories.beside.is_some() && climbs(path) => Ok(beside.collect()),
        Err(error) => Err(error.help("write a relative path without `..`, or an absolute one")),
    }
}

/// True for a relative path that leads upwards or is plain.
fn climbs(path: &str) -> bool {
    !path.is_empty() && !path.contains(['\\', '\0'])
}

/// The file `name` with one of the usual extensions, in `folder` or in one of its folders.
pub(super) fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    if !is_plain(name) {
        return None;
    }
    in_folder(folder, name).or_else(|| folders(folder).iter().find_map(|inner| in_folder(inner, name)))
}

/// True for a name that stays in its folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != ".."
}

fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let endings = KINDS.iter().flat_map(|kind| PACKED.iter().map(move |packed| format!("{kind}{packed}")));
    endings.map(|ending| folder.join(format!("{name}{ending}"))).find(|path| path.is_file())
}

/// The folders of a folder, sorted by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).take(MOST_FOLDERS).collect();
    found.sort();
    found
}

/// The file `name` of a set.
///
/// # Errors
/// `E0750`: the file is missing. The message says where it was searched.
pub(super) fn needed(path: &str, name: &str, set: &str, directories: &Directories) -> Result<PathBuf, DataError> {
    if let Some(found) = folder(path, directories)?.and_then(|folder| file(&folder, name)) {
        return Ok(found);
    }
    let tried: Vec<String> = places(path, directories)?.iter().map(|p| format!("`{}`", p.display())).collect();
    let reason = format!(
        "there is no `{name}` (plain, `.bin` or `.npz`; `.gz` or `.xz`) in {} or a folder of it",
        tried.join(" or ")
    );
    Err(DataError::data("E0750", name, reason).help(format!(
        "put the set's files there, or say where they are with `--data-dir`; `gmpc data info {set}` tells what is missing"
    )))
}
