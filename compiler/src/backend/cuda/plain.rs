//! Products and convolutions as kernels of our own, for what a library has no algorithm for: right, the same bits every time, slow.
//!
//! Every sum is double precision. A thread computes a number; the gradient at a filter's weight, which is a sum over all pixels,
//! takes a warp. Sizes stand in the text, so that a kernel gets pointers alone.

use super::launch::{Convolution, Kernel, Operand, Product, Region, Work};
use super::source::{Feature, Features};
use super::text::float;
use crate::experiment::{Contractions, Precision};
use crate::kernels::Pass;

/// Threads of a block.
const THREADS: usize = 256;
/// Threads of a warp.
const WARP: usize = 32;
/// The kernel's name.
const NAME: &str = "gmpc_plain";

/// A source with one kernel, and its launch.
#[derive(Debug, Clone, PartialEq)]
pub struct Plain {
    /// To be compiled as every source.
    pub source: String,
    /// Its arguments are the operands, then the bias where there is one, then the result.
    pub kernel: Kernel,
}

/// What a library would do, bias and rectifier included; `None` for what no library does.
#[must_use]
pub fn plain(work: &Work, precision: Precision) -> Option<Plain> {
    match work {
        Work::Kernel(_) => None,
        Work::Product(product) => Some(self::product(product, precision)),
        Work::Convolution(convolution) => Some(self::convolution(convolution, precision)),
    }
}

fn product(product: &Product, precision: Precision) -> Plain {
    let Product { m, n, k, a, b, c, bias, relu, half, .. } = product;
    let narrow = product.contractions == Contractions::Bf16;
    let (left, right) = (place(a, ["i", "l"]), place(b, ["l", "j"]));
    let terms = format!(
        "    for (long long l = 0; l < {k}; ++l)\n        sum += (double){} * {};\n",
        read("a", &left, narrow),
        read("b", &right, narrow)
    );
    let after =
        After { bias: bias.map(|bias| format!("{} + j * {}", bias.offset, bias.columns)), relu: *relu, half: *half };
    let body = format!("    const long long i = at / {n}, j = at % {n};\n{}", counted(&terms))
        + &after.text(&place(c, ["i", "j"]), precision);
    let regions = [a.region, b.region].into_iter().chain(bias.map(|bias| bias.region)).chain([c.region]);
    finished(&body, m * n, 1, regions.collect(), bias.is_some(), precision)
}

/// Where an operand's element of a row and a column stands.
fn place(operand: &Operand, [row, column]: [&str; 2]) -> String {
    format!("{} + {row} * {} + {column} * {}", operand.offset, operand.rows, operand.columns)
}

fn convolution(shape: &Convolution, precision: Precision) -> Plain {
    let half = shape.contractions == Contractions::Bf16;
    let ([batch, height, width, channels], [.., units]) = (shape.images, shape.result);
    let window = shape.window.area();
    let (count, threads, body) = match shape.pass {
        Pass::Forward => (batch * shape.result.iter().product::<usize>(), 1, forward(shape, half)),
        Pass::Input => (batch * height * width * channels, 1, input(shape, half)),
        Pass::Weight => (units * window * channels, WARP, weight(shape, half)),
    };
    let bias = shape.bias.map(|_| format!("at % {units}"));
    let body = body + &After { bias, relu: shape.relu, half }.text("at", precision);
    let regions = [shape.a, shape.b].into_iter().chain(shape.bias).chain([shape.c]);
    finished(&body, count, threads, regions.collect(), shape.bias.is_some(), precision)
}

/// A result: the sum over its window and the channels.
fn forward(shape: &Convolution, half: bool) -> String {
    let ([_, height, width, channels], [rows, columns, units]) = (shape.images, shape.result);
    let ([kh, kw], [sh, sw], [up, left]) = (shape.window.kernel, shape.window.stride, shape.window.before);
    let (x, w) = (read("a", "image + channel", half), read("b", "filter + channel", half));
    format!(
        "    const long long u = at % {units}, x = at / {units} % {columns}, y = at / {units} / {columns} % {rows};
    const long long n = at / {units} / {columns} / {rows};
    double sum = 0;
    for (long long ky = 0; ky < {kh}; ++ky)
        for (long long kx = 0; kx < {kw}; ++kx) {{
            const long long row = y * {sh} + ky - {up}, column = x * {sw} + kx - {left};
            if (row < 0 || row >= {height} || column < 0 || column >= {width}) continue;
            const long long image = ((n * {height} + row) * {width} + column) * {channels};
            const long long filter = ((u * {kh} + ky) * {kw} + kx) * {channels};
            for (long long channel = 0; channel < {channels}; ++channel)
                sum += (double){x} * {w};
        }}
"
    )
}

/// The gradient at a pixel's channel: the sum over the windows that see it and the units.
fn input(shape: &Convolution, half: bool) -> String {
    let ([_, height, width, channels], [rows, columns, units]) = (shape.images, shape.result);
    let ([kh, kw], [sh, sw], [up, left]) = (shape.window.kernel, shape.window.stride, shape.window.before);
    let dy = read("a", "result + u", half);
    let w = read("b", &format!("((u * {kh} + ky) * {kw} + kx) * {channels} + channel"), half);
    format!(
        "    const long long channel = at % {channels}, column = at / {channels} % {width};
    const long long row = at / {channels} / {width} % {height}, n = at / {channels} / {width} / {height};
    double sum = 0;
    for (long long ky = 0; ky < {kh}; ++ky)
        for (long long kx = 0; kx < {kw}; ++kx) {{
            const long long down = row + {up} - ky, right = column + {left} - kx;
            if (down < 0 || down % {sh} != 0 || down / {sh} >= {rows}) continue;
            if (right < 0 || right % {sw} != 0 || right / {sw} >= {columns}) continue;
            const long long result = ((n * {rows} + down / {sh}) * {columns} + right / {sw}) * {units};
            for (long long u = 0; u < {units}; ++u)
                sum += (double){dy} * {w};
        }}
"
    )
}

/// The gradient at a filter's weight: the sum over all results.
fn weight(shape: &Convolution, half: bool) -> String {
    let ([batch, height, width, channels], [rows, columns, units]) = (shape.images, shape.result);
    let ([kh, kw], [sh, sw], [up, left]) = (shape.window.kernel, shape.window.stride, shape.window.before);
    let x = read("a", &format!("((n * {height} + row) * {width} + column) * {channels} + channel"), half);
    let dy = read("b", &format!("pixel * {units} + u"), half);
    let pixels = batch * rows * columns;
    format!(
        "    const long long channel = at % {channels}, kx = at / {channels} % {kw}, ky = at / {channels} / {kw} % {kh};
    const long long u = at / {channels} / {kw} / {kh};
    double sum = 0;
    for (long long pixel = threadIdx.x % {WARP}; pixel < {pixels}; pixel += {WARP}) {{
        const long long n = pixel / {columns} / {rows};
        const long long row = pixel / {columns} % {rows} * {sh} + ky - {up}, column = pixel % {columns} * {sw} + kx - {left};
        if (row < 0 || row >= {height} || column < 0 || column >= {width}) continue;
        sum += (double){x} * {dy};
    }}
    #pragma unroll
    for (int d = {WARP} / 2; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
    if (threadIdx.x % {WARP} != 0) return;
"
    )
}

fn counted(terms: &str) -> String {
    format!("    double sum = 0;\n{terms}")
}

fn read(name: &str, at: &str, half: bool) -> String {
    if half { format!("widened_one({name}, {at})") } else { format!("{name}[{at}]") }
}

/// What follows the sum.
struct After {
    /// The place of the number to be added.
    bias: Option<String>,
    relu: bool,
    /// Are result and bias bfloat16?
    half: bool,
}

impl After {
    fn text(&self, at: &str, precision: Precision) -> String {
        let number = float(precision);
        let mut text = format!("    {number} value = ({number})sum;\n");
        if let Some(place) = &self.bias {
            text += &format!("    value = value + {};\n", read("bias", place, self.half));
        }
        if self.relu {
            text += "    if (value < 0) value = 0;\n"; // no number stays none
        }
        text + &if self.half { format!("    put_one(c, {at}, value);\n") } else { format!("    c[{at}] = value;\n") }
    }
}

/// A source of one kernel for `count` results, each of so many threads.
fn finished(
    body: &str,
    count: usize,
    threads: usize,
    arguments: Vec<Region>,
    bias: bool,
    precision: Precision,
) -> Plain {
    let number = float(precision);
    let each = THREADS / threads;
    let at = if threads > 1 { format!("threadIdx.x / {threads}") } else { "threadIdx.x".to_string() };
    let bias = if bias { format!("const {number}* bias, ") } else { String::new() };
    let mut features = Features::default();
    if precision == Precision::F32 {
        features.add(Feature::Halves);
    }
    let source = features.text(precision)
        + &format!(
            "
// What no library does: {count} results.
extern \"C\" __global__ void __launch_bounds__({THREADS})
{NAME}(const {number}* a, const {number}* b, {bias}{number}* c)
{{
    const long long at = (long long)blockIdx.x * {each} + {at};
    if (at >= {count}) return;
{body}}}
"
        );
    let grid = [u32::try_from(count.div_ceil(each)).unwrap_or(u32::MAX), 1, 1];
    let block = [THREADS as u32, 1, 1];
    Plain { source, kernel: Kernel { name: NAME.to_string(), grid, block, shared_bytes: 0, arguments } }
}
