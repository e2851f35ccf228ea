//! Where a file of a set is: under which ending, in the set's folder or in a folder of it.

use crate::data::{DataError, Directories};
use std::path::{Path, PathBuf};

/// What may follow a file's name; the first that is there is taken.
const KINDS: [&str; 4] = ["", ".bin", ".txt", ".npz"];
const PACKED: [&str; 3] = ["", ".gz", ".xz"];
/// A set's folder has a few folders at most; more are not looked through.
const MOST_FOLDERS: usize = 64;

/// A folder as a declaration names it: beside the user's file, or in the data directory; `None` where it is in neither.
pub(super) fn folder(path: &str, directories: &Directories) -> Result<Option<PathBuf>, DataError> {
    Ok(places(path, directories)?.into_iter().find(|place| place.is_dir()))
}

/// Where a folder is looked for; the last is where it would be put.
pub(super) fn places(path: &str, directories: &Directories) -> Result<Vec<PathBuf>, DataError> {
    let beside = directories.beside.iter().map(|folder| folder.join(path));
    let below = if Path::new(path).is_absolute() { PathBuf::from(path) } else { directories.below_data(path)? };
    Ok(beside.chain([below]).collect())
}

/// The file called `name`, with one of the usual endings, in `folder` or in one of its folders.
pub(super) fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    if !is_plain(name) {
        return None;
    }
    in_folder(folder, name).or_else(|| folders(folder).iter().find_map(|inner| in_folder(inner, name)))
}

/// A name that stays in its folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != ".."
}

fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let endings = KINDS.iter().flat_map(|kind| PACKED.iter().map(move |packed| format!("{kind}{packed}")));
    endings.map(|ending| folder.join(format!("{name}{ending}"))).find(|path| path.is_file())
}

/// The folders of a folder, by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).take(MOST_FOLDERS).collect();
    found.sort();
    found
}

/// The file called `name` of a set.
///
/// # Errors
/// `E0750` with where it was looked for.
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
