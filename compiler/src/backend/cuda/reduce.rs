//! Reductions: a warp or a block for each result where neighbours are joined, columns of threads where neighbours are kept.
//!
//! Every sum has one order: a thread's own terms from first to last, then the lanes of 16 bytes in pairs, then a warp as a
//! tree, then warps (or rows of threads) from first to last.

use super::draft::Draft;
use super::nest::{BLOCK, Context, across, count, decompose, ordered, per_thread, variable, variables};
use super::source::{Feature, Features};
use super::text::{Text, float, number};
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
    let whole_block = terms >= LONG && rows < MANY;
    let index = context.index;
    let mut text = Text::body();
    text.line("const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;");
    let per_block = BLOCK / 32;
    if whole_block {
        text.line(format!("const {index} row = blockIdx.x;"));
        text.line(format!("__shared__ {} part[{}][{per_block}];", float(context.precision), nest.reductions.len()));
    } else {
        text.line(format!("const {index} row = ({index})blockIdx.x * {per_block} + warp;"));
        if !rows.is_multiple_of(per_block) {
            text.line(format!("if (row >= {rows}) return; // whole warps leave"));
        }
    }
    decompose(&mut text, index, "row", &kept);
    let result = |r: usize, _: bool| format!("q{r}");
    let mut values = Values::new(nest, context.precision, context.names, (along, lanes), variables(nest), result);
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
        parameters: Vec::new(),
        extra: None,
        body: text.finish(),
        blocks: if whole_block { rows } else { rows.div_ceil(per_block) } as u64,
        threads: BLOCK as u32,
        features: values.features,
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
    let (kept, joined) = (ordered(nest, false, Some(axis), lanes), ordered(nest, true, None, 1));
    let (terms, columns) = (count(&joined), nest.space[axis] / lanes);
    let outer = &kept[..kept.len() - 1];
    let cut = Cut::new(columns, count(outer), terms);
    let index = context.index;
    let mut text = Text::body();
    cut.place(&mut text, index, columns);
    let j = variable(axis);
    let column = if cut.exact { "column".to_string() } else { "(inside ? column : 0)".to_string() };
    text.line(format!(
        "const {index} {j} = {column}{};",
        if lanes > 1 { format!(" * {lanes}") } else { String::new() }
    ));
    let from = if cut.side == 1 { "blockIdx.x".to_string() } else { format!("blockIdx.x / {}", cut.side) };
    decompose(&mut text, index, &from, outer);
    let result = |r: usize, lane: bool| if lane { format!("r{r}.n[n]") } else { format!("r{r}") };
    let mut values = Values::new(nest, context.precision, context.names, (Some(axis), lanes), variables(nest), result);
    values.compute(&mut text, Stage::Outer);
    start(&mut text, nest, context, lanes);
    let end = if cut.exact { terms.to_string() } else { format!("(inside ? {terms} : 0)") };
    run(&mut text, &mut values, index, "y", &end, cut.height, &joined);
    cut.finish(&mut text, &mut values.features, nest, context, lanes);
    values.compute(&mut text, Stage::Late);
    values.store(&mut text, Stage::Late);
    let results = count(&kept) * lanes;
    Draft {
        kind: "columns",
        comment: format!(
            "{results} results of {terms} terms, {} x {} threads, {}",
            cut.width,
            cut.height,
            per_thread(lanes)
        ),
        parameters: Vec::new(),
        extra: None,
        body: text.finish(),
        blocks: (cut.side * count(outer)) as u64,
        threads: (cut.width * cut.height) as u32,
        features: values.features,
    }
}

/// How columns are cut into blocks.
struct Cut {
    /// Threads side by side.
    width: usize,
    /// Rows of threads.
    height: usize,
    /// Blocks side by side.
    side: usize,
    /// Do the blocks end where the columns end?
    exact: bool,
}

impl Cut {
    fn new(columns: usize, outer: usize, terms: usize) -> Self {
        let width = columns.next_power_of_two().clamp(1, 32);
        let side = columns.div_ceil(width);
        let most = if side * outer < 128 { 2 * BLOCK } else { BLOCK } / width;
        let mut height = 1;
        while 2 * height * TERMS <= terms && 2 * height <= most {
            height *= 2;
        }
        // Whole warps, so that threads without a column can wait for the others.
        height = height.max(32 / width);
        Cut { width, height, side, exact: columns.is_multiple_of(width) }
    }

    /// Which column and which row of threads this is.
    fn place(&self, text: &mut Text, index: &str, columns: usize) {
        let Cut { width, side, .. } = self;
        text.line(format!("const unsigned x = threadIdx.x % {width}, y = threadIdx.x / {width};"));
        let block = if *side == 1 { "x".to_string() } else { format!("blockIdx.x % {side} * {width} + x") };
        text.line(format!("const {index} column = {block};"));
        if !self.exact {
            text.line(format!("const bool inside = column < {columns};"));
        }
    }

    /// Joins the rows of threads; the first one goes on.
    fn finish(&self, text: &mut Text, features: &mut Features, nest: &Nest, context: Context, lanes: usize) {
        let Cut { width, height, .. } = self;
        if *height == 1 {
            if !self.exact {
                text.line("if (!inside) return;");
            }
            return;
        }
        let kind = if lanes > 1 { "Lanes" } else { float(context.precision) };
        text.line(format!("__shared__ {kind} part[{}][{height}][{width}];", nest.reductions.len()));
        (0..nest.reductions.len()).for_each(|r| text.line(format!("part[{r}][y][x] = r{r};")));
        text.line("__syncthreads();");
        text.line(if self.exact { "if (y != 0) return;" } else { "if (y != 0 || !inside) return;" });
        text.open(format!("for (int other = 1; other < {height}; ++other)"));
        if lanes > 1 {
            text.line("#pragma unroll");
            text.open(format!("for (int n = 0; n < {lanes}; ++n)"));
        }
        let lane = if lanes > 1 { ".n[n]" } else { "" };
        for (r, reduction) in nest.reductions.iter().enumerate() {
            let sum = format!("r{r}{lane}");
            let joined = join(reduction.join, &format!("part[{r}][other][x]{lane}"), &sum, features);
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
