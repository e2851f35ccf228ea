//! Updates of states that a large map reads leave the reductions that give their gradients, and wait for the end of the step.
//!
//! ```text
//! for j: r0 = sum …                            for j: r0 = sum …
//!     t8[j] = r0                        ─►         t8[j] = r0
//!     beta[j] = beta[j] - lr r0                … everything that still reads beta …
//!                                              for j: beta[j] = beta[j] - lr t8[j]
//! ```
//!
//! So the map can be computed again until then (`inline`), and updates share a launch at the end (`together`).

use super::mapped;
use crate::kernels::{
    Access, Affine, Buffer, BufferId, Expr, ExprId, Kernel, Kernels, Nest, Place, Reduction, Store, Work,
};

/// The same kernels in another order.
pub(super) fn apart(kernels: Kernels) -> Kernels {
    let wanted = wanted(&kernels);
    let mut out = Kernels { buffers: kernels.buffers, kernels: Vec::new(), outputs: kernels.outputs };
    for Kernel { work, span } in kernels.kernels {
        let parts = if let Work::Nest(nest) = &work { cut(nest, &wanted, &mut out.buffers) } else { None };
        match parts {
            Some(parts) => out.kernels.extend(parts.map(|nest| Kernel { work: Work::Nest(nest), span })),
            None => out.kernels.push(Kernel { work, span }),
        }
    }
    out.kernels = updates_last(&out, &wanted);
    out
}

/// States that are read by maps which may be computed more than once.
fn wanted(kernels: &Kernels) -> Vec<BufferId> {
    let operands = kernels.kernels.iter().filter_map(|kernel| match &kernel.work {
        Work::Nest(nest) => mapped::target(kernels, nest).map(|_| mapped::operands(nest)),
        _ => None,
    });
    let is_state = |id: &BufferId| matches!(kernels.buffers[id.index()].place, Place::State(_));
    operands.flatten().filter(is_state).collect()
}

/// Kernels that write nothing but states, one of them wanted, stand as late as they may.
fn updates_last(kernels: &Kernels, wanted: &[BufferId]) -> Vec<Kernel> {
    let is_state = |id: &BufferId| matches!(kernels.buffers[id.index()].place, Place::State(_));
    let (mut rest, mut last): (Vec<Kernel>, Vec<Kernel>) = (Vec::new(), Vec::new());
    for kernel in kernels.kernels.iter().rev() {
        let written = kernel.work.writes();
        let read = kernel.work.reads();
        let meets = |other: &Kernel| {
            let (reads, writes) = (other.work.reads(), other.work.writes());
            written.iter().any(|id| reads.contains(id) || writes.contains(id))
                || read.iter().any(|id| writes.contains(id))
        };
        if written.iter().any(|id| wanted.contains(id)) && written.iter().all(is_state) && !rest.iter().any(meets) {
            last.push(kernel.clone());
        } else {
            rest.push(kernel.clone());
        }
    }
    rest.into_iter().rev().chain(last.into_iter().rev()).collect()
}

/// A reduction without what it stores to states, and the map that does that.
fn cut(nest: &Nest, wanted: &[BufferId], buffers: &mut Vec<Buffer>) -> Option<[Nest; 2]> {
    let is_state = |store: &&Store| matches!(buffers[store.access.buffer.index()].place, Place::State(_));
    let (updates, rest): (Vec<&Store>, Vec<&Store>) = nest.stores.iter().partition(is_state);
    let is_wanted = updates.iter().any(|store| wanted.contains(&store.access.buffer));
    if !is_wanted
        || nest.reductions.is_empty()
        || updates.is_empty()
        || rest.is_empty()
        || !updates.iter().all(|store| store.late)
    {
        return None;
    }
    let mut reduction = Nest { stores: rest.into_iter().cloned().collect(), ..nest.clone() };
    let kept: Vec<usize> = (0..nest.space.len()).filter(|&axis| !nest.reduced[axis]).collect();
    let mut update = Nest {
        space: kept.iter().map(|&axis| nest.space[axis]).collect(),
        reduced: vec![false; kept.len()],
        ..Nest::default()
    };
    let mut place: Vec<ExprId> = Vec::with_capacity(nest.exprs.len());
    let needed = needed(nest, &updates);
    for (expr, needed) in nest.exprs.iter().zip(needed) {
        let expr = match expr {
            _ if !needed => Expr::Const(0.0), // pruned below
            Expr::Load(access) => Expr::Load(moved(access, &kept)),
            Expr::Index(at) => Expr::Index(restricted(at, &kept)),
            Expr::Reduced(number) => Expr::Load(moved(&result(&mut reduction, *number, &kept, buffers), &kept)),
            Expr::Apply(op, operands) => Expr::Apply(op.clone(), operands.iter().map(|o| place[o.index()]).collect()),
            Expr::Const(value) => Expr::Const(*value),
        };
        place.push(update.push(expr));
    }
    update.stores = updates
        .into_iter()
        .map(|store| Store { access: moved(&store.access, &kept), value: place[store.value.index()], late: false })
        .collect();
    update.prune();
    reduction.prune();
    drop_unused(&mut reduction);
    Some([reduction, update])
}

/// Which expressions some stores need.
fn needed(nest: &Nest, stores: &[&Store]) -> Vec<bool> {
    let mut needed = vec![false; nest.exprs.len()];
    stores.iter().for_each(|store| needed[store.value.index()] = true);
    for index in (0..nest.exprs.len()).rev() {
        if let (true, Expr::Apply(_, operands)) = (needed[index], &nest.exprs[index]) {
            operands.iter().for_each(|operand| needed[operand.index()] = true);
        }
    }
    needed
}

fn restricted(at: &Affine, kept: &[usize]) -> Affine {
    Affine { offset: at.offset, strides: kept.iter().map(|&axis| at.strides[axis]).collect() }
}

fn moved(access: &Access, kept: &[usize]) -> Access {
    Access { buffer: access.buffer, at: restricted(&access.at, kept) }
}

/// Where the result of a reduction lies, in scratch memory; it is stored there if it is not.
fn result(nest: &mut Nest, number: usize, kept: &[usize], buffers: &mut Vec<Buffer>) -> Access {
    let is_it = |store: &&Store| {
        let scratch = buffers[store.access.buffer.index()].place == Place::Scratch;
        store.late && scratch && nest.exprs[store.value.index()] == Expr::Reduced(number)
    };
    if let Some(store) = nest.stores.iter().find(is_it) {
        return store.access.clone();
    }
    let mut strides = vec![0; nest.space.len()];
    let mut below = 1;
    for &axis in kept.iter().rev() {
        strides[axis] = below;
        below *= nest.space[axis];
    }
    let name = nest.stores.first().map_or("sum", |store| buffers[store.access.buffer.index()].name.as_str());
    buffers.push(Buffer { name: format!("{name}_{number}"), elements: below, place: Place::Scratch, half: false });
    let buffer = BufferId(u32::try_from(buffers.len() - 1).unwrap_or(u32::MAX));
    let access = Access { buffer, at: Affine { offset: 0, strides } };
    let value = nest.push(Expr::Reduced(number));
    nest.stores.push(Store { access: access.clone(), value, late: true });
    access
}

/// Drops reductions whose results nothing needs any more.
fn drop_unused(nest: &mut Nest) {
    let used = |number: usize| nest.exprs.contains(&Expr::Reduced(number));
    let kept: Vec<usize> = (0..nest.reductions.len()).filter(|&number| used(number)).collect();
    let reductions: Vec<Reduction> = kept.iter().map(|&number| nest.reductions[number].clone()).collect();
    for expr in &mut nest.exprs {
        if let Expr::Reduced(number) = expr {
            *number = kept.iter().position(|old| old == number).unwrap_or(0);
        }
    }
    nest.reductions = reductions;
    nest.prune();
}
