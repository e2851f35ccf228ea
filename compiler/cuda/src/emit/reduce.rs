//! Reductions. If neighbours in memory are joined, a warp or a block computes each result. If results are neighbours in
//! memory, columns of threads compute them.
//!
//! Every sum has one order: the terms of a thread from first to last, then the lanes of 16 bytes in pairs, then a warp as a
//! tree, then warps (or rows of threads) from first to last.

use super::context::Context;
use super::draft::Draft;
use super::source::{Feature, Features};
use super::text::{Text, float, number};
use super::threads::{BLOCK, across, count, decompose, ordered, per_thread, variable, variables, wide_block};
use super::values::{Stage, Values, join};
use gmpc_compiler::ir::kernels::{Join, Nest};

/// Fewest terms, or vectors of terms, for which a block instead of a warp computes a result.
const LONG: usize = 256;
/// From this number of results on, one warp per result keeps a device busy.
const MANY: usize = 2048;
/// Fewest terms of a thread: below that, no further threads share a column.
const TERMS: usize = 4;

/// A warp or a block for each result.
pub(crate) fn rows(nest: &Nest, context: Context, along: Option<usize>, lanes: usize) -> Draft {
    let (kept, joined) = (ordered(nest, false, along, 1), ordered(nest, true, along, lanes));
    let (rows, terms) = (count(&kept), count(&joined));
    let whole_block = is_long(rows, terms);
    let index = context.index;
    let mut text = Text::body();
    text.line("const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;");
    let (per_block, block) = (BLOCK / 32, wide_block(index));
    // Warps of a block exchange their results through `part`. A warp that has a row for itself needs no shared memory.
    if whole_block {
        if rows > 1 {
            text.line(format!("const {index} row = block;"));
        }
        text.line(format!("__shared__ {} part[{}][{per_block}];", float(context.precision), nest.reductions.len()));
    } else {
        text.line(format!("const {index} row = {block} * {per_block} + warp;"));
        if !rows.is_multiple_of(per_block) {
            text.line(format!("if (row >= {rows}) return; // whole warps leave"));
        }
    }
    decompose(&mut text, index, "row", &kept);
    let result = |r: usize, _: bool| format!("q{r}");
    let mut values = Values::new(nest, context, (along, lanes), variables(nest), result);
    // Values that do not change along the row are computed once, before the loop.
    values.compute(&mut text, Stage::Outer);
    start(&mut text, nest, context, lanes);
    // Neighbouring threads take neighbouring terms, so that a warp reads neighbouring memory.
    let (first, step) = if whole_block { ("threadIdx.x", BLOCK) } else { ("lane", 32) };
    run(&mut text, &mut values, index, first, &terms.to_string(), step, &joined);
    // Only one thread of the row computes and stores what follows the reductions, in the block that `finish_rows` opens.
    finish_rows(&mut text, &mut values.features, nest, context, lanes, whole_block);
    values.compute(&mut text, Stage::After);
    values.store(&mut text, Stage::After);
    text.close();
    let worker = if whole_block { "a block" } else { "a warp" };
    Draft {
        kind: "rows",
        comment: format!("{rows} results of {} terms, {worker} each, {}", terms * lanes, per_thread(lanes)),
        shared: if whole_block { nest.reductions.len() * per_block * context.precision.bytes() } else { 0 },
        blocks: if whole_block { rows } else { rows.div_ceil(per_block) } as u64,
        ..Draft::new(text, values.features)
    }
}

/// Joins the partial results of the threads of a row. Opens the C block in which one thread continues.
fn finish_rows(
    text: &mut Text,
    features: &mut Features,
    nest: &Nest,
    context: Context,
    lanes: usize,
    whole_block: bool,
) {
    let float = float(context.precision);
    // First the lanes of a thread, as a tree; then the threads of a warp, as a tree.
    for (r, reduction) in nest.reductions.iter().enumerate() {
        let (feature, warp) = match reduction.join {
            Join::Sum => (Feature::WarpSum, "warp_sum"),
            Join::Max => (Feature::WarpMax, "warp_max"),
        };
        features.add(feature);
        let own = across(lanes, &format!("r{r}"), |a, b| match reduction.join {
            Join::Sum => format!("{a} + {b}"),
            Join::Max => format!("larger({a}, {b})"),
        });
        let name = if whole_block { format!("w{r}") } else { format!("q{r}") };
        text.line(format!("const {float} {name} = {warp}({own});"));
    }
    if !whole_block {
        text.line("__syncwarp();");
        return text.open("if (lane == 0)");
    }
    // Then the warps of a block, from first to last, by one thread: eight terms are too few for a tree.
    text.open("if (lane == 0)");
    (0..nest.reductions.len()).for_each(|r| text.line(format!("part[{r}][warp] = w{r};")));
    text.close();
    text.line("__syncthreads();");
    text.open("if (threadIdx.x == 0)");
    for (r, reduction) in nest.reductions.iter().enumerate() {
        text.line(format!("{float} q{r} = part[{r}][0];"));
        let joined = join(reduction.join, &format!("part[{r}][other]"), &format!("q{r}"), features);
        text.line(format!("for (int other = 1; other < {}; ++other) q{r} = {joined};", BLOCK / 32));
    }
}

/// Columns of threads, side by side along an axis of the result.
pub(crate) fn columns(nest: &Nest, context: Context, axis: usize, lanes: usize) -> Draft {
    let cut = Cut::new(nest, axis, lanes);
    let joined = ordered(nest, true, None, 1);
    let kept = ordered(nest, false, Some(axis), lanes);
    let index = context.index;
    let mut text = Text::body();
    // `ordered` puts the axis of the threads last; `place` sets its variable itself.
    cut.place(&mut text, index, axis, lanes, &kept[..kept.len() - 1]);
    let result = |r: usize, lane: bool| if lane { format!("r{r}.n[n]") } else { format!("r{r}") };
    let mut values = Values::new(nest, context, (Some(axis), lanes), variables(nest), result);
    values.compute(&mut text, Stage::Outer);
    start(&mut text, nest, context, lanes);
    // Threads without a column get no terms, but stay: all threads of a block must reach the barrier.
    let end = if cut.is_exact() { cut.terms.to_string() } else { format!("(inside ? {} : 0)", cut.terms) };
    run(&mut text, &mut values, index, if cut.height > 1 { "y" } else { "0" }, &end, cut.height, &joined);
    cut.finish(&mut text, &mut values.features, nest, context, lanes);
    values.compute(&mut text, Stage::After);
    values.store(&mut text, Stage::After);
    let Cut { width, height, terms, .. } = cut;
    let results = count(&kept) * lanes;
    let part = if lanes > 1 { 16 } else { context.precision.bytes() };
    Draft {
        kind: "columns",
        comment: format!("{results} results of {terms} terms, {width} x {height} threads, {}", per_thread(lanes)),
        shared: if height > 1 { nest.reductions.len() * BLOCK * part } else { 0 },
        blocks: cut.tiles().div_ceil(cut.depth) as u64,
        ..Draft::new(text, values.features)
    }
}

/// The number of blocks of a reduction, and the terms of each thread. `None` for a nest that is not a reduction.
pub(crate) fn parallel(nest: &Nest, (along, lanes): (Option<usize>, usize)) -> Option<(usize, usize)> {
    if nest.reductions.is_empty() {
        return None;
    }
    match along {
        Some(axis) if !nest.reduced[axis] => {
            let cut = Cut::new(nest, axis, lanes);
            Some((cut.tiles().div_ceil(cut.depth), cut.terms / cut.height))
        }
        _ => {
            let (rows, terms) = (count(&ordered(nest, false, along, 1)), count(&ordered(nest, true, along, lanes)));
            Some(if is_long(rows, terms) { (rows, terms / BLOCK) } else { (rows.div_ceil(BLOCK / 32), terms / 32) })
        }
    }
}

/// Does a block, not a warp, compute each result?
fn is_long(rows: usize, terms: usize) -> bool {
    terms >= LONG && rows < MANY
}

/// How columns are cut into blocks of `width x height x depth` threads. `width` counts neighbouring columns, `height`
/// counts the threads that share the terms of a column, and `depth` counts tiles of columns.
struct Cut {
    width: usize,
    height: usize,
    depth: usize,
    /// Columns, or vectors of them, along the axis of the threads.
    columns: usize,
    /// Results along the other axes that are not reduced.
    outer: usize,
    terms: usize,
}

impl Cut {
    fn new(nest: &Nest, axis: usize, lanes: usize) -> Self {
        let kept: usize = count(&ordered(nest, false, Some(axis), lanes));
        let (columns, terms) = (nest.space[axis] / lanes, count(&ordered(nest, true, None, 1)));
        let width = columns.next_power_of_two().clamp(1, 32);
        let mut height = 1;
        while 2 * height * TERMS <= terms && 2 * height * width <= BLOCK {
            height *= 2;
        }
        Cut { width, height, depth: BLOCK / (width * height), columns, outer: kept / columns, terms }
    }

    /// The number of tiles side by side along the axis of the threads.
    fn side(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    fn tiles(&self) -> usize {
        self.side() * self.outer
    }

    /// Does every thread have a column, so that no thread must check?
    fn is_exact(&self) -> bool {
        self.columns.is_multiple_of(self.width) && self.tiles().is_multiple_of(self.depth)
    }

    /// Emits the column of a thread, and its share of the terms.
    fn place(&self, text: &mut Text, index: &str, axis: usize, lanes: usize, outer: &[(usize, usize, usize)]) {
        let Cut { width, height, depth, columns, .. } = self;
        text.line(format!("const unsigned x = threadIdx.x % {width};"));
        if *height > 1 {
            let rest = if *depth > 1 { format!(" % {height}") } else { String::new() };
            text.line(format!("const unsigned y = threadIdx.x / {width}{rest};"));
        }
        // `tile` is declared only if the text below uses it.
        let below = format!("threadIdx.x / {}", width * height);
        let tile = if *depth > 1 { format!("{} * {depth} + {below}", wide_block(index)) } else { "block".to_string() };
        let side = self.side();
        if self.tiles() > 1 || !self.is_exact() {
            text.line(format!("const {index} tile = {tile};"));
        }
        let first = if side == 1 { "x".to_string() } else { format!("tile % {side} * {width} + x") };
        text.line(format!("const {index} column = {first};"));
        if !self.is_exact() {
            text.line(format!("const bool inside = column < {columns} && tile < {};", self.tiles()));
        }
        // A thread without a column computes column 0 of tile 0, so that its loads before the loop stay inside the buffers.
        let times = if lanes > 1 { format!(" * {lanes}") } else { String::new() };
        let column = if self.is_exact() { "column" } else { "(inside ? column : 0)" };
        text.line(format!("const {index} {} = {column}{times};", variable(axis)));
        let from = if side == 1 { "tile".to_string() } else { format!("tile / {side}") };
        let from = if self.is_exact() { from } else { format!("(inside ? {from} : 0)") };
        decompose(text, index, &from, outer);
    }

    /// Joins the shares of each column. Only threads with `y == 0` continue.
    fn finish(&self, text: &mut Text, features: &mut Features, nest: &Nest, context: Context, lanes: usize) {
        let Cut { width, height, depth, .. } = self;
        if *height == 1 {
            if !self.is_exact() {
                text.line("if (!inside) return;");
            }
            return;
        }
        // Every thread writes its share before the barrier; no thread may leave earlier.
        let kind = if lanes > 1 { "Lanes" } else { float(context.precision) };
        let reductions = nest.reductions.len();
        text.line(format!("__shared__ {kind} part[{reductions}][{depth}][{height}][{width}];"));
        text.line(format!("const unsigned z = threadIdx.x / {};", width * height));
        (0..reductions).for_each(|r| text.line(format!("part[{r}][z][y][x] = r{r};")));
        text.line("__syncthreads();");
        text.line(if self.is_exact() { "if (y != 0) return;" } else { "if (y != 0 || !inside) return;" });
        // Shares are added from first to last, so the sum has one order.
        text.open(format!("for (int other = 1; other < {height}; ++other)"));
        if lanes > 1 {
            text.line("#pragma unroll");
            text.open(format!("for (int n = 0; n < {lanes}; ++n)"));
        }
        let lane = if lanes > 1 { ".n[n]" } else { "" };
        for (r, reduction) in nest.reductions.iter().enumerate() {
            let sum = format!("r{r}{lane}");
            let joined = join(reduction.join, &format!("part[{r}][z][other][x]{lane}"), &sum, features);
            text.line(format!("{sum} = {joined};"));
        }
        if lanes > 1 {
            text.close();
        }
        text.close();
    }
}

/// Emits accumulators with the neutral element of each reduction.
fn start(text: &mut Text, nest: &Nest, context: Context, lanes: usize) {
    for (r, reduction) in nest.reductions.iter().enumerate() {
        let value = match reduction.join {
            Join::Sum => number(context.precision, 0.0),
            Join::Max => number(context.precision, f64::NEG_INFINITY),
        };
        if lanes > 1 {
            text.line(format!("Lanes r{r} = {{{}}};", vec![value; lanes].join(", ")));
        } else {
            text.line(format!("{} r{r} = {value};", float(context.precision)));
        }
    }
}

/// Emits the loop over the reduced axes.
fn run(
    text: &mut Text,
    values: &mut Values,
    index: &str,
    first: &str,
    end: &str,
    step: usize,
    axes: &[(usize, usize, usize)],
) {
    text.line("#pragma unroll 4");
    text.open(format!("for ({index} step = {first}; step < {end}; step += {step})"));
    decompose(text, index, "step", axes);
    values.compute(text, Stage::Inner);
    values.accumulate(text);
    values.store(text, Stage::Inner);
    text.close();
}
