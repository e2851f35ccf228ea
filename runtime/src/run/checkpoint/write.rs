//! Writes a file so that a complete one exists at every moment: the old one, the new one, or both.

use crate::failure::{Failure, Message};
use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

/// The operations on files that writing needs. Tests use an implementation in which any of them can fail.
pub trait Files {
    /// Creates a file with these contents and replaces an existing one.
    ///
    /// # Errors
    /// The errors of the operating system.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<()>;

    /// Waits until the contents of a file are on the disk.
    ///
    /// # Errors
    /// The errors of the operating system.
    fn sync(&mut self, path: &Path) -> Result<()>;

    /// Gives a file another name in one atomic step, and replaces an existing file of that name.
    ///
    /// # Errors
    /// The errors of the operating system.
    fn rename(&mut self, from: &Path, to: &Path) -> Result<()>;

    /// Waits until the names in a folder are on the disk.
    ///
    /// # Errors
    /// The errors of the operating system.
    fn sync_folder(&mut self, folder: &Path) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The errors of the operating system.
    fn remove(&mut self, path: &Path) -> Result<()>;

    /// True if there is a file of this name.
    fn exists(&self, path: &Path) -> bool;

    /// Bytes that this user may still write into a folder; `None` if the system does not tell.
    fn free(&self, folder: &Path) -> Option<u64>;
}

const ROOM: &str =
    "free some disk space, or choose another folder with --out; files that were saved before are undamaged";

/// The operations of the operating system.
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
        // Windows cannot open folders; its renames are on the disk when the call returns.
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

/// Writes a file atomically. With `previous`, the file that was there before keeps that name.
///
/// # Errors
/// [`Failure::Io`]: the disk has too little room, the folder is not writable, or another operation failed. The file
/// that was there before still exists under its own name or under `previous`. The incomplete new file is removed if
/// possible.
pub fn write_atomically(
    files: &mut dyn Files,
    path: &Path,
    bytes: &[u8],
    previous: Option<&Path>,
) -> std::result::Result<(), Failure> {
    let temporary = path.with_extension("tmp");
    // Checked first, so that the last bytes of a disk are not filled for a file that does not fit.
    if let Some(free) = files.free(folder(path)).filter(|&free| free < bytes.len() as u64) {
        let message = format!("cannot write {}: it needs {} bytes, and {free} are free", path.display(), bytes.len());
        return Err(Failure::Io(Message::new(message).help(ROOM)));
    }
    steps(files, path, &temporary, bytes, previous).map_err(|error| {
        let _ = files.remove(&temporary); // the first error is the one to report
        let message = Message::new(format!("cannot write {}: {error}", path.display()));
        Failure::Io(message.help(ROOM))
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
