//! Finished runs on the disk: two small files each, named by a hash of everything the run depends on.
//!
//! ```text
//! KEY.json                what it gave
//! KEY.jsonl               a line an epoch, as in a run folder's metrics.jsonl
//! KEYat9.json(l)          the same of a run that paused after 9 epochs (`--halve`)
//! KEYat9.safetensors      what it takes to go on from there; gone once the run went on or was stopped for good
//! ```
//!
//! A checkpoint that is missing or damaged costs time and nothing else: the run begins anew, and gives the same.

use super::{Outcome, Size};
use crate::exact::Exact;
use crate::failure::Failure;
use crate::run::checkpoint::{Checkpoint, Disk, encode, read, write_atomically};
use crate::run::seal::{UNSEALED, is_whole, seal};
use crate::task::experiment::Prepared;
use gmpc_data::digest::sha256;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Figures as text that comes back exactly.
#[derive(Serialize, Deserialize)]
struct Kept {
    seed: u64,
    figures: Result<Vec<(String, Exact)>, String>,
    epochs: u64,
    seconds: f64,
    #[serde(default)]
    size: Option<Size>,
    #[serde(default)]
    start: Vec<(String, Exact)>,
    /// SHA-256 of the lines of its epochs; empty in files from before it was kept.
    #[serde(default)]
    lines_sha256: String,
    /// See `run::seal`.
    #[serde(default)]
    seal: String,
}

/// A run's name: source with every override, seed, rows, device and build of this program.
pub(super) fn key(prepared: &Prepared) -> String {
    let source = &prepared.network.module.effective_source;
    let seed = prepared.seed();
    let parts = [build(), prepared.device(), &seed.to_string(), &prepared.data_sha256, source];
    sha256(parts.join("\n").as_bytes())[..32].to_string()
}

/// The file that the compiler was loaded from, where that is not the process's own program.
static LOADED_FROM: OnceLock<PathBuf> = OnceLock::new();

/// Says which file holds the compiler in a process that another program began, such as an interpreter: its outcomes are told from
/// those of other builds by this file. The first call counts, and it comes before any comparison.
pub fn loaded_from(path: PathBuf) {
    let _ = LOADED_FROM.set(path);
}

/// What tells one build of this program from another: the SHA-256 of its file, which is read once; the version alone where
/// it cannot be read. A compiler that was changed must not take outcomes from before the change.
fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let program = LOADED_FROM.get().cloned().map_or_else(std::env::current_exe, Ok);
        let bytes = program.and_then(std::fs::read);
        bytes.map_or_else(|_| env!("CARGO_PKG_VERSION").into(), |bytes| sha256(&bytes))
    })
}

/// A kept outcome; one of which a file is missing, damaged or edited counts as none.
pub(super) fn load(folder: &Path, key: &str) -> Option<Outcome> {
    let text = std::fs::read_to_string(folder.join(format!("{key}.json"))).ok()?;
    let kept: Kept = serde_json::from_str(&text).ok().filter(|kept: &Kept| is_whole(&text, &kept.seal))?;
    let lines = || std::fs::read(folder.join(format!("{key}.jsonl"))).is_ok_and(|l| sha256(&l) == kept.lines_sha256);
    if !kept.lines_sha256.is_empty() && !lines() {
        return None;
    }
    let figures = kept.figures.map(|figures| figures.into_iter().map(|(name, value)| (name, value.0)).collect());
    let start = kept.start.into_iter().map(|(name, value)| (name, value.0)).collect();
    Some(Outcome { seed: kept.seed, figures, epochs: kept.epochs, seconds: kept.seconds, size: kept.size, start })
}

/// The lines of a kept run, one an epoch; empty where there are none.
pub(super) fn epochs(folder: &Path, key: &str) -> String {
    std::fs::read_to_string(folder.join(format!("{key}.jsonl"))).unwrap_or_default()
}

/// Keeps an outcome with its epochs.
///
/// # Errors
/// [`Failure::Io`].
pub(super) fn save(folder: &Path, key: &str, outcome: &Outcome, epochs: &[u8]) -> Result<(), Failure> {
    // Two spellings of a value may be the same run, and its file has one temporary name.
    static WRITING: Mutex<()> = Mutex::new(());
    let figures = outcome.figures.clone();
    let figures = figures.map(|figures| figures.into_iter().map(|(name, value)| (name, Exact(value))).collect());
    let Outcome { seed, epochs: done, seconds, size, .. } = *outcome;
    let start = outcome.start.iter().map(|(name, value)| (name.clone(), Exact(*value))).collect();
    let lines_sha256 = sha256(epochs);
    let kept = Kept { seed, figures, epochs: done, seconds, size, start, lines_sha256, seal: UNSEALED.into() };
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = serde_json::to_string(&kept).map_err(|error| Failure::Bug(error.to_string()))?;
    write_atomically(&mut Disk, &folder.join(format!("{key}.jsonl")), epochs, None)?;
    write_atomically(&mut Disk, &folder.join(format!("{key}.json")), seal(&text).as_bytes(), None)
}

/// What the outcome of a run is called that paused after so many epochs.
pub(super) fn paused_name(key: &str, epochs: u64) -> String {
    format!("{key}at{epochs}")
}

fn checkpoint_path(folder: &Path, key: &str, epochs: u64) -> PathBuf {
    folder.join(format!("{}.safetensors", paused_name(key, epochs)))
}

/// Keeps what it takes to go on with a run; to be called before its outcome at this pause is kept.
///
/// # Errors
/// [`Failure::Io`].
pub(super) fn save_checkpoint(folder: &Path, key: &str, epochs: u64, checkpoint: &Checkpoint) -> Result<(), Failure> {
    let checkpoint = Checkpoint { run: Some(key.into()), ..checkpoint.clone() };
    write_atomically(&mut Disk, &checkpoint_path(folder, key, epochs), &encode(&checkpoint)?, None)
}

/// The latest of some pauses of a run that is whole: its checkpoint, and the lines of its epochs.
pub(super) fn paused(folder: &Path, key: &str, pauses: &[u64]) -> Option<(Checkpoint, String)> {
    let one = |epochs: u64| {
        let name = paused_name(key, epochs);
        load(folder, &name)?;
        let found = read(&checkpoint_path(folder, key, epochs)).ok()?;
        let is_it = found.run.as_deref() == Some(key) && found.progress.as_ref().is_some_and(|p| p.epoch == epochs);
        is_it.then(|| (found, self::epochs(folder, &name)))
    };
    pauses.iter().rev().find_map(|epochs| one(*epochs))
}

/// Removes the checkpoints of these pauses, which nobody needs any more.
pub(super) fn forget(folder: &Path, key: &str, pauses: &[u64]) {
    for epochs in pauses {
        let _ = std::fs::remove_file(checkpoint_path(folder, key, *epochs)); // what stays takes room and no more
    }
}
