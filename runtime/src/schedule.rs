//! Learning rates and early stopping: small state machines that are told the epochs' results one after another.
//!
//! Epochs count from 0. "No improvement for N epochs in a row" is exact: with `patience = 3` and the best value in epoch 7,
//! epochs 8, 9 and 10 are not better, so the rate changes (or the run stops) after epoch 10: it is the rate of epoch 11.
//! The counter starts anew after each reduction. A value that is not a number is never better.

use crate::exact::Exact;
use gmpc_compiler::experiment::{EarlyStop, Monitor, Schedule};
use serde::{Deserialize, Serialize};

/// The best value so far and how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Best {
    /// `None` before the first epoch.
    pub value: Option<Exact>,
    /// In which epoch it was reached.
    pub epoch: u64,
    /// Epochs in a row since then (or since the last reduction) that were not better.
    pub waited: u64,
}

impl Best {
    /// Takes an epoch's value; is it better than every one before by more than `min_delta`?
    pub fn observe(&mut self, value: f64, epoch: u64, higher_is_better: bool, min_delta: f64) -> bool {
        let better = !value.is_nan()
            && self.value.is_none_or(|Exact(best)| {
                if higher_is_better { value > best + min_delta } else { value < best - min_delta }
            });
        if better {
            *self = Best { value: Some(Exact(value)), epoch, waited: 0 };
        } else {
            self.waited += 1;
        }
        better
    }
}

/// The learning rate of a run: what the schedule says together with what it has seen. Everything in it is saved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// What a plateau has left of the first rate; the first rate itself for the other schedules.
    reduced: Exact,
    best: Best,
}

impl Rate {
    /// Before the first epoch.
    #[must_use]
    pub fn new(lr: f64) -> Self {
        Rate { reduced: Exact(lr), best: Best::default() }
    }

    /// The rate of an epoch, of `epochs` in all. `lr` is the optimizer's own.
    #[must_use]
    pub fn at(&self, schedule: &Schedule, lr: f64, epoch: u64, epochs: u64) -> f64 {
        match schedule {
            Schedule::Constant => lr,
            Schedule::ReduceOnPlateau { .. } => self.reduced.0,
            Schedule::Step { every, factor } => lr * factor.powf(float(epoch / (*every).max(1))),
            Schedule::Cosine { last } => {
                let done = float(epoch) / float(epochs.max(1));
                lr * (last + (1.0 - last) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()))
            }
            Schedule::WarmUp { epochs: warm, .. } if epoch < *warm => lr * float(epoch + 1) / float(*warm),
            Schedule::WarmUp { epochs: warm, then } => self.at(then, lr, epoch - warm, epochs.saturating_sub(*warm)),
        }
    }

    /// Takes the result of an epoch that has ended; true where the next epoch's rate is lower because of it.
    /// `value` gives the monitored quantity.
    pub fn observe(&mut self, schedule: &Schedule, epoch: u64, value: impl Fn(&Monitor) -> f64) -> bool {
        match schedule {
            Schedule::Constant | Schedule::Step { .. } | Schedule::Cosine { .. } => false,
            Schedule::WarmUp { epochs, then } => epoch >= *epochs && self.observe(then, epoch - epochs, value),
            Schedule::ReduceOnPlateau { monitor, factor, patience, min_delta, min_lr } => {
                self.best.observe(value(monitor), epoch, monitor.higher_is_better, *min_delta);
                if self.best.waited < *patience {
                    return false;
                }
                self.best.waited = 0;
                let before = self.reduced.0;
                // A rate that starts below `min_lr` is left as it is, never raised.
                self.reduced = Exact((before * factor).max(*min_lr).min(before));
                self.reduced.0 < before
            }
        }
    }
}

/// What a schedule looks at, if it looks at anything.
#[must_use]
pub fn monitor(schedule: &Schedule) -> Option<&Monitor> {
    match schedule {
        Schedule::Constant | Schedule::Step { .. } | Schedule::Cosine { .. } => None,
        Schedule::ReduceOnPlateau { monitor, .. } => Some(monitor),
        Schedule::WarmUp { then, .. } => monitor(then),
    }
}

/// Has the run waited long enough?
#[must_use]
pub fn should_stop(stop: Option<&EarlyStop>, best: &Best) -> bool {
    stop.is_some_and(|stop| best.waited >= stop.patience)
}

#[allow(clippy::cast_precision_loss)] // epochs stay far below 2^53
fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests;
