//! A nest as a kernel: the choice among four forms, and how its points are cut into threads.
//!
//! ```text
//! map      no reductions: a thread for a point, or for 16 bytes of neighbours
//! rows     the reduction runs over neighbours in memory: a warp or a block for each result
//! turn     a tiled transpose through shared memory, see `transpose`
//! columns  results are neighbours in memory: threads side by side along them, several rows of threads share the reduction
//! ```
//!
//! The form depends only on the shape of the nest, and so does the order of every sum.

use super::context::Context;
use super::draft::{Draft, parameters};
use super::reduce;
use super::text::Text;
use super::threads::{BLOCK, count, decompose, global_index, is_aligned, ordered, per_thread, variables};
use super::values::{Stage, Values};
use crate::emit::transpose;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::{Affine, BufferId, Nest};

/// Fewest points for accesses of 16 bytes (chosen by hand). A smaller kernel is limited by latency and needs its threads.
const WIDE: usize = 1 << 14;

/// The kernel of a nest with at least one point.
pub(crate) fn draft(nest: &Nest, context: Context) -> Draft {
    let (along, lanes) = form(nest, context.precision);
    let is_reduction = nest.reduced.contains(&true) || !nest.reductions.is_empty();
    let transposed = if context.computed.is_empty() { transpose::draft(nest, context) } else { None };
    let mut draft = match (transposed, along) {
        (Some(transposed), _) => transposed,
        (None, _) if !is_reduction => map(nest, context, along, lanes),
        (None, Some(axis)) if !nest.reduced[axis] => reduce::columns(nest, context, axis, lanes),
        _ => reduce::rows(nest, context, along, lanes),
    };
    draft.parameters = parameters(&context.reads(nest.loads().map(|load| load.buffer).collect()), &stores(nest));
    draft
}

fn stores(nest: &Nest) -> Vec<BufferId> {
    nest.stores.iter().map(|store| store.access.buffer).collect()
}

/// The axis along which neighbouring threads lie, and the number of neighbours that each computes.
pub(crate) fn form(nest: &Nest, precision: Precision) -> (Option<usize>, usize) {
    let along = vector_axis(nest);
    (along, along.map_or(1, |axis| lanes(nest, axis, precision)))
}

/// The axis along which most accesses are contiguous. Stores count twice.
fn vector_axis(nest: &Nest) -> Option<usize> {
    let score = |axis: usize| -> i64 {
        let one = |stride: usize, weight: i64| match stride {
            0 => 0,
            1 => weight,
            _ => -weight,
        };
        let loads: i64 = nest.loads().map(|l| one(l.at.strides[axis], 1)).sum();
        let stores: i64 = nest.stores.iter().map(|s| one(s.access.at.strides[axis], 2)).sum();
        loads + stores
    };
    (0..nest.space.len()).max_by_key(|&axis| (score(axis), axis))
}

/// The number of neighbours along an axis that a thread computes: 16 bytes of them if every access permits that, else one.
fn lanes(nest: &Nest, axis: usize, precision: Precision) -> usize {
    let most = 16 / precision.bytes();
    let fits = |at: &Affine| at.strides[axis] == 0 || is_aligned(nest, at, axis, most);
    let accesses = || nest.loads().chain(nest.stores.iter().map(|s| &s.access));
    let large = nest.space.iter().product::<usize>() >= WIDE;
    if large && nest.space[axis].is_multiple_of(most) && accesses().all(|access| fits(&access.at)) { most } else { 1 }
}

fn map(nest: &Nest, context: Context, along: Option<usize>, lanes: usize) -> Draft {
    let axes = ordered(nest, false, along, lanes);
    let threads = count(&axes);
    let mut text = Text::body();
    let index = context.index;
    text.line(format!("const {index} at = {};", global_index(index)));
    if !threads.is_multiple_of(BLOCK) {
        text.line(format!("if (at >= {threads}) return;"));
    }
    decompose(&mut text, index, "at", &axes);
    let mut values = Values::new(nest, context, (along, lanes), variables(nest), |_, _| String::new());
    values.compute(&mut text, Stage::Inner);
    values.store(&mut text, Stage::Inner);
    Draft {
        kind: "map",
        comment: format!("{} points, {}", nest.space.iter().product::<usize>(), per_thread(lanes)),
        blocks: threads.div_ceil(BLOCK) as u64,
        ..Draft::new(text, values.features)
    }
}
