//! Casts between single precision and bfloat16: eight numbers for each thread, in accesses of 16 bytes.

use super::context::Context;
use super::draft::{Draft, parameters};
use super::source::{Feature, Features};
use super::text::Text;
use super::threads::BLOCK;
use gmpc_compiler::ir::kernels::{BufferId, Cast};

/// Numbers of a thread.
const EACH: usize = 8;

/// The kernel that casts `count` numbers. A cast to bfloat16 is plain; a cast from it may add a bias and apply a ReLU.
pub(crate) fn draft(cast: &Cast, count: usize, context: Context) -> Draft {
    let pieces = count.div_ceil(EACH);
    let mut text = Text::body();
    // `at` counts pieces of eight numbers. The cast to 64 bits comes before the product, which may exceed 32 bits.
    let wide = if context.index == "unsigned" { String::new() } else { format!("({})", context.index) };
    text.line(format!("const {} at = {wide}block * {BLOCK} + threadIdx.x;", context.index));
    if !pieces.is_multiple_of(BLOCK) {
        text.line(format!("if (at >= {pieces}) return;"));
    }
    let mut features = Features::default();
    let (from, to) = (&context.names[&cast.source], &context.names[&cast.target]);
    // Each direction asks for its own functions of the source.
    let kind = if context.is_bf16(cast.target) {
        features.add(Feature::Narrow);
        narrow(&mut text, from, to, count);
        "narrow"
    } else {
        features.add(Feature::Widen);
        let bias = cast.bias.map(|bias| context.names[&bias].as_str());
        widen(&mut text, from, to, count, &Epilogue { bias, units: cast.units, relu: cast.relu });
        "widen"
    };
    let reads: Vec<BufferId> = [cast.source].into_iter().chain(cast.bias).collect();
    Draft {
        kind,
        comment: format!("{count} numbers, eight a thread"),
        parameters: parameters(&reads, &[cast.target]),
        blocks: pieces.div_ceil(BLOCK) as u64,
        ..Draft::new(text, features)
    }
}

/// Emits the cast to bfloat16: two accesses of 16 bytes are read, one is written.
fn narrow(text: &mut Text, from: &str, to: &str, count: usize) {
    ends(text, count, |text| {
        text.line(format!("const Lanes a = load({from} + 8 * at), b = load({from} + 8 * at + 4);"));
        text.line("Lanes v;");
        for (word, (x, i)) in [("a", 0), ("a", 2), ("b", 0), ("b", 2)].into_iter().enumerate() {
            let next = i + 1;
            text.line(format!("v.n[{word}] = bits(narrow({x}.n[{i}]) | narrow({x}.n[{next}]) << 16);"));
        }
        text.line(format!("store({to} + 4 * at, v);"));
    });
    if !count.is_multiple_of(EACH) {
        text.open(format!("for (int i = {}; i < {count}; i += 2)", count / EACH * EACH));
        text.line(format!("const unsigned high = i + 1 < {count} ? narrow({from}[i + 1]) << 16 : 0u;"));
        text.line(format!("{to}[i / 2] = bits(narrow({from}[i]) | high);"));
        text.close();
    }
}

/// Bias and ReLU after a convolution.
struct Epilogue<'a> {
    bias: Option<&'a str>,
    units: usize,
    relu: bool,
}

impl Epilogue<'_> {
    fn value(&self, widened: &str, unit: &str) -> String {
        let sum = self.bias.map_or(widened.to_string(), |bias| format!("{widened} + {bias}[{unit}]"));
        if self.relu { format!("at_least_zero({sum})") } else { sum }
    }
}

/// Emits the cast from bfloat16: one access of 16 bytes is read, two are written.
fn widen(text: &mut Text, from: &str, to: &str, count: usize, epilogue: &Epilogue<'_>) {
    let units = epilogue.units;
    ends(text, count, |text| {
        text.line(format!("const Lanes v = load({from} + 4 * at);"));
        if epilogue.bias.is_some() {
            text.line(format!("const unsigned unit = 8 * at % {units};"));
        }
        text.line("Lanes a, b;");
        // A word holds two numbers, the first one in its low half. bfloat16 is the high half of an f32, so widening is exact.
        for i in 0..EACH {
            let (lanes, lane) = if i < 4 { ("a", i) } else { ("b", i - 4) };
            let half = if i % 2 == 0 { "<< 16" } else { "& 0xffff0000u" };
            // Units are the last axis. If eight divides them, eight numbers never wrap around to the first unit.
            let unit = match units.is_multiple_of(EACH) {
                true => format!("unit + {i}"),
                false => format!("(unit + {i}) % {units}"),
            };
            let value = epilogue.value(&format!("bits(word(v.n[{}]) {half})", i / 2), &unit);
            text.line(format!("{lanes}.n[{lane}] = {value};"));
        }
        text.line(format!("store({to} + 8 * at, a);"));
        text.line(format!("store({to} + 8 * at + 4, b);"));
    });
    // The numbers behind the last whole piece are cast one by one.
    if !count.is_multiple_of(EACH) {
        text.open(format!("for (int i = {}; i < {count}; ++i)", count / EACH * EACH));
        text.line(format!("const unsigned half = word({from}[i / 2]) >> 16 * (i % 2) & 0xffffu;"));
        text.line(format!("{to}[i] = {};", epilogue.value("bits(half << 16)", &format!("i % {units}"))));
        text.close();
    }
}

/// Emits the work on whole pieces. If numbers are left over, the last thread skips it and runs the statements that follow.
fn ends(text: &mut Text, count: usize, whole: impl FnOnce(&mut Text)) {
    if count.is_multiple_of(EACH) {
        return whole(text);
    }
    text.open(format!("if (at < {})", count / EACH));
    whole(text);
    text.line("return;");
    text.close();
}
