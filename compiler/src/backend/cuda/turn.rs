//! Copies that turn numbers: what lies side by side where it is read does not where it is written. Packing filters is that.
//!
//! ```text
//! for i, j, k: y[… + k] = x[… + i]       a block turns 32 x 32 numbers of i and k in shared memory: neighbouring threads read
//!                                        neighbours along i, and write neighbours along k
//! ```
//!
//! Without it either the reads or the writes of a warp would touch 32 lines of memory for 128 bytes.

use super::context::Context;
use super::draft::Draft;
use super::source::Features;
use super::text::{Text, affine, float};
use super::threads::{variable, variables};
use crate::graph::Op;
use crate::kernels::{Access, Expr, ExprId, Nest};

/// Numbers along each side of a tile.
const SIDE: usize = 32;
/// Rows of a tile that the threads of a block take at once.
const ROWS: usize = 8;
/// Points from which it is worth a barrier (chosen by hand).
const WORTH: usize = 1 << 12;

/// What is copied, and how.
struct Turn<'a> {
    from: &'a Access,
    /// A factor, which lies along what is written.
    factor: Option<&'a Access>,
    to: &'a Access,
    /// The axis of neighbours where it is read, and where it is written.
    read: usize,
    written: usize,
}

/// The kernel, if the nest is such a copy.
pub(super) fn draft(nest: &Nest, context: Context) -> Option<Draft> {
    let turn = turn(nest)?;
    let (read, written) = (turn.read, turn.written);
    let tiles = |axis: usize| nest.space[axis].div_ceil(SIDE);
    let others: Vec<usize> = (0..nest.space.len()).filter(|&axis| axis != read && axis != written).collect();
    let rest: usize = others.iter().map(|&axis| nest.space[axis]).product();
    let (index, number) = (context.index, float(context.precision));
    let mut text = Text::body();
    text.line(format!("__shared__ {number} tile[{SIDE}][{}];", SIDE + 1));
    text.line(format!("const unsigned x = threadIdx.x % {SIDE}, y = threadIdx.x / {SIDE};"));
    let first = |axis: usize| format!("{}0", variable(axis));
    text.line(format!("const {index} {} = block % {} * {SIDE};", first(read), tiles(read)));
    text.line(format!("const {index} {} = block / {} % {} * {SIDE};", first(written), tiles(read), tiles(written)));
    let mut below = tiles(read) * tiles(written);
    for &axis in &others {
        text.line(format!("const {index} {} = block / {below} % {};", variable(axis), nest.space[axis]));
        below *= nest.space[axis];
    }
    let names = variables(nest);
    let place = |access: &Access| format!("{}[{}]", context.names[&access.buffer], affine(&access.at, &names));
    let inside = format!("{} < {} && {} < {}", names[read], nest.space[read], names[written], nest.space[written]);
    let factor = turn.factor.map(|factor| format!(" * {}", place(factor))).unwrap_or_default();
    for (along, across, statement) in [
        (read, written, format!("tile[y + n][x] = {}", place(turn.from))),
        (written, read, format!("{} = tile[x][y + n]{factor}", place(turn.to))),
    ] {
        if along == written {
            text.line("__syncthreads();");
        }
        text.line("#pragma unroll");
        text.open(format!("for (int n = 0; n < {SIDE}; n += {ROWS})"));
        text.line(format!("const {index} {} = {} + x;", names[along], first(along)));
        text.line(format!("const {index} {} = {} + y + n;", names[across], first(across)));
        text.line(format!("if ({inside}) {statement};"));
        text.close();
    }
    Some(Draft {
        kind: "turn",
        comment: format!("{} points in tiles of {SIDE} x {SIDE}", nest.space.iter().product::<usize>()),
        blocks: (tiles(read) * tiles(written) * rest) as u64,
        shared: SIDE * (SIDE + 1) * context.precision.bytes(),
        ..Draft::new(text, Features::default())
    })
}

fn turn(nest: &Nest) -> Option<Turn<'_>> {
    let is_map = !nest.reduced.contains(&true) && nest.reductions.is_empty();
    let [store] = &nest.stores[..] else { return None };
    if !is_map || nest.space.iter().product::<usize>() < WORTH {
        return None;
    }
    let load = |id: ExprId| if let Expr::Load(access) = &nest.exprs[id.index()] { Some(access) } else { None };
    let (from, factor) = match &nest.exprs[store.value.index()] {
        Expr::Load(access) => (access, None),
        Expr::Apply(Op::Mul, factors) => (load(factors[0])?, Some(load(factors[1])?)),
        _ => return None,
    };
    let side = |access: &Access| {
        let mut axes = (0..nest.space.len()).filter(|&axis| access.at.strides[axis] == 1 && nest.space[axis] > 1);
        axes.next().filter(|_| axes.next().is_none())
    };
    let (read, written) = (side(from)?, side(&store.access)?);
    let long = [read, written].iter().all(|&axis| nest.space[axis] >= SIDE / 2);
    let beside = factor.is_none_or(|factor| factor.at.strides[written] <= 1);
    let apart = from.buffer != store.access.buffer && from.at.strides[written] > 1;
    (read != written && long && beside && apart).then_some(Turn { from, factor, to: &store.access, read, written })
}
