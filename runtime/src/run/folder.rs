//! The folder of a run: all that is needed to resume it, to inspect it and to repeat it.
//!
//! ```text
//! runs/levy-gmp-seed0/
//!   source.gmpnet      the file with every override applied: trains the same run without options
//!   run.json           versions, seed, device, data: see [`About`]
//!   metrics.jsonl      one line for each epoch
//!   notes.jsonl        warnings, one in each line, if there were any (notes.rs)
//!   last.safetensors   states and counters (checkpoint.rs); last.previous.safetensors is the checkpoint before it
//!   boundaries/        boundaries of the first layers' units, if recorded (records.rs)
//!   best.safetensors   parameters and statistics of the best epoch
//!   data.json          the files the run was trained on, with their checksums
//!   result.json        the `done` line, once the run has ended (result.rs)
//!   events.out.tfevents.gmpc   the metrics for TensorBoard, if asked for (tensorboard.rs)
//!   lock               locked by the process that trains here; contains its id
//! ```
//!
//! Small runs must not wait for the disk. So `last` is written when [`CADENCE`] has passed since the last time, when
//! the run is stopped or diverges, and at its end. A crash of the machine loses at most that much work.

mod about;
mod create;
mod notes;
mod weights;
mod writer;

pub use about::{About, Inputs, Parent};
pub use notes::WarningLog;
pub use writer::{RunWriter, best_of, restore, tensors_of};

use crate::failure::{Failure, Message};
use crate::run::checkpoint::{Disk, again, write_atomically};
use crate::run::lock::{Lock, Locked};
use about::FORMAT;
use gmpc_data::DataFile;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Default time between two checkpoints.
pub const CADENCE: Duration = Duration::from_secs(30);

/// Lists the files that the run was trained on.
const DATA: &str = "data.json";

/// The folder of a run on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// The path of the folder.
    pub path: PathBuf,
}

impl RunFolder {
    /// `about` with absolute paths, which hold from any working directory.
    fn placed(&self, about: &About) -> About {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        // The parent of a bare file name is the empty path: the working directory.
        let here =
            |path: &PathBuf| if path.as_os_str().is_empty() { absolute(&PathBuf::from(".")) } else { absolute(path) };
        let beside = about.beside.as_ref().map(here);
        let from_run = beside.as_deref().and_then(|beside| from(&absolute(&self.path), beside));
        let data_directory = about.data_directory.as_ref().map(absolute);
        About { beside, beside_from_run: from_run, data_directory, ..about.clone() }
    }

    /// The folders in which tables that the run's file names may lie. The most likely one is first.
    #[must_use]
    pub fn beside(&self, about: &About) -> Vec<PathBuf> {
        let moved = about.beside_from_run.as_ref().map(|path| self.path.join(path));
        let mut found: Vec<PathBuf> = about.beside.iter().cloned().chain(moved).collect();
        found.dedup();
        found
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// [`Failure::Io`]: it is not a run folder, or `run.json` or `source.gmpnet` is damaged, edited or of a later
    /// version.
    pub fn open(path: &Path) -> Result<(Self, About), Failure> {
        let folder = RunFolder { path: path.to_path_buf() };
        let text = folder.read("run.json").map_err(|_| {
            let message = Message::new(format!("{} is not a run folder: it has no run.json", path.display()));
            Failure::Io(message.at("E0802", path).help("`gmpc train` prints the folder of each run when it ends"))
        })?;
        let file = folder.file("run.json");
        let damaged = |why: String| {
            Failure::Io(Message::new(format!("{}: {why}", file.display())).at("E0803", &file).help(again(&file)))
        };
        let about: About = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        // The version comes first: a later format may have another checksum.
        if about.format > FORMAT {
            let why = format!("the format of the run is {}, and this gmpc reads formats up to {FORMAT}", about.format);
            let message = Message::new(format!("{}: {why}", file.display())).at("E0803", &file);
            return Err(Failure::Io(message.help("use the gmpc it was trained with, or a later one")));
        }
        if !about.is_as_sealed(&text) {
            let message = Message::new(format!("{} is not what gmpc wrote: it was edited or damaged", file.display()));
            return Err(Failure::Io(message.at("E0803", &file).help(again(&file))));
        }
        let source = folder.source()?;
        if gmpc_data::digest::sha256(source.as_bytes()) != about.source_sha256 {
            let path = folder.file("source.gmpnet");
            let message = Message::new(format!("{} has changed since the run began", path.display()));
            return Err(Failure::Io(message.at("E0803", &path).help("restore the file, or start a new run from it")));
        }
        Ok((folder, about))
    }

    /// The path of a file in the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The source with all overrides applied.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be read.
    pub fn source(&self) -> Result<String, Failure> {
        self.read("source.gmpnet")
    }

    /// Refuses to resume a folder that `convert` made: training would overwrite its only weights.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the folder holds converted weights.
    pub fn check_that_it_was_trained(&self, about: &About) -> Result<(), Failure> {
        // Older versions did not mark converted folders. These have weights but no file that training writes.
        let bare =
            self.file("best.safetensors").exists() && !self.has_checkpoint() && !self.file("metrics.jsonl").exists();
        if !about.converted && !bare {
            return Ok(());
        }
        let message =
            Message::new(format!("{} contains converted weights and no state of a training", self.path.display()));
        Err(Failure::Usage(message.at("E0809", &self.path).help(again(&self.file("run.json")))))
    }

    /// Locks the folder for this process until the lock is dropped.
    ///
    /// # Errors
    /// [`Failure::Usage`]: another process trains here.
    pub fn lock(&self) -> Result<Lock, Failure> {
        match Lock::take(&self.path)? {
            Locked::Mine(lock) => Ok(lock),
            Locked::By(id) => Err(busy(&id, &self.path)),
        }
    }

    /// Writes a small file atomically.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        write_atomically(&mut Disk, &self.file(name), bytes, None)
    }

    /// Stores which files the run is trained on.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written.
    pub fn write_data_files(&self, files: &[DataFile]) -> Result<(), Failure> {
        if files.is_empty() {
            return Ok(()); // a formula computes the rows
        }
        let lines: Vec<String> = files.iter().filter_map(|file| serde_json::to_string(file).ok()).collect();
        self.write(DATA, format!("[\n{}\n]\n", lines.join(",\n")).as_bytes())
    }

    /// The files that the run was trained on; empty if they were not stored. Only messages use them.
    #[must_use]
    pub fn data_files(&self) -> Vec<DataFile> {
        let text = std::fs::read_to_string(self.file(DATA)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.file(name);
        std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))
    }
}

fn busy(id: &str, folder: &Path) -> Failure {
    let message = Message::new(format!("process {id} is training in {}", folder.display())).at("E0806", folder);
    Failure::Usage(message.help("wait for it, stop it, or choose another folder with --out"))
}

/// The relative path from one absolute folder to another, such as `../..`. `None` if they share no prefix, as on two
/// drives.
fn from(start: &Path, to: &Path) -> Option<PathBuf> {
    let shared = start.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = start.components().skip(shared).map(|_| std::path::Component::ParentDir);
    (shared > 0).then(|| up.chain(to.components().skip(shared)).collect())
}

#[cfg(test)]
mod tests;
