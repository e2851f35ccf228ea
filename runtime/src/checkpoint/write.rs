//! Writing a file so that at every moment a whole one is there: the old one, the new one, or both.

use crate::failure::{Failure, Told};
use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

/// The operations on files that writing needs, so that tests can let any of them fail.
pub trait Files {
    /// Creates a file with these contents, over one that is there.
    ///
    /// # Errors
    /// Those of the system.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<()>;

    /// Waits until a file's contents are on the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&mut self, path: &Path) -> Result<()>;

    /// Gives a file another name, over one that is there, all at once.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&mut self, from: &Path, to: &Path) -> Result<()>;

    /// Waits until a folder's names are on the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_folder(&mut self, folder: &Path) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&mut self, path: &Path) -> Result<()>;

    /// Is there a file of this name?
    fn exists(&self, path: &Path) -> bool;

    /// Bytes that this user may still write into a folder; `None` where the system does not tell.
    fn free(&self, folder: &Path) -> Option<u64>;
}

const ROOM: &str = "make room or choose another folder with --out; what was saved before is still whole";

/// The real ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        File::create(path)?.write_all(bytes)
    }

    fn sync(&mut self, path: &Path) -> Result<()> {
        File::options().write(true).open(path)?.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_folder(&mut self, folder: &Path) -> Result<()> {
        // Windows cannot open folders; its renames are on the disk when they return.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn remove(&mut self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    #[cfg(unix)]
    fn free(&self, folder: &Path) -> Option<u64> {
        let found = rustix::fs::statvfs(folder).ok().filter(|found| found.f_blocks > 0)?;
        found.f_bavail.checked_mul(found.f_frsize)
    }

    #[cfg(not(unix))]
    fn free(&self, _: &Path) -> Option<u64> {
        None
    }
}

/// Writes a file atomically; where `previous` is given, the generation before stays under that name.
///
/// # Errors
/// [`Failure::Io`]: the disk has no room, which is asked first, the folder may not be written, and the like. What was there before still is, under its
/// own name or under `previous`, and the half-written file is gone where it can be removed.
pub fn write_atomically(
    files: &mut dyn Files,
    path: &Path,
    bytes: &[u8],
    previous: Option<&Path>,
) -> std::result::Result<(), Failure> {
    let temporary = path.with_extension("tmp");
    // Asked before, so that a disk is not filled to the last byte for a file that cannot be kept.
    if let Some(free) = files.free(folder(path)).filter(|&free| free < bytes.len() as u64) {
        let told = format!("cannot write {}: it takes {} bytes, and {free} are free", path.display(), bytes.len());
        return Err(Failure::Io(Told::new(told).help(ROOM)));
    }
    steps(files, path, &temporary, bytes, previous).map_err(|error| {
        let _ = files.remove(&temporary); // the first error is the one to tell
        let told = Told::new(format!("cannot write {}: {error}", path.display()));
        Failure::Io(told.help(ROOM))
    })
}

fn steps(files: &mut dyn Files, path: &Path, temporary: &Path, bytes: &[u8], previous: Option<&Path>) -> Result<()> {
    files.write(temporary, bytes)?;
    files.sync(temporary)?;
    if let Some(previous) = previous.filter(|_| files.exists(path)) {
        files.rename(path, previous)?;
    }
    files.rename(temporary, path)?;
    files.sync_folder(folder(path))
}

/// The folder that a file lies in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
