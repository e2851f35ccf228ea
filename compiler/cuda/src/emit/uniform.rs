//! Counter-based random numbers. A thread computes the four words of one counter, the same bits as
//! [`gmpc_compiler::math::philox`].

use super::context::Context;
use super::draft::{Draft, parameters};
use super::source::{Feature, Features};
use super::text::{Text, float};
use super::threads::BLOCK;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::Uniform;

/// The kernel that draws `count` numbers in [0, 1). Besides the target it gets a pointer to seed and step.
pub(crate) fn draft(draw: &Uniform, count: usize, context: Context) -> Draft {
    let (target, float) = (&context.names[&draw.target], float(context.precision));
    let blocks = count.div_ceil(4);
    let mut text = Text::body();
    text.line(format!("const unsigned at = block * {BLOCK} + threadIdx.x;"));
    if !blocks.is_multiple_of(BLOCK) {
        text.line(format!("if (at >= {blocks}) return;"));
    }
    // Counter: number of the thread, stream, step (two words). Key: the seed. So a number depends on its index, never on the
    // order in which threads run.
    text.line(format!("unsigned c[4] = {{at, {}u, random[2], random[3]}};", draw.stream));
    text.line("philox(c, random[0], random[1]);");
    // 24 bits times 2^-24: exact in single precision, and never 1.
    let unit = if context.precision == Precision::F32 { "5.9604645e-8f" } else { "5.9604644775390625e-8" };
    let value = |n: &str| format!("{float}(c[{n}] >> 8) * {unit}");
    // Four f32 are 16 bytes and go out at once. Otherwise each number is stored alone, and the last thread stops at `count`.
    if count.is_multiple_of(4) && context.precision == Precision::F32 {
        text.line("Lanes v;");
        text.line("#pragma unroll");
        text.line(format!("for (int n = 0; n < 4; ++n) v.n[n] = {};", value("n")));
        text.line(format!("store({target} + 4 * {}at, v);", wide(context)));
    } else {
        text.line("#pragma unroll");
        text.open("for (int n = 0; n < 4; ++n)");
        let rest = count % 4;
        let guard = if rest == 0 { String::new() } else { format!("if (at < {} || n < {rest}) ", count / 4) };
        text.line(format!("{guard}{target}[4 * {}at + n] = {};", wide(context), value("n")));
        text.close();
    }
    let mut features = Features::default();
    features.add(Feature::Philox);
    Draft {
        kind: "uniform",
        comment: format!("{count} numbers in [0, 1), four a thread"),
        parameters: parameters(&[], &[draw.target]),
        extra: Some("const unsigned* __restrict__ random"),
        blocks: blocks.div_ceil(BLOCK) as u64,
        ..Draft::new(text, features)
    }
}

/// The cast before an index that may exceed 32 bits.
fn wide(context: Context) -> String {
    if context.index == "unsigned" { String::new() } else { format!("({})", context.index) }
}
