//! A nest as a kernel: which of four forms it takes, and how its points are cut into threads.
//!
//! ```text
//! map      no reductions: a thread for a point, or for 16 bytes of neighbours
//! rows     neighbours in memory are joined: a warp or a block for each result
//! turn     copies between different neighbours: tiles in shared memory, see `turn`
//! columns  neighbours in memory are kept: threads side by side, several rows of them over what is joined
//! ```
//!
//! The form, and with it the order of every sum, follows from the nest's shape alone.

use super::draft::{Draft, Names, parameters};
use super::reduce;
use super::text::Text;
use super::turn;
use super::values::{Stage, Values};
use crate::experiment::Precision;
use crate::kernels::{Affine, BufferId, Nest, Pool, Work};

/// Threads of a block.
pub(super) const BLOCK: usize = 256;
/// Points from which 16-byte accesses are worth fewer threads (chosen by hand: below, a kernel is all latency).
const WIDE: usize = 1 << 14;
/// Letters of the loop variables, outermost first, as [`crate::kernels::print`] has them.
const VARIABLES: [&str; 8] = ["i", "j", "k", "l", "p", "q", "r", "s"];

/// What a nest needs besides itself.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) precision: Precision,
    pub(super) names: &'a Names,
    /// The type of indices: 32 bits where all fit.
    pub(super) index: &'static str,
    /// A pool that is computed where its result is read.
    pub(super) inlined: Option<&'a Pool>,
}

/// The kernel of a nest with at least one point.
pub(super) fn draft(nest: &Nest, context: Context) -> Draft {
    let (along, lanes) = form(nest, context.precision);
    let is_reduction = nest.reduced.contains(&true) || !nest.reductions.is_empty();
    let turned = turn::draft(nest, context).filter(|_| context.inlined.is_none());
    let mut draft = match (turned, along) {
        (Some(turned), _) => turned,
        (None, _) if !is_reduction => map(nest, context, along, lanes),
        (None, Some(axis)) if !nest.reduced[axis] => reduce::columns(nest, context, axis, lanes),
        _ => reduce::rows(nest, context, along, lanes),
    };
    draft.parameters = parameters(&reads(&Work::Nest(nest.clone()), context.inlined), &stores(nest));
    draft
}

/// What is read where a pool is computed on the way.
pub(super) fn reads(work: &Work, inlined: Option<&Pool>) -> Vec<BufferId> {
    let Some(pool) = inlined else { return work.reads() };
    let own = work.reads().into_iter().filter(|id| *id != pool.target);
    own.chain(Work::Pool(pool.clone()).reads()).collect()
}

fn stores(nest: &Nest) -> Vec<BufferId> {
    nest.stores.iter().map(|store| store.access.buffer).collect()
}

/// The axis along which neighbouring threads lie, and how many neighbours each works on.
pub(super) fn form(nest: &Nest, precision: Precision) -> (Option<usize>, usize) {
    let along = vector_axis(nest);
    (along, along.map_or(1, |axis| lanes(nest, axis, precision)))
}

/// The axis that most accesses walk along one by one; stores count twice.
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

/// How many neighbours along an axis a thread works on: 16 bytes of them where every access permits that, else one.
fn lanes(nest: &Nest, axis: usize, precision: Precision) -> usize {
    let most = 16 / precision.bytes();
    let fits = |at: &Affine| match at.strides[axis] {
        0 => true,
        1 => {
            let others = at.strides.iter().zip(&nest.space).enumerate();
            let mut others = others.filter(|(other, (_, size))| *other != axis && **size > 1);
            at.offset.is_multiple_of(most) && others.all(|(_, (stride, _))| stride.is_multiple_of(most))
        }
        _ => false,
    };
    let accesses = || nest.loads().chain(nest.stores.iter().map(|s| &s.access));
    let large = nest.space.iter().product::<usize>() >= WIDE;
    if large && nest.space[axis].is_multiple_of(most) && accesses().all(|access| fits(&access.at)) { most } else { 1 }
}

/// The loop variable of an axis.
pub(super) fn variable(axis: usize) -> String {
    VARIABLES.get(axis).map_or_else(|| format!("axis{axis}"), ToString::to_string)
}

/// The loop variables of all axes.
pub(super) fn variables(nest: &Nest) -> Vec<String> {
    (0..nest.space.len()).map(variable).collect()
}

/// Loop variables from one number that counts the points of some axes, the last one fastest; `sizes` in steps.
pub(super) fn decompose(text: &mut Text, index: &str, from: &str, axes: &[(usize, usize, usize)]) {
    let mut below = 1;
    for (position, &(axis, size, step)) in axes.iter().enumerate().rev() {
        let mut value = from.to_string();
        if below > 1 {
            value = format!("{value} / {below}");
        }
        if position > 0 {
            value = format!("{value} % {size}");
        }
        if step > 1 {
            value = format!("{value} * {step}");
        }
        text.line(format!("const {index} {} = {value};", variable(axis)));
        below *= size;
    }
}

/// Axes in the order in which neighbouring threads walk through them: `along` last, in steps of `lanes`.
pub(super) fn ordered(nest: &Nest, reduced: bool, along: Option<usize>, lanes: usize) -> Vec<(usize, usize, usize)> {
    let mut axes: Vec<usize> =
        (0..nest.space.len()).filter(|&axis| nest.reduced[axis] == reduced && Some(axis) != along).collect();
    axes.extend(along.filter(|&axis| nest.reduced[axis] == reduced));
    let step = |axis: usize| if Some(axis) == along { lanes } else { 1 };
    axes.into_iter().map(|axis| (axis, nest.space[axis] / step(axis), step(axis))).collect()
}

/// Points of some axes.
pub(super) fn count(axes: &[(usize, usize, usize)]) -> usize {
    axes.iter().map(|(_, size, _)| size).product()
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

/// The number of a block, as the type of indices.
pub(super) fn wide_block(index: &str) -> String {
    if index == "unsigned" { "block".to_string() } else { format!("({index})block") }
}

/// The number of a thread among all.
pub(super) fn global_index(index: &str) -> String {
    format!("{} * {BLOCK} + threadIdx.x", wide_block(index))
}

/// `4 a thread`
pub(super) fn per_thread(lanes: usize) -> String {
    if lanes > 1 { format!("{lanes} neighbours a thread") } else { "one a thread".to_string() }
}

/// Sum of the members of `Lanes`, as a tree; or the largest.
pub(super) fn across(lanes: usize, name: &str, joined: impl Fn(&str, &str) -> String) -> String {
    match lanes {
        1 => name.to_string(),
        2 => joined(&format!("{name}.n[0]"), &format!("{name}.n[1]")),
        _ => {
            let low = joined(&format!("{name}.n[0]"), &format!("{name}.n[1]"));
            let high = joined(&format!("{name}.n[2]"), &format!("{name}.n[3]"));
            joined(&format!("({low})"), &format!("({high})"))
        }
    }
}
