//! Compares every function with libm on dense grids, in both precisions, and checks the special values.

use super::{Machine, cos, cosine_and_versine, erf, exp, log, log1p, pow, sin, tanh};
use crate::Precision;

/// One f32.
struct Single;
/// One f64.
struct Double;

macro_rules! scalar_machine {
    ($machine:ty, $float:ty, $bits:ty, $precision:expr) => {
        impl Machine for $machine {
            type V = $float;
            type M = bool;
            type I = $bits;
            fn precision(&self) -> Precision {
                $precision
            }
            fn number(&mut self, value: f64) -> $float {
                value as $float
            }
            fn add(&mut self, a: $float, b: $float) -> $float {
                a + b
            }
            fn sub(&mut self, a: $float, b: $float) -> $float {
                a - b
            }
            fn mul(&mut self, a: $float, b: $float) -> $float {
                a * b
            }
            fn div(&mut self, a: $float, b: $float) -> $float {
                a / b
            }
            fn fma(&mut self, a: $float, b: $float, c: $float) -> $float {
                a.mul_add(b, c)
            }
            fn sqrt(&mut self, a: $float) -> $float {
                a.sqrt()
            }
            fn less(&mut self, a: $float, b: $float) -> bool {
                a < b
            }
            fn select(&mut self, mask: bool, a: $float, b: $float) -> $float {
                if mask { a } else { b }
            }
            fn bits(&mut self, a: $float) -> $bits {
                a.to_bits()
            }
            fn from_bits(&mut self, a: $bits) -> $float {
                <$float>::from_bits(a)
            }
            fn whole(&mut self, value: i64) -> $bits {
                value as $bits
            }
            fn plus(&mut self, a: $bits, b: $bits) -> $bits {
                a.wrapping_add(b)
            }
            fn and(&mut self, a: $bits, b: $bits) -> $bits {
                a & b
            }
            fn or(&mut self, a: $bits, b: $bits) -> $bits {
                a | b
            }
            fn xor(&mut self, a: $bits, b: $bits) -> $bits {
                a ^ b
            }
            fn shl(&mut self, a: $bits, by: u32) -> $bits {
                a << by
            }
            fn shr(&mut self, a: $bits, by: u32) -> $bits {
                a >> by
            }
            fn is_zero(&mut self, a: $bits) -> bool {
                a == 0
            }
        }
    };
}
scalar_machine!(Single, f32, u32, Precision::F32);
scalar_machine!(Double, f64, u64, Precision::F64);

/// Returns the error in halves of a unit in the last place of the exact result. Below the smallest normal number the unit stays
/// that of the smallest normal number.
fn ulps_single(got: f32, want: f64) -> f64 {
    let unit = f64::from(f32::EPSILON) * want.abs().max(f64::from(f32::MIN_POSITIVE)) / 2.0;
    (f64::from(got) - want).abs() / unit
}

fn ulps_double(got: f64, want: f64) -> f64 {
    let unit = f64::EPSILON * want.abs().max(1e-300) / 2.0;
    (got - want).abs() / unit
}

fn grid(from: f64, to: f64) -> impl Iterator<Item = f64> {
    let points = 40_000;
    (0..=points).map(move |i| from + (to - from) * f64::from(i) / f64::from(points))
}

/// Checks that a function stays within `limit` half-units of the last place on a grid, in both precisions.
macro_rules! agrees {
    ($function:ident, $oracle:path, $from:expr, $to:expr, $limit:expr) => {
        for x in grid($from, $to) {
            let single = x as f32;
            let error = ulps_single($function(&mut Single, single), $oracle(f64::from(single)));
            assert!(error <= $limit, "f32 {}({single:e}) is {error} half units off", stringify!($function));
            let error = ulps_double($function(&mut Double, x), $oracle(x));
            assert!(error <= $limit, "f64 {}({x:e}) is {error} half units off", stringify!($function));
        }
    };
}

#[test]
fn exp_is_within_two_units() {
    agrees!(exp, libm::exp, -80.0, 80.0, 3.0);
    agrees!(exp, libm::exp, -1.0, 1.0, 3.0);
}

#[test]
fn log_is_within_two_units() {
    agrees!(log, libm::log, 1e-30, 4.0, 3.0);
    agrees!(log, libm::log, 0.9, 1.1, 3.0);
    agrees!(log, libm::log, 1.0, 1e30, 3.0);
}

#[test]
fn log1p_is_within_two_units() {
    agrees!(log1p, libm::log1p, -0.99, 4.0, 4.0);
    agrees!(log1p, libm::log1p, -1e-3, 1e-3, 4.0);
    agrees!(log1p, libm::log1p, 0.0, 1e-12, 4.0);
    agrees!(log1p, libm::log1p, 1.0, 1e30, 4.0);
}

/// For x far below 0, softplus(x) = log1p(e^x) is about e^x. Computing log(1 + e^x) instead would round it to 0.
#[test]
fn the_logarithm_of_a_softplus_is_exact_far_below_zero() {
    for x in grid(-80.0, 0.0) {
        let single = x as f32;
        let power = exp(&mut Single, single);
        assert!(ulps_single(log1p(&mut Single, power), libm::log1p(libm::exp(f64::from(single)))) <= 6.0, "{single}");
        let power = exp(&mut Double, x);
        assert!(ulps_double(log1p(&mut Double, power), libm::log1p(libm::exp(x))) <= 6.0, "{x}");
    }
}

/// Numbers of every magnitude from 2^-30 to 2^`last`, with both signs. Every second pair lies next to a multiple of pi/2, where
/// a sine or cosine is almost 0 and most of its digits cancel.
fn sizes(last: i32) -> impl Iterator<Item = f64> {
    (-30..last).flat_map(|exponent| {
        (0..500).flat_map(move |i| {
            let x = (1.0 + f64::from(i) / 500.0) * 2.0_f64.powi(exponent);
            let turn = (x / std::f64::consts::FRAC_PI_2).round() * std::f64::consts::FRAC_PI_2;
            [x, -x, turn, -turn]
        })
    })
}

#[test]
fn sine_and_cosine_are_right_for_every_angle_or_refused() {
    for x in sizes(22) {
        let single = x as f32;
        let exact = f64::from(single);
        assert!(ulps_single(sin(&mut Single, single), libm::sin(exact)) <= 6.0, "sin({single:e})");
        assert!(ulps_single(cos(&mut Single, single), libm::cos(exact)) <= 6.0, "cos({single:e})");
    }
    for x in sizes(50) {
        assert!(ulps_double(sin(&mut Double, x), libm::sin(x)) <= 6.0, "sin({x:e})");
        assert!(ulps_double(cos(&mut Double, x), libm::cos(x)) <= 6.0, "cos({x:e})");
    }
    for exponent in 23..128 {
        let x = 2.0_f32.powi(exponent);
        assert!(sin(&mut Single, x).is_nan() && cos(&mut Single, -x).is_nan(), "{x}");
    }
    for exponent in 51..1024 {
        let x = 2.0_f64.powi(exponent);
        assert!(sin(&mut Double, x).is_nan() && cos(&mut Double, -x).is_nan(), "{x}");
    }
}

#[test]
fn tanh_is_within_two_units() {
    agrees!(tanh, libm::tanh, -2.0, 2.0, 4.0);
    agrees!(tanh, libm::tanh, -30.0, 30.0, 4.0);
}

#[test]
fn erf_is_within_two_units() {
    agrees!(erf, libm::erf, -3.0, 3.0, 4.0);
    agrees!(erf, libm::erf, -9.0, 9.0, 4.0);
}

#[test]
fn sine_and_cosine_stay_accurate_for_large_angles() {
    agrees!(sin, libm::sin, -4.0, 4.0, 3.5);
    agrees!(cos, libm::cos, -4.0, 4.0, 3.5);
    for x in grid(-1e5, 1e5) {
        let single = x as f32;
        assert!((f64::from(sin(&mut Single, single)) - libm::sin(f64::from(single))).abs() < 1.5e-7, "{single}");
        assert!((f64::from(cos(&mut Single, single)) - libm::cos(f64::from(single))).abs() < 1.5e-7, "{single}");
        assert!((sin(&mut Double, x) - libm::sin(x)).abs() < 3e-16, "{x}");
        assert!((cos(&mut Double, x) - libm::cos(x)).abs() < 3e-16, "{x}");
    }
}

#[test]
fn the_versine_is_exact_where_the_sine_is_one() {
    for x in grid(-8.0, 8.0).chain(grid(1.5, 1.65)) {
        let single = x as f32;
        let half = (std::f64::consts::FRAC_PI_2 - f64::from(single)) / 2.0;
        let (cosine, versine) = cosine_and_versine(&mut Single, single);
        assert!(ulps_single(versine, 2.0 * libm::sin(half).powi(2)) <= 8.0, "{single}");
        assert!((f64::from(cosine) - libm::cos(f64::from(single))).abs() < 2e-7, "{single}");
    }
}

#[test]
fn pow_is_close() {
    for a in grid(0.01, 50.0) {
        for b in [-2.3, -0.5, 0.3, 1.7, 9.25] {
            assert!(ulps_double(pow(&mut Double, a, b), libm::pow(a, b)) < 100.0, "{a}^{b}");
            assert!(
                ulps_single(pow(&mut Single, a as f32, b as f32), f64::from(a as f32).powf(f64::from(b as f32)))
                    < 100.0
            );
        }
    }
    assert_eq!(pow(&mut Double, 0.0, 2.5), 0.0);
    assert_eq!(pow(&mut Double, 0.0, 0.0), 1.0);
}

#[test]
fn the_ends_of_the_range_are_right() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    // Limits, results that overflow or are subnormal, and subnormal arguments.
    let ends = [
        (exp(&mut Double, inf), inf),
        (exp(&mut Double, -inf), 0.0),
        (exp(&mut Double, 710.0), inf),
        (exp(&mut Double, -800.0), 0.0),
        (exp(&mut Double, -740.0), libm::exp(-740.0)),
        (exp(&mut Double, 709.7), libm::exp(709.7)),
        (exp(&mut Single, 88.7).into(), f64::from(libm::expf(88.7))),
        (exp(&mut Single, -103.0).into(), f64::from(libm::expf(-103.0))),
        (exp(&mut Single, 90.0).into(), inf),
        (log(&mut Double, 0.0), -inf),
        (log1p(&mut Double, -1.0), -inf),
        (log1p(&mut Single, f32::INFINITY).into(), inf),
        (log1p(&mut Double, 1e300), libm::log(1e300)),
        (log(&mut Double, -0.0), -inf),
        (log(&mut Double, inf), inf),
        (log(&mut Double, 5e-324), libm::log(5e-324)),
        (log(&mut Single, 1e-45).into(), f64::from(libm::logf(1e-45))),
        (tanh(&mut Double, inf), 1.0),
        (tanh(&mut Double, -inf), -1.0),
        (erf(&mut Double, inf), 1.0),
        (erf(&mut Double, -inf), -1.0),
    ];
    // The first condition covers infinities and 0, for which a relative error is not defined. The bound is that of single
    // precision.
    for (index, (got, want)) in ends.into_iter().enumerate() {
        assert!(got == want || ((got - want) / want).abs() < 1e-6, "case {index}: {got:e}, not {want:e}");
    }
    // A NaN must not become a number: otherwise a diverged training would look like a finished one.
    for function in [exp, log, log1p, tanh, erf, sin, cos] {
        assert!(function(&mut Double, nan).is_nan());
    }
    for function in [exp, log, log1p, tanh, erf, sin, cos] {
        assert!(function(&mut Single, f32::NAN).is_nan());
    }
    assert!(log(&mut Double, -1.0).is_nan() && log(&mut Double, -inf).is_nan());
    assert!(sin(&mut Double, inf).is_nan() && cos(&mut Single, f32::INFINITY).is_nan());
}
