//! Drops stores that nothing reads.

use super::{BufferId, Kernels, Location, Work};

impl Kernels {
    /// Drops stores to scratch memory that nothing reads, and nests that are then without stores.
    pub fn drop_unread(&mut self) {
        let mut read = vec![false; self.buffers.len()];
        self.outputs.iter().for_each(|o| read[o.index()] = true);
        for kernel in &self.kernels {
            kernel.work.reads().iter().for_each(|id| read[id.index()] = true);
        }
        let needed = |id: BufferId| read[id.index()] || self.buffers[id.index()].location != Location::Scratch;
        for kernel in &mut self.kernels {
            if let Work::Nest(nest) = &mut kernel.work {
                nest.stores.retain(|s| needed(s.access.buffer));
                nest.prune();
            }
        }
        self.kernels.retain(|k| !matches!(&k.work, Work::Nest(nest) if nest.stores.is_empty()));
    }
}
