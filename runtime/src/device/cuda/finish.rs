//! What follows a library's product: a bias, and negative numbers made zero.

use gmpc_compiler::experiment::Precision;

/// The name of the kernel in [`source`].
pub(super) const NAME: &str = "gmpc_finish";
/// Threads of a block.
pub(super) const THREADS: u32 = 256;
/// Blocks at most; each thread goes on in steps of all threads.
const MOST_BLOCKS: u32 = 4096;

/// A kernel that adds `bias[column]` (unless null) to `rows` rows of `columns` numbers, `step` numbers apart, and makes
/// negative results 0 where `relu` is not 0. NaN stays.
pub(super) fn source(precision: Precision) -> String {
    let number = match precision {
        Precision::F32 => "float",
        Precision::F64 => "double",
    };
    format!(
        r#"
// What follows a product of a library.
extern "C" __global__ void __launch_bounds__({THREADS})
{NAME}({number} *c, const {number} *bias, unsigned long long rows, unsigned long long columns,
       unsigned long long step, unsigned int relu) {{
    unsigned long long all = rows * columns, stride = (unsigned long long)gridDim.x * {THREADS};
    for (unsigned long long i = (unsigned long long)blockIdx.x * {THREADS} + threadIdx.x; i < all; i += stride) {{
        unsigned long long row = i / columns, column = i - row * columns;
        {number} value = c[row * step + column];
        if (bias) value = value + bias[column];
        c[row * step + column] = relu && value < ({number})0 ? ({number})0 : value;
    }}
}}
"#
    )
}

/// Blocks for so many numbers.
pub(super) fn blocks(numbers: u64) -> u32 {
    let wanted = numbers.div_ceil(u64::from(THREADS)).max(1);
    u32::try_from(wanted).unwrap_or(MOST_BLOCKS).min(MOST_BLOCKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_thread_and_the_text_its_type() {
        assert_eq!([0, 1, 256, 257, 1 << 40].map(blocks), [1, 1, 1, 2, MOST_BLOCKS]);
        assert!(source(Precision::F64).contains("double *c, const double *bias"));
        assert!(source(Precision::F32).contains("value < (float)0 ? (float)0 : value"));
    }
}
