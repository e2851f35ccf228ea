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
    /// Neighbours that a thread works on at once.
    pub lanes: u64,
    /// Are the numbers and the bias bfloat16? Each is rounded once more then.
    pub half: bool,
}

impl Finish {
    /// `aligned`: do the result and the bias begin at multiples of 16 bytes? `half`: bfloat16, whatever the precision.
    #[must_use]
    pub fn new(
        [rows, columns, step]: [usize; 3],
        relu: bool,
        aligned: bool,
        (precision, half): (Precision, bool),
    ) -> Self {
        let lanes = 16 / precision.bytes();
        let wide = aligned && columns.is_multiple_of(lanes) && step.is_multiple_of(lanes);
        let lanes = if wide { lanes as u64 } else { 1 };
        Finish { rows: rows as u64, columns: columns as u64, step: step as u64, relu, lanes, half }
    }

    /// The kernel's name. Its parameters: the result's first number; the bias, or null; rows, columns and step, 64 bits each;
    /// 32 bits that are not 0 to rectify.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match (self.half, self.lanes > 1) {
            (false, false) => "gmpc_finish",
            (false, true) => "gmpc_finish_wide",
            (true, false) => "gmpc_finish_half",
            (true, true) => "gmpc_finish_half_wide",
        }
    }

    /// Blocks, and the threads of a block: along a row, and rows.
    #[must_use]
    pub fn grid(&self) -> (u32, [u32; 2]) {
        let along = (self.columns / self.lanes).clamp(1, u64::from(THREADS)).next_power_of_two();
        let along = u32::try_from(along).unwrap_or(THREADS);
        let rows = THREADS / along;
        let blocks = self.rows.div_ceil(u64::from(rows)).clamp(1, MOST_BLOCKS);
        (u32::try_from(blocks).unwrap_or(1), [along, rows])
    }
}

/// The kernels; they need what every source begins with. Those of bfloat16 where `half` says so, which need what a source has that
/// asks for the feature `Halves`.
#[must_use]
pub fn source(precision: Precision, half: bool) -> String {
    let lanes = 16 / precision.bytes();
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
    if half {
        let at = "            const unsigned long long at = row * step + column;\n";
        let one = "            const float sum = bias ? widened_one(c, at) + widened_one(bias, column) : widened_one(c, at);\n            \
                   put_one(c, at, relu && sum < 0 ? 0 : sum);\n";
        let many = many("widened(c, at)", "widened(bias, column)", "put(c, at, v)");
        text += &kernel("gmpc_finish_half", precision, 1, &(at.to_string() + one));
        text += &kernel("gmpc_finish_half_wide", precision, lanes, &(at.to_string() + &many));
    }
    text
}

/// One of them, with what it does for numbers of a row from `column` on.
fn kernel(name: &str, precision: Precision, lanes: usize, body: &str) -> String {
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

/// A source of its own, to be checked; of bfloat16 too in single precision.
#[must_use]
pub fn alone(precision: Precision) -> String {
    let half = precision == Precision::F32;
    let mut features = super::source::Features::default();
    if half {
        features.add(super::source::Feature::Halves);
    }
    features.text(precision) + &source(precision, half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_threads_and_wide_ones_only_where_16_bytes_fit() {
        let (single, double, half) = ((Precision::F32, false), (Precision::F64, false), (Precision::F32, true));
        let finish = Finish::new([1024, 128, 128], true, true, single);
        assert_eq!((finish.name(), finish.grid()), ("gmpc_finish_wide", (128, [32, 8])));
        let odd = Finish::new([1024, 127, 127], true, true, single);
        assert_eq!((odd.name(), odd.grid()), ("gmpc_finish", (512, [128, 2])));
        assert_eq!(Finish::new([8, 128, 130], false, true, single).lanes, 1);
        assert_eq!(Finish::new([8, 128, 128], false, false, double).lanes, 1);
        assert_eq!(Finish::new([8, 128, 128], false, true, half).name(), "gmpc_finish_half_wide");
        assert_eq!(Finish::new([8, 127, 127], false, true, half).name(), "gmpc_finish_half");
        let huge = Finish::new([1 << 30, 1000, 1000], false, true, double);
        assert_eq!(huge.grid(), (8192, [256, 1]));
    }
}
