//! `check`: compiles every program that later commands may need for a file, and runs none of them.

use crate::failure::Failure;
use crate::program::network::Network;
use crate::program::session::Programs;
use crate::task::experiment::{Request, Warnings, network, prepare};
use gmpc_compiler::graphs::asks_for_first_batch;
use gmpc_compiler::ir::experiment::Batch;
use gmpc_compiler::ir::program::Goal;
use std::sync::Arc;

/// Rows of a step if the file states no batch size and the data were not read.
const ROWS_WITHOUT_DATA: usize = 32;

/// Compiles every program that a later command may need, so that compiling cannot fail there.
///
/// # Errors
/// [`Failure::File`]: the file has an error. [`Failure::Data`]: the shapes depend on data that cannot be read.
pub fn check(request: &Request) -> Result<(Arc<Network>, Warnings), Failure> {
    let (network, warnings) = network(request)?;
    let rows = stated_batch(&network);
    for goal in [Goal::Predict, Goal::Evaluate, Goal::Train] {
        network.program(goal, rows)?;
        if goal == step_goal(&network) {
            break;
        }
    }
    if network.module.experiment.train.as_ref().is_some_and(|train| train.record.is_some()) {
        network.program(Goal::Boundaries, 1)?;
    }
    if network.module.experiment.train.is_some() && asks_for_first_batch(&network.net) {
        network.program(Goal::Start, rows)?;
    }
    if let Some(rows) = last_batch(request, &network) {
        network.program(Goal::Train, rows)?;
    }
    Ok((network, warnings))
}

/// Rows of a step: the batch size of the file, or 32 if it trains on all rows or does not train.
#[must_use]
pub fn stated_batch(network: &Network) -> usize {
    match network.module.experiment.train.as_ref().map(|train| train.batch) {
        Some(Batch::Size(size)) => size,
        Some(Batch::All) | None => ROWS_WITHOUT_DATA,
    }
}

/// The largest program of the file: training, or evaluation without an optimizer, or prediction without a loss.
#[must_use]
pub fn step_goal(network: &Network) -> Goal {
    match &network.module.training {
        Some(training) if training.optimizer.is_some() => Goal::Train,
        Some(_) => Goal::Evaluate,
        None => Goal::Predict,
    }
}

/// Rows of an epoch's last batch, if it is smaller than the others and the network computes statistics over the batch,
/// because these fail for one row. `None` otherwise, and if the data cannot be read: `train` reports that.
fn last_batch(request: &Request, network: &Network) -> Option<usize> {
    let experiment = &network.module.experiment;
    let train = experiment.train.as_ref()?;
    let Batch::Size(batch) = train.batch else { return None };
    let is_table = experiment.data.as_ref().is_some_and(|spec| spec.images().is_none());
    if !train.keep_last_batch || step_goal(network) != Goal::Train || !is_table || !network.takes_statistics() {
        return None;
    }
    let rows = prepare(request).ok()?.tables.train.count();
    Some(rows % batch.clamp(1, rows.max(1))).filter(|rest| *rest > 0)
}
