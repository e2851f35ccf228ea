//! The kernel of some work, by its kind.

use super::context::{Context, Names};
use super::draft::Draft;
use super::{computed, context, draft as drafts, nest, pool, round, scan, uniform};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::{self, BufferId, Kernels};

/// The kernel of some work; `None` for library calls and for work without elements.
pub(crate) fn draft(
    kernels: &Kernels,
    work: &kernels::Work,
    computed: &[&kernels::Work],
    precision: Precision,
    names: &Names,
) -> Option<Draft> {
    let elements = |id: BufferId| kernels.buffers[id.index()].elements;
    // An index may count points of the loop or elements of a buffer. If the largest count fits, 32 bits save registers and time.
    let points = if let kernels::Work::Nest(nest) = work { nest.space.iter().product() } else { 0 };
    let touched = context::reads(work, computed).into_iter().chain(work.reads()).chain(work.writes());
    let most = touched.map(elements).max().unwrap_or(0).max(points);
    let index = if most < 1 << 31 { "unsigned" } else { "unsigned long long" };
    // The functions of inlined work are written first, and the kernel then sees them in its context.
    let context = Context { precision, names, index, buffers: &kernels.buffers, computed: &[] };
    let all = computed::all(computed, context);
    let context = Context { computed: &all, ..context };
    match work {
        kernels::Work::Nest(nest) if nest.space.contains(&0) => None,
        kernels::Work::Nest(nest) => Some(nest::draft(nest, context)),
        kernels::Work::Spherical(scan) => scan::forward(scan, context),
        kernels::Work::SphericalGrad(scan) => scan::backward(scan, context),
        kernels::Work::Pool(pool) => Some(pool::draft(pool, context)),
        kernels::Work::Cast(cast) => Some(round::draft(cast, elements(cast.target), context)),
        kernels::Work::Uniform(draw) => Some(uniform::draft(draw, elements(draw.target), context)),
        kernels::Work::MatMul(_) | kernels::Work::Convolve(_) => None,
    }
}

/// The kernel with neutral names, so that equal kernels have equal texts.
pub(crate) fn neutral(
    kernels: &Kernels,
    work: &kernels::Work,
    computed: &[&kernels::Work],
    precision: Precision,
) -> Option<Draft> {
    draft(kernels, work, computed, precision, &names(work, computed, |position, _| format!("b{position}")))
}

/// Names for every buffer of a kernel; `name` gets the position of a buffer among the parameters.
pub(crate) fn names(
    work: &kernels::Work,
    computed: &[&kernels::Work],
    mut name: impl FnMut(usize, BufferId) -> String,
) -> Names {
    let all = drafts::parameters(&context::reads(work, computed), &work.writes());
    all.iter().enumerate().map(|(i, p)| (p.buffer, name(i, p.buffer))).collect()
}
