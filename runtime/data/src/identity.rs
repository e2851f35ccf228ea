//! The checksums of the files of a run, which show later what file has changed.

use super::digest::{self, DataFile, of_file};
use super::fetch::files;
use super::{DataError, Directories, images};
use gmpc_compiler::ir::experiment::{DataSpec, FileSpec};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Largest number of files that are listed one by one. Of more files, only their folders are listed.
const MOST_FILES: usize = 20_000;
/// Number of files that a sentence names.
const SHOWN: usize = 3;

/// Every file of a data set, in the order of names; none for a formula or for rendered images.
///
/// # Errors
/// A file is missing or cannot be read.
pub fn data_files(spec: &DataSpec, directories: &Directories) -> Result<Vec<DataFile>, DataError> {
    let mut found = match spec.images() {
        Some(set) => images::data_files(spec, set, directories)?,
        None => {
            let one = |file: &&FileSpec| {
                let path = directories.find(file, &spec.name)?;
                of_file(&path, file.path.clone())
            };
            files(spec).iter().map(one).collect::<Result<_, _>>()?
        }
    };
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(if found.len() > MOST_FILES { by_folder(&found) } else { found })
}

/// The folders of the files, with one checksum for each folder.
fn by_folder(files: &[DataFile]) -> Vec<DataFile> {
    let mut folders: BTreeMap<String, (u64, Sha256)> = BTreeMap::new();
    for file in files {
        let (folder, name) = file.name.rsplit_once('/').unwrap_or_default();
        let (bytes, hash) = folders.entry(format!("{folder}/")).or_default();
        *bytes += file.bytes;
        hash.update(format!("{name}\0{}\n", file.sha256));
    }
    let one = |(name, (bytes, hash)): (String, (u64, Sha256))| DataFile {
        name,
        bytes,
        sha256: digest::hexadecimal(&hash.finalize()),
    };
    folders.into_iter().map(one).collect()
}

/// A sentence about the files that changed: `` `t.csv` has changed``, `` `a/7.jpg` is gone, `a/8.jpg` is new and 4
/// more``. `None` if no file changed.
#[must_use]
pub fn changed(then: &[DataFile], now: &[DataFile]) -> Option<String> {
    let by_name = |files: &[DataFile]| -> BTreeMap<String, String> {
        files.iter().map(|file| (file.name.clone(), file.sha256.clone())).collect()
    };
    let (then, now) = (by_name(then), by_name(now));
    let old = then.iter().filter_map(|(name, sha256)| match now.get(name) {
        Some(found) if found == sha256 => None,
        Some(_) => Some(format!("`{name}` has changed")),
        None => Some(format!("`{name}` is gone")),
    });
    let new = now.keys().filter(|name| !then.contains_key(*name)).map(|name| format!("`{name}` is new"));
    let all: Vec<String> = old.chain(new).collect();
    let shown = all.get(..SHOWN.min(all.len())).unwrap_or_default().join(", ");
    match all.len().checked_sub(SHOWN) {
        _ if all.is_empty() => None,
        Some(more) if more > 0 => Some(format!("{shown} and {more} more")),
        _ => Some(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, sha256: &str) -> DataFile {
        DataFile { name: name.into(), bytes: 1, sha256: sha256.into() }
    }

    #[test]
    fn what_changed_is_named() {
        let then = [file("p/a/1.png", "1"), file("p/a/2.png", "2"), file("p/b/3.png", "3")];
        assert_eq!(changed(&then, &then), None);
        let now = [file("p/a/1.png", "1"), file("p/a/2.png", "9"), file("p/c/3.png", "3")];
        assert_eq!(changed(&then, &now).unwrap(), "`p/a/2.png` has changed, `p/b/3.png` is gone, `p/c/3.png` is new");
        let many: Vec<DataFile> = (0..9).map(|i| file(&format!("{i}"), "1")).collect();
        assert_eq!(changed(&many, &[]).unwrap(), "`0` is gone, `1` is gone, `2` is gone and 6 more");
    }

    #[test]
    fn very_many_files_are_kept_by_their_folders() {
        let mut files = vec![file("p/a/1.png", "1"), file("p/a/2.png", "2"), file("p/b/3.png", "3")];
        let then = by_folder(&files);
        assert_eq!(then.iter().map(|f| (f.name.as_str(), f.bytes)).collect::<Vec<_>>(), [("p/a/", 2), ("p/b/", 1)]);
        files[1].sha256 = "4".into();
        assert_eq!(changed(&then, &by_folder(&files)).unwrap(), "`p/a/` has changed");
    }
}
