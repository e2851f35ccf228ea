//! Reductions: a warp or a block for each result where neighbours are joined, columns of threads where neighbours are kept.
//!
//! Every sum has one order: a thread's own terms from first to last, then the lanes of 16 bytes in pairs, then a warp as a
//! tree, then warps (or rows of threads) from first to last.

use super::context::Context;
use super::draft::Draft;
use super::source::{Feature, Features};
use super::text::{Text, float, number};
use super::threads::{BLOCK, across, count, decompose, ordered, per_thread, variable, variables, wide_block};
use super::values::{Stage, Values, join};
use crate::kernels::{Join, Nest};

/// Terms, or vectors of terms, from which a block instead of a warp works on one result.
const LONG: usize = 256;
/// Results from which warps alone keep a device busy.
const MANY: usize = 2048;
/// Terms that a thread should have before more threads share a column.
const TERMS: usize = 4;

/// A warp or a block for each result.
pub(super) fn rows(nest: &Nest, context: Context, along: Option<usize>, lanes: usize) -> Draft {
    let (kept, joined) = (ordered(nest, false, along, 1), ordered(nest, true, along, lanes));
    let (rows, terms) = (count(&kept), count(&joined));
    let whole_block = is_long(rows, terms);
    let index = context.index;
    let mut text = Text::body();
    text.line("const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;");
    let (per_block, block) = (BLOCK / 32, wide_block(index));
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
    values.compute(&mut text, Stage::Outer);
    start(&mut text, nest, context, lanes);
    let (first, step) = if whole_block { ("threadIdx.x", BLOCK) } else { ("lane", 32) };
    run(&mut text, &mut values, index, first, &terms.to_string(), step, &joined);
    finish_rows(&mut text, &mut values.features, nest, context, lanes, whole_block);
    values.compute(&mut text, Stage::Late);
    values.store(&mut text, Stage::Late);
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

/// Joins what the threads of a row have; opens the block in which one thread goes on.
fn finish_rows(
    text: &mut Text,
    features: &mut Features,
    nest: &Nest,
    context: Context,
    lanes: usize,
    whole_block: bool,
) {
    let float = float(context.precision);
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

/// Columns of threads, side by side along a kept axis.
pub(super) fn columns(nest: &Nest, context: Context, axis: usize, lanes: usize) -> Draft {
    let cut = Cut::new(nest, axis, lanes);
    let joined = ordered(nest, true, None, 1);
    let kept = ordered(nest, false, Some(axis), lanes);
    let index = context.index;
    let mut text = Text::body();
    cut.place(&mut text, index, axis, lanes, &kept[..kept.len() - 1]);
    let result = |r: usize, lane: bool| if lane { format!("r{r}.n[n]") } else { format!("r{r}") };
    let mut values = Values::new(nest, context, (Some(axis), lanes), variables(nest), result);
    values.compute(&mut text, Stage::Outer);
    start(&mut text, nest, context, lanes);
    let end = if cut.is_exact() { cut.terms.to_string() } else { format!("(inside ? {} : 0)", cut.terms) };
    run(&mut text, &mut values, index, if cut.height > 1 { "y" } else { "0" }, &end, cut.height, &joined);
    cut.finish(&mut text, &mut values.features, nest, context, lanes);
    values.compute(&mut text, Stage::Late);
    values.store(&mut text, Stage::Late);
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

/// Blocks, and terms of a thread, that a reduction would come to; `None` for a nest that is none.
pub(super) fn parallel(nest: &Nest, (along, lanes): (Option<usize>, usize)) -> Option<(usize, usize)> {
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

/// Does a block work on each result?
fn is_long(rows: usize, terms: usize) -> bool {
    terms >= LONG && rows < MANY
}

/// How columns are cut into blocks of `width x height x depth` threads: neighbouring columns, shares of what is joined, tiles
/// of columns.
struct Cut {
    width: usize,
    height: usize,
    depth: usize,
    /// Columns, or vectors of them, along the axis of the threads.
    columns: usize,
    /// Results of the other kept axes.
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

    /// Tiles side by side.
    fn side(&self) -> usize {
        self.columns.div_ceil(self.width)
    }

    fn tiles(&self) -> usize {
        self.side() * self.outer
    }

    /// Does every thread have a column?
    fn is_exact(&self) -> bool {
        self.columns.is_multiple_of(self.width) && self.tiles().is_multiple_of(self.depth)
    }

    /// Which column and which share of the terms a thread has.
    fn place(&self, text: &mut Text, index: &str, axis: usize, lanes: usize, outer: &[(usize, usize, usize)]) {
        let Cut { width, height, depth, columns, .. } = self;
        text.line(format!("const unsigned x = threadIdx.x % {width};"));
        if *height > 1 {
            let rest = if *depth > 1 { format!(" % {height}") } else { String::new() };
            text.line(format!("const unsigned y = threadIdx.x / {width}{rest};"));
        }
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
        let times = if lanes > 1 { format!(" * {lanes}") } else { String::new() };
        let column = if self.is_exact() { "column" } else { "(inside ? column : 0)" };
        text.line(format!("const {index} {} = {column}{times};", variable(axis)));
        let from = if side == 1 { "tile".to_string() } else { format!("tile / {side}") };
        let from = if self.is_exact() { from } else { format!("(inside ? {from} : 0)") };
        decompose(text, index, &from, outer);
    }

    /// Joins the shares; the threads with the first ones go on.
    fn finish(&self, text: &mut Text, features: &mut Features, nest: &Nest, context: Context, lanes: usize) {
        let Cut { width, height, depth, .. } = self;
        if *height == 1 {
            if !self.is_exact() {
                text.line("if (!inside) return;");
            }
            return;
        }
        let kind = if lanes > 1 { "Lanes" } else { float(context.precision) };
        let reductions = nest.reductions.len();
        text.line(format!("__shared__ {kind} part[{reductions}][{depth}][{height}][{width}];"));
        text.line(format!("const unsigned z = threadIdx.x / {};", width * height));
        (0..reductions).for_each(|r| text.line(format!("part[{r}][z][y][x] = r{r};")));
        text.line("__syncthreads();");
        text.line(if self.is_exact() { "if (y != 0) return;" } else { "if (y != 0 || !inside) return;" });
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

/// Accumulators at the value that changes nothing.
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

/// The loop over what is joined.
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
