//! The text before the kernels: types, 16-byte accesses, and the functions that the kernels call.

use super::machine::{Name, Writer};
use super::text::{float, function};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::Op;
use gmpc_compiler::ir::graph::groups::{convolution, joined, pool, reduction, scan, view};
use gmpc_compiler::math;
use std::collections::BTreeSet;

/// A function of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    /// The larger of a number and a constant.
    AtLeast,
    /// The smaller of a number and a constant.
    AtMost,
    /// The larger of two numbers; NaN if either is NaN.
    Larger,
    /// The smaller of two numbers; NaN if either is NaN.
    Smaller,
    Exp,
    Log,
    Log1p,
    Sin,
    Cos,
    Tanh,
    Erf,
    Pow,
    /// Cosine and versine (one minus the sine) of an angle.
    CosineAndVersine,
    /// Multiplies a product with its rounding error by one minus a number, or by another such product.
    Shrink,
    /// A type with an integer for each lane of 16 bytes.
    Places,
    /// The sum over a warp.
    WarpSum,
    /// The largest value of a warp.
    WarpMax,
    /// Random words.
    Philox,
    /// Rounds to the nearest bfloat16.
    Narrow,
    /// The ReLU after a bfloat16 convolution.
    Widen,
    /// Reads and writes of bfloat16.
    Bf16,
}

/// The functions that a source needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Features {
    used: BTreeSet<Feature>,
    /// Functions that depend on the shapes of a program, with their names. Each stands after those that it calls.
    helpers: Vec<(String, String)>,
}

impl Features {
    /// Adds a function.
    pub(crate) fn add(&mut self, feature: Feature) {
        self.used.insert(feature);
    }

    /// Adds all functions of `other`.
    pub(crate) fn join(&mut self, other: &Features) {
        self.used.extend(&other.used);
        other.helpers.iter().for_each(|(name, text)| self.helper(name, text.clone()));
    }

    /// Adds a function that depends on the shapes of a program. Its name must contain everything that its text depends on.
    pub(crate) fn helper(&mut self, name: &str, text: String) {
        if self.helpers.iter().all(|(known, _)| known != name) {
            self.helpers.push((name.to_string(), text));
        }
    }

    /// The function for an operation that is not an operator of C.
    pub(crate) fn function(&mut self, op: &Op) -> &'static str {
        let (feature, name) = match op {
            Op::Exp => (Feature::Exp, "gmp_exp"),
            Op::Log => (Feature::Log, "gmp_log"),
            Op::Log1p => (Feature::Log1p, "gmp_log1p"),
            Op::Sin => (Feature::Sin, "gmp_sin"),
            Op::Cos => (Feature::Cos, "gmp_cos"),
            Op::Tanh => (Feature::Tanh, "gmp_tanh"),
            Op::Erf => (Feature::Erf, "gmp_erf"),
            Op::Pow => (Feature::Pow, "gmp_pow"),
            Op::Min => (Feature::Smaller, "smaller"),
            Op::Max => (Feature::Larger, "larger"),
            Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => no_function(op),
            Op::Neg | Op::Abs | Op::Sqrt | Op::Add | Op::Sub | Op::Mul | Op::Div => no_function(op),
            Op::Less | Op::LessEqual | Op::Equal | Op::Select => no_function(op),
            view!() | joined!() | reduction!() => no_function(op),
            Op::MatMul { .. } | convolution!() | pool!() | scan!() => no_function(op),
        };
        self.add(feature);
        name
    }

    /// The function for `Max` or `Min` with a constant that is not NaN.
    pub(crate) fn bound(&mut self, op: &Op) -> &'static str {
        let (feature, name) =
            if *op == Op::Max { (Feature::AtLeast, "at_least") } else { (Feature::AtMost, "at_most") };
        self.add(feature);
        name
    }

    /// The text before the kernels.
    pub(crate) fn text(&self, precision: Precision) -> String {
        let mut used = self.used.clone();
        if used.contains(&Feature::Bf16) {
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

/// The types and accesses with which every source begins.
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

/// The text of one function.
fn define(precision: Precision, feature: Feature) -> String {
    let float = float(precision);
    let short = |comment: &str, signature: &str, body: &str| {
        format!("\n// {comment}\n__device__ __forceinline__ {float} {signature} {{ return {body}; }}\n")
            .replace("REAL", float)
    };
    match feature {
        // Comparisons are written so that NaN passes: a comparison with NaN is false.
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
        // The formulas of `math`, the same as on the CPU, so that both devices give the same bits.
        Feature::Exp => elementary(precision, "e^x.", "gmp_exp", math::exp),
        Feature::Log => elementary(precision, "Natural logarithm.", "gmp_log", math::log),
        Feature::Log1p => elementary(precision, "Natural logarithm of 1 + x.", "gmp_log1p", math::log1p),
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
        Feature::Bf16 => BF16.to_string(),
        Feature::Widen => short("Negative numbers become 0, NaN stays.", "at_least_zero(REAL a)", "a < 0 ? 0 : a"),
    }
}

/// Functions that read and write one bfloat16 number, or four in 8 bytes. Pointers to bfloat16 have the type of f32 pointers.
const BF16: &str = "
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

/// A function of one number, with the same formula as on the CPU.
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

/// Compensated products. `fma` gives the rounding error of a product, Knuth's two-sum gives that of a sum.
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

fn no_function(op: &Op) -> ! {
    unreachable!("{} is an operator of C or computes no element", op.name())
}

/// Rounds to the nearest bfloat16, ties to even. NaN stays NaN.
const NARROW: &str = "
// The nearest bfloat16, in the lower 16 bits.
__device__ __forceinline__ unsigned narrow(float a)
{
    const unsigned b = word(a), even = b + 0x7fffu + (b >> 16 & 1u);
    return (b & 0x7fffffffu) > 0x7f800000u ? (b >> 16 | 0x40u) : even >> 16;
}
";

/// The generator of [`math::philox::philox`] as text.
pub(crate) const PHILOX: &str = "
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
