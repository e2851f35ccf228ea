//! Updates of states as early as they can be.
//!
//! ```text
//! %160 = spherical_grad …            %160 = spherical_grad …
//! … the gradients before it          theta = theta - lr %160      still in a cache
//! theta = theta - lr %160            … the gradients before it
//! ```
//!
//! What an update reads has just been written then, and needs no memory until the end of the step.

use crate::kernels::{BufferId, Kernel, Kernels, Place};

/// Moves every kernel that writes states to right behind the last one that it has to wait for.
pub(super) fn early(kernels: &mut Kernels) {
    let mut order: Vec<Touched> = kernels.kernels.iter().map(Touched::new).collect();
    let is_state = |id: &BufferId| matches!(kernels.buffers[id.index()].place, Place::State(_));
    for index in 0..order.len() {
        let (before, rest) = order.split_at(index);
        if rest[0].writes.iter().any(is_state) {
            let first = before.iter().rposition(|kernel| rest[0].waits_for(kernel)).map_or(0, |last| last + 1);
            order[first..=index].rotate_right(1);
            kernels.kernels[first..=index].rotate_right(1);
        }
    }
}

/// What a kernel reads and writes.
struct Touched {
    reads: Vec<BufferId>,
    writes: Vec<BufferId>,
}

impl Touched {
    fn new(kernel: &Kernel) -> Self {
        Touched { reads: kernel.work.reads(), writes: kernel.work.writes() }
    }

    /// Does a kernel have to come first: for what it writes, or because it still reads what this one writes?
    fn waits_for(&self, earlier: &Touched) -> bool {
        let any = |some: &[BufferId], of: &[BufferId]| some.iter().any(|id| of.contains(id));
        any(&earlier.writes, &self.reads) || any(&earlier.writes, &self.writes) || any(&earlier.reads, &self.writes)
    }
}
