//! Which process does which run: a lock for each, so that several comparisons in one folder share the work.
//!
//! ```text
//! KEY.lock    held while KEY is being run; removed after it
//! ```
//!
//! The lock is the system's own: that of a process that was killed ends with it. On a file system without locks two processes may
//! do a run twice, with the same result.

use crate::failure::Failure;
use crate::run::lock::{Lock, Locked};
use std::path::{Path, PathBuf};

/// A run that is this process's until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    lock: Lock,
    path: PathBuf,
}

impl Claim {
    /// Claims a run; `None` where another process has it.
    ///
    /// # Errors
    /// [`Failure::Io`]: the folder cannot be written.
    pub(super) fn of(folder: &Path, key: &str) -> Result<Option<Self>, Failure> {
        let path = folder.join(format!("{key}.lock"));
        loop {
            match Lock::take_file(path.clone())? {
                Locked::By(_) => return Ok(None),
                // Its holder may have removed the file between our opening and locking it: then it guards nothing.
                Locked::Mine(lock) if lock.held && lock.check().is_err() && folder.is_dir() => {}
                Locked::Mine(lock) => return Ok(Some(Claim { lock, path })),
            }
        }
    }

    /// Does the system keep others away? Not on a file system without locks.
    pub(super) fn is_held(&self) -> bool {
        self.lock.held
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while it is still held, so that nobody else's is removed.
        if self.lock.check().is_ok() {
            let _ = std::fs::remove_file(&self.path); // what stays is taken by the next process
        }
    }
}
