//! Every variant is compared with a plain loop in f64, on shapes with and without full tiles, with every kind of stride.

use super::{Variant, matmul_f32, matmul_f64};

/// Numbers without a pattern, in [-1, 1).
fn numbers(count: usize, seed: u32) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

const SHAPES: [[usize; 3]; 12] = [
    [64, 100, 13],
    [13, 100, 64],
    [1, 1, 1],
    [7, 1, 9],
    [1, 33, 5],
    [6, 64, 128],
    [5, 65, 129],
    [12, 31, 300],
    [3, 200, 2],
    [37, 17, 260],
    [100, 100, 100],
    [2, 127, 1],
];

/// The largest error over all shapes and layouts, relative to the sum of the magnitudes.
macro_rules! worst_error {
    ($product:expr, $float:ty) => {{
        let mut worst: f64 = 0.0;
        for ([m, n, k], layout) in SHAPES.into_iter().flat_map(|s| (0..16).map(move |l| (s, l))) {
            let a: Vec<$float> = numbers(m * k, 1).into_iter().map(|x| x as $float).collect();
            let b: Vec<$float> = numbers(k * n, 2).into_iter().map(|x| x as $float).collect();
            let (ar, ac) = if layout & 1 == 0 { (k, 1) } else { (1, m) };
            let (br, bc) = if layout & 2 == 0 { (n, 1) } else { (1, k) };
            let bias: Vec<$float> = numbers(n, 3).into_iter().map(|x| x as $float).collect();
            let (with_bias, relu) = (layout & 4 != 0, layout & 8 != 0);
            let added = if with_bias { bias.as_ptr() } else { std::ptr::null() };
            let mut c = vec![<$float>::NAN; m * n + 1];
            // SAFETY: this CPU has the variant. The vectors have m k, k n, m n (plus one) and n elements.
            unsafe {
                $product(m, n, k, a.as_ptr(), ar, ac, b.as_ptr(), br, bc, c.as_mut_ptr(), n, added, usize::from(relu))
            };
            assert!(c[m * n].is_nan(), "wrote beyond the end");
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let term = |p: usize| f64::from(a[i * ar + p * ac]) * f64::from(b[p * br + j * bc]);
                let (exact, size) = (0..k).fold((0.0, 0.0), |(s, t), p| (s + term(p), t + term(p).abs()));
                let exact = if with_bias { exact + f64::from(bias[j]) } else { exact };
                let (exact, size) = (if relu { exact.max(0.0) } else { exact }, size + 1.0);
                let error = (f64::from(c[i * n + j]) - exact).abs() / size;
                assert!(error.is_finite(), "{m} x {n} x {k}, layout {layout}: element {i}, {j}");
                worst = worst.max(error);
            }
        }
        worst
    }};
}

#[test]
fn a_relu_lets_nan_through() {
    for variant in Variant::all() {
        let (a, b, mut c) = ([f32::NAN, 1.0], [1.0_f32; 3], [0.0_f32; 6]);
        let product = matmul_f32(variant);
        // SAFETY: a is 2 x 1, b is 1 x 3, c is 2 x 3; this CPU has the variant.
        unsafe { product(2, 3, 1, a.as_ptr(), 1, 1, b.as_ptr(), 3, 1, c.as_mut_ptr(), 3, std::ptr::null(), 1) };
        assert!(c[..3].iter().all(|x| x.is_nan()) && c[3..] == [1.0; 3], "{variant:?}: {c:?}");
    }
}

#[test]
fn every_variant_agrees_with_a_plain_loop() {
    for variant in Variant::all() {
        let single = worst_error!(matmul_f32(variant), f32);
        assert!(single < 2e-6, "{variant:?}: {single:e}");
        let double = worst_error!(matmul_f64(variant), f64);
        assert!(double < 4e-15, "{variant:?}: {double:e}");
    }
}
