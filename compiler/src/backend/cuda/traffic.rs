//! How many bytes a kernel moves, counted from its shape: every distinct number once for reading, once for writing.

use super::context::reads;
use crate::experiment::Precision;
use crate::kernels::{Access, BufferId, Kernels, Work};
use std::collections::HashMap;

/// Bytes read and written.
pub(super) fn of(kernels: &Kernels, work: &Work, computed: &[&Work], precision: Precision) -> (u64, u64) {
    let (reads, writes) = match work {
        Work::Nest(nest) => {
            let touched = |access: &Access| {
                let sizes = nest.space.iter().zip(&access.at.strides).filter(|(_, stride)| **stride != 0);
                (access.buffer, sizes.map(|(size, _)| *size).product())
            };
            let nowhere: Vec<BufferId> = computed.iter().flat_map(|work| work.writes()).collect();
            let own = nest.loads().filter(|load| !nowhere.contains(&load.buffer)).map(touched);
            let on_the_way = computed.iter().flat_map(|work| work.reads()).filter(|id| !nowhere.contains(id));
            let reads: Vec<(BufferId, usize)> = own.chain(on_the_way.map(|id| (id, usize::MAX))).collect();
            let writes = nest.stores.iter().map(|store| touched(&store.access)).collect();
            (reads, writes)
        }
        other => {
            let whole = |id: BufferId| (id, usize::MAX);
            (reads(other, computed).into_iter().map(whole).collect(), other.writes().into_iter().map(whole).collect())
        }
    };
    (bytes(kernels, reads, precision), bytes(kernels, writes, precision))
}

/// Bytes of distinct numbers, no more of a buffer than it has.
fn bytes(kernels: &Kernels, touched: Vec<(BufferId, usize)>, precision: Precision) -> u64 {
    let mut each: HashMap<BufferId, usize> = HashMap::new();
    for (buffer, count) in touched {
        let sum = each.entry(buffer).or_insert(0);
        *sum = sum.saturating_add(count).min(kernels.buffers[buffer.index()].elements);
    }
    let size = |id: &BufferId| if kernels.buffers[id.index()].half { 2 } else { precision.bytes() as u64 };
    each.iter().fold(0, |sum: u64, (id, count)| sum.saturating_add(size(id).saturating_mul(*count as u64)))
}
