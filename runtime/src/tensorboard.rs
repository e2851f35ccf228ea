//! `--tensorboard`: an event file beside a run's other files, which TensorBoard reads while the run goes on.
//!
//! ```text
//! RUN/events.out.tfevents.gmpc      one record an epoch: train/loss, valid/rmse, …, lr, boundaries/hidden/dphi
//! ```
//!
//! `metrics.jsonl` is the truth; this file is the same for another reader. So a resumed run cuts the records of epochs that
//! will be done again, and what is missing is filled in from `metrics.jsonl`: no epoch stands here twice or is left out. Epochs
//! of the same kind are records of the same length, so that a TensorBoard that is open meanwhile reads on where it was.

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

/// Time after which what is known is handed to the system for others to read.
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
    /// Is there one in a run's folder?
    #[must_use]
    pub fn exist(run: &Path) -> bool {
        run.join(FILE).exists()
    }

    /// Opens the file of a run of which `epochs` epochs are done and whose `metrics.jsonl` holds their lines.
    ///
    /// # Errors
    /// The disk.
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
    /// The disk.
    pub fn note(&mut self, epoch: &Epoch) -> Result<(), Failure> {
        self.scalars.clear();
        self.scalars.extend(epoch.figures.iter().map(|(name, value)| (tag(name), *value)));
        self.scalars.push(("lr".into(), epoch.lr));
        for moved in &epoch.movement {
            self.scalars.push((format!("boundaries/{}/dphi", moved.layer), moved.location));
            self.scalars.push((format!("boundaries/{}/turn", moved.layer), moved.direction));
        }
        event::scalars(&mut self.bytes, now(), epoch.epoch, &self.scalars);
        self.write()?;
        if self.flushed.elapsed() >= OFTEN { self.flush(false) } else { Ok(()) }
    }

    /// Hands everything to the system; `to_disk` waits until it is on the disk.
    ///
    /// # Errors
    /// The disk.
    pub fn flush(&mut self, to_disk: bool) -> Result<(), Failure> {
        self.flushed = Instant::now();
        let flushed = self.file.flush().and_then(|()| if to_disk { self.file.get_ref().sync_data() } else { Ok(()) });
        flushed.map_err(|error| Failure::io("write", &self.path, &error))
    }

    /// Writes the event in `bytes` as a record.
    fn write(&mut self) -> Result<(), Failure> {
        record::write(&mut self.file, &self.bytes).map_err(|error| Failure::io("write", &self.path, &error))
    }

    /// Writes the epochs after `last` that `metrics.jsonl` knows, as far back in time as they were ended.
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

/// `valid/rmse` for `valid.rmse`: TensorBoard groups by what stands before the slash.
fn tag(name: &str) -> String {
    name.replacen('.', "/", 1)
}

/// Where the whole records of the first so many epochs end, and the last epoch among them; 0 for a file of another kind.
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
