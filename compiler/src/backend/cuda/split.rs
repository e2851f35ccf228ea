//! Reductions of much into little, in two passes: a device wants hundreds of blocks, which then each join a part.
//!
//! ```text
//! r[j] = sum over i in 8192 of …        partial[s][j] = sum over i in 512 of …      s in 16
//!                                       r[j]          = sum over s in 16 of partial[s][j]
//! ```
//!
//! Where the cuts lie follows from the shape alone, so the order of every sum does.

use super::{nest::form, reduce};
use crate::experiment::Precision;
use crate::kernels::{
    Access, Affine, Buffer, BufferId, Expr, ExprId, Kernel, Kernels, Nest, Place, Reduction, Store, Work,
};

/// Blocks that keep a device busy (two for each processor of an H100).
const BLOCKS: usize = 264;
/// Terms that a thread should keep: a second launch costs as much as a few hundred of them.
const TERMS: usize = 64;

/// The same kernels, long reductions as two.
pub(super) fn split(kernels: Kernels, precision: Precision) -> Kernels {
    let mut out = Kernels { buffers: kernels.buffers, kernels: Vec::new(), outputs: kernels.outputs };
    for mut kernel in kernels.kernels {
        if let Work::Nest(nest) = &mut kernel.work {
            nest.spread = false; // how threads of a processor share a loop says nothing here
            nest.collapse();
        }
        let cut = if let Work::Nest(nest) = &kernel.work { cut(nest, precision) } else { None };
        match (&kernel.work, cut) {
            (Work::Nest(nest), Some((axis, parts))) => {
                for nest in passes(&mut out.buffers, nest, axis, parts) {
                    out.kernels.push(Kernel { work: Work::Nest(nest), span: kernel.span });
                }
            }
            _ => out.kernels.push(kernel),
        }
    }
    out
}

/// Which axis to cut and into how many parts.
fn cut(nest: &Nest, precision: Precision) -> Option<(usize, usize)> {
    if nest.space.contains(&0) {
        return None;
    }
    let (blocks, terms) = reduce::parallel(nest, form(nest, precision))?;
    let most = (BLOCKS / blocks.max(1)).min(terms / TERMS);
    let parts = |axis: usize| (2..=most).rev().find(|parts| nest.space[axis].is_multiple_of(*parts)).unwrap_or(1);
    let axes = (0..nest.space.len()).filter(|&axis| nest.reduced[axis]);
    let best = axes.map(|axis| (axis, parts(axis))).max_by_key(|&(axis, parts)| (parts, std::cmp::Reverse(axis)));
    best.filter(|&(_, parts)| parts > 1)
}

/// The nest over parts, and the one that joins them.
fn passes(buffers: &mut Vec<Buffer>, nest: &Nest, axis: usize, parts: usize) -> [Nest; 2] {
    let mut first = widened(nest, axis, parts);
    let kept: Vec<usize> = (0..nest.space.len()).filter(|&axis| !nest.reduced[axis]).collect();
    let results: usize = kept.iter().map(|&axis| nest.space[axis]).product();
    // Strides of the partial results: the part, then the kept axes, row-major.
    let mut strides = vec![0; nest.space.len()];
    let mut step = 1;
    for &axis in kept.iter().rev() {
        strides[axis] = step;
        step *= nest.space[axis];
    }
    let mut wide = strides.clone();
    wide[axis] = 0;
    wide.insert(axis, results);
    first.stores.retain(|store| !store.late);
    let mut second = joining(nest, &kept, parts);
    let narrow: Vec<usize> = [results].into_iter().chain(kept.iter().map(|&axis| strides[axis])).collect();
    for (r, reduction) in nest.reductions.iter().enumerate() {
        let name = format!("partial{}", buffers.len());
        buffers.push(Buffer { name, elements: parts * results, place: Place::Scratch, half: false });
        let buffer = BufferId(u32::try_from(buffers.len() - 1).unwrap_or(u32::MAX));
        let value = first.push(Expr::Reduced(r));
        let at = Affine { offset: 0, strides: wide.clone() };
        first.stores.push(Store { access: Access { buffer, at }, value, late: true });
        let at = Affine { offset: 0, strides: narrow.clone() };
        let value = second.push(Expr::Load(Access { buffer, at }));
        second.reductions.push(Reduction { join: reduction.join, value });
    }
    first.prune();
    second.prune();
    [first, second]
}

/// The nest with an axis as two, the outer one kept.
fn widened(nest: &Nest, axis: usize, parts: usize) -> Nest {
    let mut wide = nest.clone();
    let inner = nest.space[axis] / parts;
    wide.space[axis] = inner;
    wide.space.insert(axis, parts);
    wide.reduced.insert(axis, false);
    wide.affines_mut().for_each(|at| {
        let stride = at.strides[axis];
        at.strides.insert(axis, stride * inner);
    });
    wide.spread = false;
    wide
}

/// What follows the reductions, over parts and kept axes; the reductions themselves are still to come.
fn joining(nest: &Nest, kept: &[usize], parts: usize) -> Nest {
    let mut second = Nest {
        space: [parts].into_iter().chain(kept.iter().map(|&axis| nest.space[axis])).collect(),
        reduced: [true].into_iter().chain(kept.iter().map(|_| false)).collect(),
        ..Nest::default()
    };
    let moved = |at: &Affine| Affine {
        offset: at.offset,
        strides: [0].into_iter().chain(kept.iter().map(|&axis| at.strides[axis])).collect(),
    };
    let place = |access: &Access| Access { buffer: access.buffer, at: moved(&access.at) };
    let mut names: Vec<ExprId> = Vec::new();
    for expr in &nest.exprs {
        names.push(second.push(match expr {
            Expr::Load(access) => Expr::Load(place(access)),
            Expr::Index(at) => Expr::Index(moved(at)),
            Expr::Apply(op, operands) => Expr::Apply(op.clone(), operands.iter().map(|o| names[o.index()]).collect()),
            leaf => leaf.clone(),
        }));
    }
    for store in nest.stores.iter().filter(|store| store.late) {
        let value = names[store.value.index()];
        second.stores.push(Store { access: place(&store.access), value, late: true });
    }
    second
}
