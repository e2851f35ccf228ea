//! Finds the max pools that the convolution before them can compute. The kernel compares the results while they are in
//! registers. It writes only the largest number of each window and, for the gradient, a byte with its position.
//!
//! ```text
//! %3 = convolve …, its bias and ReLU    read only by:
//! %4 = max_pool %3 %r                        is written instead of %3
//! %5 = sum %3 [0, 1, 2]                      becomes a sum of the convolution
//! %8 = max_pool_grad %3 %7 %r                needs only the bytes
//! %9 = select (0 < %3) %8 0                  a ReLU mask also needs the largest numbers
//! ```

use super::epilogue::Epilogue;
use super::operand::base;
use super::relu_mask::{MaskedGradient, sums_pixels};
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::window::Window;
use std::collections::BTreeMap;

/// A max pool inside a convolution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooled {
    /// The pool.
    pub(super) pool: Id,
    /// A factor per channel that is applied before the comparison.
    pub(super) scale: Option<Id>,
    /// The gradient of the pool, if the graph has it.
    pub(super) gradient: Option<Id>,
    /// Does a ReLU mask need the largest numbers without their scale?
    pub(super) largest: bool,
    /// The sum of the results over all pixels, if the graph has it.
    pub(super) total: Option<Id>,
}

/// The max pools that convolutions can compute, by the results of the convolutions. `relu_masks` holds the ReLU masks by
/// their gradients.
pub(super) fn pooled(
    graph: &Graph,
    users: &[Vec<Id>],
    matmul_epilogues: &BTreeMap<Id, Epilogue>,
    relu_masks: &BTreeMap<Id, MaskedGradient>,
) -> BTreeMap<Id, Pooled> {
    let convolutions =
        matmul_epilogues.iter().filter(|(_, epilogue)| matches!(graph[epilogue.product].op, Op::Convolve(_)));
    convolutions.filter_map(|(&results, _)| Some((results, of(graph, users, relu_masks, results)?))).collect()
}

/// The max pool of a convolution's results, if nothing else needs the results.
fn of(graph: &Graph, users: &[Vec<Id>], relu_masks: &BTreeMap<Id, MaskedGradient>, results: Id) -> Option<Pooled> {
    // The results are not written, so each of their readers must be one that the kernel can serve: one pool, its
    // gradient, one sum, and the mask and product of the gradient's ReLU mask.
    let readers = &users[results.index()];
    let only = |wanted: &dyn Fn(Id) -> bool| {
        let mut found = readers.iter().copied().filter(|&user| user != results && wanted(user));
        (found.next(), found.next().is_some())
    };
    let (pool, several) =
        only(&|user| matches!(&graph[user].op, Op::MaxPool(window) if halves(graph, window, results, user)));
    let pool = pool.filter(|_| !several)?;
    let Op::MaxPool(window) = graph[pool].op else { return None };
    let scale = graph[pool].inputs.get(1).copied();
    let same = |user: Id| {
        let inputs = &graph[user].inputs;
        graph[user].op == Op::MaxPoolGrad(window) && inputs[0] == results && inputs.get(2).copied() == scale
    };
    let (gradient, several) = only(&same);
    let (total, several_totals) = only(&|user| sums_pixels(graph, user, results));
    if several || several_totals || scale.is_some_and(|scale| !known(graph, scale, results)) {
        return None;
    }
    let relu_mask = gradient.and_then(|gradient| relu_masks.get(&gradient));
    if relu_mask.is_some_and(|relu_mask| relu_mask.relu_output != results) {
        return None; // the bytes can replace the mask of these results only
    }
    if relu_mask.is_some_and(|relu_mask| relu_mask.weighted.is_some() && relu_mask.shift.is_some() && total.is_none()) {
        return None; // the sum of the shift over all pixels needs the sum of the results
    }
    let mask = relu_mask.map(|relu_mask| graph[relu_mask.kept].inputs[0]).filter(|mask| users[mask.index()].len() == 1);
    let taken = [Some(pool), gradient, total, mask, relu_mask.and_then(|relu_mask| relu_mask.weighted)];
    let largest = scale.is_some() && relu_mask.is_some_and(|relu_mask| relu_mask.weighted.is_some());
    readers.iter().all(|&user| taken.contains(&Some(user))).then_some(Pooled { pool, scale, gradient, largest, total })
}

/// Do windows of 2 x 2 pixels cover the images exactly, without overlap?
fn halves(graph: &Graph, window: &Window, images: Id, result: Id) -> bool {
    let (from, to) = (graph.shape(images), graph.shape(result));
    let half = |axis: usize| from.get(axis).zip(to.get(axis)).is_some_and(|(n, m)| *n == 2 * m);
    window.kernel == [2, 2] && window.stride == [2, 2] && window.before == [0, 0] && half(1) && half(2)
}

/// Is a value known before `results` are computed?
fn known(graph: &Graph, id: Id, results: Id) -> bool {
    let base = base(graph, id);
    matches!(graph[base].op, Op::Input(_) | Op::State(_)) || base.index() < results.index()
}
