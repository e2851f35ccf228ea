//! Every variant is compared with the definition in f64, and with the other variants bit by bit.

use super::{Spherical, SphericalGrad, spherical_f32, spherical_f64, spherical_grad_f32, spherical_grad_f64};
use crate::Variant;
use crate::simd::Number;

/// Angles of a unit, and units: partial vectors, several blocks, long products, no angles.
const SHAPES: [[usize; 2]; 7] = [[12, 100], [1, 1], [3, 17], [70, 5], [700, 33], [0, 9], [4, 64]];

/// Angles around pi/2, as in training; a few exactly pi/2, some far away.
fn angles(count: usize) -> Vec<f64> {
    let wave = |i: usize| ((i * 7919 % 1009) as f64 / 1009.0 - 0.5) * if i.is_multiple_of(5) { 9.0 } else { 0.4 };
    (0..count).map(|i| std::f64::consts::FRAC_PI_2 + if i.is_multiple_of(11) { 0.0 } else { wave(i) }).collect()
}

/// Runs both kernels and returns all that they write: unit vectors, saved products, gradient.
fn both<T: Number>(shape: [usize; 2], cuts: &[usize], kernels: (Spherical<T>, SphericalGrad<T>)) -> [Vec<T>; 3] {
    let [n, units] = shape;
    let of = |values: Vec<f64>| values.into_iter().map(T::from_f64).collect::<Vec<T>>();
    let theta = of(angles(n * units));
    let g = of((0..(n + 1) * units).map(|i| (i * 104_729 % 1013) as f64 / 1013.0 - 0.5).collect());
    let fresh = |rows: usize| vec![T::from_f64(f64::NAN); rows * units];
    let (mut u, mut gradient) = (fresh(n + 1), fresh(n));
    let mut saved = fresh(gmpc_math::spherical::saved(n));
    for range in cuts.windows(2) {
        let (first, end) = (range[0], range[1]);
        let p = saved.as_mut_ptr();
        // SAFETY: the arrays have n or n + 1 rows of `units` numbers; `saved` has as many rows as `spherical::saved` says.
        // The kernels are of a variant that this CPU has.
        unsafe {
            kernels.0(n, units, first, end, theta.as_ptr(), u.as_mut_ptr(), p);
            kernels.1(n, units, first, end, theta.as_ptr(), p, g.as_ptr(), gradient.as_mut_ptr());
        }
    }
    [u, saved, gradient]
}

fn bits<T: Number + Into<f64>>(found: &[Vec<T>; 3]) -> Vec<u64> {
    found.iter().flatten().map(|&x| x.into().to_bits()).collect()
}

/// The unit vector by its definition, and the gradient by the chain rule, both from rounded angles.
fn expected(n: usize, units: usize, unit: usize, theta: &[f64], g: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let at = |k: usize| k * units + unit;
    let mut prefix = vec![1.0; n + 1];
    (0..n).for_each(|k| prefix[k + 1] = prefix[k] * theta[at(k)].sin());
    let u: Vec<f64> = (0..=n).map(|k| prefix[k] * if k < n { theta[at(k)].cos() } else { 1.0 }).collect();
    let mut gradient = vec![0.0; n];
    let mut suffix = g[at(n)];
    for k in (0..n).rev() {
        let (sine, cosine) = theta[at(k)].sin_cos();
        gradient[k] = prefix[k] * (cosine * suffix - g[at(k)] * sine);
        suffix = g[at(k)] * cosine + sine * suffix;
    }
    (u, gradient)
}

fn check<T: Number + Into<f64>>(of: impl Fn(Variant) -> (Spherical<T>, SphericalGrad<T>), tolerance: f64) {
    for shape @ [n, units] in SHAPES {
        let whole = both(shape, &[0, units], of(Variant::Portable));
        let round = |values: Vec<f64>| -> Vec<f64> { values.into_iter().map(|x| T::from_f64(x).into()).collect() };
        let theta = round(angles(n * units));
        let g = round((0..(n + 1) * units).map(|i| (i * 104_729 % 1013) as f64 / 1013.0 - 0.5).collect());
        for unit in 0..units {
            let (u, gradient) = expected(n, units, unit, &theta, &g);
            for (row, exact) in u.iter().enumerate() {
                let error = (whole[0][row * units + unit].into() - exact).abs();
                assert!(error <= tolerance, "{shape:?}: u[{row}, {unit}] is off by {error:e}");
            }
            for (row, exact) in gradient.iter().enumerate() {
                let error = (whole[2][row * units + unit].into() - exact).abs();
                assert!(error <= 40.0 * tolerance, "{shape:?}: gradient[{row}, {unit}] is off by {error:e}");
            }
        }
        for variant in Variant::all() {
            for cuts in [vec![0, units], vec![0, units / 3, units]] {
                assert_eq!(bits(&both(shape, &cuts, of(variant))), bits(&whole), "{shape:?}, {variant:?}, {cuts:?}");
            }
        }
    }
}

#[test]
fn single_precision_is_accurate_and_the_same_bits_everywhere() {
    check(|variant| (spherical_f32(variant), spherical_grad_f32(variant)), 4e-7);
}

#[test]
fn double_precision_is_accurate_and_the_same_bits_everywhere() {
    check(|variant| (spherical_f64(variant), spherical_grad_f64(variant)), 1e-15);
}

#[test]
fn thousands_of_angles_keep_the_length_of_unit_vectors() {
    let shape @ [n, units] = [4607, 16];
    let found = both(shape, &[0, units], (spherical_f32(Variant::best()), spherical_grad_f32(Variant::best())));
    for unit in 0..units {
        let length: f64 = (0..=n).map(|row| f64::from(found[0][row * units + unit]).powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-6, "unit {unit} has squared length {length}");
    }
}
