//! Long reductions with few results run in two passes. A device needs hundreds of blocks, so each block reduces a part first, and
//! a second nest joins the parts.
//!
//! ```text
//! r[j] = sum over i in 8192 of …        partial[s][j] = sum over i in 512 of …      s in 16
//!                                       r[j]          = sum over s in 16 of partial[s][j]
//! ```
//!
//! The cuts depend only on the shape, so the order of every sum does too.

use crate::emit::{nest::form, reduce};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::{Access, Affine, Expr, ExprId, Kernel, Kernels, Nest, Reduction, Store, Work};

/// Blocks that keep a device busy: two for each of the 132 multiprocessors of an H100.
const BLOCKS: usize = 264;
/// Terms that each thread must have after the cut: a second launch costs as much as a few hundred terms.
const TERMS: usize = 64;

/// Returns the kernels with long reductions cut in two.
pub(crate) fn split(kernels: Kernels) -> Kernels {
    let Kernels { precision, buffers, kernels, outputs } = kernels;
    let mut out = Kernels { precision, buffers, kernels: Vec::new(), outputs };
    for mut kernel in kernels {
        if let Work::Nest(nest) = &mut kernel.work {
            nest.parallel = false; // the CPU's choice of parallel loops means nothing to a GPU
            nest.collapse();
        }
        let cut = if let Work::Nest(nest) = &kernel.work { cut(nest, precision) } else { None };
        match (&kernel.work, cut) {
            (Work::Nest(nest), Some((axis, parts))) => {
                for nest in passes(&mut out, nest, axis, parts) {
                    out.kernels.push(Kernel { work: Work::Nest(nest), span: kernel.span });
                }
            }
            _ => out.kernels.push(kernel),
        }
    }
    out
}

/// The axis to cut, and the number of parts. `None` if a cut gains nothing.
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

/// The nest that reduces each part, and the nest that joins the parts.
fn passes(out: &mut Kernels, nest: &Nest, axis: usize, parts: usize) -> [Nest; 2] {
    let mut first = widened(nest, axis, parts);
    let kept: Vec<usize> = (0..nest.space.len()).filter(|&axis| !nest.reduced[axis]).collect();
    let results: usize = kept.iter().map(|&axis| nest.space[axis]).product();
    // Partial results are row-major: first the part, then the axes that are not reduced.
    let mut strides = vec![0; nest.space.len()];
    let mut step = 1;
    for &axis in kept.iter().rev() {
        strides[axis] = step;
        step *= nest.space[axis];
    }
    let mut wide = strides.clone();
    wide[axis] = 0;
    wide.insert(axis, results);
    // Stores after the reductions need the results over all parts: only the second nest can do them.
    first.stores.retain(|store| !store.after_reduction);
    let mut second = joining(nest, &kept, parts);
    let narrow: Vec<usize> = [results].into_iter().chain(kept.iter().map(|&axis| strides[axis])).collect();
    // The same operation joins elements in the first nest and parts in the second.
    for (r, reduction) in nest.reductions.iter().enumerate() {
        let buffer = out.scratch(format!("partial{}", out.buffers.len()), parts * results);
        let value = first.push(Expr::Reduced(r));
        let at = Affine { offset: 0, strides: wide.clone() };
        first.stores.push(Store { access: Access { buffer, at }, value, after_reduction: true });
        let at = Affine { offset: 0, strides: narrow.clone() };
        let value = second.push(Expr::Load(Access { buffer, at }));
        second.reductions.push(Reduction { join: reduction.join, value });
    }
    first.prune();
    second.prune();
    [first, second]
}

/// The nest with one reduced axis as two: the outer one counts the parts and is not reduced.
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
    wide.parallel = false;
    wide
}

/// The second nest without its reductions: it runs over the parts and the axes `kept` in the result, and has all stores that
/// follow the reductions.
fn joining(nest: &Nest, kept: &[usize], parts: usize) -> Nest {
    let mut second = Nest {
        space: [parts].into_iter().chain(kept.iter().map(|&axis| nest.space[axis])).collect(),
        reduced: [true].into_iter().chain(kept.iter().map(|_| false)).collect(),
        ..Nest::default()
    };
    // The axis of the parts comes first and moves no access of the original nest: its stride is 0.
    let moved = |at: &Affine| Affine {
        offset: at.offset,
        strides: [0].into_iter().chain(kept.iter().map(|&axis| at.strides[axis])).collect(),
    };
    let place = |access: &Access| Access { buffer: access.buffer, at: moved(&access.at) };
    let mut names: Vec<ExprId> = Vec::new();
    // Every expression is copied, so that old numbers map to new ones; the caller prunes those that no store needs.
    for expr in &nest.exprs {
        names.push(second.push(match expr {
            Expr::Load(access) => Expr::Load(place(access)),
            Expr::Index(at) => Expr::Index(moved(at)),
            Expr::Apply(op, operands) => Expr::Apply(op.clone(), operands.iter().map(|o| names[o.index()]).collect()),
            leaf @ (Expr::Const(_) | Expr::Reduced(_)) => leaf.clone(),
        }));
    }
    for store in nest.stores.iter().filter(|store| store.after_reduction) {
        let value = names[store.value.index()];
        second.stores.push(Store { access: place(&store.access), value, after_reduction: true });
    }
    second
}
