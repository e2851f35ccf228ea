//! The lock of a folder: only one process at a time writes to it.
//!
//! The lock is the operating system's, so it ends with the process in any case, and no stale lock remains. The lock
//! file also shows whether the folder is still the one that was locked: a folder that was removed and made again has
//! another file.

use crate::failure::{Failure, Message};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The name of the lock file.
const FILE: &str = "lock";

/// A folder that belongs to this process until the lock is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    /// False on a file system without locks.
    pub held: bool,
}

/// Which process a folder belongs to.
#[derive(Debug)]
pub enum Locked {
    /// This process.
    Mine(Lock),
    /// The process with this number.
    By(String),
}

impl Lock {
    /// Locks an existing folder.
    ///
    /// # Errors
    /// [`Failure::Io`]: the lock file cannot be opened, locked or written.
    pub fn take(folder: &Path) -> Result<Locked, Failure> {
        Lock::take_file(folder.join(FILE))
    }

    /// Locks a file, and creates it if it does not exist.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be opened, locked or written.
    pub fn take_file(path: PathBuf) -> Result<Locked, Failure> {
        let failed = |error: &std::io::Error| Failure::io("lock", &path, error);
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.as_mut().map_err(|error| failed(error))?;
        let held = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Ok(Locked::By(holder(file))),
            Err(TryLockError::Error(error)) if knows_no_locks(&error) => false,
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        };
        let id = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.write_all(id.as_bytes())).map_err(|error| failed(&error))?;
        let file = file.try_clone().map_err(|error| failed(&error))?;
        Ok(Locked::Mine(Lock { file, path, held }))
    }

    /// Checks that the folder is still the one that was locked.
    ///
    /// # Errors
    /// [`Failure::Io`]: it was removed or replaced, or another process writes to it.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_in_place() {
            return self.check_holder();
        }
        let folder = self.folder().display();
        let message = Message::new(format!("{folder} was removed or replaced while this process was writing there"));
        let message = message.at("E0806", self.folder());
        Err(Failure::Io(message.help("start again with another folder (`--out`); nothing more was written there")))
    }

    /// On a file system without locks, the file names the process that came last. This check keeps two processes from
    /// overwriting each other's files.
    fn check_holder(&self) -> Result<(), Failure> {
        let last = if self.held { None } else { std::fs::read_to_string(&self.path).ok() };
        match last.filter(|id| !id.is_empty() && *id != std::process::id().to_string()) {
            Some(id) => {
                let message = Message::new(format!("process {id} also writes to {}", self.folder().display()));
                Err(Failure::Io(
                    message.at("E0806", self.folder()).help("stop one of them and continue with the other"),
                ))
            }
            None => Ok(()),
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let of = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(mine), Ok(there)) => of(mine) == of(there),
            (_, Err(error)) => error.kind() != std::io::ErrorKind::NotFound,
            (Err(_), _) => true, // unknown; writing will show it
        }
    }

    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        // Windows does not remove a folder that holds an open file.
        self.file.metadata().is_ok() && self.path.exists()
    }
}

/// The process number in a lock that another process holds; empty if it cannot be read.
fn holder(file: &mut File) -> String {
    let mut id = String::new();
    let _ = file.rewind().and_then(|()| file.take(20).read_to_string(&mut id));
    id.trim().to_string()
}

/// Network file systems may have no locks (ENOLCK, ENOSYS, EOPNOTSUPP). Training there is allowed.
fn knows_no_locks(error: &std::io::Error) -> bool {
    #[cfg(target_os = "linux")]
    const NO_LOCKS: i32 = 37;
    #[cfg(not(target_os = "linux"))]
    const NO_LOCKS: i32 = 77;
    error.kind() == std::io::ErrorKind::Unsupported || error.raw_os_error() == Some(NO_LOCKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_replaced_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        std::fs::create_dir(&folder).unwrap();
        let Locked::Mine(lock) = Lock::take(&folder).unwrap() else { panic!("it is free") };
        assert!(lock.held && lock.check().is_ok());
        assert!(matches!(Lock::take(&folder).unwrap(), Locked::By(id) if id == std::process::id().to_string()));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(lock.check().unwrap_err().exit_code(), 6);
        std::fs::create_dir(&folder).unwrap();
        assert!(lock.check().is_err(), "another folder of the same name");
        assert!(matches!(Lock::take(&folder).unwrap(), Locked::Mine(_)));
        assert!(lock.check().unwrap_err().to_string().contains("removed or replaced"));
    }

    #[test]
    fn without_locks_a_second_process_is_noticed_by_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let Locked::Mine(mut lock) = Lock::take(folder.path()).unwrap() else { panic!("it is free") };
        lock.held = false;
        assert!(lock.check().is_ok());
        std::fs::write(folder.path().join(FILE), "1").unwrap();
        let message = lock.check().unwrap_err();
        assert!(message.exit_code() == 6 && message.to_string().starts_with("process 1 also writes to"), "{message}");
    }

    #[test]
    fn a_file_system_without_locks_is_told_from_one_that_fails() {
        assert!(knows_no_locks(&std::io::Error::from(std::io::ErrorKind::Unsupported)));
        assert!(!knows_no_locks(&std::io::Error::from(std::io::ErrorKind::PermissionDenied)));
        #[cfg(target_os = "linux")]
        assert!(
            knows_no_locks(&std::io::Error::from_raw_os_error(37))
                && knows_no_locks(&std::io::Error::from_raw_os_error(38))
        );
    }
}
