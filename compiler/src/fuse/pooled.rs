//! Which pools are taken by the convolution before them: the results are compared while they are in registers, only the largest
//! of each window is written, and a byte that says where it was, for the gradient.
//!
//! ```text
//! %3 = convolve …, its bias and rectifier    read by nothing but:
//! %4 = max_pool %3 %r                        what is written instead
//! %5 = sum %3 [0, 1, 2]                      a sum of the convolution
//! %8 = max_pool_grad %3 %7 %r                from the bytes alone,
//! %9 = select (0 < %3) %8 0                  if it passes a gate, from the largest too
//! ```

use super::gate::{Gated, sums_pixels};
use super::operand::base;
use super::tail::Tail;
use crate::graph::{Graph, Id, Op};
use crate::window::Window;
use std::collections::HashMap;

/// A pool that its convolution takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooled {
    /// The pool.
    pub(super) pool: Id,
    /// A factor for each channel before the largest is looked for.
    pub(super) scale: Option<Id>,
    /// Its gradient, if that is taken.
    pub(super) gradient: Option<Id>,
    /// Does a gate need the largest without their factor?
    pub(super) largest: bool,
    /// The sum of the results over all pixels, if it is taken.
    pub(super) total: Option<Id>,
}

/// The pools that convolutions take, by the results they are of.
pub(super) fn pooled(
    graph: &Graph,
    users: &[Vec<Id>],
    tails: &HashMap<Id, Tail>,
    gates: &HashMap<Id, Gated>,
) -> HashMap<Id, Pooled> {
    let convolutions = tails.iter().filter(|(_, tail)| matches!(graph[tail.product].op, Op::Convolve(_)));
    convolutions.filter_map(|(&results, _)| Some((results, of(graph, users, gates, results)?))).collect()
}

/// The pool of a convolution's results, if nothing else needs them.
fn of(graph: &Graph, users: &[Vec<Id>], gates: &HashMap<Id, Gated>, results: Id) -> Option<Pooled> {
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
    let gate = gates.values().find(|gated| Some(gated.gradient) == gradient);
    if gate.is_some_and(|gate| gate.rectified != results) {
        return None; // the bytes say which results are above 0, not what else
    }
    if gate.is_some_and(|gate| gate.weighted.is_some() && gate.shift.is_some() && total.is_none()) {
        return None; // what is added to every pixel is summed with the help of the results' sum
    }
    let mask = gate.map(|gate| graph[gate.kept].inputs[0]).filter(|mask| users[mask.index()].len() == 1);
    let taken = [Some(pool), gradient, total, mask, gate.and_then(|gate| gate.weighted)];
    let largest = scale.is_some() && gate.is_some_and(|gate| gate.weighted.is_some());
    readers.iter().all(|&user| taken.contains(&Some(user))).then_some(Pooled { pool, scale, gradient, largest, total })
}

/// Do windows of 2 x 2 tile the images?
fn halves(graph: &Graph, window: &Window, images: Id, result: Id) -> bool {
    let (from, to) = (graph.shape(images), graph.shape(result));
    let half = |axis: usize| from.get(axis).zip(to.get(axis)).is_some_and(|(n, m)| *n == 2 * m);
    window.kernel == [2, 2] && window.stride == [2, 2] && window.before == [0, 0] && half(1) && half(2)
}

/// Is a value there when `results` are computed?
fn known(graph: &Graph, id: Id, results: Id) -> bool {
    let base = base(graph, id);
    matches!(graph[base].op, Op::Input(_) | Op::State(_)) || base.index() < results.index()
}
