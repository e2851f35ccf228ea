//! How far a run is: every counter that the next step depends on. A checkpoint is this and the states.

use crate::event::StoppedBy;
use crate::exact::Exact;
use crate::metrics::Sums;
use crate::schedule::{Best, Rate};
use serde::{Deserialize, Serialize};

/// Where a run stands between two steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The run's seed: orders and random numbers are functions of it, the epoch and the step.
    pub seed: u64,
    /// The epoch that is going on, from 0.
    pub epoch: u64,
    /// Batches of it that are done.
    pub batch: u64,
    /// Optimizer steps of the whole run that are done.
    pub step: u64,
    /// Totals of the train measures in this epoch so far.
    pub totals: Vec<Exact>,
    /// Rows they are over.
    pub rows: u64,
    /// The schedule's memory.
    pub rate: Rate,
    /// The best epoch so far, and how long ago.
    pub best: Best,
    /// Why it ended, once it has.
    pub ended: Option<StoppedBy>,
    /// Wall-clock time spent; nothing is computed from it.
    pub seconds: Exact,
}

impl Progress {
    /// Before the first step.
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

    /// What has been gathered in this epoch.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums { totals: self.totals.iter().map(|total| total.0).collect(), rows: self.rows }
    }

    /// Keeps what has been gathered in this epoch.
    pub fn keep(&mut self, sums: &Sums) {
        self.totals.clear();
        self.totals.extend(sums.totals.iter().map(|&total| Exact(total)));
        self.rows = sums.rows;
    }
}
