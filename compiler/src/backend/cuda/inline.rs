//! Pools that need no memory: what one kernel alone reads, once, is computed where it is read.
//!
//! ```text
//! t9 = max_pool_grad t3 t8                                       two passes over images: t9 written, t9 read
//! for i, j, k: t10[…] = select(t9[…], …), images11 = sum …       becomes one: max_pool_grad_…(at, t3, t8) in the nest
//! ```
//!
//! The gradient of a pool goes through a rectifier and into the gradient of a bias as a rule. Done in one pass it is a third
//! of the traffic.

use super::nest::form;
use crate::experiment::Precision;
use crate::kernels::{BufferId, Kernel, Kernels, Nest, Pool, Work};

/// The same kernels; the pools that are marked stand right before the nest that computes them.
pub(super) fn inline(kernels: Kernels, precision: Precision) -> (Kernels, Vec<bool>) {
    let mut all: Vec<(Kernel, bool)> = kernels.kernels.iter().map(|kernel| (kernel.clone(), false)).collect();
    for (place, kernel) in kernels.kernels.iter().enumerate().rev() {
        let Work::Pool(pool) = &kernel.work else { continue };
        let Some(reader) = reader(&kernels, place, pool, precision) else { continue };
        let nest = &kernels.kernels[reader];
        let Some(to) = all.iter().position(|(k, _)| k == nest) else { continue };
        if to > 0 && all[to - 1].1 {
            continue; // one pool a nest
        }
        let (pool, _) = all.remove(place);
        all.insert(to - 1, (pool, true));
    }
    let (sorted, marks) = all.into_iter().unzip();
    (Kernels { kernels: sorted, ..kernels }, marks)
}

/// The one kernel that reads what a pool writes, if that is a nest that can compute it instead.
fn reader(kernels: &Kernels, place: usize, pool: &Pool, precision: Precision) -> Option<usize> {
    let reads = |kernel: &Kernel| kernel.work.reads().contains(&pool.target);
    let mut readers = kernels.kernels.iter().enumerate().filter(|(_, kernel)| reads(kernel));
    let (at, kernel) = readers.next()?;
    let Work::Nest(nest) = &kernel.work else { return None };
    let alone = readers.next().is_none() && !kernels.outputs.contains(&pool.target);
    let operands = kernels.kernels[place].work.reads();
    let stays = |id: &BufferId| kernels.kernels[place + 1..=at].iter().all(|kernel| !kernel.work.writes().contains(id));
    (at > place && alone && operands.iter().all(stays) && once(nest, pool, precision)).then_some(at)
}

/// Does the nest read every element once, in step with its threads?
fn once(nest: &Nest, pool: &Pool, precision: Precision) -> bool {
    let loads: Vec<_> = nest.loads().filter(|load| load.buffer == pool.target).collect();
    let [load] = loads[..] else { return false };
    let (along, lanes) = form(nest, precision);
    let moves = nest.space.iter().zip(&load.at.strides).all(|(size, stride)| *size == 1 || *stride != 0);
    let neighbours = along.is_none_or(|axis| load.at.strides[axis] == 1);
    moves && neighbours && pool.images[3].is_multiple_of(lanes)
}
