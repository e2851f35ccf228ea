//! Means and variances over the batch, and the running values that stand in for them in evaluation.
//!
//! ```text
//! x            [rows, features] or [rows, height, width, channels]
//! statistic    [1, features]    or [1, 1, 1, channels]
//! ```

use super::{Origin, Store};
use crate::define::variance;
use crate::graph::{Graph, Id, Role, State};

/// Declares and reads the running value of a statistic of `x`; the caller names it.
pub(crate) fn running(graph: &mut Graph, store: &mut Store, x: Id, origin: Origin) -> (usize, Id) {
    let features = graph.shape(x).last().copied().unwrap_or(1);
    let mut shape = vec![1; graph.shape(x).len()];
    shape.iter_mut().last().into_iter().for_each(|last| *last = features);
    let file_shape = vec![features];
    store.state(
        graph,
        State { name: String::new(), role: Role::Statistic, shape, file_shape, transposed: false },
        origin,
    )
}

/// Mean over every axis but the one of features or channels.
pub(crate) fn batch_mean(graph: &mut Graph, x: Id) -> Id {
    let axes = batch_axes(graph, x);
    graph.mean(x, &axes)
}

/// Mean squared deviation from `mean`, the mean over the same batch.
pub(crate) fn batch_variance(graph: &mut Graph, x: Id, mean: Id) -> Id {
    let axes = batch_axes(graph, x);
    variance(graph, x, mean, &axes)
}

/// How many values each statistic of `x` is taken over.
pub(crate) fn count(graph: &Graph, x: Id) -> usize {
    batch_axes(graph, x).iter().map(|&axis| graph.shape(x)[axis]).product()
}

/// What turns the mean squared deviation of n values into the unbiased variance: n / (n - 1), for n above 1. The running
/// variance takes the unbiased one, as is the custom.
#[allow(clippy::cast_precision_loss)] // counts stay far below 2^53
pub(crate) fn unbiased(graph: &mut Graph, x: Id, variance: Id) -> Id {
    let count = count(graph, x) as f64;
    graph.scale(variance, count / (count - 1.0))
}

/// running = (1 - momentum) running + momentum batch
pub(crate) fn update(graph: &mut Graph, store: &mut Store, running: (usize, Id), batch: Id, momentum: f64) {
    let old = graph.scale(running.1, 1.0 - momentum);
    let new = graph.scale(batch, momentum);
    let sum = graph.add(old, new);
    store.updates.push((running.0, sum));
}

fn batch_axes(graph: &Graph, x: Id) -> Vec<usize> {
    (0..graph.shape(x).len().saturating_sub(1)).collect()
}
