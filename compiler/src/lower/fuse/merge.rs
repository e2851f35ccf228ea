//! Merges nests that run over the same space: a producer with its consumer, two nests that read the same memory, and a
//! reduction with a small computation on its result.
//!
//! Two nests may be merged if no third kernel must run between them. In addition, an element that one of them writes may
//! be read or written by the other only at the same point of the loop.

use super::depend::{Aside, Dependencies, SHORT, sorted};
use crate::ir::kernels::{Access, Affine, BufferId, Expr, ExprId, Kernel, Kernels, Nest, Work};

/// The largest nest. Larger ones spill registers and gain nothing (chosen by hand).
const MOST_EXPRESSIONS: usize = 192;
/// The most reductions of a nest, so that all accumulators stay in registers.
const MOST_REDUCTIONS: usize = 4;

/// Merges nests until no two of them fit together, then removes buffers that no kernel reads.
pub(super) fn merge(kernels: &mut Kernels) {
    let mut merging = Merging::new(kernels.buffers.len(), kernels.kernels.drain(..));
    merging.run();
    kernels.kernels = merging.finish();
    kernels.drop_unread();
}

/// Kernels with an index of possible merges. Networks of many layers have too many pairs of kernels to try each.
struct Merging {
    /// The kernels by their numbers. `None` where a kernel became part of another.
    kernels: Vec<Option<Kernel>>,
    /// The order of the kernels. A kernel is marked if it may fit together with an earlier one.
    dependencies: Dependencies,
    /// For each nest the buffers of which it reads more than one element. Empty for other kernels.
    along: Vec<Vec<BufferId>>,
    /// For each buffer the nests that read more than one element of it.
    sharing: Vec<Vec<usize>>,
    /// Pairs that do not fit together, by the second kernel. They never will: a kernel between them stays there, or
    /// becomes part of one of them, which then is a new kernel with another number.
    refused: Vec<Vec<usize>>,
}

impl Merging {
    fn new(buffers: usize, kernels: impl Iterator<Item = Kernel>) -> Self {
        let (dependencies, sharing) = (Dependencies::new(buffers), vec![Vec::new(); buffers]);
        let (along, refused) = (Vec::new(), Vec::new());
        let mut merging = Merging { kernels: Vec::new(), dependencies, along, sharing, refused };
        for kernel in kernels {
            let number = merging.dependencies.push(&kernel.work);
            merging.enter(number, kernel);
        }
        merging.dependencies.trace();
        merging
    }

    /// Tries each marked kernel as the second of a pair, in order. After a merge, it continues from the new kernel.
    fn run(&mut self) {
        let mut next = self.dependencies.order.first_marked();
        while let Some(second) = next {
            let merged = self.candidates(second).into_iter().find_map(|first| self.attempt(first, second));
            if merged.is_none() {
                self.dependencies.order.unmark(second);
            }
            next = self.dependencies.order.marked_from(merged.unwrap_or(second));
        }
    }

    fn finish(mut self) -> Vec<Kernel> {
        self.dependencies.order.iter().filter_map(|number| self.kernels[number].take()).collect()
    }

    /// Adds a kernel to the index, and marks it if it is a nest.
    fn enter(&mut self, number: usize, kernel: Kernel) {
        let mut along = Vec::new();
        if let Work::Nest(nest) = &kernel.work {
            along = along_an_axis(nest);
            self.dependencies.order.mark(number);
        }
        for buffer in &along {
            let sharing = &mut self.sharing[buffer.index()];
            if sharing.len() <= SHORT {
                sharing.retain(|&other| self.dependencies.order.contains(other));
            }
            sharing.push(number);
        }
        self.along.push(along);
        self.kernels.push(Some(kernel));
        self.refused.push(Vec::new());
    }

    fn nest(&self, number: usize) -> Option<&Nest> {
        match &self.kernels[number].as_ref()?.work {
            Work::Nest(nest) => Some(nest),
            Work::MatMul(_) | Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => None,
            Work::Convolve(_) | Work::Pool(_) | Work::Cast(_) => None,
        }
    }

    /// The nests before `second` that compute a value for it or read the same memory, the nearest first.
    fn candidates(&self, second: usize) -> Vec<usize> {
        if self.nest(second).is_none() {
            return Vec::new();
        }
        let Dependencies { order, .. } = &self.dependencies;
        let writers = self.dependencies.reads(second).iter().flat_map(|&buffer| self.dependencies.writers(buffer));
        let sharing = self.along[second].iter().flat_map(|buffer| &self.sharing[buffer.index()]);
        let fits = |&first: &usize| {
            self.nest(first).is_some() && order.is_before(first, second) && !self.refused[second].contains(&first)
        };
        let mut found: Vec<usize> = writers.chain(sharing).copied().filter(fits).collect();
        found.sort_unstable_by(|&a, &b| order.compare(b, a));
        found.dedup();
        found
    }

    /// Merges two kernels if that is possible. Returns the number of the new kernel.
    fn attempt(&mut self, first: usize, second: usize) -> Option<usize> {
        let Some((nest, aside)) = self.fitted(first, second) else {
            self.refused[second].push(first);
            return None;
        };
        let span = self.kernels[first].take()?.span;
        self.kernels[second] = None;
        let kernel = Kernel { work: Work::Nest(nest), span };
        let (later, end) = (matches!(aside, Aside::Later(_)), self.dependencies.order.next(second));
        let (merged, moved) = self.dependencies.merge([first, second], &kernel.work, aside);
        self.enter(merged, kernel);
        self.mark_partners(merged);
        moved.into_iter().for_each(|number| self.mark_sharing(number, later, end));
        Some(merged)
    }

    /// Marks the kernels behind a new kernel that may fit together with it: those that read its results or the same memory.
    fn mark_partners(&mut self, merged: usize) {
        let readers = self.dependencies.writes(merged).iter().flat_map(|&buffer| self.dependencies.readers(buffer));
        let sharing = self.along[merged].iter().flat_map(|buffer| &self.sharing[buffer.index()]);
        let behind = |&other: &usize| self.dependencies.order.is_before(merged, other);
        let found: Vec<usize> = readers.chain(sharing).copied().filter(behind).collect();
        found.into_iter().for_each(|other| self.dependencies.order.mark(other));
    }

    /// Marks pairs that read the same memory and changed places because a kernel moved. Of each such pair, the kernel
    /// that is now the later one is marked. Producers and consumers of the moved kernel did not change places with it,
    /// nor did kernels from `end` on.
    fn mark_sharing(&mut self, moved: usize, later: bool, end: Option<usize>) {
        let order = &mut self.dependencies.order;
        for &other in self.along[moved].iter().flat_map(|buffer| &self.sharing[buffer.index()]) {
            if later {
                if other != moved && order.contains(other) && order.is_before(other, moved) {
                    order.mark(moved);
                }
            } else if order.is_before(moved, other) && end.is_none_or(|end| order.is_before(other, end)) {
                order.mark(other);
            }
        }
    }

    /// Two kernels as one nest, and the kernels that must move for it. `None` if they do not fit together.
    fn fitted(&mut self, first: usize, second: usize) -> Option<(Nest, Aside)> {
        let (a, b) = (self.nest(first)?, self.nest(second)?);
        let axes = matching_axes(a, b)?;
        if !related(a, b, &axes) {
            return None;
        }
        let nest = join(a, b, &axes)?;
        Some((nest, self.dependencies.aside(first, second)?))
    }
}

/// The buffers of which a nest reads more than one element.
fn along_an_axis(nest: &Nest) -> Vec<BufferId> {
    let moves = |load: &&Access| load.at.strides.iter().any(|&stride| stride != 0);
    sorted(nest.loads().filter(moves).map(|load| load.buffer).collect())
}

/// For each axis of `b` the corresponding axis of `a`, and whether `b` runs after the reductions of `a`.
struct Axes {
    map: Vec<usize>,
    after_reduction: bool,
}

fn matching_axes(a: &Nest, b: &Nest) -> Option<Axes> {
    if a.space == b.space && (a.reductions.is_empty() || b.reductions.is_empty() || a.reduced == b.reduced) {
        return Some(Axes { map: (0..a.space.len()).collect(), after_reduction: false });
    }
    let kept: Vec<usize> = (0..a.space.len()).filter(|&axis| !a.reduced[axis]).collect();
    let fits = kept.len() == b.space.len() && kept.iter().zip(&b.space).all(|(&axis, &n)| a.space[axis] == n);
    let after_reduction = !a.reductions.is_empty() && b.reductions.is_empty() && fits;
    after_reduction.then_some(Axes { map: kept, after_reduction: true })
}

fn moved(at: &Affine, axes: &Axes, rank: usize) -> Affine {
    let mut strides = vec![0; rank];
    axes.map.iter().zip(&at.strides).for_each(|(&axis, &stride)| strides[axis] = stride);
    Affine { offset: at.offset, strides }
}

/// Both nests as one, if every shared element is touched at the same point of the loop.
fn join(a: &Nest, b: &Nest, axes: &Axes) -> Option<Nest> {
    if !may_follow(a, b, axes) {
        return None;
    }
    let mut nest = a.clone();
    if a.reductions.is_empty() {
        nest.reduced.clone_from(&b.reduced);
    }
    let rank = a.space.len();
    // Expressions of `b` get new numbers behind those of `a`. A load of an element that `a` stores becomes the stored
    // value itself: this is what saves a pass over memory.
    let mut place: Vec<ExprId> = Vec::with_capacity(b.exprs.len());
    for expr in &b.exprs {
        let id = match expr {
            Expr::Const(value) => nest.push(Expr::Const(*value)),
            Expr::Load(access) => {
                let access = Access { buffer: access.buffer, at: moved(&access.at, axes, rank) };
                match a.stores.iter().find(|s| s.access.buffer == access.buffer) {
                    Some(store) if store.access == access && store.after_reduction == axes.after_reduction => {
                        store.value
                    }
                    // `a` stores another element at this point, or stores it at another time. The value is not known here.
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
        store.after_reduction |= axes.after_reduction;
        nest.stores.push(store);
    }
    for reduction in &b.reductions {
        let value = place[reduction.value.index()];
        nest.reductions.push(crate::ir::kernels::Reduction { join: reduction.join, value });
    }
    (nest.exprs.len() <= MOST_EXPRESSIONS && nest.reductions.len() <= MOST_REDUCTIONS).then_some(nest)
}

/// Does a merge gain anything? It does if `b` reads a value of `a`, or if both read the same elements.
fn related(a: &Nest, b: &Nest, axes: &Axes) -> bool {
    let handed = a
        .stores
        .iter()
        .any(|s| s.after_reduction == axes.after_reduction && b.loads().any(|l| l.buffer == s.access.buffer));
    let rank = a.space.len();
    let shared = || {
        let same = |l: &Access| a.loads().any(|x| x.buffer == l.buffer && x.at == moved(&l.at, axes, rank));
        b.loads().any(|l| l.at.strides.iter().any(|&s| s != 0) && same(l))
    };
    handed || (!axes.after_reduction && shared())
}

/// Does `b` write only buffers that `a` does not write, and elements that `a` reads at no other point?
fn may_follow(a: &Nest, b: &Nest, axes: &Axes) -> bool {
    let rank = a.space.len();
    b.stores.iter().all(|store| {
        let at = moved(&store.access.at, axes, rank);
        let buffer = store.access.buffer;
        a.stores.iter().all(|s| s.access.buffer != buffer) && a.loads().all(|l| l.buffer != buffer || l.at == at)
    })
}
