//! A run's folder: everything needed to go on, to look at, and to repeat it.
//!
//! ```text
//! runs/levy-gmp-seed0/
//!   source.gmpnet      the file with every override applied: gives the same run again with no option
//!   run.json           versions, seed, device, data: see [`About`]
//!   metrics.jsonl      one line an epoch
//!   last.safetensors   states and counters (checkpoint.rs); last.previous.safetensors is the generation before
//!   boundaries/        where the first layers' units switch, if recorded (trajectory.rs)
//!   best.safetensors   parameters and statistics of the best epoch
//!   result.json        the `done` line, once the run has ended
//!   events.out.tfevents.gmpc   the metrics for TensorBoard, if wanted (tensorboard.rs)
//!   lock               held by the process that trains here; holds its id
//! ```
//!
//! Small runs must not wait for the disk: `last` is written when [`CADENCE`] has passed since the last time, when the run is
//! stopped or diverges, and at its end. So a crash of the machine loses at most that much work.

mod keeper;

pub use keeper::{Keeper, restore};

use crate::checkpoint::{self, Checkpoint, Disk, write_atomically};
use crate::data::Scale;
use crate::failure::{Failure, Told};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time between two checkpoints.
pub const CADENCE: Duration = Duration::from_secs(30);

/// Version of the folder's layout.
const FORMAT: u32 = 1;

/// `run.json`: what a run is, fixed when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Of the folder's layout.
    pub format: u32,
    /// Version of gmpc that began it.
    pub gmpc: String,
    /// The model's name.
    pub model: String,
    /// `gmp + mn`
    pub param: String,
    /// Name of the data set.
    pub data: String,
    /// The run's seed.
    pub seed: u64,
    /// `cpu`
    pub device: String,
    /// `f32`
    pub precision: String,
    /// Rows trained, chosen and reported on.
    pub rows: [usize; 3],
    /// SHA-256 of these rows.
    pub data_sha256: String,
    /// SHA-256 of `source.gmpnet`.
    pub source_sha256: String,
    /// The file's name as it was given.
    pub file: String,
    /// The folder of the file, where tables that it names may lie.
    pub beside: Option<PathBuf>,
    /// What a row is, and how it was scaled: enough to predict without the training data.
    pub inputs: Inputs,
    /// Which weights the run ends with: those of its best epoch (`restore_best`), or its last.
    pub ends_with_best: bool,
}

/// What a row of a run's data is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Inputs {
    /// Numbers of an example.
    pub features: usize,
    /// `[features]`, or `[channels, height, width]` of images.
    #[serde(default)]
    pub shape: Vec<usize>,
    /// Target columns.
    pub outputs: usize,
    /// Number of classes; `None` for regression.
    pub classes: Option<usize>,
    /// What the file calls class 0, 1, …; empty for regression.
    pub labels: Vec<String>,
    /// How inputs were scaled.
    pub input_scale: Option<Scale>,
    /// How targets were scaled.
    pub target_scale: Option<Scale>,
}

impl About {
    /// With this layout's and this program's version.
    #[must_use]
    pub fn new() -> Self {
        About {
            format: FORMAT,
            gmpc: env!("CARGO_PKG_VERSION").into(),
            model: String::new(),
            param: String::new(),
            data: String::new(),
            seed: 0,
            device: String::new(),
            precision: String::new(),
            rows: [0; 3],
            data_sha256: String::new(),
            source_sha256: String::new(),
            file: String::new(),
            beside: None,
            inputs: Inputs::default(),
            ends_with_best: false,
        }
    }

    /// `levy-gmp-seed0`; the data set's name comes in where it is not the model's.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let data = Some(&self.data).filter(|data| !data.is_empty() && **data != self.model);
        let parts = [Some(&self.model), data, Some(&self.param)].into_iter().flatten();
        let plain = |c: char| if c.is_alphanumeric() || "._".contains(c) { c } else { '-' };
        let mut name: String = parts.map(|part| part.replace(" + ", "-") + "-").collect();
        name = name.chars().map(plain).collect();
        format!("{name}seed{}", self.seed)
    }
}

impl Default for About {
    fn default() -> Self {
        About::new()
    }
}

/// A run's folder on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// Where it is.
    pub path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run: `wanted` (`--out`), or a free name below `runs`.
    ///
    /// # Errors
    /// [`Failure::Usage`] where `wanted` holds a run already; [`Failure::Io`].
    pub fn create(wanted: Option<&Path>, about: &About, source: &str) -> Result<Self, Failure> {
        let path = match wanted {
            Some(path) if path.join("run.json").exists() => {
                let told = Told::new(format!("{} already holds a run", path.display()));
                let help =
                    format!("go on with it by `gmpc train --resume {}`, or choose another folder", path.display());
                return Err(Failure::Usage(told.help(help)));
            }
            Some(path) => {
                std::fs::create_dir_all(path).map_err(|error| Failure::io("make the folder", path, &error))?;
                path.to_path_buf()
            }
            None => free(Path::new("runs"), &about.folder_name())?,
        };
        let folder = RunFolder { path };
        let about = serde_json::to_string_pretty(about).map_err(|error| Failure::Bug(error.to_string()))?;
        folder.write("source.gmpnet", source.as_bytes())?;
        folder.write("run.json", (about + "\n").as_bytes())?; // the last: a folder with it is a whole one
        Ok(folder)
    }

    /// The folder of a run that is there.
    ///
    /// # Errors
    /// [`Failure::Io`]: it is none, or `run.json` is damaged or of a later version.
    pub fn open(path: &Path) -> Result<(Self, About), Failure> {
        let folder = RunFolder { path: path.to_path_buf() };
        let text = folder.read("run.json").map_err(|_| {
            let told = Told::new(format!("{} is no run folder: it has no run.json", path.display()));
            Failure::Io(told.help("`gmpc train` prints the folder of each run when it ends"))
        })?;
        let damaged = |why: String| Failure::Io(Told::new(format!("{}: {why}", folder.file("run.json").display())));
        let about: About = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if about.format > FORMAT {
            let why = format!("the run is of format {}, and this gmpc reads up to {FORMAT}", about.format);
            return Err(damaged(why));
        }
        let source = folder.source()?;
        if checkpoint::sha256(source.as_bytes()) != about.source_sha256 {
            let told =
                Told::new(format!("{} is not what the run was started with", folder.file("source.gmpnet").display()));
            return Err(Failure::Io(told.help("put the file back, or start a new run from it")));
        }
        Ok((folder, about))
    }

    /// A file of the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The effective source.
    ///
    /// # Errors
    /// [`Failure::Io`].
    pub fn source(&self) -> Result<String, Failure> {
        self.read("source.gmpnet")
    }

    /// Has the run been saved at all?
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        let last = self.file("last.safetensors");
        last.exists() || checkpoint::previous(&last).exists()
    }

    /// The newest whole checkpoint, and what had to be passed over.
    ///
    /// # Errors
    /// [`Failure::Io`]: none is whole, or there is none yet.
    pub fn last(&self) -> Result<(Checkpoint, Vec<String>), Failure> {
        checkpoint::read_newest(&self.file("last.safetensors"))
    }

    /// The weights a finished run is used with: those of its best epoch where it ends with them, else its last.
    ///
    /// # Errors
    /// [`Failure::Io`].
    pub fn weights(&self, about: &About) -> Result<Checkpoint, Failure> {
        let best = self.file("best.safetensors");
        if about.ends_with_best && best.exists() {
            return checkpoint::read(&best);
        }
        self.last().map(|(checkpoint, _)| checkpoint)
    }

    /// Takes the folder for this process until the file is dropped.
    ///
    /// The lock is the system's own, so that it ends with the process, however that ends: no stale lock stays behind.
    ///
    /// # Errors
    /// [`Failure::Usage`]: another process trains here.
    pub fn lock(&self) -> Result<File, Failure> {
        let path = self.file("lock");
        let failed = |error: &std::io::Error| Failure::io("lock", &path, error);
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.as_mut().map_err(|error| failed(error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.busy(file)),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let id = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.write_all(id.as_bytes())).map_err(|error| failed(&error))?;
        file.try_clone().map_err(|error| failed(&error))
    }

    fn busy(&self, file: &mut File) -> Failure {
        let mut id = String::new();
        let _ = file.rewind().and_then(|()| file.take(20).read_to_string(&mut id));
        let told = Told::new(format!("process {} is training in {}", id.trim(), self.path.display()));
        Failure::Usage(told.help("wait for it, stop it, or choose another folder with --out"))
    }

    /// Writes a small file, all or nothing.
    ///
    /// # Errors
    /// [`Failure::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        write_atomically(&mut Disk, &self.file(name), bytes, None)
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.file(name);
        std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))
    }
}

/// Makes `NAME`, `NAME-2`, `NAME-3`, … below a folder, whichever is free first.
fn free(below: &Path, name: &str) -> Result<PathBuf, Failure> {
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

#[cfg(test)]
mod tests;
