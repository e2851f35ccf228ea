//! Marks large nests whose outermost loop threads may share, and gives long one-dimensional ones such a loop.
//!
//! ```text
//! for i in 8388608: …        →        for i in 2048, j in 4096: …          spread over i
//! ```
//!
//! Every result is computed by one thread, with the same instructions wherever the loop is cut, so that results do not
//! depend on the number of threads.

use crate::kernels::Nest;

/// Points below which handing work to threads costs more than it saves (chosen by hand: some microseconds of work).
const LARGE: usize = 1 << 16;
/// Points of the inner part of a split loop.
const INNER: std::ops::RangeInclusive<usize> = 1024..=16384;

/// Marks the nest if its outermost axis can be shared.
pub(super) fn spread(nest: &mut Nest) {
    if nest.space.iter().product::<usize>() < LARGE {
        return;
    }
    if let ([size], false) = (&nest.space[..], nest.reduced[0])
        && let Some(inner) = INNER.rev().find(|inner| size.is_multiple_of(*inner))
    {
        split(nest, inner);
    }
    // What is stored must be told apart by the outermost axis.
    let apart = nest.stores.iter().all(|s| s.access.at.strides.first().is_some_and(|&stride| stride != 0));
    nest.spread = nest.space.len() > 1 && nest.space[0] > 1 && !nest.reduced[0] && apart;
}

/// One axis as two.
fn split(nest: &mut Nest, inner: usize) {
    nest.space = vec![nest.space[0] / inner, inner];
    nest.reduced = vec![false, false];
    nest.affines_mut().for_each(|at| at.strides = vec![at.strides[0] * inner, at.strides[0]]);
}
