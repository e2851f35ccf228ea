//! What follows a library's product where the library does not do it: a bias, and negative numbers made zero.
//!
//! A block has threads side by side along a row, 16 bytes each where memory permits, and several rows of them; it goes on in
//! steps of all blocks. No thread divides.

use super::draft::head;
use super::text::float;
use crate::experiment::Precision;

/// Threads of a block.
const THREADS: u32 = 256;
/// Blocks at most.
const MOST_BLOCKS: u64 = 8192;

/// A launch of one of the kernels in [`source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finish {
    /// Rows.
    pub rows: u64,
    /// Numbers of a row that are worked on.
    pub columns: u64,
    /// Numbers from one row to the next.
    pub step: u64,
    /// Negative results become 0; NaN stays.
    pub relu: bool,
    /// Does a thread work on 16 bytes at once?
    pub wide: bool,
}

impl Finish {
    /// `aligned`: do the result and the bias begin at multiples of 16 bytes?
    #[must_use]
    pub fn new([rows, columns, step]: [usize; 3], relu: bool, aligned: bool, precision: Precision) -> Self {
        let lanes = 16 / precision.bytes();
        let wide = aligned && columns.is_multiple_of(lanes) && step.is_multiple_of(lanes);
        Finish { rows: rows as u64, columns: columns as u64, step: step as u64, relu, wide }
    }

    /// The kernel's name. Its parameters: the result's first number; the bias, or null; rows, columns and step, 64 bits each;
    /// 32 bits that are not 0 to rectify.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.wide { "gmpc_finish_wide" } else { "gmpc_finish" }
    }

    /// Blocks, and the threads of a block: along a row, and rows.
    #[must_use]
    pub fn grid(&self, precision: Precision) -> (u32, [u32; 2]) {
        let lanes = if self.wide { 16 / precision.bytes() as u64 } else { 1 };
        let along = (self.columns / lanes).clamp(1, u64::from(THREADS)).next_power_of_two();
        let along = u32::try_from(along).unwrap_or(THREADS);
        let rows = THREADS / along;
        let blocks = self.rows.div_ceil(u64::from(rows)).clamp(1, MOST_BLOCKS);
        (u32::try_from(blocks).unwrap_or(1), [along, rows])
    }
}

/// Both kernels; they need what every source begins with.
#[must_use]
pub fn source(precision: Precision) -> String {
    let (number, lanes) = (float(precision), 16 / precision.bytes());
    let kernel = |name: &str, lanes: usize, body: &str| {
        let along = if lanes > 1 { format!("{lanes} * threadIdx.x") } else { "threadIdx.x".to_string() };
        let stride = if lanes > 1 { format!("{lanes} * blockDim.x") } else { "blockDim.x".to_string() };
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
            {number}* const at = c + row * step + column;
{body}        }}
}}
",
            head(THREADS)
        )
    };
    let one = format!(
        "            const {number} sum = bias ? *at + bias[column] : *at;\n            \
         *at = relu && sum < 0 ? 0 : sum;\n"
    );
    let many = format!(
        "            Lanes v = load(at);\n            if (bias) {{\n                const Lanes b = load(bias + column);\n                \
         #pragma unroll\n                for (int n = 0; n < {lanes}; ++n) v.n[n] = v.n[n] + b.n[n];\n            }}\n            \
         #pragma unroll\n            for (int n = 0; n < {lanes}; ++n) v.n[n] = relu && v.n[n] < 0 ? 0 : v.n[n];\n            \
         store(at, v);\n"
    );
    kernel("gmpc_finish", 1, &one) + &kernel("gmpc_finish_wide", lanes, &many)
}

/// A source of its own, to be checked.
#[must_use]
pub fn alone(precision: Precision) -> String {
    super::source::Features::default().text(precision) + &source(precision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_threads_and_wide_ones_only_where_16_bytes_fit() {
        let finish = Finish::new([1024, 128, 128], true, true, Precision::F32);
        assert_eq!((finish.name(), finish.grid(Precision::F32)), ("gmpc_finish_wide", (128, [32, 8])));
        let odd = Finish::new([1024, 127, 127], true, true, Precision::F32);
        assert_eq!((odd.name(), odd.grid(Precision::F32)), ("gmpc_finish", (512, [128, 2])));
        assert!(!Finish::new([8, 128, 130], false, true, Precision::F32).wide);
        assert!(!Finish::new([8, 128, 128], false, false, Precision::F64).wide);
        let huge = Finish::new([1 << 30, 1000, 1000], false, true, Precision::F64);
        assert_eq!(huge.grid(Precision::F64), (8192, [256, 1]));
    }
}
