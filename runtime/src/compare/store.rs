//! Finished runs on the disk: two small files each, named by a hash of everything the run depends on.
//!
//! ```text
//! KEY.json     what it gave
//! KEY.jsonl    a line an epoch, as in a run folder's metrics.jsonl
//! ```

use super::Outcome;
use crate::checkpoint::{Disk, sha256, write_atomically};
use crate::exact::Exact;
use crate::failure::Failure;
use crate::request::Prepared;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Figures as text that comes back exactly.
#[derive(Serialize, Deserialize)]
struct Kept {
    seed: u64,
    figures: Result<Vec<(String, Exact)>, String>,
    epochs: u64,
    seconds: f64,
}

/// A run's name: source with every override, seed, rows, device and build of this program.
pub(super) fn key(prepared: &Prepared) -> String {
    let source = &prepared.network.module.effective_source;
    let seed = prepared.seed();
    let parts = [build(), prepared.device(), &seed.to_string(), &prepared.data_sha256, source];
    sha256(parts.join("\n").as_bytes())[..32].to_string()
}

/// What tells one build of this program from another: the SHA-256 of its file, which is read once; the version alone where
/// it cannot be read. A compiler that was changed must not take outcomes from before the change.
fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let bytes = std::env::current_exe().and_then(std::fs::read);
        bytes.map_or_else(|_| env!("CARGO_PKG_VERSION").into(), |bytes| sha256(&bytes))
    })
}

/// A kept outcome; a file that is missing or damaged counts as none.
pub(super) fn load(folder: &Path, key: &str) -> Option<Outcome> {
    let kept: Kept = serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{key}.json"))).ok()?).ok()?;
    let figures = kept.figures.map(|figures| figures.into_iter().map(|(name, value)| (name, value.0)).collect());
    Some(Outcome { seed: kept.seed, figures, epochs: kept.epochs, seconds: kept.seconds })
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
    let kept = Kept { seed: outcome.seed, figures, epochs: outcome.epochs, seconds: outcome.seconds };
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = serde_json::to_string(&kept).map_err(|error| Failure::Bug(error.to_string()))?;
    write_atomically(&mut Disk, &folder.join(format!("{key}.jsonl")), epochs, None)?;
    write_atomically(&mut Disk, &folder.join(format!("{key}.json")), text.as_bytes(), None)
}
