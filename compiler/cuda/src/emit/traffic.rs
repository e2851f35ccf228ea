//! The bytes that a kernel moves, counted from its shape. Every distinct number counts once if read, and once if written.

use super::context::reads;
use gmpc_compiler::ir::kernels::{Access, BufferId, Kernels, Work};
use std::collections::BTreeMap;

/// Buffers, and how many numbers of each are read or written.
type Touched = Vec<(BufferId, usize)>;

/// Bytes read and written.
pub(super) fn of(kernels: &Kernels, work: &Work, computed: &[&Work]) -> (u64, u64) {
    let whole = |id: BufferId| (id, usize::MAX);
    let all_of = |work: &Work| {
        (reads(work, computed).into_iter().map(whole).collect(), work.writes().into_iter().map(whole).collect())
    };
    let (reads, writes): (Touched, Touched) = match work {
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
        other @ (Work::MatMul(_) | Work::Convolve(_) | Work::Pool(_) | Work::Cast(_)) => all_of(other),
        other @ (Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_)) => all_of(other),
    };
    (bytes(kernels, reads), bytes(kernels, writes))
}

/// Bytes of distinct numbers: several accesses to a buffer count at most its size.
fn bytes(kernels: &Kernels, touched: Touched) -> u64 {
    let mut each: BTreeMap<BufferId, usize> = BTreeMap::new();
    for (buffer, count) in touched {
        let sum = each.entry(buffer).or_insert(0);
        *sum = sum.saturating_add(count).min(kernels.buffers[buffer.index()].elements);
    }
    let size = |id: &BufferId| kernels.dtype(*id).bytes() as u64;
    each.iter().fold(0, |sum: u64, (id, count)| sum.saturating_add(size(id).saturating_mul(*count as u64)))
}
