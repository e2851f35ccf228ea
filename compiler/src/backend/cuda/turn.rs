//! Copies that turn numbers: what lies side by side where it is read does not where it is written. Packing filters is that.
//!
//! ```text
//! for i, j, k: y[… + k] = x[… + i]       a block turns 32 x 32 numbers of i and k in shared memory: neighbouring threads read
//!                                        neighbours along i, and write neighbours along k
//! ```
//!
//! Without it either the reads or the writes of a warp would touch 32 lines of memory for 128 bytes. Where rows of what is read, or
//! of what is written, begin at multiples of 16 bytes, a thread moves 16 bytes at once there.

use super::context::Context;
use super::draft::Draft;
use super::source::Features;
use super::text::{Text, affine, float};
use super::threads::{BLOCK, is_aligned, variable, variables};
use crate::graph::Op;
use crate::kernels::{Access, Expr, ExprId, Nest};

/// Numbers along each side of a tile.
const SIDE: usize = 32;
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

/// A way through a tile: into it along what is read, or out of it along what is written.
struct Way {
    /// The axis of neighbours in memory, and the other one.
    along: usize,
    across: usize,
    /// Neighbours that a thread moves at once.
    lanes: usize,
    /// A thread's place in the tile, along and across.
    place: [&'static str; 2],
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
    text.line(format!("const {index} {} = block % {} * {SIDE};", first(read), tiles(read)));
    text.line(format!("const {index} {} = block / {} % {} * {SIDE};", first(written), tiles(read), tiles(written)));
    let mut below = tiles(read) * tiles(written);
    for &axis in &others {
        text.line(format!("const {index} {} = block / {below} % {};", variable(axis), nest.space[axis]));
        below *= nest.space[axis];
    }
    let [into, out] = ways(nest, &turn, context);
    into.places(&mut text);
    into.open(&mut text, nest, context);
    into.take(&mut text, &turn, nest, context);
    close(&mut text);
    text.line("__syncthreads();");
    out.places(&mut text);
    out.open(&mut text, nest, context);
    out.give(&mut text, &turn, nest, context);
    close(&mut text);
    let wide = |way: &Way| if way.lanes > 1 { format!("{} at once", way.lanes) } else { "one by one".into() };
    let points = nest.space.iter().product::<usize>();
    let (read_as, written_as) = (wide(&into), wide(&out));
    Some(Draft {
        kind: "turn",
        comment: format!("{points} points in tiles of {SIDE} x {SIDE}, read {read_as}, written {written_as}"),
        blocks: (tiles(read) * tiles(written) * rest) as u64,
        shared: SIDE * (SIDE + 1) * context.precision.bytes(),
        ..Draft::new(text, Features::default())
    })
}

/// Into the tile, and out of it.
fn ways(nest: &Nest, turn: &Turn, context: Context) -> [Way; 2] {
    let most = 16 / context.precision.bytes();
    let lanes = |access: &Access, axis: usize| if is_aligned(nest, &access.at, axis, most) { most } else { 1 };
    let (read, written) = (lanes(turn.from, turn.read), lanes(turn.to, turn.written));
    let fits = |factor: &Access| factor.at.strides[turn.written] == 0 || lanes(factor, turn.written) > 1;
    let written = if turn.factor.is_none_or(fits) { written } else { 1 };
    [
        Way { along: turn.read, across: turn.written, lanes: read, place: ["x", "y"] },
        Way { along: turn.written, across: turn.read, lanes: written, place: ["u", "v"] },
    ]
}

/// The first place of a tile along an axis.
fn first(axis: usize) -> String {
    format!("{}0", variable(axis))
}

/// Closes what [`Way::open`] opened.
fn close(text: &mut Text) {
    text.close();
    text.close();
}

fn address(access: &Access, context: Context, names: &[String]) -> String {
    format!("{} + ({})", context.names[&access.buffer], affine(&access.at, names))
}

fn element(access: &Access, context: Context, names: &[String]) -> String {
    format!("{}[{}]", context.names[&access.buffer], affine(&access.at, names))
}

impl Way {
    /// Rows of the tile that the threads of a block take at once.
    fn rows(&self) -> usize {
        BLOCK * self.lanes / SIDE
    }

    fn places(&self, text: &mut Text) {
        let ([x, y], lanes, threads) = (self.place, self.lanes, SIDE / self.lanes);
        let step = if lanes > 1 { format!(" * {lanes}") } else { String::new() };
        text.line(format!("const unsigned {x} = threadIdx.x % {threads}{step}, {y} = threadIdx.x / {threads};"));
    }

    /// The loop over a thread's rows, and the question whether its place is one of the nest's.
    fn open(&self, text: &mut Text, nest: &Nest, context: Context) {
        let ([x, y], index) = (self.place, context.index);
        if self.rows() < SIDE {
            text.line("#pragma unroll");
            text.open(format!("for (int n = 0; n < {SIDE}; n += {})", self.rows()));
        } else {
            text.open("");
        }
        let (along, across) = (variable(self.along), variable(self.across));
        let (first, other, row) = (first(self.along), first(self.across), self.row(y));
        text.line(format!("const {index} {along} = {first} + {x}, {across} = {other} + {row};"));
        let inside = |axis: usize| format!("{} < {}", variable(axis), nest.space[axis]);
        text.open(format!("if ({} && {})", inside(self.along), inside(self.across)));
    }

    /// The row of the tile.
    fn row(&self, y: &str) -> String {
        if self.rows() < SIDE { format!("{y} + n") } else { y.to_string() }
    }

    /// From memory into the tile.
    fn take(&self, text: &mut Text, turn: &Turn, nest: &Nest, context: Context) {
        let ([x, y], names) = (self.place, variables(nest));
        let row = self.row(y);
        if self.lanes == 1 {
            return text.line(format!("tile[{row}][{x}] = {};", element(turn.from, context, &names)));
        }
        text.line(format!("const Lanes from = load({});", address(turn.from, context, &names)));
        text.line("#pragma unroll");
        text.line(format!("for (int m = 0; m < {}; ++m) tile[{row}][{x} + m] = from.n[m];", self.lanes));
    }

    /// From the tile into memory, times the factor.
    fn give(&self, text: &mut Text, turn: &Turn, nest: &Nest, context: Context) {
        let ([x, y], names) = (self.place, variables(nest));
        let row = self.row(y);
        let wide = |factor: &Access| self.lanes > 1 && factor.at.strides[self.along] == 1;
        let factor = match turn.factor {
            Some(factor) if wide(factor) => {
                text.line(format!("const Lanes factor = load({});", address(factor, context, &names)));
                " * factor.n[m]".to_string()
            }
            Some(factor) => format!(" * {}", element(factor, context, &names)),
            None => String::new(),
        };
        if self.lanes == 1 {
            let to = element(turn.to, context, &names);
            return text.line(format!("{to} = tile[{x}][{row}]{factor};"));
        }
        text.line("Lanes to;");
        text.line("#pragma unroll");
        text.line(format!("for (int m = 0; m < {}; ++m) to.n[m] = tile[{x} + m][{row}]{factor};", self.lanes));
        text.line(format!("store({}, to);", address(turn.to, context, &names)));
    }
}

/// Is a nest such a copy?
pub(super) fn is_turn(nest: &Nest) -> bool {
    turn(nest).is_some()
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
