//! Separate epilogues: bias and ReLU after a library call, if the library does not compute them.
//!
//! A block covers several rows. Threads lie side by side along a row, with 16 bytes each if alignment permits. Blocks walk over
//! the rows in steps of the whole grid. A thread knows its row and column from its two indices, so it needs no division.

use super::draft::head;
use super::text::float;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::Dtype;

/// Threads of a block.
const THREADS: u32 = 256;
/// Limit on the number of blocks.
const MOST_BLOCKS: u64 = 8192;

/// A launch of one of the kernels in [`source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epilogue {
    /// Rows.
    pub rows: u64,
    /// Columns: numbers of a row that are changed.
    pub columns: u64,
    /// Stride from one row to the next, in numbers.
    pub step: u64,
    /// Negative results become 0; NaN stays.
    pub relu: bool,
    /// Neighbours that a thread computes at once.
    pub lanes: u64,
    /// The dtype of the numbers and the bias. A bf16 result is rounded a second time.
    pub dtype: Dtype,
}

impl Epilogue {
    /// `aligned`: do the result and the bias begin at multiples of 16 bytes? Sizes are rows, columns and the stride of rows.
    #[must_use]
    pub fn new([rows, columns, step]: [usize; 3], relu: bool, aligned: bool, dtype: Dtype) -> Self {
        // bf16 numbers become f32 in registers: four of them, 8 bytes, fill the same registers as 16 bytes of f32.
        let lanes = if dtype == Dtype::Bf16 { 4 } else { 16 / dtype.bytes() };
        let wide = aligned && columns.is_multiple_of(lanes) && step.is_multiple_of(lanes);
        let lanes = if wide { lanes as u64 } else { 1 };
        Epilogue { rows: rows as u64, columns: columns as u64, step: step as u64, relu, lanes, dtype }
    }

    /// The name of the kernel. Its parameters: a pointer to the result; a pointer to the bias, or null; rows, columns and step,
    /// 64 bits each; `relu`, 32 bits, not 0 for a ReLU.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match (self.dtype == Dtype::Bf16, self.lanes > 1) {
            (false, false) => "gmpc_finish",
            (false, true) => "gmpc_finish_wide",
            (true, false) => "gmpc_finish_half",
            (true, true) => "gmpc_finish_half_wide",
        }
    }

    /// The number of blocks, and the threads of a block: along a row, and rows.
    #[must_use]
    pub fn grid(&self) -> (u32, [u32; 2]) {
        let along = (self.columns / self.lanes).clamp(1, u64::from(THREADS)).next_power_of_two();
        let along = u32::try_from(along).unwrap_or(THREADS);
        let rows = THREADS / along;
        let blocks = self.rows.div_ceil(u64::from(rows)).clamp(1, MOST_BLOCKS);
        (u32::try_from(blocks).unwrap_or(1), [along, rows])
    }
}

/// The text of the kernels. It needs the types with which every source begins. `bf16` adds the kernels for bfloat16, which need
/// the functions of the feature `Bf16`.
#[must_use]
pub fn source(precision: Precision, bf16: bool) -> String {
    let lanes = 16 / precision.bytes();
    // The bias is null if there is none. `sum < 0` is false for NaN, so NaN passes the ReLU.
    let one = "            const Number sum = bias ? *at + bias[column] : *at;\n            \
               *at = relu && sum < 0 ? 0 : sum;\n";
    let many = |read: &str, bias: &str, write: &str| {
        format!(
            "            Lanes v = {read};\n            if (bias) {{\n                const Lanes b = {bias};\n                \
             #pragma unroll\n                for (int n = 0; n < {lanes}; ++n) v.n[n] = v.n[n] + b.n[n];\n            }}\n            \
             #pragma unroll\n            for (int n = 0; n < {lanes}; ++n) v.n[n] = relu && v.n[n] < 0 ? 0 : v.n[n];\n            \
             {write};\n"
        )
    };
    let at = "            Number* const at = c + row * step + column;\n";
    let single = at.to_string() + one;
    let wide = at.to_string() + &many("load(at)", "load(bias + column)", "store(at, v)");
    let mut text = kernel("gmpc_finish", precision, 1, &single) + &kernel("gmpc_finish_wide", precision, lanes, &wide);
    // The same body for bfloat16: only reads and writes differ, for sums stay single precision.
    if bf16 {
        let at = "            const unsigned long long at = row * step + column;\n";
        let one = "            const float sum = bias ? widened_one(c, at) + widened_one(bias, column) : widened_one(c, at);\n            \
                   put_one(c, at, relu && sum < 0 ? 0 : sum);\n";
        let many = many("widened(c, at)", "widened(bias, column)", "put(c, at, v)");
        text += &kernel("gmpc_finish_half", precision, 1, &(at.to_string() + one));
        text += &kernel("gmpc_finish_half_wide", precision, lanes, &(at.to_string() + &many));
    }
    text
}

/// The text of one kernel; `body` computes the numbers of a row from `column` on.
fn kernel(name: &str, precision: Precision, lanes: usize, body: &str) -> String {
    // Threads along a row take neighbouring columns, so that a warp reads neighbouring memory.
    let number = float(precision);
    let along = if lanes > 1 { format!("{lanes} * threadIdx.x") } else { "threadIdx.x".to_string() };
    let stride = if lanes > 1 { format!("{lanes} * blockDim.x") } else { "blockDim.x".to_string() };
    let body = body.replace("Number", number);
    format!(
        "
// What follows a product of a library.
{}
{name}(
    {number}* __restrict__ c,
    const {number}* __restrict__ bias,
    unsigned long long rows,
    unsigned long long columns,
    unsigned long long step,
    unsigned relu)
{{
    const unsigned long long all = (unsigned long long)gridDim.x * blockDim.y;
    unsigned long long row = (unsigned long long)blockIdx.x * blockDim.y + threadIdx.y;
    for (; row < rows; row += all)
        for (unsigned long long column = {along}; column < columns; column += {stride}) {{
{body}        }}
}}
",
        head(THREADS)
    )
}

/// A complete source with only these kernels, so that tests can compile it. Single precision includes bfloat16.
#[must_use]
pub fn alone(precision: Precision) -> String {
    let bf16 = precision == Precision::F32;
    let mut features = super::source::Features::default();
    if bf16 {
        features.add(super::source::Feature::Bf16);
    }
    features.text(precision) + &source(precision, bf16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_threads_and_wide_ones_only_where_16_bytes_fit() {
        let (single, double, bf16) = (Dtype::F32, Dtype::F64, Dtype::Bf16);
        let epilogue = Epilogue::new([1024, 128, 128], true, true, single);
        assert_eq!((epilogue.name(), epilogue.grid()), ("gmpc_finish_wide", (128, [32, 8])));
        let odd = Epilogue::new([1024, 127, 127], true, true, single);
        assert_eq!((odd.name(), odd.grid()), ("gmpc_finish", (512, [128, 2])));
        assert_eq!(Epilogue::new([8, 128, 130], false, true, single).lanes, 1);
        assert_eq!(Epilogue::new([8, 128, 128], false, false, double).lanes, 1);
        assert_eq!(Epilogue::new([8, 128, 128], false, true, bf16).name(), "gmpc_finish_half_wide");
        assert_eq!(Epilogue::new([8, 127, 127], false, true, bf16).name(), "gmpc_finish_half");
        let huge = Epilogue::new([1 << 30, 1000, 1000], false, true, double);
        assert_eq!(huge.grid(), (8192, [256, 1]));
    }
}
