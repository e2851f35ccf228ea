//! How an epoch is cut into batches, and which program runs each.

use super::Progress;
use crate::failure::{Failure, Told};
use crate::metrics::Sums;
use crate::rows::Rows;
use crate::session::{Handle, Session};
use gmpc_compiler::experiment::{Batch, TrainSpec};
use gmpc_compiler::program::Goal;
use std::ops::Range;

/// The parts of the data, in the program's precision.
#[derive(Debug)]
pub struct Tables {
    /// Trained on, at least one row.
    pub train: Rows,
    /// Chosen on.
    pub valid: Option<Rows>,
    /// Reported on.
    pub test: Rows,
}

/// The batches of an epoch.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Training rows.
    pub(super) rows: u32,
    /// Steps of an epoch.
    pub(super) batches: u64,
    /// One batch holds every row, so that their order makes no difference and they are copied once.
    pub(super) is_whole: bool,
    /// The program for full batches.
    pub(super) full: Handle,
    batch: usize,
    /// The program for the last batch where that is smaller.
    last: Option<Handle>,
}

impl Plan {
    /// Compiles and loads the programs too.
    pub(super) fn new(session: &mut Session, spec: &TrainSpec, tables: &Tables) -> Result<Self, Failure> {
        let count = tables.train.count();
        let rows = u32::try_from(count).ok().filter(|&rows| rows > 0);
        let rows = rows.ok_or_else(|| Failure::Data(Told::new(format!("there are {count} rows to train on"))))?;
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

    /// The program of a batch, and its rows' places in the epoch's order.
    pub(super) fn batch(&self, index: u64) -> (Handle, Range<usize>) {
        #[allow(clippy::cast_possible_truncation)] // below the number of rows, which is a u32
        let start = index as usize * self.batch;
        let end = (start + self.batch).min(self.rows as usize);
        let handle = self.last.filter(|_| end - start < self.batch).unwrap_or(self.full);
        (handle, start..end)
    }

    /// The rows of the batch behind this one, where that is of the same epoch and runs the same program.
    pub(super) fn after(&self, index: u64) -> Option<Range<usize>> {
        let next = index + 1;
        let (program, range) = (next < self.batches).then(|| self.batch(next))?;
        (program == self.batch(index).0).then_some(range)
    }

    /// The place in the epoch's order at which a batch begins.
    pub(super) fn place(&self, batch: u64) -> usize {
        usize::try_from(batch).unwrap_or(usize::MAX).saturating_mul(self.batch)
    }

    /// A checkpoint's sums, if they fit this plan.
    pub(super) fn resumed_sums(&self, progress: &Progress, like: &Sums) -> Result<Sums, Failure> {
        let sums = progress.sums();
        if progress.batch > self.batches || sums.totals.len() != like.totals.len() {
            let told = Told::new("the checkpoint's counters do not fit the run's batches and metrics");
            return Err(Failure::Usage(told.help("resume with the file and the data the run was started with")));
        }
        Ok(sums)
    }
}
