//! Merges nests that run over one space: a producer with its consumer, siblings that read the same memory, a small
//! computation with the reduction whose result it starts from.
//!
//! Two nests may be merged when no third kernel has to run between them and every element that one writes and the
//! other touches is touched at the same point of the loop.

use crate::kernels::{Access, Affine, BufferId, Expr, ExprId, Kernel, Kernels, Nest, Work};
use std::collections::HashSet;

/// Larger nests spill registers and gain nothing (chosen by hand).
const MOST_EXPRESSIONS: usize = 192;
/// Accumulators stay in registers.
const MOST_REDUCTIONS: usize = 4;

/// Merges as long as anything fits together, then drops memory nobody reads.
pub(super) fn merge(kernels: &mut Kernels) {
    let mut order = Order::new(kernels.buffers.len(), kernels.kernels.drain(..));
    let mut second = 1;
    while second < order.all.len() {
        match order.candidates(second).into_iter().find_map(|first| order.attempt(first, second)) {
            Some(place) => second = place.max(1),
            None => second += 1,
        }
    }
    kernels.kernels = order.all.into_iter().map(|t| t.kernel).collect();
    kernels.drop_unread();
}

/// Kernels in the order in which they run, with an index of what could be merged: networks of many layers have too many
/// pairs of kernels to look at each.
struct Order {
    all: Vec<Touching>,
    /// Where the kernel of each number stands now, unless it has become part of another.
    place: Vec<Option<usize>>,
    /// For each buffer the nests that write it.
    writers: Vec<Vec<usize>>,
    /// For each buffer the nests that read different elements of it.
    readers: Vec<Vec<usize>>,
    /// Pairs that do not fit. They never will: what keeps them apart stays between them, or becomes part of one of them,
    /// which then is another kernel.
    refused: HashSet<(usize, usize)>,
}

impl Order {
    fn new(buffers: usize, kernels: impl Iterator<Item = Kernel>) -> Self {
        let (writers, readers) = (vec![Vec::new(); buffers], vec![Vec::new(); buffers]);
        let mut order = Order { all: Vec::new(), place: Vec::new(), writers, readers, refused: HashSet::new() };
        for kernel in kernels {
            let touching = order.enter(kernel);
            order.place.push(Some(order.all.len()));
            order.all.push(touching);
        }
        order
    }

    /// Gives a kernel the next number and puts it into the index.
    fn enter(&mut self, kernel: Kernel) -> Touching {
        let touching = Touching::new(self.place.len(), kernel);
        if let Work::Nest(nest) = &touching.kernel.work {
            for &buffer in &touching.writes.all {
                self.writers[buffer.index()].push(touching.number);
            }
            for buffer in along_an_axis(nest) {
                self.readers[buffer.index()].push(touching.number);
            }
        }
        touching
    }

    /// The kernels before `second` that hand a value to it or read the same memory, the nearest first.
    fn candidates(&self, second: usize) -> Vec<usize> {
        let two = &self.all[second];
        let Work::Nest(nest) = &two.kernel.work else { return Vec::new() };
        let writers = two.reads.all.iter().flat_map(|buffer| &self.writers[buffer.index()]);
        let readers = along_an_axis(nest).flat_map(|buffer| &self.readers[buffer.index()]);
        let fresh = |first: &&usize| !self.refused.contains(&(**first, two.number));
        let places = writers.chain(readers).filter(fresh).filter_map(|&first| self.place[first]);
        let mut places: Vec<usize> = places.filter(|&place| place < second).collect();
        places.sort_unstable_by_key(|&place| std::cmp::Reverse(place));
        places.dedup();
        places
    }

    /// Merges kernel `second` into kernel `first` if that is possible; returns where the merged kernel stands.
    fn attempt(&mut self, first: usize, second: usize) -> Option<usize> {
        let Some((nest, after)) = fitted(&self.all, first, second) else {
            self.refused.insert((self.all[first].number, self.all[second].number));
            return None;
        };
        let span = self.all[first].kernel.span;
        let (merged, mut head, mut tail) = (Kernel { work: Work::Nest(nest), span }, Vec::new(), Vec::new());
        for (index, kernel) in (first..).zip(self.all.drain(first..=second)) {
            if index == first || index == second {
                self.place[kernel.number] = None;
            } else if after.contains(&index) {
                tail.push(kernel);
            } else {
                head.push(kernel);
            }
        }
        let place = first + head.len();
        let merged = self.enter(merged);
        self.place.push(Some(place));
        self.all.splice(first..first, head.into_iter().chain([merged]).chain(tail));
        for (index, kernel) in self.all.iter().enumerate().skip(first) {
            self.place[kernel.number] = Some(index);
        }
        Some(place)
    }
}

/// The buffers of which a nest reads more than one element.
fn along_an_axis(nest: &Nest) -> impl Iterator<Item = BufferId> {
    nest.loads().filter(|load| load.at.strides.iter().any(|&stride| stride != 0)).map(|load| load.buffer)
}

/// A kernel and the buffers it touches, looked up once: networks of many layers ask for every pair of kernels.
struct Touching {
    /// Counts kernels in the order in which they came to be.
    number: usize,
    kernel: Kernel,
    reads: Buffers,
    writes: Buffers,
}

impl Touching {
    fn new(number: usize, kernel: Kernel) -> Self {
        let (reads, writes) = (Buffers::new(&kernel.work.reads()), Buffers::new(&kernel.work.writes()));
        Touching { number, kernel, reads, writes }
    }

    /// Does one write what the other touches?
    fn conflicts(&self, other: &Touching) -> bool {
        self.writes.meet(&other.reads) || self.writes.meet(&other.writes) || self.reads.meet(&other.writes)
    }
}

/// Some buffers, in order.
struct Buffers {
    all: Vec<BufferId>,
    /// One bit for a few buffers each: sets without a common bit have no common buffer.
    bits: u128,
}

impl Buffers {
    fn new(buffers: &[BufferId]) -> Self {
        let mut all = buffers.to_vec();
        all.sort_unstable();
        all.dedup();
        let bits = all.iter().fold(0, |bits, id| bits | 1 << (id.0 % 128));
        Buffers { all, bits }
    }

    fn meet(&self, other: &Buffers) -> bool {
        self.bits & other.bits != 0 && self.all.iter().any(|id| other.all.binary_search(id).is_ok())
    }
}

/// Kernels `first` and `second` as one nest, and the kernels between them that have to run after it.
fn fitted(kernels: &[Touching], first: usize, second: usize) -> Option<(Nest, Vec<usize>)> {
    let (Work::Nest(a), Work::Nest(b)) = (&kernels[first].kernel.work, &kernels[second].kernel.work) else {
        return None;
    };
    let axes = matching_axes(a, b)?;
    if !related(a, b, &axes) {
        return None;
    }
    let after = dependants(kernels, first, second)?;
    Some((join(a, b, &axes)?, after))
}

/// The kernels between the two that have to run after `first`; `None` if `second` has to run after one of them.
fn dependants(kernels: &[Touching], first: usize, second: usize) -> Option<Vec<usize>> {
    let mut after = Vec::new();
    for index in first + 1..second {
        let waits = |&other: &usize| kernels[other].conflicts(&kernels[index]);
        if waits(&first) || after.iter().any(waits) {
            after.push(index);
        }
    }
    (!after.iter().any(|&k| kernels[k].conflicts(&kernels[second]))).then_some(after)
}

/// For each axis of `b` the axis of `a` it is, and whether `b` runs after the reductions of `a`.
struct Axes {
    map: Vec<usize>,
    late: bool,
}

fn matching_axes(a: &Nest, b: &Nest) -> Option<Axes> {
    if a.space == b.space && (a.reductions.is_empty() || b.reductions.is_empty() || a.reduced == b.reduced) {
        return Some(Axes { map: (0..a.space.len()).collect(), late: false });
    }
    let kept: Vec<usize> = (0..a.space.len()).filter(|&axis| !a.reduced[axis]).collect();
    let fits = kept.len() == b.space.len() && kept.iter().zip(&b.space).all(|(&axis, &n)| a.space[axis] == n);
    let late = !a.reductions.is_empty() && b.reductions.is_empty() && fits;
    late.then_some(Axes { map: kept, late: true })
}

fn moved(at: &Affine, axes: &Axes, rank: usize) -> Affine {
    let mut strides = vec![0; rank];
    axes.map.iter().zip(&at.strides).for_each(|(&axis, &stride)| strides[axis] = stride);
    Affine { offset: at.offset, strides }
}

/// Both nests as one, if every shared element is touched at one point.
fn join(a: &Nest, b: &Nest, axes: &Axes) -> Option<Nest> {
    if !may_follow(a, b, axes) {
        return None;
    }
    let mut nest = a.clone();
    if a.reductions.is_empty() {
        nest.reduced.clone_from(&b.reduced);
    }
    let rank = a.space.len();
    let mut place: Vec<ExprId> = Vec::with_capacity(b.exprs.len());
    for expr in &b.exprs {
        let id = match expr {
            Expr::Const(value) => nest.push(Expr::Const(*value)),
            Expr::Load(access) => {
                let access = Access { buffer: access.buffer, at: moved(&access.at, axes, rank) };
                match a.stores.iter().find(|s| s.access.buffer == access.buffer) {
                    Some(store) if store.access == access && store.late == axes.late => store.value,
                    Some(_) => return None,
                    None => nest.push(Expr::Load(access)),
                }
            }
            Expr::Index(at) => nest.push(Expr::Index(moved(at, axes, rank))),
            Expr::Reduced(index) => nest.push(Expr::Reduced(index + a.reductions.len())),
            Expr::Apply(op, operands) => {
                let operands = operands.iter().map(|o| place[o.index()]).collect();
                nest.push(Expr::Apply(op.clone(), operands))
            }
        };
        place.push(id);
    }
    for store in &b.stores {
        let mut store = store.clone();
        store.access.at = moved(&store.access.at, axes, rank);
        store.value = place[store.value.index()];
        store.late |= axes.late;
        nest.stores.push(store);
    }
    for reduction in &b.reductions {
        let value = place[reduction.value.index()];
        nest.reductions.push(crate::kernels::Reduction { join: reduction.join, value });
    }
    (nest.exprs.len() <= MOST_EXPRESSIONS && nest.reductions.len() <= MOST_REDUCTIONS).then_some(nest)
}

/// Is there anything to gain: a value handed over, or memory that both read?
fn related(a: &Nest, b: &Nest, axes: &Axes) -> bool {
    let handed = a.stores.iter().any(|s| s.late == axes.late && b.loads().any(|l| l.buffer == s.access.buffer));
    let rank = a.space.len();
    let shared = || {
        let same = |l: &Access| a.loads().any(|x| x.buffer == l.buffer && x.at == moved(&l.at, axes, rank));
        b.loads().any(|l| l.at.strides.iter().any(|&s| s != 0) && same(l))
    };
    handed || (!axes.late && shared())
}

/// Does `b` write only what `a` does not, or has read at the same point?
fn may_follow(a: &Nest, b: &Nest, axes: &Axes) -> bool {
    let rank = a.space.len();
    b.stores.iter().all(|store| {
        let at = moved(&store.access.at, axes, rank);
        let buffer = store.access.buffer;
        a.stores.iter().all(|s| s.access.buffer != buffer) && a.loads().all(|l| l.buffer != buffer || l.at == at)
    })
}
