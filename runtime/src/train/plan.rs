//! Divides an epoch into batches, and says which program runs each of them.

use super::Progress;
use crate::failure::{Failure, Message};
use crate::program::metrics::Sums;
use crate::program::session::{Handle, Session};
use gmpc_compiler::ir::experiment::{Batch, TrainSpec};
use gmpc_compiler::ir::program::Goal;
use gmpc_data::Rows;
use std::ops::Range;

/// The parts of the data, in the program's precision.
#[derive(Debug)]
pub struct Tables {
    /// The training rows, at least one.
    pub train: Rows,
    /// The validation rows: they decide which epoch is the best.
    pub valid: Option<Rows>,
    /// The test rows: the final metrics are computed on them.
    pub test: Rows,
}

/// The batches of an epoch.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Number of training rows.
    pub(super) rows: u32,
    /// Number of steps in an epoch.
    pub(super) batches: u64,
    /// True if one batch holds all rows. Their order then makes no difference, and they are copied only once.
    pub(super) is_whole: bool,
    /// The program for full batches.
    pub(super) full: Handle,
    batch: usize,
    /// The program for the last batch, if that is smaller.
    last: Option<Handle>,
}

impl Plan {
    /// Divides the training rows into batches, and compiles and loads the programs for them.
    pub(super) fn new(session: &mut Session, spec: &TrainSpec, tables: &Tables) -> Result<Self, Failure> {
        let count = tables.train.count();
        let rows = u32::try_from(count).ok().filter(|&rows| rows > 0);
        let rows = rows.ok_or_else(|| Failure::Data(Message::new(format!("there are {count} rows to train on"))))?;
        let batch = match spec.batch {
            Batch::All => count,
            Batch::Size(size) => size.clamp(1, count),
        };
        let rest = count % batch;
        let keeps_rest = rest > 0 && spec.keep_last_batch;
        let full = session.load(Goal::Train, batch)?;
        let last = if keeps_rest { Some(session.load(Goal::Train, rest)?) } else { None };
        let batches = (count / batch) as u64 + u64::from(keeps_rest);
        Ok(Plan { rows, batches, is_whole: batch == count, full, batch, last })
    }

    /// The program of a batch, and its range in the epoch's order of rows.
    pub(super) fn batch(&self, index: u64) -> (Handle, Range<usize>) {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of rows, which is a u32")]
        let start = index as usize * self.batch;
        let end = (start + self.batch).min(self.rows as usize);
        let handle = self.last.filter(|_| end - start < self.batch).unwrap_or(self.full);
        (handle, start..end)
    }

    /// The range of the next batch, if it belongs to the same epoch and runs the same program.
    pub(super) fn after(&self, index: u64) -> Option<Range<usize>> {
        let next = index + 1;
        let (program, range) = (next < self.batches).then(|| self.batch(next))?;
        (program == self.batch(index).0).then_some(range)
    }

    /// The position in the epoch's order at which a batch begins.
    pub(super) fn start(&self, batch: u64) -> usize {
        usize::try_from(batch).unwrap_or(usize::MAX).saturating_mul(self.batch)
    }

    /// Refuses a checkpoint whose counters contradict each other or the file: it belongs to another run.
    ///
    /// # Errors
    /// [`Failure::Usage`]: the counters do not fit.
    pub(super) fn check(&self, progress: &Progress, epochs: u64) -> Result<(), Failure> {
        let steps = progress.epoch.checked_mul(self.batches).and_then(|steps| steps.checked_add(progress.batch));
        if progress.epoch <= epochs && steps == Some(progress.step) {
            return Ok(());
        }
        let Progress { epoch, step, .. } = progress;
        let message = format!(
            "the checkpoint stands after {step} steps in epoch {epoch}, and the run has {epochs} epochs of {} steps",
            self.batches
        );
        Err(Failure::Usage(Message::new(message).help("resume with the file and the data the run was started with")))
    }

    /// The sums of a checkpoint, if they fit this plan.
    pub(super) fn resumed_sums(&self, progress: &Progress, like: &Sums) -> Result<Sums, Failure> {
        let sums = progress.sums();
        if progress.batch > self.batches || sums.totals.len() != like.totals.len() {
            let message = Message::new("the checkpoint's counters do not fit the run's batches and metrics");
            return Err(Failure::Usage(message.help("resume with the file and the data the run was started with")));
        }
        Ok(sums)
    }
}
