//! Large matmuls of every variant beside sums in f64: sizes with and without full tiles, every kind of stride, offset addresses.

use super::{Matrix, Multiplied, Product, multiply, workspace};
use crate::Variant;
use crate::workers::Workers;

/// Numbers without a pattern, in [-1, 1).
fn numbers(count: usize, seed: u32) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn wide<T: Into<f64>>(number: T) -> f64 {
    number.into()
}

/// Tails of tiles, of vectors, of blocks of k and of blocks of rows.
const SHAPES: [[usize; 3]; 16] = [
    [1, 1, 1],
    [2, 3, 0],
    [64, 100, 13],
    [13, 100, 64],
    [7, 1, 9],
    [1, 33, 5],
    [14, 32, 256],
    [15, 33, 257],
    [29, 31, 300],
    [3, 200, 2],
    [37, 17, 260],
    [100, 100, 100],
    [337, 5, 3],
    [350, 66, 520],
    [5, 130, 1030],
    [2, 127, 1],
];

/// The rows and columns of a matrix in memory: contiguous rows, contiguous columns, neither.
fn strides([rows, columns]: [usize; 2], how: usize) -> [usize; 2] {
    [[columns, 1], [1, rows], [2 * columns + 1, 2]][how]
}

fn extent([rows, columns]: [usize; 2], [row, column]: [usize; 2]) -> usize {
    if rows == 0 || columns == 0 { 1 } else { (rows - 1) * row + (columns - 1) * column + 1 }
}

/// One case: a shape, the strides of A and B, bias, ReLU.
#[derive(Clone, Copy, Debug)]
struct Case {
    shape: [usize; 3],
    a: usize,
    b: usize,
    bias: bool,
    relu: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Case> {
        SHAPES.into_iter().flat_map(|shape| {
            (0..9).map(move |i| Case { shape, a: i % 3, b: i / 3, bias: i % 2 == 1, relu: i % 4 == 1 })
        })
    }

    /// The result by the kernel, with a number more that it must leave alone, and by sums in f64 with their magnitudes.
    fn run<T: Multiplied + Into<f64>>(self, variant: Variant, threads: usize) -> (Vec<T>, Vec<[f64; 2]>) {
        let [m, n, k] = self.shape;
        let ([ar, ac], [br, bc]) = (strides([m, k], self.a), strides([k, n], self.b));
        // One number before the first element, so that no address is aligned to more than a number.
        let values = |count: usize, seed| -> Vec<T> { numbers(count + 1, seed).into_iter().map(T::from_f64).collect() };
        let (a, b) = (values(extent([m, k], [ar, ac]), 1), values(extent([k, n], [br, bc]), 2));
        let bias = values(n, 3);
        let c_rows = n + 3;
        let mut c = vec![T::from_f64(f64::NAN); m * c_rows + 1];
        let workers = Workers::new(threads);
        let mut memory = vec![T::default(); workspace::<T>(variant, workers.threads())];
        let product = Product {
            shape: self.shape,
            a: Matrix { at: a[1..].as_ptr(), rows: ar, columns: ac },
            b: Matrix { at: b[1..].as_ptr(), rows: br, columns: bc },
            c: c[1..].as_mut_ptr(),
            c_rows,
            bias: if self.bias { bias[1..].as_ptr() } else { std::ptr::null() },
            relu: self.relu,
        };
        // SAFETY: this CPU has the variant. The vectors have the extents of their matrices, and none overlaps another.
        unsafe { multiply(variant, &product, memory.as_mut_ptr(), &workers) };
        let exact = (0..m * n).map(|at| {
            let (i, j) = (at / n, at % n);
            let term = |p: usize| wide(a[1 + i * ar + p * ac]) * wide(b[1 + p * br + j * bc]);
            let (sum, size) = (0..k).fold((0.0, 0.0), |(s, t), p| (s + term(p), t + term(p).abs()));
            let sum = if self.bias { sum + wide(bias[1 + j]) } else { sum };
            [if self.relu { sum.max(0.0) } else { sum }, size + 1.0]
        });
        let exact = exact.collect();
        (c, exact)
    }

    /// The largest error of a result, relative to the sum of the magnitudes of its terms.
    fn error<T: Multiplied + Into<f64>>(self, variant: Variant) -> f64 {
        let [m, n, _] = self.shape;
        let (c, exact) = self.run::<T>(variant, 1);
        let mut worst = 0.0_f64;
        for i in 0..m {
            let row = &c[1 + i * (n + 3)..][..(n + 3).min(c.len() - 1 - i * (n + 3))];
            assert!(row[n..].iter().all(|&x| wide(x).is_nan()), "{self:?}: wrote beyond row {i}");
            for j in 0..n {
                let [sum, size] = exact[i * n + j];
                let error = (wide(row[j]) - sum).abs() / size;
                assert!(error.is_finite(), "{variant:?}, {self:?}: element {i}, {j}");
                worst = worst.max(error);
            }
        }
        assert!(wide(c[0]).is_nan(), "wrote before the first row");
        worst
    }
}

#[test]
fn every_variant_agrees_with_sums_in_f64() {
    for variant in Variant::all() {
        for case in Case::all() {
            let single = case.error::<f32>(variant);
            assert!(single < 2e-6, "{variant:?}, {case:?}: {single:e}");
        }
        let double = Case::all().map(|case| case.error::<f64>(variant)).fold(0.0, f64::max);
        assert!(double < 4e-15, "{variant:?}: {double:e}");
    }
}

#[test]
fn results_are_the_same_bits_with_any_number_of_threads() {
    for variant in Variant::all() {
        for shape in [[350, 66, 520], [64, 300, 784], [784, 300, 64], [40, 2000, 40]] {
            for how in 0..4 {
                let case = Case { shape, a: how % 2, b: how / 2, bias: true, relu: true };
                let bits = |threads| -> Vec<u32> {
                    case.run::<f32>(variant, threads).0.into_iter().map(f32::to_bits).collect()
                };
                let one = bits(1);
                assert!(one == bits(2) && one == bits(5), "{variant:?}, {case:?}");
            }
        }
    }
}

#[test]
fn unusual_numbers_reach_exactly_the_results_that_they_belong_to() {
    let (m, n, k) = (30, 45, 300);
    for variant in Variant::all() {
        let (mut a, mut b) = (vec![1.0_f32; m * k], vec![1.0_f32; k * n]);
        a[3 * k + 299] = f32::NAN;
        b[7 * n + 44] = f32::INFINITY;
        a[5 * k + 7] = 0.0; // 0 times infinity
        let (mut c, workers) = (vec![0.0_f32; m * n], Workers::new(1));
        let mut memory = vec![0.0_f32; workspace::<f32>(variant, 1)];
        let product = Product {
            shape: [m, n, k],
            a: Matrix { at: a.as_ptr(), rows: k, columns: 1 },
            b: Matrix { at: b.as_ptr(), rows: n, columns: 1 },
            c: c.as_mut_ptr(),
            c_rows: n,
            bias: std::ptr::null(),
            relu: true,
        };
        // SAFETY: a is m x k, b is k x n, c is m x n; this CPU has the variant.
        unsafe { multiply(variant, &product, memory.as_mut_ptr(), &workers) };
        for (at, &x) in c.iter().enumerate() {
            let right = match (at / n, at % n) {
                (3, _) | (5, 44) => x.is_nan(), // NaN passes the ReLU
                (_, 44) => x == f32::INFINITY,
                (5, _) => x == 299.0,
                _ => x == 300.0,
            };
            assert!(right, "{variant:?}: {x} at {}, {}", at / n, at % n);
        }
    }
}
