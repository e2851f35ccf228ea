//! `gmpc data fetch`: downloads the files of a data set, and verifies each before it gets its name.
//!
//! ```text
//! url -> target.part (continues an interrupted download) -> SHA-256 -> fsync -> rename to target
//! ```
//!
//! So a file under its own name is always complete, and its declared checksum, if there is one, is always right.

mod checksum;
mod download;

use super::{DataError, Directories, images};
pub use checksum::{Verdict, Verified, verify};
use gmpc_compiler::ir::experiment::{DataSource, DataSpec, FileSpec, Images};
use std::path::PathBuf;

/// Largest size of a file. No data set that is declared as one table or array is meant to be larger.
const MAX_BYTES: u64 = 1 << 36;

/// Progress of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are on disk.
    pub bytes: u64,
    /// Size of the whole file in bytes, if the server tells.
    pub total: Option<u64>,
}

/// A file after [`fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256: the declared one, if one is declared.
    pub sha256: String,
    /// True if it was on disk before.
    pub already: bool,
}

/// The different files of a data set: none for a formula, and only one if both arrays are in one archive.
#[must_use]
pub fn files(spec: &DataSpec) -> Vec<&FileSpec> {
    match &spec.source {
        DataSource::Table(table) => vec![&table.file],
        DataSource::Arrays(arrays) if arrays.inputs.path == arrays.targets.path => vec![&arrays.inputs],
        DataSource::Arrays(arrays) => vec![&arrays.inputs, &arrays.targets],
        DataSource::Formula(_) => vec![],
        DataSource::Images(images) => images.archive.iter().collect(),
    }
}

/// Downloads every file of a data set that is missing, or whose checksum differs from the declared one.
///
/// `progress` is called after every few kilobytes.
///
/// # Errors
/// `E0752`: a path leaves the data directory. `E0760`: a missing file has no address. `E0761` (exit code 6): the
/// network or the server failed. `E0762`: a checksum is wrong; the message has both. `E0751`: the disk failed.
pub fn fetch(
    spec: &DataSpec,
    directories: &Directories,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Fetched>, DataError> {
    let agent = download::agent(true);
    if let Some(missing) = spec.images().filter(|images| images.archive.is_none()).map(|i| placed(spec, i, directories))
    {
        return missing;
    }
    let fetched: Vec<Fetched> = files(spec)
        .into_iter()
        .map(|file| fetch_file(file, directories, &agent, progress))
        .collect::<Result<_, _>>()?;
    if let (Some(images), Some(archive)) = (spec.images(), fetched.first()) {
        images::unpack(&archive.path, images, directories)?;
    }
    Ok(fetched)
}

/// For images without an address: they are on disk already, or the user must put them there.
fn placed(spec: &DataSpec, images: &Images, directories: &Directories) -> Result<Vec<Fetched>, DataError> {
    match images::files(images, directories)?.into_iter().find(|file| file.bytes.is_none()) {
        None => Ok(vec![]),
        Some(missing) => {
            let help = format!("put it at `{}` (`.gz` and `.xz` may stay packed)", missing.path.display());
            Err(DataError::data("E0760", &spec.name, "there is no address for downloading it").help(help))
        }
    }
}

fn fetch_file(
    file: &FileSpec,
    directories: &Directories,
    agent: &ureq::Agent,
    progress: &mut dyn FnMut(Progress),
) -> Result<Fetched, DataError> {
    let target = directories.below_data(&file.path)?;
    if target.is_file() {
        let (sha256, bytes) = checksum::of_file(&target)?;
        if file.sha256.as_ref().is_none_or(|declared| declared.eq_ignore_ascii_case(&sha256)) {
            return Ok(Fetched { path: target, bytes, sha256, already: true });
        }
    }
    let Some(url) = &file.url else {
        let help = format!("put the file at `{}`, or add `url = \"https://...\"` to the declaration", target.display());
        return Err(DataError::data("E0760", &file.path, "there is no address for downloading it").help(help));
    };
    let request = download::Request { url, sha256: file.sha256.as_deref(), target: &target, max_bytes: MAX_BYTES };
    let (sha256, bytes) = download::download(agent, &request, progress)?;
    Ok(Fetched { path: target, bytes, sha256, already: false })
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{serve, whole};
    use super::*;

    // printf '1,2\n' | sha256sum
    const SHA256: &str = "52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680";

    fn file(path: &str, url: Option<String>) -> FileSpec {
        FileSpec { path: path.to_string(), url, sha256: Some(SHA256.to_string()) }
    }

    #[test]
    fn a_file_is_fetched_once_and_again_when_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let directories = Directories { data: folder.path().to_path_buf(), beside: None };
        let server = serve(vec![whole(b"1,2\n"), whole(b"1,2\n")]);
        let file = file("mine/a.csv", Some(server.url.clone()));
        let get = || fetch_file(&file, &directories, &download::agent(false), &mut |_| {}).unwrap();
        let (path, sha256) = (folder.path().join("mine/a.csv"), SHA256.to_string());
        let fetched = Fetched { path: path.clone(), bytes: 4, sha256, already: false };
        assert_eq!(get(), fetched);
        assert_eq!(get(), Fetched { already: true, ..fetched.clone() });
        std::fs::write(&path, "1,3\n").unwrap();
        assert_eq!(get(), fetched);
        assert_eq!(std::fs::read(path).unwrap(), b"1,2\n");
        assert_eq!(server.ranges.join().unwrap().len(), 2);
    }

    #[test]
    fn nothing_is_fetched_without_an_address_or_to_a_place_outside() {
        let directories = Directories { data: "/nonexistent".into(), beside: None };
        let code =
            |file: FileSpec| fetch_file(&file, &directories, &download::agent(false), &mut |_| {}).unwrap_err().code;
        assert_eq!(code(file("a.csv", None)), "E0760");
        assert_eq!(code(file("../a.csv", Some("http://127.0.0.1:1/a.csv".to_string()))), "E0752");
    }
}
