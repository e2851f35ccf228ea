//! Marks large nests whose outermost loop threads may divide among them. A long nest of one axis is first split into two
//! axes. Where the outermost axis is summed up, threads divide the columns among them.
//!
//! ```text
//! for i in 8388608: …        →        for i in 2048, j in 4096: …                    spread over i
//! for j in 2048: over i …    →        for b in 8, j in 256: over i …                 spread over b
//! ```
//!
//! One thread computes each result, with the same instructions wherever the loop is cut. Results therefore do not depend
//! on the number of threads.

use crate::ir::kernels::Nest;

/// Nests with fewer points are not divided, since starting threads would cost more than it saves (chosen by hand: some
/// microseconds).
const LARGE: usize = 1 << 16;
/// Sizes of the inner axis of a split nest.
const INNER: std::ops::RangeInclusive<usize> = 1024..=16384;
/// Columns of a sum over rows that a thread takes at once, and how many such blocks there are at least. Whole vectors, so that
/// each column is added up as it would be without the cut.
const COLUMNS: std::ops::RangeInclusive<usize> = 32..=256;
const VECTOR: usize = 4;
const BLOCKS: usize = 4;

/// Marks the nest if threads may divide its outermost axis. With `blocks_of_columns`, that may be blocks of the columns of a
/// sum over rows.
pub(super) fn spread(nest: &mut Nest, blocks_of_columns: bool) {
    if nest.space.iter().product::<usize>() < LARGE {
        return;
    }
    if let ([size], false) = (&nest.space[..], nest.reduced[0])
        && let Some(inner) = INNER.rev().find(|inner| size.is_multiple_of(*inner))
    {
        split(nest, inner);
    }
    if let (Some((axis, inner)), true) = (columns(nest), blocks_of_columns) {
        block(nest, axis, inner);
    }
    // Each round of the outermost loop must store to elements of its own, otherwise threads would write to the same element.
    let apart = nest.stores.iter().all(|s| s.access.at.strides.first().is_some_and(|&stride| stride != 0));
    nest.parallel = nest.space.len() > 1 && nest.space[0] > 1 && !nest.reduced[0] && apart;
}

/// The innermost axis that is not reduced, where the outermost one is, and how many columns a block of it has.
fn columns(nest: &Nest) -> Option<(usize, usize)> {
    let axis = nest.reduced.iter().rposition(|reduced| !reduced).filter(|_| nest.reduced[0])?;
    let size = nest.space[axis];
    let fits = |inner: &usize| size.is_multiple_of(*inner) && inner.is_multiple_of(VECTOR) && size / inner >= BLOCKS;
    Some((axis, COLUMNS.rev().find(fits)?))
}

/// Splits an axis into blocks, and makes the loop over them the outermost one.
fn block(nest: &mut Nest, axis: usize, inner: usize) {
    nest.space.insert(0, nest.space[axis] / inner);
    nest.space[axis + 1] = inner;
    nest.reduced.insert(0, false);
    nest.affines_mut().for_each(|at| at.strides.insert(0, at.strides[axis] * inner));
}

/// Splits the only axis of a nest into two.
fn split(nest: &mut Nest, inner: usize) {
    nest.space = vec![nest.space[0] / inner, inner];
    nest.reduced = vec![false, false];
    nest.affines_mut().for_each(|at| at.strides = vec![at.strides[0] * inner, at.strides[0]]);
}
