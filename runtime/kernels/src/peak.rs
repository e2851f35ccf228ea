//! What this processor can reach: the yardstick for `gmpc bench`.

use super::{Variant, product_f32, product_f64};
use gmpc_math::Precision;
use std::time::Instant;

/// Rows, columns and depth of the measured product: its operands fit the first-level cache together.
const SHAPE: (usize, usize, usize) = (24, 64, 64);
/// Products in a timed block, and blocks.
const PRODUCTS: u32 = 200;
const BLOCKS: u32 = 40;

/// GFLOP/s of the fastest product kernel on one core with its operands in the first-level cache, the best of several
/// blocks (about 10 ms in all). A few percent below what the arithmetic units alone could do.
#[must_use]
pub fn peak_gflops(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => best(0.5_f32, 0.0, product_f32(Variant::best())),
        Precision::F64 => best(0.5_f64, 0.0, product_f64(Variant::best())),
    }
}

fn best<T: Copy>(value: T, zero: T, product: super::Product<T>) -> f64 {
    let (m, n, k) = SHAPE;
    let (a, b, mut c) = (vec![value; m * k], vec![value; k * n], vec![zero; m * n]);
    let mut seconds = f64::INFINITY;
    for _ in 0..BLOCKS {
        let begin = Instant::now();
        for _ in 0..PRODUCTS {
            let (a, b) = (std::hint::black_box(a.as_ptr()), b.as_ptr());
            // SAFETY: a, b and c hold m k, k n and m n numbers, rows side by side; there is no bias; `product` is the
            // kernel of `Variant::best`, whose instructions this processor has.
            unsafe { product(m, n, k, a, k, 1, b, n, 1, c.as_mut_ptr(), n, std::ptr::null(), 0) };
        }
        seconds = seconds.min(begin.elapsed().as_secs_f64());
    }
    #[allow(clippy::cast_precision_loss)] // a few hundred thousand
    let flops = (2 * m * n * k) as f64 * f64::from(PRODUCTS);
    flops / seconds / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_measured_in_both_precisions() {
        for precision in [Precision::F32, Precision::F64] {
            let peak = peak_gflops(precision);
            assert!(peak.is_finite() && peak > 0.01, "{peak} GFLOP/s");
        }
    }
}
