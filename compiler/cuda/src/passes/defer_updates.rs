//! Moves updates of states to the end of the step if a large map reads the state. The update leaves the reduction that computes
//! its gradient.
//!
//! ```text
//! for j: r0 = sum …                            for j: r0 = sum …
//!     t8[j] = r0                        ─►         t8[j] = r0
//!     beta[j] = beta[j] - lr r0                … everything that still reads beta …
//!                                              for j: beta[j] = beta[j] - lr t8[j]
//! ```
//!
//! Until then the pass `inline` may compute the map again. At the end the updates share a launch (pass `group`).

use crate::emit::mapped;
use gmpc_compiler::ir::internal::internal_error;
use gmpc_compiler::ir::kernels::{
    Access, Affine, Buffer, BufferId, Dtype, Expr, ExprId, Kernel, Kernels, Location, Nest, Reduction, Store, Work,
};

/// Returns the kernels with deferred updates.
pub(crate) fn defer_updates(kernels: Kernels) -> Kernels {
    let wanted = wanted(&kernels);
    let Kernels { precision, buffers, kernels, outputs } = kernels;
    let mut out = Kernels { precision, buffers, kernels: Vec::new(), outputs };
    for Kernel { work, span } in kernels {
        let parts = if let Work::Nest(nest) = &work { cut(nest, &wanted, &mut out) } else { None };
        match parts {
            Some(parts) => out.kernels.extend(parts.map(|nest| Kernel { work: Work::Nest(nest), span })),
            None => out.kernels.push(Kernel { work, span }),
        }
    }
    out.kernels = updates_last(&out, &wanted);
    out
}

/// The states that maps read which may be computed more than once.
fn wanted(kernels: &Kernels) -> Vec<BufferId> {
    let operands = kernels.kernels.iter().filter_map(|kernel| match &kernel.work {
        Work::Nest(nest) => mapped::target(kernels, nest).map(|_| mapped::operands(nest)),
        Work::MatMul(_) | Work::Convolve(_) | Work::Pool(_) | Work::Cast(_) => None,
        Work::Spherical(_) | Work::SphericalGrad(_) | Work::Uniform(_) => None,
    });
    let is_state = |id: &BufferId| matches!(kernels.buffers[id.index()].location, Location::State(_));
    operands.flatten().filter(is_state).collect()
}

/// Moves kernels as late as possible if they write only states, at least one of them wanted.
fn updates_last(kernels: &Kernels, wanted: &[BufferId]) -> Vec<Kernel> {
    let is_state = |id: &BufferId| matches!(kernels.buffers[id.index()].location, Location::State(_));
    let (mut rest, mut last): (Vec<Kernel>, Vec<Kernel>) = (Vec::new(), Vec::new());
    // From last to first: `rest` then holds every later kernel that stays, and a kernel may only pass those it is independent of.
    for kernel in kernels.kernels.iter().rev() {
        let written = kernel.work.writes();
        let read = kernel.work.reads();
        let interferes = |other: &Kernel| {
            let (reads, writes) = (other.work.reads(), other.work.writes());
            written.iter().any(|id| reads.contains(id) || writes.contains(id))
                || read.iter().any(|id| writes.contains(id))
        };
        if written.iter().any(|id| wanted.contains(id)) && written.iter().all(is_state) && !rest.iter().any(interferes)
        {
            last.push(kernel.clone());
        } else {
            rest.push(kernel.clone());
        }
    }
    rest.into_iter().rev().chain(last.into_iter().rev()).collect()
}

/// Cuts a reduction into one that stores no states, and a map that updates the states. `None` if there is nothing to cut.
fn cut(nest: &Nest, wanted: &[BufferId], out: &mut Kernels) -> Option<[Nest; 2]> {
    let is_state = |store: &&Store| matches!(out.buffers[store.access.buffer.index()].location, Location::State(_));
    let (updates, rest): (Vec<&Store>, Vec<&Store>) = nest.stores.iter().partition(is_state);
    let is_wanted = updates.iter().any(|store| wanted.contains(&store.access.buffer));
    if !is_wanted
        || nest.reductions.is_empty()
        || updates.is_empty()
        || rest.is_empty()
        || !updates.iter().all(|store| store.after_reduction)
    {
        return None;
    }
    let mut reduction = Nest { stores: rest.into_iter().cloned().collect(), ..nest.clone() };
    // The map runs over the axes of the results only: all updates happen after the reductions.
    let kept: Vec<usize> = (0..nest.space.len()).filter(|&axis| !nest.reduced[axis]).collect();
    let mut update = Nest {
        space: kept.iter().map(|&axis| nest.space[axis]).collect(),
        reduced: vec![false; kept.len()],
        ..Nest::default()
    };
    let mut place: Vec<ExprId> = Vec::with_capacity(nest.exprs.len());
    let needed = needed(nest, &updates);
    // The map gets a copy of every expression, so that `place` maps old numbers to new ones. Where the old nest used the
    // result of a reduction, the map loads it from memory.
    for (expr, needed) in nest.exprs.iter().zip(needed) {
        let expr = match expr {
            _ if !needed => Expr::Const(0.0), // pruned below
            Expr::Load(access) => Expr::Load(moved(access, &kept)),
            Expr::Index(at) => Expr::Index(restricted(at, &kept)),
            Expr::Reduced(number) => Expr::Load(moved(&result(&mut reduction, *number, &kept, out), &kept)),
            Expr::Apply(op, operands) => Expr::Apply(op.clone(), operands.iter().map(|o| place[o.index()]).collect()),
            Expr::Const(value) => Expr::Const(*value),
        };
        place.push(update.push(expr));
    }
    update.stores = updates
        .into_iter()
        .map(|store| Store {
            access: moved(&store.access, &kept),
            value: place[store.value.index()],
            after_reduction: false,
        })
        .collect();
    // Expressions first: a reduction is unused only when no expression names it any more.
    update.prune();
    reduction.prune();
    drop_unused(&mut reduction);
    Some([reduction, update])
}

/// For each expression: does one of the stores need it?
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

/// The place in scratch memory of the result of a reduction. If no store puts it there, this adds one.
fn result(nest: &mut Nest, number: usize, kept: &[usize], out: &mut Kernels) -> Access {
    let is_it = |store: &&Store| {
        let Buffer { location, dtype, .. } = &out.buffers[store.access.buffer.index()];
        // A bf16 copy does not count: the update needs all digits.
        let whole = *location == Location::Scratch && *dtype == Dtype::from(out.precision);
        store.after_reduction && whole && nest.exprs[store.value.index()] == Expr::Reduced(number)
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
    let name = nest.stores.first().map_or("sum", |store| out.buffers[store.access.buffer.index()].name.as_str());
    let buffer = out.scratch(format!("{name}_{number}"), below);
    let access = Access { buffer, at: Affine { offset: 0, strides } };
    let value = nest.push(Expr::Reduced(number));
    nest.stores.push(Store { access: access.clone(), value, after_reduction: true });
    access
}

/// Drops reductions whose results no expression uses.
fn drop_unused(nest: &mut Nest) {
    let used = |number: usize| nest.exprs.contains(&Expr::Reduced(number));
    let kept: Vec<usize> = (0..nest.reductions.len()).filter(|&number| used(number)).collect();
    let reductions: Vec<Reduction> = kept.iter().map(|&number| nest.reductions[number].clone()).collect();
    for expr in &mut nest.exprs {
        if let Expr::Reduced(number) = expr {
            let place = kept.iter().position(|old| old == number);
            *number = place.unwrap_or_else(|| {
                internal_error("cuda.apart", "a reduction that is used is dropped", format_args!("{kept:?}"))
            });
        }
    }
    nest.reductions = reductions;
    nest.prune();
}
