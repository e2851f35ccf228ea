//! How far a run has come: every counter that the next step depends on. A checkpoint holds these counters and the
//! states.

use crate::event::StoppedBy;
use crate::exact::Exact;
use crate::program::metrics::Sums;
use crate::train::schedule::{Best, Rate};
use serde::{Deserialize, Serialize};

/// The state of a run between two steps, without its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The run's seed. Orders of rows and random numbers are functions of the seed, the epoch and the step.
    pub seed: u64,
    /// The present epoch, counted from 0.
    pub epoch: u64,
    /// Number of batches of this epoch that are done.
    pub batch: u64,
    /// Number of optimizer steps of the whole run that are done.
    pub step: u64,
    /// Totals of the train measures in this epoch so far.
    pub totals: Vec<Exact>,
    /// Number of rows that the totals are over.
    pub rows: u64,
    /// The state of the learning-rate schedule.
    pub rate: Rate,
    /// The best epoch so far, and the number of epochs since.
    pub best: Best,
    /// Why the run ended; `None` before its end.
    pub ended: Option<StoppedBy>,
    /// Wall-clock seconds of the run. No result depends on them.
    pub seconds: Exact,
}

impl Progress {
    /// The state before the first step.
    #[must_use]
    pub fn new(seed: u64, lr: f64) -> Self {
        Progress {
            seed,
            epoch: 0,
            batch: 0,
            step: 0,
            totals: vec![],
            rows: 0,
            rate: Rate::new(lr),
            best: Best::default(),
            ended: None,
            seconds: Exact(0.0),
        }
    }

    /// The sums of this epoch so far.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums { totals: self.totals.iter().map(|total| total.0).collect(), rows: self.rows, ranked: vec![] }
    }

    /// Stores the sums of this epoch.
    pub fn keep(&mut self, sums: &Sums) {
        self.totals.clear();
        self.totals.extend(sums.totals.iter().map(|&total| Exact(total)));
        self.rows = sums.rows;
    }
}
