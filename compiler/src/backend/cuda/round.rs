//! Between single precision and bfloat16: eight numbers a thread, in accesses of 16 bytes.

use super::context::Context;
use super::draft::{Draft, parameters};
use super::source::{Feature, Features};
use super::text::Text;
use super::threads::BLOCK;
use crate::kernels::{BufferId, Round, Rounding};

/// Numbers of a thread.
const EACH: usize = 8;

/// The kernel that rounds `count` numbers, or reads rounded ones.
pub(super) fn draft(round: &Round, count: usize, context: Context) -> Draft {
    let pieces = count.div_ceil(EACH);
    let mut text = Text::body();
    let wide = if context.index == "unsigned" { String::new() } else { format!("({})", context.index) };
    text.line(format!("const {} at = {wide}block * {BLOCK} + threadIdx.x;", context.index));
    if !pieces.is_multiple_of(BLOCK) {
        text.line(format!("if (at >= {pieces}) return;"));
    }
    let mut features = Features::default();
    let (from, to) = (&context.names[&round.source], &context.names[&round.target]);
    let (kind, bias): (_, Vec<BufferId>) = match &round.rounding {
        Rounding::Narrow => {
            features.add(Feature::Narrow);
            narrow(&mut text, from, to, count);
            ("narrow", vec![])
        }
        Rounding::Widen { bias, units, relu } => {
            features.add(Feature::Widen);
            let bias_name = bias.map(|bias| context.names[&bias].as_str());
            widen(&mut text, from, to, count, &After { bias: bias_name, units: *units, relu: *relu });
            ("widen", bias.iter().copied().collect())
        }
    };
    let reads: Vec<BufferId> = [round.source].into_iter().chain(bias).collect();
    Draft {
        kind,
        comment: format!("{count} numbers, eight a thread"),
        parameters: parameters(&reads, &[round.target]),
        blocks: pieces.div_ceil(BLOCK) as u64,
        ..Draft::new(text, features)
    }
}

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

/// What follows a convolution.
struct After<'a> {
    bias: Option<&'a str>,
    units: usize,
    relu: bool,
}

impl After<'_> {
    fn value(&self, widened: &str, unit: &str) -> String {
        let sum = self.bias.map_or(widened.to_string(), |bias| format!("{widened} + {bias}[{unit}]"));
        if self.relu { format!("at_least_zero({sum})") } else { sum }
    }
}

fn widen(text: &mut Text, from: &str, to: &str, count: usize, after: &After<'_>) {
    let units = after.units;
    ends(text, count, |text| {
        text.line(format!("const Lanes v = load({from} + 4 * at);"));
        if after.bias.is_some() {
            text.line(format!("const unsigned unit = 8 * at % {units};"));
        }
        text.line("Lanes a, b;");
        for i in 0..EACH {
            let (lanes, lane) = if i < 4 { ("a", i) } else { ("b", i - 4) };
            let half = if i % 2 == 0 { "<< 16" } else { "& 0xffff0000u" };
            let unit = match units.is_multiple_of(EACH) {
                true => format!("unit + {i}"),
                false => format!("(unit + {i}) % {units}"),
            };
            let value = after.value(&format!("bits(word(v.n[{}]) {half})", i / 2), &unit);
            text.line(format!("{lanes}.n[{lane}] = {value};"));
        }
        text.line(format!("store({to} + 8 * at, a);"));
        text.line(format!("store({to} + 8 * at + 4, b);"));
    });
    if !count.is_multiple_of(EACH) {
        text.open(format!("for (int i = {}; i < {count}; ++i)", count / EACH * EACH));
        text.line(format!("const unsigned half = word({from}[i / 2]) >> 16 * (i % 2) & 0xffffu;"));
        text.line(format!("{to}[i] = {};", after.value("bits(half << 16)", &format!("i % {units}"))));
        text.close();
    }
}

/// What whole threads do; where numbers are left over, the last thread goes on behind that.
fn ends(text: &mut Text, count: usize, whole: impl FnOnce(&mut Text)) {
    if count.is_multiple_of(EACH) {
        return whole(text);
    }
    text.open(format!("if (at < {})", count / EACH));
    whole(text);
    text.line("return;");
    text.close();
}
