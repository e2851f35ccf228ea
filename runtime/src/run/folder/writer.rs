//! Writes the files of a training run into its folder: checkpoints, metrics, records and events.

use super::{About, CADENCE, RunFolder};
use crate::event::{Epoch, Moved};
use crate::failure::Failure;
use crate::run::checkpoint::{self, Checkpoint, Disk, encode, previous, write_atomically};
use crate::run::lock::Lock;
use crate::run::metrics::KeptLines;
use crate::run::records::Writer;
use crate::run::sums::{LINES, Summed, is_of, of_records};
use crate::run::tensorboard::Events;
use crate::train::{CheckpointSink, Progress, Snapshot};
use gmpc_compiler::graphs::boundary::First;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::Role;
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_data::digest::DataFile;
use gmpc_device::states::named::{Named, Stored};
use gmpc_device::{Slice, States};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Prefix of the names of the best epoch's tensors in `last`.
const BEST: &str = "best/";

/// Interval at which buffered lines are written even if no checkpoint is due.
const OFTEN: Duration = Duration::from_secs(1);

/// Writes a run into its folder, and holds the folder's lock.
#[derive(Debug)]
pub struct RunWriter {
    folder: RunFolder,
    metrics: Summed<BufWriter<File>>,
    cadence: Duration,
    saved: Instant,
    /// When the lines of `metrics.jsonl` were last written, so that other processes can read them.
    handed: Instant,
    /// The epoch that `best.safetensors` is from; `None` if this process has not written it yet.
    best_epoch: Option<u64>,
    /// Writes the boundaries of the first layers, if they are recorded.
    boundaries: Option<Writer>,
    /// Writes the event file, if one is asked for.
    events: Option<Events>,
    /// The identity of the run, as its checkpoints store it.
    run: String,
    inputs: String,
    /// Warnings to report before the run goes on.
    remarks: Vec<String>,
    lock: Lock,
}

impl RunWriter {
    /// A writer for a new run.
    ///
    /// # Errors
    /// Another process trains here; the folder cannot be written.
    pub fn new(folder: &RunFolder, about: &About) -> Result<Self, Failure> {
        Self::locked(folder, about, 0, &[], folder.lock()?)
    }

    /// A writer for a run of which `epochs` epochs are done. Lines of `metrics.jsonl` for later epochs are removed,
    /// because these epochs will be trained again. `files` are the checksums of its checkpoint, `lock` is the folder's lock.
    ///
    /// # Errors
    /// [`Failure::Io`]: the folder cannot be written, or its `metrics.jsonl` cannot be read.
    pub fn locked(
        folder: &RunFolder,
        about: &About,
        epochs: u64,
        files: &[DataFile],
        lock: Lock,
    ) -> Result<Self, Failure> {
        let path = folder.file(LINES);
        let failed = |error: std::io::Error| Failure::io("write", &path, &error);
        let KeptLines { bytes, mut remarks } = KeptLines::read(&path, about.epochs_before(), epochs)?;
        // Missing and unreadable lines are among the remarks already.
        let sound = files.iter().filter(|file| file.name == LINES).all(|file| is_of(&bytes, file));
        if remarks.is_empty() && !sound {
            let name = path.display();
            remarks.push(format!("{name} is not what gmpc wrote: it was edited or damaged, and stays as it is"));
        }
        if !lock.held {
            remarks.push("this file system has no locks: make sure that no other process trains in this folder".into());
        }
        // The lines that stay are written back before new ones are appended, so the file is in order even if the
        // process is killed now.
        folder.write("metrics.jsonl", &bytes)?;
        let metrics = BufWriter::new(File::options().append(true).open(&path).map_err(failed)?);
        let metrics = Summed::new(metrics, &bytes);
        let (folder, saved) = (folder.clone(), Instant::now());
        let inputs = serde_json::to_string(&about.inputs).map_err(|error| Failure::Bug(error.to_string()))?;
        Ok(RunWriter {
            folder,
            metrics,
            cadence: CADENCE,
            saved,
            handed: saved,
            best_epoch: None,
            boundaries: None,
            events: None,
            run: about.identity(),
            inputs,
            remarks,
            lock,
        })
    }

    /// The warnings so far. Each is returned once.
    pub fn remarks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remarks)
    }

    /// Restores `best.safetensors` from the best epoch's states in `last`, if it is missing, damaged or another run's.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn restore_best_file(&mut self, best: &States) -> Result<(), Failure> {
        let path = self.folder.file("best.safetensors");
        let sound = checkpoint::read(&path).is_ok_and(|found| found.run.is_none_or(|run| run == self.run));
        if sound {
            return Ok(());
        }
        self.write_best(best)?;
        self.remarks.push(format!("{} was missing or damaged, and was restored from last.safetensors", path.display()));
        Ok(())
    }

    /// Writes `best.safetensors` of a new run that continues another one and its best epoch.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn begin_with_best(&self, best: &States) -> Result<(), Failure> {
        self.write_best(best)
    }

    /// Sets the time between two checkpoints.
    #[must_use]
    pub fn every(mut self, cadence: Duration) -> Self {
        self.cadence = cadence;
        self
    }

    /// Records the boundaries of these layers. The folder already holds `records` records.
    ///
    /// # Errors
    /// [`Failure::Io`]: the folder cannot be written, or has fewer records.
    pub fn recording(mut self, layers: &[First], records: u64) -> Result<Self, Failure> {
        self.boundaries = Some(Writer::open(&self.folder.path, layers, records)?);
        Ok(self)
    }

    /// Records the whole network with each of these records. To be called after [`RunWriter::recording`].
    ///
    /// # Errors
    /// The errors of [`RunWriter::recording`].
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

    /// Reports the drift of recorded boundaries while the run goes on.
    ///
    /// # Errors
    /// [`Failure::Io`]: the last record cannot be read.
    pub fn following(mut self) -> Result<Self, Failure> {
        self.boundaries.as_mut().map_or(Ok(()), Writer::follow)?;
        Ok(self)
    }

    /// Writes an event file for TensorBoard too. `epochs` epochs are done; the file gets one record for each of them.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn with_events(mut self, epochs: u64) -> Result<Self, Failure> {
        let path = self.folder.file("metrics.jsonl");
        let metrics = std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
        self.events = Some(Events::open(&self.folder.path, epochs, &String::from_utf8_lossy(&metrics))?);
        Ok(self)
    }

    fn flush(&mut self, goes_on: bool) -> Result<(), Failure> {
        if let Some(events) = &mut self.events {
            events.flush(goes_on)?;
        }
        if let Some(boundaries) = &mut self.boundaries {
            boundaries.flush(goes_on)?; // after the end nothing is resumed, so nobody waits for the disk
        }
        let written = self.metrics.flush().and_then(|()| self.metrics.inner.get_ref().sync_data());
        written.map_err(|error| Failure::io("write", &self.folder.file("metrics.jsonl"), &error))
    }

    /// Writes the best epoch's weights, unless this process wrote them already.
    fn save_best(&mut self, snapshot: &Snapshot<'_>) -> Result<(), Failure> {
        let Some(best) = snapshot.best.filter(|_| self.best_epoch != Some(snapshot.progress.best.epoch)) else {
            return Ok(());
        };
        self.write_best(best)?;
        self.best_epoch = Some(snapshot.progress.best.epoch);
        Ok(())
    }

    fn write_best(&self, best: &States) -> Result<(), Failure> {
        let checkpoint = self.checkpoint(None, best.named(|role| role != Role::Optimizer));
        write_atomically(&mut Disk, &self.folder.file("best.safetensors"), &encode(&checkpoint)?, None)
    }

    fn checkpoint(&self, progress: Option<Progress>, tensors: Named) -> Checkpoint {
        Checkpoint {
            progress,
            run: Some(self.run.clone()),
            inputs: Some(self.inputs.clone()),
            tensors,
            ..Checkpoint::default()
        }
    }
}

impl CheckpointSink for RunWriter {
    fn is_due(&mut self) -> bool {
        self.saved.elapsed() >= self.cadence
    }

    fn save(&mut self, snapshot: Snapshot<'_>) -> Result<PathBuf, Failure> {
        self.lock.check()?; // first: the folder may belong to another process by now
        self.flush(snapshot.progress.ended.is_none())?;
        self.save_best(&snapshot)?;
        let tensors = tensors_of(&snapshot);
        let path = self.folder.file("last.safetensors");
        let mut checkpoint = self.checkpoint(Some(snapshot.progress.clone()), tensors);
        checkpoint.files.push(self.metrics.sum(LINES));
        if snapshot.progress.ended.is_some() {
            checkpoint.files.extend(of_records(&self.folder.path)?);
        }
        write_atomically(&mut Disk, &path, &encode(&checkpoint)?, Some(&previous(&path)))?;
        self.saved = Instant::now();
        Ok(path)
    }

    fn check(&self) -> Result<(), Failure> {
        self.lock.check()
    }

    fn note(&mut self, epoch: &Epoch) -> Result<(), Failure> {
        if let Some(events) = &mut self.events {
            events.note(epoch)?;
        }
        let mut written = epoch.write_line(&mut self.metrics);
        if self.handed.elapsed() >= OFTEN {
            self.lock.check()?;
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

    fn drift(&mut self) -> Vec<Moved> {
        self.boundaries.as_mut().map_or_else(Vec::new, Writer::drift)
    }
}

/// All tensors of a snapshot under their names in `last.safetensors`, including those of the best epoch. [`restore`] reads
/// them.
#[must_use]
pub fn tensors_of(snapshot: &Snapshot<'_>) -> Named {
    let mut tensors = snapshot.states.named(|_| true);
    if let Some(best) = snapshot.best {
        let best = best.named(|role| role != Role::Optimizer);
        tensors.extend(best.into_iter().map(|(name, stored)| (format!("{BEST}{name}"), stored)));
    }
    tensors
}

/// Puts the tensors of a checkpoint into `states`. Returns the states of the best epoch, if the checkpoint has them.
///
/// # Errors
/// A sentence that says which tensor does not fit the network.
pub fn restore(states: &mut States, tensors: &Named) -> Result<Option<States>, String> {
    states.set_named(tensors, |_| true)?;
    let best = best_tensors(tensors);
    if best.is_empty() {
        return Ok(None);
    }
    let mut kept = states.clone();
    kept.set_named(&best, |role| role != Role::Optimizer)?;
    Ok(Some(kept))
}

/// The best epoch's tensors in a `last` checkpoint; empty if there was no best epoch yet.
#[must_use]
pub fn best_of(checkpoint: &Checkpoint) -> Named {
    best_tensors(&checkpoint.tensors)
}

fn best_tensors(tensors: &Named) -> Named {
    tensors.iter().filter_map(best_tensor).collect()
}

fn best_tensor((name, stored): (&String, &Stored)) -> Option<(String, Stored)> {
    name.strip_prefix(BEST).map(|name| (name.to_string(), stored.clone()))
}
