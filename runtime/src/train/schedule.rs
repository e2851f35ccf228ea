//! Learning rates and early stopping: small state machines that receive the result of one epoch after another.
//!
//! Epochs count from 0. "No improvement for N epochs in a row" is exact: with `patience = 3` and the best value in
//! epoch 7, epochs 8, 9 and 10 are not better. So the run stops after epoch 10, or the learning rate changes from epoch
//! 11 on. The counter starts again after each reduction. NaN is never better.

use crate::exact::Exact;
use gmpc_compiler::ir::experiment::{EarlyStop, Moment, Monitor, Schedule};
use serde::{Deserialize, Serialize};

/// The best value so far, and the number of epochs since.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Best {
    /// `None` before the first epoch.
    pub value: Option<Exact>,
    /// The epoch in which it was reached.
    pub epoch: u64,
    /// Number of consecutive epochs that were not better, since the best one or the last reduction.
    pub waited: u64,
}

impl Best {
    /// Takes the value of an epoch. Returns true if it is better than every value before by more than `min_delta`.
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

/// The state of a learning-rate schedule. All of it is saved in checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The learning rate after all reductions of `reduce_on_plateau`; the initial rate for other schedules.
    reduced: Exact,
    best: Best,
}

impl Rate {
    /// The state before the first epoch.
    #[must_use]
    pub fn new(lr: f64) -> Self {
        Rate { reduced: Exact(lr), best: Best::default() }
    }

    /// The rate at a moment. `lr` is the optimizer's own. `registers` is working memory.
    #[must_use]
    pub fn at(&self, schedule: &Schedule, lr: f64, moment: &Moment, registers: &mut Vec<f64>) -> f64 {
        match schedule {
            Schedule::Constant => lr,
            Schedule::ReduceOnPlateau { .. } => self.reduced.0,
            Schedule::Curve(curve) => curve.at(lr, moment, registers),
            Schedule::WarmUp { epochs: warm, every_step, .. } if moment.epoch < *warm => match every_step {
                false => lr * float(moment.epoch + 1) / float(*warm),
                true => lr * float(moment.step + 1) / float(first_steps(moment, *warm).max(1)),
            },
            Schedule::WarmUp { epochs: warm, then, .. } => self.at(then, lr, &after(moment, *warm), registers),
        }
    }

    /// Takes the result of an epoch. `value` returns the value of a monitored metric. Returns true if the next epoch's
    /// rate is reduced because of it.
    pub fn observe(&mut self, schedule: &Schedule, epoch: u64, value: impl Fn(&Monitor) -> f64) -> bool {
        match schedule {
            Schedule::Constant | Schedule::Curve(_) => false,
            Schedule::WarmUp { epochs, then, .. } => epoch >= *epochs && self.observe(then, epoch - epochs, value),
            Schedule::ReduceOnPlateau { monitor, factor, patience, min_delta, min_lr } => {
                self.best.observe(value(monitor), epoch, monitor.higher_is_better, *min_delta);
                if self.best.waited < *patience {
                    return false;
                }
                self.best.waited = 0;
                let before = self.reduced.0;
                // The rate never increases, even if it starts below `min_lr`.
                self.reduced = Exact((before * factor).max(*min_lr).min(before));
                self.reduced.0 < before
            }
        }
    }
}

/// The metric that a schedule monitors, if it monitors one.
#[must_use]
pub fn monitor(schedule: &Schedule) -> Option<&Monitor> {
    match schedule {
        Schedule::Constant | Schedule::Curve(_) => None,
        Schedule::ReduceOnPlateau { monitor, .. } => Some(monitor),
        Schedule::WarmUp { then, .. } => monitor(then),
    }
}

/// Does the rate change from step to step?
#[must_use]
pub fn every_step(schedule: &Schedule) -> bool {
    match schedule {
        Schedule::Constant | Schedule::ReduceOnPlateau { .. } => false,
        Schedule::Curve(curve) => curve.every_step(),
        Schedule::WarmUp { every_step: own, then, .. } => *own || every_step(then),
    }
}

/// Steps of the first `epochs` epochs. Every epoch has equally many.
fn first_steps(moment: &Moment, epochs: u64) -> u64 {
    (moment.steps / moment.epochs.max(1)).saturating_mul(epochs)
}

/// The same moment, counted from the end of a warm-up.
fn after(moment: &Moment, epochs: u64) -> Moment {
    let steps = first_steps(moment, epochs);
    Moment {
        epoch: moment.epoch.saturating_sub(epochs),
        epochs: moment.epochs.saturating_sub(epochs),
        step: moment.step.saturating_sub(steps),
        steps: moment.steps.saturating_sub(steps),
    }
}

/// True if the best epoch is so long ago that the stop rule applies.
#[must_use]
pub fn should_stop(stop: Option<&EarlyStop>, best: &Best) -> bool {
    stop.is_some_and(|stop| best.waited >= stop.patience)
}

fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests;
