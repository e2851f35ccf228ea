//! The text that stands before the kernels: types, 16-byte accesses, and the functions that the kernels use.

use super::machine::{Name, Writer};
use super::text::{float, function};
use crate::experiment::Precision;
use crate::graph::Op;
use crate::math;
use std::collections::BTreeSet;

/// A function of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    /// The larger one of a number and a constant.
    AtLeast,
    /// The smaller one of a number and a constant.
    AtMost,
    /// The larger one; NaN where either is.
    Larger,
    /// The smaller one; NaN where either is.
    Smaller,
    Exp,
    Log,
    Sin,
    Cos,
    Tanh,
    Erf,
    Pow,
    /// Cosine and one minus the sine.
    CosineAndVersine,
    /// A product with its rounding error, times one minus a number, or times another.
    Shrink,
    /// Whole numbers for the lanes of 16 bytes.
    Places,
    /// Sum over a warp.
    WarpSum,
    /// Largest of a warp.
    WarpMax,
    /// Random words.
    Philox,
    /// The nearest bfloat16.
    Narrow,
    /// What follows a convolution of bfloat16.
    Widen,
    /// Reads and writes bfloat16.
    Halves,
}

/// Which functions are used.
#[derive(Debug, Clone, Default)]
pub(super) struct Features {
    used: BTreeSet<Feature>,
    /// Functions for one program's shapes, by name, each behind those that it calls.
    helpers: Vec<(String, String)>,
}

impl Features {
    /// Asks for a function.
    pub(super) fn add(&mut self, feature: Feature) {
        self.used.insert(feature);
    }

    /// Asks for everything that `other` asks for.
    pub(super) fn join(&mut self, other: &Features) {
        self.used.extend(&other.used);
        other.helpers.iter().for_each(|(name, text)| self.helper(name, text.clone()));
    }

    /// Asks for a function that only this program has; its name says all that its text depends on.
    pub(super) fn helper(&mut self, name: &str, text: String) {
        if self.helpers.iter().all(|(known, _)| known != name) {
            self.helpers.push((name.to_string(), text));
        }
    }

    /// The function for an operation that is none of C's.
    pub(super) fn function(&mut self, op: &Op) -> &'static str {
        let (feature, name) = match op {
            Op::Exp => (Feature::Exp, "gmp_exp"),
            Op::Log => (Feature::Log, "gmp_log"),
            Op::Sin => (Feature::Sin, "gmp_sin"),
            Op::Cos => (Feature::Cos, "gmp_cos"),
            Op::Tanh => (Feature::Tanh, "gmp_tanh"),
            Op::Erf => (Feature::Erf, "gmp_erf"),
            Op::Pow => (Feature::Pow, "gmp_pow"),
            Op::Min => (Feature::Smaller, "smaller"),
            _ => (Feature::Larger, "larger"),
        };
        self.add(feature);
        name
    }

    /// The function for `Max` or `Min` with a constant.
    pub(super) fn bound(&mut self, op: &Op) -> &'static str {
        let (feature, name) =
            if *op == Op::Max { (Feature::AtLeast, "at_least") } else { (Feature::AtMost, "at_most") };
        self.add(feature);
        name
    }

    /// The text of what stands before the kernels.
    pub(super) fn text(&self, precision: Precision) -> String {
        let mut used = self.used.clone();
        if used.contains(&Feature::Halves) {
            used.insert(Feature::Narrow);
        }
        if used.contains(&Feature::WarpMax) {
            used.insert(Feature::Larger);
        }
        let mut text = beginning(precision);
        for feature in used {
            text.push_str(&define(precision, feature));
        }
        for (_, helper) in &self.helpers {
            text.push('\n');
            text.push_str(helper);
        }
        text
    }
}

/// Types and accesses.
fn beginning(precision: Precision) -> String {
    let (float, word, lanes, to_bits, from_bits) = match precision {
        Precision::F32 => ("float", "unsigned", 4, "__float_as_uint", "__uint_as_float"),
        Precision::F64 => ("double", "unsigned long long", 2, "__double_as_longlong", "__longlong_as_double"),
    };
    format!(
        "\
// 16 bytes of numbers, read and written at once.
struct __align__(16) Lanes {{ {float} n[{lanes}]; }};
__device__ __forceinline__ Lanes load(const {float}* p) {{ return *reinterpret_cast<const Lanes*>(p); }}
__device__ __forceinline__ void store({float}* p, Lanes v) {{ *reinterpret_cast<Lanes*>(p) = v; }}
__device__ __forceinline__ {word} word({float} a) {{ return {to_bits}(a); }}
__device__ __forceinline__ {float} bits({word} a) {{ return {from_bits}(a); }}
"
    )
}

/// One function.
fn define(precision: Precision, feature: Feature) -> String {
    let float = float(precision);
    let short = |comment: &str, signature: &str, body: &str| {
        format!("\n// {comment}\n__device__ __forceinline__ {float} {signature} {{ return {body}; }}\n")
            .replace("REAL", float)
    };
    match feature {
        Feature::AtLeast => {
            short("The larger one of a and a constant.", "at_least(REAL a, REAL limit)", "a < limit ? limit : a")
        }
        Feature::AtMost => {
            short("The smaller one of a and a constant.", "at_most(REAL a, REAL limit)", "limit < a ? limit : a")
        }
        Feature::Larger => {
            short("The larger one; NaN where either is.", "larger(REAL a, REAL b)", "b < a || a != a ? a : b")
        }
        Feature::Smaller => {
            short("The smaller one; NaN where either is.", "smaller(REAL a, REAL b)", "a < b || a != a ? a : b")
        }
        Feature::Exp => elementary(precision, "e^x.", "gmp_exp", math::exp),
        Feature::Log => elementary(precision, "Natural logarithm.", "gmp_log", math::log),
        Feature::Sin => elementary(precision, "Sine of radians.", "gmp_sin", math::sin),
        Feature::Cos => elementary(precision, "Cosine of radians.", "gmp_cos", math::cos),
        Feature::Tanh => elementary(precision, "Hyperbolic tangent.", "gmp_tanh", math::tanh),
        Feature::Erf => elementary(precision, "Error function.", "gmp_erf", math::erf),
        Feature::Pow => power(precision),
        Feature::CosineAndVersine => angle(precision),
        Feature::WarpSum => warp(float, "Sum over a warp, in every lane: the same tree always.", "warp_sum", "a + b"),
        Feature::WarpMax => warp(float, "Largest of a warp, in every lane.", "warp_max", "larger(a, b)"),
        Feature::Shrink => SHRINK.replace("REAL", float).replace("FMA", &function(precision, "fma")),
        Feature::Places => {
            format!("\n// A place for each lane.\nstruct Places {{ int n[{}]; }};\n", 16 / precision.bytes())
        }
        Feature::Philox => PHILOX.to_string(),
        Feature::Narrow => NARROW.to_string(),
        Feature::Halves => HALVES.to_string(),
        Feature::Widen => short("Negative numbers become 0, NaN stays.", "at_least_zero(REAL a)", "a < 0 ? 0 : a"),
    }
}

/// Numbers of bfloat16 by their place: one, or four of them, 8 bytes, in single precision.
const HALVES: &str = "
// Numbers of bfloat16 in memory, single precision here: one, or four neighbours in 8 bytes.
struct __align__(8) Halves { unsigned n[2]; };
__device__ __forceinline__ const unsigned short* halves(const float* p, unsigned long long at)
{
    return reinterpret_cast<const unsigned short*>(p) + at;
}
__device__ __forceinline__ float widened_one(const float* p, unsigned long long at)
{
    return bits((unsigned)*halves(p, at) << 16);
}
__device__ __forceinline__ Lanes widened(const float* p, unsigned long long at)
{
    const Halves h = *reinterpret_cast<const Halves*>(halves(p, at));
    return {bits(h.n[0] << 16), bits(h.n[0] & 0xffff0000u), bits(h.n[1] << 16), bits(h.n[1] & 0xffff0000u)};
}
__device__ __forceinline__ void put_one(float* p, unsigned long long at, float v)
{
    reinterpret_cast<unsigned short*>(p)[at] = (unsigned short)narrow(v);
}
__device__ __forceinline__ void put(float* p, unsigned long long at, Lanes v)
{
    const Halves h = {{narrow(v.n[0]) | narrow(v.n[1]) << 16, narrow(v.n[2]) | narrow(v.n[3]) << 16}};
    *reinterpret_cast<Halves*>(reinterpret_cast<unsigned short*>(p) + at) = h;
}
";

/// A function of one number by the formula of the processor.
fn elementary(precision: Precision, comment: &str, name: &str, formula: impl Fn(&mut Writer, Name) -> Name) -> String {
    let mut writer = Writer::new(precision);
    let x = writer.named("x");
    let result = formula(&mut writer, x);
    let result = writer.name(result).to_string();
    let float = float(precision);
    body(comment, &format!("{float} {name}({float} x)"), writer.lines(), &format!("return {result};"))
}

fn power(precision: Precision) -> String {
    let mut writer = Writer::new(precision);
    let (x, y) = (writer.named("x"), writer.named("y"));
    let result = math::pow(&mut writer, x, y);
    let result = writer.name(result).to_string();
    let float = float(precision);
    let signature = format!("{float} gmp_pow({float} x, {float} y)");
    body("x^y for x >= 0.", &signature, writer.lines(), &format!("return {result};"))
}

fn angle(precision: Precision) -> String {
    let mut writer = Writer::new(precision);
    let x = writer.named("x");
    let (cosine, versine) = math::cosine_and_versine(&mut writer, x);
    let end = format!("cosine = {}; versine = {};", writer.name(cosine), writer.name(versine));
    let float = float(precision);
    let signature = format!("void cosine_and_versine({float} x, {float}& cosine, {float}& versine)");
    body("cos x, and 1 - sin x without cancellation.", &signature, writer.lines(), &end)
}

fn body(comment: &str, signature: &str, lines: Vec<String>, end: &str) -> String {
    let mut text = format!("\n// {comment}\n__device__ __forceinline__ {signature}\n{{\n");
    for line in lines.iter().map(String::as_str).chain([end]) {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("}\n");
    text
}

fn warp(float: &str, comment: &str, name: &str, joined: &str) -> String {
    format!(
        "
// {comment}
__device__ __forceinline__ {float} {name}({float} a)
{{
    #pragma unroll
    for (int d = 16; d > 0; d /= 2) {{
        const {float} b = __shfl_xor_sync(0xffffffffu, a, d);
        a = {joined};
    }}
    return a;
}}
"
    )
}

/// Exact products by fma, exact sums after Knuth.
const SHRINK: &str = "
// p + e, a number with its rounding error, times 1 - q.
__device__ __forceinline__ void shrink(REAL& p, REAL& e, REAL q)
{
    const REAL change = p * -q;
    const REAL change_error = FMA(p, -q, -change);
    const REAL sum = p + change;
    const REAL back = sum - p;
    const REAL lost = (p - (sum - back)) + (change - back);
    e = FMA(e, -q, e) + (lost + change_error);
    p = sum;
}

// p + e times r + s.
__device__ __forceinline__ void times(REAL& p, REAL& e, REAL r, REAL s)
{
    const REAL high = p * r;
    e = FMA(p, s, FMA(e, r, FMA(p, r, -high)));
    p = high;
}
";

/// Rounding by bits: to even where two are as near, and what is no number stays none.
const NARROW: &str = "
// The nearest bfloat16, in the lower 16 bits.
__device__ __forceinline__ unsigned narrow(float a)
{
    const unsigned b = word(a), even = b + 0x7fffu + (b >> 16 & 1u);
    return (b & 0x7fffffffu) > 0x7f800000u ? (b >> 16 | 0x40u) : even >> 16;
}
";

/// [`math::philox::philox`].
pub(super) const PHILOX: &str = "
// Philox 4x32-10: four random words for a counter and a key.
__device__ __forceinline__ void philox(unsigned c[4], unsigned low, unsigned high)
{
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned long long a = 0xd2511f53ull * c[0], b = 0xcd9e8d57ull * c[2];
        c[0] = unsigned(b >> 32) ^ c[1] ^ low;
        c[1] = unsigned(b);
        c[2] = unsigned(a >> 32) ^ c[3] ^ high;
        c[3] = unsigned(a);
        low += 0x9e3779b9u;
        high += 0xbb67ae85u;
    }
}
";
