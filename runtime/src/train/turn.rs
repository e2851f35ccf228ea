//! What each batch is within its optimizer step, and what it adds to the average of the weights.

use super::Progress;
use super::plan::Plan;
use crate::program::session::Turn;
use gmpc_compiler::ir::experiment::{Average, TrainSpec};

/// Optimizer steps of an epoch: `accumulate` batches each. The last one may have fewer.
pub(super) fn updates_in_an_epoch(spec: &TrainSpec, plan: &Plan) -> u64 {
    plan.batches.div_ceil(spec.accumulate.max(1))
}

/// Optimizer steps that are done before the next batch.
pub(super) fn updates_before(spec: &TrainSpec, plan: &Plan, progress: &Progress) -> u64 {
    let whole = progress.epoch.saturating_mul(updates_in_an_epoch(spec, plan));
    whole.saturating_add(progress.batch / spec.accumulate.max(1))
}

/// What the next batch is.
pub(super) fn turn(spec: &TrainSpec, plan: &Plan, progress: &Progress) -> Turn {
    let (batch, each) = (progress.batch, spec.accumulate.max(1));
    let start = batch - batch % each;
    let end = start.saturating_add(each).min(plan.batches);
    let share = if each == 1 { 1.0 } else { share(plan, batch, start..end) };
    let update = updates_before(spec, plan, progress) + 1;
    let last = batch + 1 == end;
    let ends_epoch = batch + 1 == plan.batches;
    let average = spec.average.map_or(1.0, |average| match (average, last) {
        (_, false) => 0.0,
        // The first step's weights are the first average.
        (Average::Exponential { .. }, _) if update == 1 => 1.0,
        (Average::Exponential { decay }, _) => 1.0 - decay,
        (Average::Epochs { from, every }, _) => of_epoch(progress.epoch + 1, ends_epoch, from, every.max(1)),
    });
    Turn { first: batch == start, last, share, average, update: Some(update) }
}

/// The part of a step's rows that a batch has. `step` are the batches of the step.
fn share(plan: &Plan, batch: u64, step: std::ops::Range<u64>) -> f64 {
    let rows = |batch: u64| plan.batch(batch).1;
    let all = rows(step.start).start..rows(step.end.saturating_sub(1)).end;
    rows(batch).len() as f64 / all.len() as f64
}

/// The weight of a step's values in the mean over the ends of epochs `from`, `from + every`, …. `epoch` counts from 1.
fn of_epoch(epoch: u64, ends_epoch: bool, from: u64, every: u64) -> f64 {
    match epoch.checked_sub(from) {
        // Until the first weights are taken, the average is equal to the weights.
        None => 1.0,
        Some(0) if !ends_epoch => 1.0,
        Some(later) if ends_epoch && later % every == 0 => 1.0 / (later / every + 1) as f64,
        Some(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::of_epoch;

    #[test]
    fn the_mean_of_epochs_follows_the_weights_until_it_begins() {
        let weights = |epoch: u64| [of_epoch(epoch, false, 3, 2), of_epoch(epoch, true, 3, 2)];
        let found: Vec<[f64; 2]> = (1..=7).map(weights).collect();
        let expected = [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.5], [0.0, 0.0], [0.0, 1.0 / 3.0]];
        assert_eq!(found, expected);
    }
}
