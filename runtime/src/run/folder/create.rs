//! Creates the folder of a new run. Refuses if this would overwrite files of the user.

use super::{About, RunFolder};
use crate::failure::{Failure, Message};
use crate::run::lock::{Lock, Locked};
use crate::run::output::{COMPARISON, OF_A_RUN};
use crate::run::records::{FOLDER, STATES};
use std::path::{Path, PathBuf};

const SOURCE: &str = "source.gmpnet";

impl RunFolder {
    /// Creates the folder of a new run: `wanted` (`--out`), or a free name below `runs`. With `replace`, an existing
    /// run in it is removed.
    ///
    /// # Errors
    /// [`Failure::Usage`]: `wanted` already holds a run, a comparison or files with the names of a run's files, or
    /// another process trains in it. [`Failure::Io`]: the folder cannot be written.
    pub fn create(wanted: Option<&Path>, replace: bool, about: &About, source: &str) -> Result<Self, Failure> {
        let path = match wanted {
            Some(path) => {
                std::fs::create_dir_all(path).map_err(|error| Failure::io("make the folder", path, &error))?;
                path.to_path_buf()
            }
            None => free(Path::new("runs"), &about.folder_name())?,
        };
        let folder = RunFolder { path };
        folder.check_comparison()?;
        if replace {
            folder.clear()?;
        } else {
            folder.check_run()?;
            folder.check_source(about)?;
            folder.check_files(source)?;
        }
        let about = folder.placed(about);
        folder.write(SOURCE, source.as_bytes())?;
        folder.write("run.json", about.sealed()?.as_bytes())?; // written last: a folder that has it is complete
        Ok(folder)
    }

    fn refuse(&self, what: &str, help: &str) -> Failure {
        let message = Message::new(format!("{} {what}", self.path.display()));
        Failure::Usage(message.at("E0801", &self.path).help(help))
    }

    fn check_run(&self) -> Result<(), Failure> {
        if !self.file("run.json").exists() {
            return Ok(());
        }
        let go_on = format!("continue it with `gmpc train --resume {}`", self.path.display());
        let help = format!("{go_on}, choose another folder, or replace it with `gmpc train … --force`");
        Err(self.refuse("already holds a run", &help))
    }

    /// A report could not tell a run from a comparison in the same folder.
    fn check_comparison(&self) -> Result<(), Failure> {
        if !self.file(COMPARISON).exists() {
            return Ok(());
        }
        Err(self.refuse("holds a comparison", "choose another folder with --out"))
    }

    /// The file that is trained must not be overwritten by its own copy with all overrides applied.
    fn check_source(&self, about: &About) -> Result<(), Failure> {
        let source = self.file(SOURCE);
        let is_input = source.exists() && source.canonicalize().ok() == Path::new(&about.file).canonicalize().ok();
        if !is_input {
            return Ok(());
        }
        let message = Message::new(format!("{} is the file to train, and would be overwritten", source.display()));
        Err(Failure::Usage(message.at("E0801", &source).help("choose another folder with --out")))
    }

    /// Refuses files that have the names of a run's files but belong to no run. A source with the same text is allowed:
    /// a process that was killed while it created this very run leaves it.
    fn check_files(&self, source: &str) -> Result<(), Failure> {
        let known = OF_A_RUN.iter().chain(&[FOLDER, STATES]).filter(|name| **name != "lock");
        let same = |name: &str| name == SOURCE && std::fs::read(self.file(name)).is_ok_and(|t| t == source.as_bytes());
        match known.copied().find(|name| self.file(name).exists() && !same(name)) {
            Some(name) => {
                let what = format!("holds `{name}` and no run, and a run would overwrite it");
                Err(self.refuse(&what, "choose another folder, or overwrite it with `gmpc train … --force`"))
            }
            None => Ok(()),
        }
    }

    /// Removes the files of a run that is here. Refuses while another process trains it. The source stays until it is
    /// overwritten, because it may be the file that is trained.
    fn clear(&self) -> Result<(), Failure> {
        let _lock: Lock = match Lock::take(&self.path)? {
            Locked::Mine(lock) => lock,
            Locked::By(id) => return Err(super::busy(&id, &self.path)),
        };
        let failed = |path: &Path, error: &std::io::Error| Failure::io("remove", path, error);
        let records = self.file(FOLDER);
        // Removed first: a folder without `run.json` is not a run, so an incomplete one is never taken for a complete
        // one.
        let files = std::iter::once("run.json").chain(OF_A_RUN).chain([STATES]);
        for name in files.filter(|name| ![SOURCE, "lock"].contains(name)) {
            match std::fs::remove_file(self.file(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(&self.file(name), &error));
                }
                _ => {}
            }
        }
        match std::fs::remove_dir_all(&records) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&records, &error)),
            _ => Ok(()),
        }
    }
}

/// Creates the first free folder of the names `NAME`, `NAME-2`, `NAME-3`, … below a folder.
pub(super) fn free(below: &Path, name: &str) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(below).map_err(|error| Failure::io("make the folder", below, &error))?;
    let mut count = 1_u32;
    loop {
        let path = if count == 1 { below.join(name) } else { below.join(format!("{name}-{count}")) };
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => count += 1,
            Err(error) => return Err(Failure::io("make the folder", &path, &error)),
        }
    }
}
