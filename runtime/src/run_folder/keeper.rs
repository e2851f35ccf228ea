//! What a training run writes into its folder, and when.

use super::{CADENCE, RunFolder};
use crate::checkpoint::{Checkpoint, Disk, encode, previous, write_atomically};
use crate::device::{Slice, States};
use crate::event::{Epoch, Moved};
use crate::failure::Failure;
use crate::states::{Named, Stored};
use crate::tensorboard::Events;
use crate::train::{Keep, Standing};
use crate::trajectory::Writer;
use gmpc_compiler::boundary::First;
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::Role;
use gmpc_compiler::layout::StateLayout;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Before the names of the best epoch's tensors in `last`.
const BEST: &str = "best/";

/// Time after which lines are handed to the system though no checkpoint is due.
const OFTEN: Duration = Duration::from_secs(1);

/// Keeps a run in its folder; holds the folder's lock.
#[derive(Debug)]
pub struct Keeper {
    folder: RunFolder,
    metrics: BufWriter<File>,
    cadence: Duration,
    saved: Instant,
    /// When the lines of `metrics.jsonl` were handed to the system, for others to read.
    handed: Instant,
    /// The best epoch that `best.safetensors` is from, as far as this process knows.
    best_epoch: Option<u64>,
    /// Where the first layers' boundaries go, where they are recorded.
    boundaries: Option<Writer>,
    /// The event file, where one is wanted.
    events: Option<Events>,
    _lock: File,
}

impl Keeper {
    /// For a new run.
    ///
    /// # Errors
    /// Another process trains here; the folder cannot be written.
    pub fn new(folder: &RunFolder) -> Result<Self, Failure> {
        Self::locked(folder, 0, folder.lock()?)
    }

    /// For a run of which `epochs` are done; later lines of `metrics.jsonl` are of epochs that will be done again. `lock` is
    /// the folder's.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn locked(folder: &RunFolder, epochs: u64, lock: File) -> Result<Self, Failure> {
        let path = folder.file("metrics.jsonl");
        let failed = |error: std::io::Error| Failure::io("write", &path, &error);
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let kept: String =
            kept.lines().take(usize::try_from(epochs).unwrap_or(usize::MAX)).flat_map(|l| [l, "\n"]).collect();
        folder.write("metrics.jsonl", kept.as_bytes())?;
        let metrics = BufWriter::new(File::options().append(true).open(&path).map_err(failed)?);
        let (folder, saved) = (folder.clone(), Instant::now());
        Ok(Keeper {
            folder,
            metrics,
            cadence: CADENCE,
            saved,
            handed: saved,
            best_epoch: None,
            boundaries: None,
            events: None,
            _lock: lock,
        })
    }

    /// Another time between checkpoints.
    #[must_use]
    pub fn every(mut self, cadence: Duration) -> Self {
        self.cadence = cadence;
        self
    }

    /// Keeps the boundaries of these layers, of which so many records are there already.
    ///
    /// # Errors
    /// The folder cannot be written, or has fewer records.
    pub fn recording(mut self, layers: &[First], records: u64) -> Result<Self, Failure> {
        self.boundaries = Some(Writer::open(&self.folder.path, layers, records)?);
        Ok(self)
    }

    /// Keeps the whole network with each of these records; after [`Keeper::recording`].
    ///
    /// # Errors
    /// As [`Keeper::recording`].
    pub fn recording_states(
        mut self,
        layout: &StateLayout,
        precision: Precision,
        records: u64,
    ) -> Result<Self, Failure> {
        let with = |writer: Writer| writer.with_states(&self.folder.path, layout, precision, records);
        self.boundaries = self.boundaries.take().map(with).transpose()?;
        Ok(self)
    }

    /// Has the movement of recorded boundaries told while the run goes on.
    ///
    /// # Errors
    /// The record that is there cannot be read.
    pub fn following(mut self) -> Result<Self, Failure> {
        self.boundaries.as_mut().map_or(Ok(()), Writer::follow)?;
        Ok(self)
    }

    /// Writes an event file for TensorBoard too; so many epochs are done, of which it then has one record each.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn with_events(mut self, epochs: u64) -> Result<Self, Failure> {
        let path = self.folder.file("metrics.jsonl");
        let metrics = std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
        self.events = Some(Events::open(&self.folder.path, epochs, &metrics)?);
        Ok(self)
    }

    fn flush(&mut self, goes_on: bool) -> Result<(), Failure> {
        if let Some(events) = &mut self.events {
            events.flush(goes_on)?;
        }
        if let Some(boundaries) = &mut self.boundaries {
            boundaries.flush(goes_on)?; // nothing is resumed after the end, so the disk may take its time then
        }
        let written = self.metrics.flush().and_then(|()| self.metrics.get_ref().sync_data());
        written.map_err(|error| Failure::io("write", &self.folder.file("metrics.jsonl"), &error))
    }

    /// Writes the best epoch's weights unless they are there.
    fn save_best(&mut self, standing: &Standing<'_>) -> Result<(), Failure> {
        let Some(best) = standing.best.filter(|_| self.best_epoch != Some(standing.progress.best.epoch)) else {
            return Ok(());
        };
        let checkpoint = Checkpoint { progress: None, tensors: best.named(|role| role != Role::Optimizer) };
        write_atomically(&mut Disk, &self.folder.file("best.safetensors"), &encode(&checkpoint)?, None)?;
        self.best_epoch = Some(standing.progress.best.epoch);
        Ok(())
    }
}

impl Keep for Keeper {
    fn is_due(&mut self) -> bool {
        self.saved.elapsed() >= self.cadence
    }

    fn save(&mut self, standing: Standing<'_>) -> Result<PathBuf, Failure> {
        self.flush(standing.progress.ended.is_none())?;
        self.save_best(&standing)?;
        let mut tensors = standing.states.named(|_| true);
        if let Some(best) = standing.best {
            let best = best.named(|role| role != Role::Optimizer);
            tensors.extend(best.into_iter().map(|(name, stored)| (format!("{BEST}{name}"), stored)));
        }
        let path = self.folder.file("last.safetensors");
        let checkpoint = Checkpoint { progress: Some(standing.progress.clone()), tensors };
        write_atomically(&mut Disk, &path, &encode(&checkpoint)?, Some(&previous(&path)))?;
        self.saved = Instant::now();
        Ok(path)
    }

    fn note(&mut self, epoch: &Epoch) -> Result<(), Failure> {
        if let Some(events) = &mut self.events {
            events.note(epoch)?;
        }
        let mut written = epoch.write_line(&mut self.metrics);
        if self.handed.elapsed() >= OFTEN {
            self.handed = Instant::now();
            written = written.and_then(|()| self.metrics.flush());
        }
        written.map_err(|error| Failure::io("write", &self.folder.file("metrics.jsonl"), &error))
    }

    fn records(&self) -> bool {
        self.boundaries.is_some()
    }

    fn record(&mut self, layer: usize, numbers: &Slice<'_>) -> Result<(), Failure> {
        self.boundaries.as_mut().map_or(Ok(()), |boundaries| boundaries.write(layer, numbers))
    }

    fn record_states(&mut self, states: &States) -> Result<(), Failure> {
        self.boundaries.as_mut().map_or(Ok(()), |boundaries| boundaries.write_states(states))
    }

    fn movement(&mut self) -> Vec<Moved> {
        self.boundaries.as_mut().map_or_else(Vec::new, Writer::movement)
    }
}

/// Puts a checkpoint's tensors into states; returns those of the best epoch, where it has them.
///
/// # Errors
/// A sentence: the tensors do not fit the network.
pub fn restore(states: &mut States, tensors: &Named) -> Result<Option<States>, String> {
    states.set_named(tensors, |_| true)?;
    let best: Named = tensors.iter().filter_map(best_tensor).collect();
    if best.is_empty() {
        return Ok(None);
    }
    let mut kept = states.clone();
    kept.set_named(&best, |role| role != Role::Optimizer)?;
    Ok(Some(kept))
}

fn best_tensor((name, stored): (&String, &Stored)) -> Option<(String, Stored)> {
    name.strip_prefix(BEST).map(|name| (name.to_string(), stored.clone()))
}
