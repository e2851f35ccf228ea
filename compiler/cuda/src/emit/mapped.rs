//! Inlined maps: a function of the source computes an element wherever it is read. The result needs no memory.
//!
//! ```text
//! for i, j: t81[128 i + j] = max(fma(t55[…] - mean[j], factor[j], beta[j]), 0)      map_…(at, t55, mean, factor, beta)
//! t82 = max_pool t81                                                                calls it for each pixel of a window
//! ```
//!
//! Every reader calls the same function, so all readers see the same bits.

use super::context::{Context, Function, Names};
use super::text::{Text, float};
use super::threads::{decompose, is_aligned, variables};
use super::values::{Stage, Values};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::Op;
use gmpc_compiler::ir::kernels::{Access, BufferId, Dtype, Expr, Kernels, Location, Nest};

/// Limit on the expressions of an inlined map (chosen by hand: computing them again costs less than reading memory).
const MOST: usize = 20;

/// Fewest numbers of an inlined map. A smaller map shares a launch with other small work.
const LARGE: usize = 1 << 12;

/// The buffer that a nest writes, if the nest is a map that may be inlined. Such a map is large, writes every number of a buffer
/// of scratch memory once and in order, reads neighbouring numbers, and applies a few simple operations.
pub(crate) fn target(kernels: &Kernels, nest: &Nest) -> Option<BufferId> {
    let [store] = &nest.stores[..] else { return None };
    let is_map = !nest.reduced.contains(&true) && nest.reductions.is_empty() && !store.after_reduction;
    // The index of a thread must be the index of the number that it computes: strides are row-major, and nothing is left out.
    let mut below = 1;
    let in_order = store.access.at.offset == 0
        && store.access.at.strides.iter().zip(&nest.space).rev().all(|(stride, size)| {
            let fits = *stride == below;
            below *= size;
            fits
        });
    let id = store.access.buffer;
    let buffer = &kernels.buffers[id.index()];
    let whole = buffer.elements == below
        && below >= LARGE
        && buffer.location == Location::Scratch
        && buffer.dtype != Dtype::Bf16;
    // A map must not read its own result: readers that compute it again would see changed numbers.
    let simple = |expr: &Expr| match expr {
        Expr::Const(_) => true,
        Expr::Load(access) => {
            let neighbours = access.at.strides.last().is_none_or(|stride| *stride <= 1);
            access.buffer != id && neighbours
        }
        Expr::Apply(op, _) => is_simple(op),
        Expr::Index(_) | Expr::Reduced(_) => false,
    };
    let cheap = nest.exprs.len() <= MOST && nest.exprs.iter().all(simple);
    (is_map && in_order && whole && cheap && !kernels.outputs.contains(&id)).then_some(id)
}

fn is_simple(op: &Op) -> bool {
    use Op::{Abs, Add, Equal, Less, LessEqual, Max, Min, Mul, Neg, Select, Sub};
    matches!(op, Add | Sub | Mul | Neg | Abs | Max | Min | Less | LessEqual | Equal | Select)
}

/// The number of neighbours in 16 bytes, if they can be computed at once.
pub(crate) fn wide(nest: &Nest, precision: Precision) -> Option<usize> {
    let last = nest.space.len().checked_sub(1)?;
    let most = 16 / precision.bytes();
    let fits = |access: &Access| access.at.strides[last] == 0 || is_aligned(nest, &access.at, last, most);
    (nest.space[last].is_multiple_of(most) && nest.loads().all(fits)).then_some(most)
}

/// The buffers that the map reads, each once.
pub(crate) fn operands(nest: &Nest) -> Vec<BufferId> {
    let mut all: Vec<BufferId> = Vec::new();
    for load in nest.loads() {
        if !all.contains(&load.buffer) {
            all.push(load.buffer);
        }
    }
    all
}

/// The function that computes the element `at`, or `lanes` neighbours from there on.
pub(crate) fn function(nest: &Nest, context: Context, lanes: usize) -> Function {
    let names: Names = operands(nest).into_iter().enumerate().map(|(i, id)| (id, format!("m{i}"))).collect();
    let context = Context { names: &names, computed: &[], ..context };
    let mut text = Text::body();
    let axes: Vec<_> = nest.space.iter().enumerate().map(|(axis, size)| (axis, *size, 1)).collect();
    decompose(&mut text, context.index, "at", &axes);
    let along = nest.space.len().checked_sub(1);
    let mut values = Values::new(nest, context, (along, lanes), variables(nest), |_, _| String::new());
    values.compute(&mut text, Stage::Inner);
    values.give(&mut text);
    let needed = values.features;
    let (body, number) = (text.finish(), float(context.precision));
    let kind = if lanes > 1 { "Lanes" } else { number };
    let list = (0..names.len()).map(|i| format!("const {number}* m{i}")).collect::<Vec<_>>().join(", ");
    let name = format!("map_{:08x}{}", hash(&body), if lanes > 1 { "" } else { "_single" });
    let head = format!("__device__ __forceinline__ {kind} {name}({} at, {list})", context.index);
    let text = format!("// An element of a map that lies in no memory.\n{head}\n{{\n{body}}}\n");
    Function { name, text, needed }
}

/// FNV-1a: the same everywhere and always.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
