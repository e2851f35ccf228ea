//! Which kernels run at once: small ones that do not depend on each other share a launch.
//!
//! A network has many small pieces of work: the angles of each layer, the update of each parameter. Each costs a launch, and
//! none keeps a device busy alone. First everything small moves as late as it may, so that all updates meet behind the last
//! gradient; then as early as it may, so that the unit vectors of all layers are decoded before the first product.

use super::draft::Draft;
use crate::kernels::{BufferId, Kernels, Work};
use std::collections::VecDeque;

/// Numbers touched from which a kernel keeps a device busy alone (chosen by hand: some microseconds of memory).
const LARGE: usize = 1 << 23;
/// Shared memory of one launch, below the 48 KiB that every device has.
const SHARED: usize = 40 << 10;
/// Buffers of one launch, so that its parameters stay below 4 KiB.
const BUFFERS: usize = 240;

/// For each step the kernels that it runs, by their place in `kernels`; `drafts` has nothing for what libraries do. Kernels
/// marked in `inlined` are computed by the next one that is not.
pub(super) fn together(kernels: &Kernels, drafts: &[Option<Draft>], inlined: &[bool]) -> Vec<Vec<usize>> {
    let mut late: VecDeque<Step> = VecDeque::new();
    for index in (0..drafts.len()).rev().filter(|&index| !inlined[index]) {
        let mut step = Step::new(kernels, index, drafts[index].as_ref());
        for before in (0..index).rev().take_while(|&before| inlined[before]) {
            step.join(Step::new(kernels, before, None));
            step.small = None;
        }
        let free = late.iter().take_while(|other| !step.conflicts(other)).count();
        match (0..free).rev().find(|&at| step.joins(&late[at])) {
            Some(at) => late[at].join(step),
            None => late.push_front(step),
        }
    }
    let mut early: Vec<Step> = Vec::new();
    for step in late {
        let free = early.iter().rev().take_while(|other| !step.conflicts(other)).count();
        match (early.len() - free..early.len()).find(|&at| step.joins(&early[at])) {
            Some(at) => early[at].join(step),
            None => early.push(step),
        }
    }
    early.into_iter().map(Step::finish).collect()
}

/// Kernels that run at once.
struct Step {
    kernels: Vec<usize>,
    reads: Buffers,
    writes: Buffers,
    /// Threads of a block, and shared memory; `None` for what shares a launch with nothing.
    small: Option<(u32, usize)>,
}

impl Step {
    fn new(kernels: &Kernels, index: usize, draft: Option<&Draft>) -> Self {
        let work = &kernels.kernels[index].work;
        let touched: Vec<BufferId> = work.reads().into_iter().chain(work.writes()).collect();
        let size = |id: &BufferId| kernels.buffers[id.index()].elements;
        let points = if let Work::Nest(nest) = work { nest.space.iter().product() } else { 0 };
        let is_small = touched.iter().map(size).max().unwrap_or(0).max(points) < LARGE;
        Step {
            kernels: vec![index],
            reads: Buffers::new(kernels, &work.reads()),
            writes: Buffers::new(kernels, &work.writes()),
            small: draft.filter(|_| is_small).map(|draft| (draft.threads, draft.shared)),
        }
    }

    /// Does one write what the other touches?
    fn conflicts(&self, other: &Step) -> bool {
        self.writes.meet(&other.reads) || self.writes.meet(&other.writes) || self.reads.meet(&other.writes)
    }

    /// May both share a launch?
    fn joins(&self, other: &Step) -> bool {
        let buffers = || [self, other].iter().map(|s| s.reads.count() + s.writes.count()).sum::<usize>();
        match (self.small, other.small) {
            (Some((threads, shared)), Some((others, more))) => {
                threads == others && shared + more <= SHARED && buffers() <= BUFFERS
            }
            _ => false,
        }
    }

    fn join(&mut self, other: Step) {
        self.kernels.extend(other.kernels);
        self.reads.add(&other.reads);
        self.writes.add(&other.writes);
        if let (Some((_, shared)), Some((_, more))) = (&mut self.small, other.small) {
            *shared += more;
        }
    }

    /// Its kernels in the order of the program.
    fn finish(mut self) -> Vec<usize> {
        self.kernels.sort_unstable();
        self.kernels
    }
}

/// Some buffers, a bit for each.
struct Buffers(Vec<u64>);

impl Buffers {
    fn new(kernels: &Kernels, buffers: &[BufferId]) -> Self {
        let mut bits = vec![0; kernels.buffers.len().div_ceil(64)];
        buffers.iter().for_each(|id| bits[id.index() / 64] |= 1 << (id.index() % 64));
        Buffers(bits)
    }

    fn meet(&self, other: &Buffers) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    fn add(&mut self, other: &Buffers) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}
