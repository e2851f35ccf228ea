//! The peak speed of this CPU and of its memory, to which `gmpc bench` compares.

use super::workers::Workers;
use super::{Variant, matmul_f32, matmul_f64};
use gmpc_math::Precision;
use std::time::Instant;

/// Rows, columns and depth of the measured matmul: all its operands fit the L1 cache.
const SHAPE: (usize, usize, usize) = (24, 64, 64);
/// Matmuls in a timed block, and the number of blocks.
const PRODUCTS: u32 = 200;
const BLOCKS: u32 = 40;

/// GFLOP/s of the fastest matmul kernel on one core with its operands in the L1 cache: the best of several blocks (about
/// 10 ms in all). The arithmetic units alone could do a few percent more.
#[must_use]
pub fn peak_gflops(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => best(0.5_f32, 0.0, matmul_f32(Variant::best())),
        Precision::F64 => best(0.5_f64, 0.0, matmul_f64(Variant::best())),
    }
}

/// Numbers of each of the two arrays that the memory is measured with, 64 MB: more than most caches hold.
const NUMBERS: usize = 1 << 24;
/// Numbers of a task, and rounds of which the fastest counts.
const TASK: usize = 1 << 18;
const ROUNDS: usize = 5;

/// GB/s that so many threads read and write together, outside the caches: numbers of one array, changed, go to another. What
/// the CPU reads because it writes there does not count.
#[must_use]
pub fn peak_gbps(threads: usize) -> f64 {
    let workers = Workers::new(threads);
    let (from, mut to) = (vec![1.0_f32; NUMBERS], vec![0.0_f32; NUMBERS]);
    let mut seconds = f64::INFINITY;
    for _ in 0..ROUNDS {
        // Each task has a part of the array for itself; the lock is taken once.
        let parts: Vec<std::sync::Mutex<&mut [f32]>> = to.chunks_mut(TASK).map(std::sync::Mutex::new).collect();
        let begin = Instant::now();
        workers.run(parts.len(), |task, _| {
            let Ok(mut part) = parts[task].lock() else { return };
            for (to, from) in part.iter_mut().zip(&from[task * TASK..]) {
                *to = from * 2.0;
            }
        });
        seconds = seconds.min(begin.elapsed().as_secs_f64());
    }
    std::hint::black_box(&to);
    8.0 * NUMBERS as f64 / seconds / 1e9
}

fn best<T: Copy>(value: T, zero: T, product: super::MatMul<T>) -> f64 {
    let (m, n, k) = SHAPE;
    let (a, b, mut c) = (vec![value; m * k], vec![value; k * n], vec![zero; m * n]);
    let mut seconds = f64::INFINITY;
    for _ in 0..BLOCKS {
        let begin = Instant::now();
        for _ in 0..PRODUCTS {
            let (a, b) = (std::hint::black_box(a.as_ptr()), b.as_ptr());
            // SAFETY: a, b and c hold m k, k n and m n numbers with contiguous rows. The bias is null. `product` is the
            // kernel of `Variant::best`, whose instructions this CPU has.
            unsafe { product(m, n, k, a, k, 1, b, n, 1, c.as_mut_ptr(), n, std::ptr::null(), 0) };
        }
        seconds = seconds.min(begin.elapsed().as_secs_f64());
    }
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

    #[test]
    fn the_speed_of_memory_is_measured() {
        let peak = peak_gbps(2);
        assert!(peak.is_finite() && peak > 0.01, "{peak} GB/s");
    }
}
