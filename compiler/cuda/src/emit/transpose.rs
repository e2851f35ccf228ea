//! Tiled transposes: copies whose neighbours in memory are different when read and when written. Packing filters is one.
//!
//! ```text
//! for i, j, k: y[… + k] = x[… + i]       a block transposes a tile of 32 x 32 numbers in shared memory: neighbouring threads
//!                                        read neighbours along i, and write neighbours along k
//! ```
//!
//! Without a tile, either the reads or the writes of a warp would touch 32 cache lines for 128 bytes. If the rows that are read
//! begin at multiples of 16 bytes, a thread reads 16 bytes at once. The same holds for writes.

use crate::emit::context::Context;
use crate::emit::draft::Draft;
use crate::emit::source::Features;
use crate::emit::text::{Text, affine, float};
use crate::emit::threads::{BLOCK, is_aligned, variable, variables};
use gmpc_compiler::ir::graph::Op;
use gmpc_compiler::ir::kernels::{Access, Expr, ExprId, Nest};

/// Numbers along each side of a tile.
const SIDE: usize = 32;
/// Fewest points for which a tile is worth its barrier (chosen by hand).
const WORTH: usize = 1 << 12;

/// A copy with a transpose.
struct Transpose<'a> {
    from: &'a Access,
    /// A factor. It is contiguous or constant along the axis `written`.
    factor: Option<&'a Access>,
    to: &'a Access,
    /// The axis along which reads are contiguous, and the one along which writes are.
    read: usize,
    written: usize,
}

/// How threads walk over a tile: into it in the order of reads, or out of it in the order of writes.
struct Way {
    /// The axis of neighbours in memory, and the other axis of the tile.
    along: usize,
    across: usize,
    /// Neighbours that a thread moves at once.
    lanes: usize,
    /// Names of the position of a thread in the tile, along and across.
    place: [&'static str; 2],
}

/// The kernel of a tiled transpose. `None` for any other nest.
pub(crate) fn draft(nest: &Nest, context: Context) -> Option<Draft> {
    let transpose = transpose(nest)?;
    let (read, written) = (transpose.read, transpose.written);
    let tiles = |axis: usize| nest.space[axis].div_ceil(SIDE);
    let others: Vec<usize> = (0..nest.space.len()).filter(|&axis| axis != read && axis != written).collect();
    let rest: usize = others.iter().map(|&axis| nest.space[axis]).product();
    let (index, number) = (context.index, float(context.precision));
    let mut text = Text::body();
    // One more column than the tile needs: without it a warp that walks down a column would hit one memory bank 32 times.
    text.line(format!("__shared__ {number} tile[{SIDE}][{}];", SIDE + 1));
    text.line(format!("const {index} {} = block % {} * {SIDE};", first(read), tiles(read)));
    text.line(format!("const {index} {} = block / {} % {} * {SIDE};", first(written), tiles(read), tiles(written)));
    let mut below = tiles(read) * tiles(written);
    for &axis in &others {
        text.line(format!("const {index} {} = block / {below} % {};", variable(axis), nest.space[axis]));
        below *= nest.space[axis];
    }
    // Threads that write other numbers than they read need a barrier in between. So no thread leaves before it; positions
    // outside the nest are skipped inside the loops.
    let [into, out] = ways(nest, &transpose, context);
    into.places(&mut text);
    into.open(&mut text, nest, context);
    into.take(&mut text, &transpose, nest, context);
    close(&mut text);
    text.line("__syncthreads();");
    out.places(&mut text);
    out.open(&mut text, nest, context);
    out.give(&mut text, &transpose, nest, context);
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

/// The way into the tile, and the way out of it.
fn ways(nest: &Nest, transpose: &Transpose, context: Context) -> [Way; 2] {
    let most = 16 / context.precision.bytes();
    let lanes = |access: &Access, axis: usize| if is_aligned(nest, &access.at, axis, most) { most } else { 1 };
    let (read, written) = (lanes(transpose.from, transpose.read), lanes(transpose.to, transpose.written));
    let fits = |factor: &Access| factor.at.strides[transpose.written] == 0 || lanes(factor, transpose.written) > 1;
    let written = if transpose.factor.is_none_or(fits) { written } else { 1 };
    [
        Way { along: transpose.read, across: transpose.written, lanes: read, place: ["x", "y"] },
        Way { along: transpose.written, across: transpose.read, lanes: written, place: ["u", "v"] },
    ]
}

/// The name of the first position of a tile along an axis.
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
    /// Rows of the tile that a block moves at once.
    fn rows(&self) -> usize {
        BLOCK * self.lanes / SIDE
    }

    /// Emits the position of a thread in the tile.
    fn places(&self, text: &mut Text) {
        let ([x, y], lanes, threads) = (self.place, self.lanes, SIDE / self.lanes);
        let step = if lanes > 1 { format!(" * {lanes}") } else { String::new() };
        text.line(format!("const unsigned {x} = threadIdx.x % {threads}{step}, {y} = threadIdx.x / {threads};"));
    }

    /// Opens the loop over the rows of a thread, and the check that its position is inside the nest.
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

    /// The row of the tile that a thread moves.
    fn row(&self, y: &str) -> String {
        if self.rows() < SIDE { format!("{y} + n") } else { y.to_string() }
    }

    /// Emits the copy from memory into the tile.
    fn take(&self, text: &mut Text, transpose: &Transpose, nest: &Nest, context: Context) {
        let ([x, y], names) = (self.place, variables(nest));
        let row = self.row(y);
        if self.lanes == 1 {
            return text.line(format!("tile[{row}][{x}] = {};", element(transpose.from, context, &names)));
        }
        text.line(format!("const Lanes from = load({});", address(transpose.from, context, &names)));
        text.line("#pragma unroll");
        text.line(format!("for (int m = 0; m < {}; ++m) tile[{row}][{x} + m] = from.n[m];", self.lanes));
    }

    /// Emits the copy from the tile into memory, times the factor.
    fn give(&self, text: &mut Text, transpose: &Transpose, nest: &Nest, context: Context) {
        let ([x, y], names) = (self.place, variables(nest));
        let row = self.row(y);
        let wide = |factor: &Access| self.lanes > 1 && factor.at.strides[self.along] == 1;
        let factor = match transpose.factor {
            Some(factor) if wide(factor) => {
                text.line(format!("const Lanes factor = load({});", address(factor, context, &names)));
                " * factor.n[m]".to_string()
            }
            Some(factor) => format!(" * {}", element(factor, context, &names)),
            None => String::new(),
        };
        if self.lanes == 1 {
            let to = element(transpose.to, context, &names);
            return text.line(format!("{to} = tile[{x}][{row}]{factor};"));
        }
        text.line("Lanes to;");
        text.line("#pragma unroll");
        text.line(format!("for (int m = 0; m < {}; ++m) to.n[m] = tile[{x} + m][{row}]{factor};", self.lanes));
        text.line(format!("store({}, to);", address(transpose.to, context, &names)));
    }
}

/// Is a nest a tiled transpose?
pub(crate) fn is_transpose(nest: &Nest) -> bool {
    transpose(nest).is_some()
}

fn transpose(nest: &Nest) -> Option<Transpose<'_>> {
    let is_map = !nest.reduced.contains(&true) && nest.reductions.is_empty();
    let [store] = &nest.stores[..] else { return None };
    if !is_map || nest.space.iter().product::<usize>() < WORTH {
        return None;
    }
    let load = |id: ExprId| if let Expr::Load(access) = &nest.exprs[id.index()] { Some(access) } else { None };
    let (from, factor) = match &nest.exprs[store.value.index()] {
        Expr::Load(access) => (access, None),
        Expr::Apply(Op::Mul, factors) => (load(factors[0])?, Some(load(factors[1])?)),
        Expr::Const(_) | Expr::Index(_) | Expr::Reduced(_) | Expr::Apply(..) => return None,
    };
    let side = |access: &Access| {
        let mut axes = (0..nest.space.len()).filter(|&axis| access.at.strides[axis] == 1 && nest.space[axis] > 1);
        axes.next().filter(|_| axes.next().is_none())
    };
    let (read, written) = (side(from)?, side(&store.access)?);
    let long = [read, written].iter().all(|&axis| nest.space[axis] >= SIDE / 2);
    let beside = factor.is_none_or(|factor| factor.at.strides[written] <= 1);
    let apart = from.buffer != store.access.buffer && from.at.strides[written] > 1;
    (read != written && long && beside && apart).then_some(Transpose { from, factor, to: &store.access, read, written })
}
