//! Merges nests that run over one space: a producer with its consumer, siblings that read the same memory, a small
//! computation with the reduction whose result it starts from.
//!
//! Two nests may be merged when no third kernel has to run between them and every element that one writes and the
//! other touches is touched at the same point of the loop.

use crate::kernels::{Access, Affine, BufferId, Expr, ExprId, Kernel, Kernels, Nest, Place, Work};

/// Larger nests spill registers and gain nothing (chosen by hand).
const MOST_EXPRESSIONS: usize = 192;
/// Accumulators stay in registers.
const MOST_REDUCTIONS: usize = 4;

/// Merges as long as anything fits together, then drops memory nobody reads.
pub(super) fn merge(kernels: &mut Kernels) {
    let mut second = 1;
    while second < kernels.kernels.len() {
        match (0..second).rev().find_map(|first| attempt(&mut kernels.kernels, first, second)) {
            Some(place) => second = place.max(1),
            None => second += 1,
        }
    }
    drop_unread(kernels);
}

/// Merges kernel `second` into kernel `first` if that is possible; returns where the merged kernel stands.
fn attempt(kernels: &mut Vec<Kernel>, first: usize, second: usize) -> Option<usize> {
    let (Work::Nest(a), Work::Nest(b)) = (&kernels[first].work, &kernels[second].work) else { return None };
    let axes = matching_axes(a, b)?;
    let merged = join(a, b, &axes)?;
    let after = dependants(kernels, first, second)?;
    let span = kernels[first].span;
    let between: Vec<Kernel> = kernels.drain(first..=second).collect();
    let mut tail = Vec::new();
    let mut head = Vec::new();
    for (index, kernel) in between.into_iter().enumerate().skip(1) {
        if index == second - first {
            break;
        }
        if after.contains(&(first + index)) { tail.push(kernel) } else { head.push(kernel) }
    }
    let place = first + head.len();
    let all = head.into_iter().chain([Kernel { work: Work::Nest(merged), span }]).chain(tail);
    kernels.splice(first..first, all);
    Some(place)
}

/// The kernels between the two that have to run after `first`; `None` if `second` has to run after one of them.
fn dependants(kernels: &[Kernel], first: usize, second: usize) -> Option<Vec<usize>> {
    let mut after = Vec::new();
    for index in first + 1..second {
        let waits = |&other: &usize| conflict(&kernels[other].work, &kernels[index].work);
        if waits(&first) || after.iter().any(waits) {
            after.push(index);
        }
    }
    (!after.iter().any(|&k| conflict(&kernels[k].work, &kernels[second].work))).then_some(after)
}

/// Does one write what the other touches?
fn conflict(a: &Work, b: &Work) -> bool {
    let (aw, bw, ar, br) = (a.writes(), b.writes(), a.reads(), b.reads());
    let meet = |x: &[BufferId], y: &[BufferId]| x.iter().any(|id| y.contains(id));
    meet(&aw, &br) || meet(&aw, &bw) || meet(&ar, &bw)
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
    if !related(a, b, axes) || !may_follow(a, b, axes) {
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

/// Drops stores to scratch memory that nobody reads, and nests that do nothing any more.
fn drop_unread(kernels: &mut Kernels) {
    let mut read = vec![false; kernels.buffers.len()];
    kernels.outputs.iter().for_each(|o| read[o.index()] = true);
    for kernel in &kernels.kernels {
        kernel.work.reads().iter().for_each(|id| read[id.index()] = true);
    }
    let needed = |id: BufferId| read[id.index()] || kernels.buffers[id.index()].place != Place::Scratch;
    for kernel in &mut kernels.kernels {
        if let Work::Nest(nest) = &mut kernel.work {
            nest.stores.retain(|s| needed(s.access.buffer));
            nest.prune();
        }
    }
    kernels.kernels.retain(|k| !matches!(&k.work, Work::Nest(nest) if nest.stores.is_empty()));
}
