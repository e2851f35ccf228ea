//! Horizontal fusion: small kernels that do not depend on each other share a launch.
//!
//! A network has many small kernels: the angles of each layer, the update of each parameter. Each costs a launch, and
//! none keeps a device busy alone. First small kernels are scheduled as late as possible, so that all updates share a
//! launch after the last gradient. Then they are scheduled as early as possible, so that one launch decodes the unit
//! vectors of all layers before the first matmul.

use crate::emit::draft::Draft;
use gmpc_compiler::ir::kernels::{BufferId, Kernels, Work};
use std::collections::VecDeque;

/// A kernel that reads and writes at least this many numbers keeps a device busy alone (chosen by hand: some microseconds).
const LARGE: usize = 1 << 23;
/// Limit on the shared memory of one launch in bytes, below the 48 KiB that every device has.
const SHARED: usize = 40 << 10;
/// Limit on the buffers of one launch: its parameters, 8 bytes each, must stay below 4 KiB.
const BUFFERS: usize = 240;

/// For each step, the indices in `kernels` of the kernels that it runs. `drafts` has `None` for library calls. A kernel
/// marked in `inlined` is computed inside the next kernel that is not marked.
pub(crate) fn group(kernels: &Kernels, drafts: &[Option<Draft>], inlined: &[bool]) -> Vec<Vec<usize>> {
    let mut deferred: VecDeque<Group> = VecDeque::new();
    for index in (0..drafts.len()).rev().filter(|&index| !inlined[index]) {
        let mut step = Group::new(kernels, index, drafts[index].as_ref());
        // Inlined kernels stay with the kernel that computes them. Such a kernel shares its launch with nothing.
        for before in (0..index).rev().take_while(|&before| inlined[before]) {
            step.join(Group::new(kernels, before, None));
            step.small = None;
        }
        // The step may pass every later step up to the first that it conflicts with. It joins the latest of them that has
        // room.
        let free = deferred.iter().take_while(|other| !step.conflicts(other)).count();
        match (0..free).rev().find(|&at| step.joins(&deferred[at])) {
            Some(at) => deferred[at].join(step),
            None => deferred.push_front(step),
        }
    }
    // The same in the other direction: each step joins the earliest one that it can reach.
    let mut hoisted: Vec<Group> = Vec::new();
    for step in deferred {
        let free = hoisted.iter().rev().take_while(|other| !step.conflicts(other)).count();
        match (hoisted.len() - free..hoisted.len()).find(|&at| step.joins(&hoisted[at])) {
            Some(at) => hoisted[at].join(step),
            None => hoisted.push(step),
        }
    }
    hoisted.into_iter().map(Group::finish).collect()
}

/// Kernels that share a launch.
struct Group {
    kernels: Vec<usize>,
    reads: Buffers,
    writes: Buffers,
    /// Threads of a block, and bytes of shared memory. `None` for a kernel that shares its launch with nothing.
    small: Option<(u32, usize)>,
}

impl Group {
    fn new(kernels: &Kernels, index: usize, draft: Option<&Draft>) -> Self {
        let work = &kernels.kernels[index].work;
        let touched: Vec<BufferId> = work.reads().into_iter().chain(work.writes()).collect();
        let size = |id: &BufferId| kernels.buffers[id.index()].elements;
        let points = if let Work::Nest(nest) = work { nest.space.iter().product() } else { 0 };
        let is_small = touched.iter().map(size).max().unwrap_or(0).max(points) < LARGE;
        Group {
            kernels: vec![index],
            reads: Buffers::new(kernels, &work.reads()),
            writes: Buffers::new(kernels, &work.writes()),
            small: draft.filter(|_| is_small).map(|draft| (draft.threads, draft.shared)),
        }
    }

    /// Does one group write a buffer that the other reads or writes?
    fn conflicts(&self, other: &Group) -> bool {
        self.writes.interferes(&other.reads)
            || self.writes.interferes(&other.writes)
            || self.reads.interferes(&other.writes)
    }

    /// May both groups share a launch?
    fn joins(&self, other: &Group) -> bool {
        let buffers = || [self, other].iter().map(|s| s.reads.count() + s.writes.count()).sum::<usize>();
        match (self.small, other.small) {
            (Some((threads, shared)), Some((others, more))) => {
                threads == others && shared + more <= SHARED && buffers() <= BUFFERS
            }
            _ => false,
        }
    }

    fn join(&mut self, other: Group) {
        self.kernels.extend(other.kernels);
        self.reads.add(&other.reads);
        self.writes.add(&other.writes);
        if let (Some((_, shared)), Some((_, more))) = (&mut self.small, other.small) {
            *shared += more;
        }
    }

    /// The kernels in the order of the program.
    fn finish(mut self) -> Vec<usize> {
        self.kernels.sort_unstable();
        self.kernels
    }
}

/// A set of buffers, one bit for each.
struct Buffers(Vec<u64>);

impl Buffers {
    fn new(kernels: &Kernels, buffers: &[BufferId]) -> Self {
        let mut bits = vec![0; kernels.buffers.len().div_ceil(64)];
        buffers.iter().for_each(|id| bits[id.index() / 64] |= 1 << (id.index() % 64));
        Buffers(bits)
    }

    fn interferes(&self, other: &Buffers) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn add(&mut self, other: &Buffers) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}
