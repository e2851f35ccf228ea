//! Matmuls and convolutions as generated kernels, for shapes that no algorithm of a library supports. They are correct and
//! deterministic, but slow.
//!
//! Every sum is double precision. One thread computes one number. One warp computes the gradient at a weight of a filter, which
//! is a sum over all pixels. Sizes are constants in the text, so the parameters of a kernel are pointers only.

use super::source::{Feature, Features};
use super::text::float;
use crate::launch::{Convolution, Kernel, MatMul, Operand, Region, Work};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::internal::internal_error;
use gmpc_compiler::ir::kernels::{Dtype, Pass};

/// Threads of a block.
const THREADS: usize = 256;
/// Threads of a warp.
const WARP: usize = 32;
/// The name of the kernel.
const NAME: &str = "gmpc_plain";

/// A source with one kernel, and its launch.
#[derive(Debug, Clone, PartialEq)]
pub struct Plain {
    /// The source, to be compiled with the options of every source.
    pub source: String,
    /// The launch. Its arguments are the operands, then the bias if there is one, then the result.
    pub kernel: Kernel,
}

/// The kernel that replaces a library call, with bias and ReLU. `None` for work that no library computes.
#[must_use]
pub fn plain(work: &Work, precision: Precision) -> Option<Plain> {
    match work {
        Work::Kernel(_) => None,
        Work::MatMul(product) => Some(self::matmul(product, precision)),
        Work::Convolution(convolution) => Some(self::convolution(convolution, precision)),
    }
}

fn matmul(product: &MatMul, precision: Precision) -> Plain {
    let MatMul { m, n, k, a, b, c, bias, relu, .. } = product;
    let (left, right) = (place(a, ["i", "l"]), place(b, ["l", "j"]));
    let terms = format!(
        "    for (long long l = 0; l < {k}; ++l)\n        sum += (double){} * {};\n",
        read("a", &left, a.region.dtype),
        read("b", &right, b.region.dtype)
    );
    let place_of = |bias: &Operand| format!("{} + j * {}", bias.offset, bias.columns);
    let epilogue = Epilogue { bias: bias.as_ref().map(place_of), relu: *relu, dtype: c.region.dtype };
    let body = format!("    const long long i = at / {n}, j = at % {n};\n{}", counted(&terms))
        + &epilogue.text(&place(c, ["i", "j"]), precision);
    let regions = [a.region, b.region].into_iter().chain(bias.map(|bias| bias.region)).chain([c.region]);
    finished(&body, m * n, 1, regions.collect(), bias.is_some(), precision)
}

/// The index of an operand's element in memory.
fn place(operand: &Operand, [row, column]: [&str; 2]) -> String {
    format!("{} + {row} * {} + {column} * {}", operand.offset, operand.rows, operand.columns)
}

fn convolution(shape: &Convolution, precision: Precision) -> Plain {
    let ([batch, height, width, channels], [.., units]) = (shape.images, shape.result);
    let window = shape.window.area();
    let (count, threads, body) = match shape.pass {
        Pass::Forward => (batch * shape.result.iter().product::<usize>(), 1, forward(shape)),
        Pass::BackwardData => (batch * height * width * channels, 1, input(shape)),
        Pass::BackwardFilter => (units * window * channels, WARP, weight(shape)),
    };
    let bias = shape.bias.map(|_| format!("at % {units}"));
    let body = body + &Epilogue { bias, relu: shape.relu, dtype: shape.c.dtype }.text("at", precision);
    let regions = [shape.a, shape.b].into_iter().chain(shape.bias).chain([shape.c]);
    finished(&body, count, threads, regions.collect(), shape.bias.is_some(), precision)
}

/// The body for one number of the result: a sum over the window and the channels.
fn forward(shape: &Convolution) -> String {
    let ([_, height, width, channels], [rows, columns, units]) = (shape.images, shape.result);
    let ([kh, kw], [sh, sw], [up, left]) = (shape.window.kernel, shape.window.stride, shape.window.before);
    let (x, w) = (read("a", "image + channel", shape.a.dtype), read("b", "filter + channel", shape.b.dtype));
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

/// The body for the gradient at one channel of a pixel: a sum over the windows that contain the pixel, and the units.
fn input(shape: &Convolution) -> String {
    let ([_, height, width, channels], [rows, columns, units]) = (shape.images, shape.result);
    let ([kh, kw], [sh, sw], [up, left]) = (shape.window.kernel, shape.window.stride, shape.window.before);
    let dy = read("a", "result + u", shape.a.dtype);
    let w = read("b", &format!("((u * {kh} + ky) * {kw} + kx) * {channels} + channel"), shape.b.dtype);
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

/// The body for the gradient at one weight of a filter: a sum over all pixels of the result, shared by the lanes of a warp.
fn weight(shape: &Convolution) -> String {
    let ([batch, height, width, channels], [rows, columns, units]) = (shape.images, shape.result);
    let ([kh, kw], [sh, sw], [up, left]) = (shape.window.kernel, shape.window.stride, shape.window.before);
    let x = read("a", &format!("((n * {height} + row) * {width} + column) * {channels} + channel"), shape.a.dtype);
    let dy = read("b", &format!("pixel * {units} + u"), shape.b.dtype);
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

fn read(name: &str, at: &str, dtype: Dtype) -> String {
    if dtype == Dtype::Bf16 { format!("widened_one({name}, {at})") } else { format!("{name}[{at}]") }
}

/// What a kernel computes after the sum.
struct Epilogue {
    /// The index of the bias to be added.
    bias: Option<String>,
    relu: bool,
    /// The dtype of result and bias.
    dtype: Dtype,
}

impl Epilogue {
    fn text(&self, at: &str, precision: Precision) -> String {
        let number = float(precision);
        let mut text = format!("    {number} value = ({number})sum;\n");
        if let Some(place) = &self.bias {
            text += &format!("    value = value + {};\n", read("bias", place, self.dtype));
        }
        if self.relu {
            text += "    if (value < 0) value = 0;\n"; // NaN stays NaN: the comparison is false
        }
        let narrow = self.dtype == Dtype::Bf16;
        text + &if narrow { format!("    put_one(c, {at}, value);\n") } else { format!("    c[{at}] = value;\n") }
    }
}

/// A source with one kernel for `count` results; `threads` threads compute each result.
fn finished(
    body: &str,
    count: usize,
    threads: usize,
    arguments: Vec<Region>,
    bias: bool,
    precision: Precision,
) -> Plain {
    // A block holds several results. Whole groups of threads leave at the end, so that a warp never shuffles with a lane that
    // is gone.
    let number = float(precision);
    let each = THREADS / threads;
    let at = if threads > 1 { format!("threadIdx.x / {threads}") } else { "threadIdx.x".to_string() };
    let bias = if bias { format!("const {number}* bias, ") } else { String::new() };
    // Operands may be bfloat16 only in programs of single precision.
    let mut features = Features::default();
    if precision == Precision::F32 {
        features.add(Feature::Bf16);
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
    let Ok(blocks) = u32::try_from(count.div_ceil(each)) else {
        internal_error("cuda.emit", "more blocks than a grid has", source)
    };
    let grid = [blocks, 1, 1];
    #[expect(clippy::cast_possible_truncation, reason = "a block has at most 1024 threads")]
    let block = [THREADS as u32, 1, 1];
    Plain { source, kernel: Kernel { name: NAME.to_string(), grid, block, shared_bytes: 0, arguments } }
}
