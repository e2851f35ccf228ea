//! `--tensorboard`: an event file in the run's folder, which TensorBoard can read during the run.
//!
//! ```text
//! RUN/events.out.tfevents.gmpc      one record for each epoch: train/loss, valid/rmse, …, lr, boundaries/hidden/dphi
//! ```
//!
//! `metrics.jsonl` is authoritative, and this file repeats it for another reader. A resumed run removes the records of
//! epochs that will be trained again, and adds missing ones from `metrics.jsonl`. So the file holds each epoch exactly
//! once. Records with the same tags have the same length, so a TensorBoard that has the file open continues at the
//! right position.

mod event;
mod record;

use crate::event::Epoch;
use crate::failure::Failure;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The file's name; TensorBoard looks for `tfevents` in it. The same in every run, so that a resumed one finds it.
pub const FILE: &str = "events.out.tfevents.gmpc";

/// Interval at which buffered events are written, so that other processes can read them.
const OFTEN: Duration = Duration::from_secs(1);

/// Writes a run's event file.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: BufWriter<File>,
    flushed: Instant,
    scalars: Vec<(String, f64)>,
    bytes: Vec<u8>,
}

impl Events {
    /// True if a run's folder has an event file.
    #[must_use]
    pub fn exist(run: &Path) -> bool {
        run.join(FILE).exists()
    }

    /// Opens the file of a run of which `epochs` epochs are done. `metrics` is the text of its `metrics.jsonl`.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be read or written.
    pub fn open(run: &Path, epochs: u64, metrics: &str) -> Result<Self, Failure> {
        let path = run.join(FILE);
        let failed = |error: std::io::Error| Failure::io("write", &path, &error);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (end, last) = kept(&bytes, epochs);
        file.set_len(end as u64).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        let file = BufWriter::new(file);
        let mut events = Events { path, file, flushed: Instant::now(), scalars: vec![], bytes: vec![] };
        if end == 0 {
            event::version(&mut events.bytes, now());
            events.write()?;
        }
        events.fill_in(metrics, last)?;
        events.flush(false)?;
        Ok(events)
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written.
    pub fn note(&mut self, epoch: &Epoch) -> Result<(), Failure> {
        self.scalars.clear();
        self.scalars.extend(epoch.figures.iter().map(|(name, value)| (tag(name), *value)));
        self.scalars.push(("lr".into(), epoch.lr));
        for moved in &epoch.drift {
            self.scalars.push((format!("boundaries/{}/dphi", moved.layer), moved.location));
            self.scalars.push((format!("boundaries/{}/turn", moved.layer), moved.direction));
        }
        event::scalars(&mut self.bytes, now(), epoch.epoch, &self.scalars);
        self.write()?;
        if self.flushed.elapsed() >= OFTEN { self.flush(false) } else { Ok(()) }
    }

    /// Writes all events to the file. With `to_disk` it waits until they are on the disk.
    ///
    /// # Errors
    /// [`Failure::Io`]: the file cannot be written.
    pub fn flush(&mut self, to_disk: bool) -> Result<(), Failure> {
        self.flushed = Instant::now();
        let flushed = self.file.flush().and_then(|()| if to_disk { self.file.get_ref().sync_data() } else { Ok(()) });
        flushed.map_err(|error| Failure::io("write", &self.path, &error))
    }

    /// Writes the event in `bytes` as a record.
    fn write(&mut self) -> Result<(), Failure> {
        record::write(&mut self.file, &self.bytes).map_err(|error| Failure::io("write", &self.path, &error))
    }

    /// Adds the epochs after `last` that `metrics` holds. Their times are computed backwards from now by the seconds
    /// between epochs.
    fn fill_in(&mut self, metrics: &str, last: u64) -> Result<(), Failure> {
        let lines = metrics.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let lines: Vec<_> = lines.collect();
        let seconds = |line: &serde_json::Value| line["seconds"].as_f64().unwrap_or(0.0);
        let begin = now() - lines.last().map_or(0.0, seconds);
        for line in &lines {
            let Some(epoch) = line["epoch"].as_u64().filter(|epoch| *epoch > last) else { continue };
            self.scalars.clear();
            let entries = line.as_object().into_iter().flatten();
            let known = entries.filter(|(name, _)| name.contains('.') || *name == "lr");
            self.scalars.extend(known.map(|(name, value)| (tag(name), value.as_f64().unwrap_or(f64::NAN))));
            event::scalars(&mut self.bytes, begin + seconds(line), epoch, &self.scalars);
            self.write()?;
        }
        Ok(())
    }
}

/// `valid/rmse` for `valid.rmse`: TensorBoard groups metrics by the text before the slash.
fn tag(name: &str) -> String {
    name.replacen('.', "/", 1)
}

/// The end of the complete records of the first `epochs` epochs in bytes, and the last epoch among them; 0 and 0 if the
/// file is of another kind.
fn kept(bytes: &[u8], epochs: u64) -> (usize, u64) {
    let (mut end, mut last) = (0, 0);
    while let Some((data, next)) = record::read(bytes, end) {
        match event::step(data) {
            Some(step) if step <= epochs => last = last.max(step),
            _ => break,
        }
        end = next;
    }
    (end, last)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64())
}

#[cfg(test)]
mod tests;
