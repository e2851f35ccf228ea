//! Times of large matmuls of all shapes and transpositions, compared with the CPU's peak.
//!
//! `cargo bench -p gmpc-kernels --bench matmul [-- THREADS [VARIANT]]`, with VARIANT `avx512`, `avx2` or `portable`. Each line:
//! the shape m x n x k, which operands are transposed (`nn`, `tn`: A, `nt`: B), the fastest time in microseconds, GFLOP/s, and
//! those of the kernel for small matmuls on one thread. `benches/matmul.py` prints the same lines for PyTorch.

use gmpc_kernels::matmul::{Matrix, Product, multiply, workspace};
use gmpc_kernels::workers::Workers;
use gmpc_kernels::{Variant, matmul_f32, peak_gflops};
use gmpc_math::Precision;
use std::time::Instant;

/// m, n, k: squares, then tall and flat ones, then those of `mlp_300` and of `mlp_2048` with their gradients.
const SHAPES: [[usize; 3]; 22] = [
    [64, 64, 64],
    [96, 96, 96],
    [128, 128, 128],
    [192, 192, 192],
    [256, 256, 256],
    [384, 384, 384],
    [512, 512, 512],
    [1024, 1024, 1024],
    [4096, 64, 256],
    [4096, 16, 512],
    [64, 4096, 256],
    [16, 4096, 512],
    [256, 256, 8192],
    [1024, 1024, 32],
    [64, 300, 784],
    [784, 300, 64],
    [64, 128, 3136],
    [512, 2048, 1024],
    [1024, 2048, 512],
    [1000, 1000, 1000],
    [2048, 2048, 2048],
    [4096, 4096, 4096],
];

/// Seconds for each shape at least, and calls of which the fastest counts.
const SECONDS: f64 = 0.05;
const CALLS: usize = 3;
/// Multiply-adds up to which the kernel for small matmuls is timed beside.
const MOST_SMALL: usize = 1 << 27;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let threads = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(2);
    let variant = match arguments.get(1).map(String::as_str) {
        Some("avx2") => Variant::Avx2,
        Some("portable") => Variant::Portable,
        Some("avx512") => Variant::Avx512,
        _ => Variant::best(),
    };
    assert!(Variant::all().contains(&variant), "this CPU has no {variant:?}");
    let workers = Workers::new(threads);
    println!("# {threads} threads, {variant:?}, peak {:.0} GFLOP/s a core", peak_gflops(Precision::F32));
    for shape in SHAPES {
        for how in ["nn", "tn", "nt"] {
            line(shape, how, variant, &workers);
        }
    }
}

/// Times one product.
fn line([m, n, k]: [usize; 3], how: &str, variant: Variant, workers: &Workers) {
    let (a, b, mut c) = (vec![0.5_f32; m * k], vec![0.25_f32; k * n], vec![0.0_f32; m * n]);
    let mut memory = vec![0.0_f32; workspace::<f32>(variant, workers.threads())];
    let [a_rows, a_columns] = if how == "tn" { [1, m] } else { [k, 1] };
    let [b_rows, b_columns] = if how == "nt" { [1, k] } else { [n, 1] };
    let product = Product {
        shape: [m, n, k],
        a: Matrix { at: a.as_ptr(), rows: a_rows, columns: a_columns },
        b: Matrix { at: b.as_ptr(), rows: b_rows, columns: b_columns },
        c: c.as_mut_ptr(),
        c_rows: n,
        bias: std::ptr::null(),
        relu: false,
    };
    let null = std::ptr::null();
    // SAFETY: the vectors hold m k, k n and m n numbers; this CPU has the variant.
    let large = fastest(|| unsafe { multiply(variant, &product, memory.as_mut_ptr(), workers) });
    let small = matmul_f32(variant);
    // SAFETY: as above.
    let mut call = || unsafe {
        small(m, n, k, a.as_ptr(), a_rows, a_columns, b.as_ptr(), b_rows, b_columns, product.c, n, null, 0);
    };
    let small = if m * n * k > MOST_SMALL { f64::NAN } else { fastest(&mut call) };
    let rate = |seconds: f64| 2.0 * (m * n * k) as f64 / seconds / 1e9;
    println!("{m} {n} {k} {how} {:.1} {:.1} small {:.1}", large * 1e6, rate(large), rate(small));
}

/// Seconds of the fastest of some calls.
fn fastest(mut call: impl FnMut()) -> f64 {
    call();
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    for round in 0.. {
        let start = Instant::now();
        call();
        best = best.min(start.elapsed().as_secs_f64());
        if round >= CALLS && begin.elapsed().as_secs_f64() > SECONDS {
            break;
        }
    }
    best
}
