//! Sine and cosine with a shared range reduction, and the functions of an angle that unit vectors need.

use super::{Machine, abs, format, polynomial};
use crate::Precision;
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// sin x
pub fn sin<A: Machine>(m: &mut A, x: A::V) -> A::V {
    sin_cos(m, x).0
}

/// cos x
pub fn cos<A: Machine>(m: &mut A, x: A::V) -> A::V {
    sin_cos(m, x).1
}

/// pi/2 as a sum of three numbers of a precision. The remaining error is 8e-23 (f32) and 1e-49 (f64).
#[expect(clippy::cast_possible_truncation, reason = "rounded to the precision, the rest is the next number")]
#[inline(always)]
fn half_pi(precision: Precision) -> [f64; 3] {
    match precision {
        Precision::F32 => {
            let first = f64::from(FRAC_PI_2 as f32);
            let second = f64::from((FRAC_PI_2 - first) as f32);
            let third = (FRAC_PI_2 - first - second) + REST_OF_HALF_PI;
            [first, second, f64::from(third as f32)]
        }
        Precision::F64 => [FRAC_PI_2, REST_OF_HALF_PI, -1.497_384_904_859_169_8e-33],
    }
}

/// pi/2 minus its nearest f64.
const REST_OF_HALF_PI: f64 = 6.123_233_995_736_766e-17;

/// The largest angle. Up to it, rounding with the magic number of [`format`] works for the multiple of pi/2, and the first
/// difference of the reduction is exact.
#[inline(always)]
fn largest_angle(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 4_194_304.0,             // 2^22
        Precision::F64 => 1_125_899_906_842_624.0, // 2^50
    }
}

/// sin x and cos x for x in radians. The range is reduced after Cody and Waite; with fused multiply-add the first difference is
/// exact. Polynomials on |r| <= pi/4: Cephes (f32), fdlibm (f64).
///
/// The result is NaN for infinities and beyond 2^22 (f32) and 2^50 (f64). There, neighbouring numbers of the precision are a
/// large part of a turn apart, so that no result would be meaningful. A NaN ends the training with the name of the operation.
pub fn sin_cos<A: Machine>(m: &mut A, x: A::V) -> (A::V, A::V) {
    let format = format(m.precision());
    let (quarters, magic) = (m.number(FRAC_2_PI), m.number(format.magic));
    let shifted = m.fma(x, quarters, magic);
    let n = m.sub(shifted, magic);
    let (limit, nan) = (m.number(largest_angle(m.precision())), m.number(f64::NAN));
    let size = abs(m, x);
    let beyond = m.less(limit, size);
    let mut r = m.select(beyond, nan, x);
    for part in half_pi(m.precision()) {
        let part = m.number(-part);
        r = m.fma(n, part, r);
    }
    let (sine, cosine) = (near_zero_sine(m, r), near_zero_cosine(m, r));
    let quadrant = m.bits(shifted);
    let one = m.whole(1);
    let parity = m.and(quadrant, one);
    let even = m.is_zero(parity);
    let (s, c) = (m.select(even, sine, cosine), m.select(even, cosine, sine));
    let next = m.plus(quadrant, one);
    (flipped(m, s, quadrant), flipped(m, c, next))
}

/// a, negated where bit 1 of `quadrant` is set.
fn flipped<A: Machine>(m: &mut A, a: A::V, quadrant: A::I) -> A::V {
    let format = format(m.precision());
    let moved = m.shl(quadrant, format.width - 2);
    let mask = m.whole(format.sign);
    let sign = m.and(moved, mask);
    let bits = m.bits(a);
    let bits = m.xor(bits, sign);
    m.from_bits(bits)
}

#[inline(always)]
fn near_zero_sine<A: Machine>(m: &mut A, r: A::V) -> A::V {
    let square = m.mul(r, r);
    let coefficients: &[f64] = match m.precision() {
        Precision::F32 => &[-1.951_529_589_1e-4, 8.332_160_873_6e-3, -1.666_666_546_11e-1],
        Precision::F64 => &[
            1.589_690_995_211_550_102_21e-10,
            -2.505_076_025_340_686_341_95e-8,
            2.755_731_370_707_006_767_89e-6,
            -1.984_126_982_985_794_931_34e-4,
            8.333_333_333_322_489_461_24e-3,
            -1.666_666_666_666_663_243_48e-1,
        ],
    };
    let series = polynomial(m, square, coefficients);
    let cube = m.mul(square, r);
    m.fma(cube, series, r)
}

#[inline(always)]
fn near_zero_cosine<A: Machine>(m: &mut A, r: A::V) -> A::V {
    let square = m.mul(r, r);
    let coefficients: &[f64] = match m.precision() {
        Precision::F32 => &[2.443_315_711_809_948e-5, -1.388_731_625_493_765e-3, 4.166_664_568_298_827e-2],
        Precision::F64 => &[
            -1.135_964_755_778_819_482_65e-11,
            2.087_572_321_298_174_827_90e-9,
            -2.755_731_435_139_066_330_35e-7,
            2.480_158_728_947_672_941_78e-5,
            -1.388_888_888_887_410_957_49e-3,
            4.166_666_666_666_660_190_37e-2,
        ],
    };
    let series = polynomial(m, square, coefficients);
    let (one, half) = (m.number(1.0), m.number(-0.5));
    let fourth = m.mul(square, square);
    // 1 - r^2/2, whose rounding error is added to the smaller terms.
    let lead = m.fma(square, half, one);
    let lost = m.sub(one, lead);
    let error = m.fma(square, half, lost);
    let rest = m.fma(fourth, series, error);
    m.add(lead, rest)
}

/// cos t and 1 - sin t. The second one has a small relative error also near 0. So a product of sines close to 1 keeps its low bits
/// when it is updated by `P -= P (1 - sin t)`.
///
/// ```text
/// z = t/2 - pi/4                  cos t = -2 sin z cos z        1 - sin t = 2 sin^2 z
/// z = r + n pi/2, |r| <= pi/4     n even: sin z = ±sin r, cos z = ±cos r; n odd: sin z = ±cos r, cos z = ∓sin r
/// ```
#[inline(always)]
pub fn cosine_and_versine<A: Machine>(m: &mut A, t: A::V) -> (A::V, A::V) {
    let format = format(m.precision());
    let (half, quarters, magic) = (m.number(0.5), m.number(FRAC_2_PI), m.number(format.magic));
    let h = m.mul(t, half);
    let minus_half = m.number(-0.5);
    let turns = m.fma(h, quarters, minus_half);
    let shifted = m.add(turns, magic);
    let n = m.sub(shifted, magic);
    let n = m.add(n, half); // pi/4 is half of pi/2, so it is subtracted together with the multiples of pi/2
    let mut r = h;
    let [first, second, _] = half_pi(m.precision()); // angles are a few turns at most
    for part in [first, second] {
        let part = m.number(-part);
        r = m.fma(n, part, r);
    }
    let (sine, cosine) = (near_zero_sine(m, r), near_zero_cosine(m, r));
    let quadrant = m.bits(shifted);
    let one = m.whole(1);
    let parity = m.and(quadrant, one);
    let even = m.is_zero(parity);
    let sine_of_z = m.select(even, sine, cosine);
    let doubled = m.add(sine_of_z, sine_of_z);
    let versine = m.mul(doubled, sine_of_z);
    let product = m.mul(sine, cosine);
    let minus_two = m.number(-2.0);
    let product = m.mul(product, minus_two);
    let sign = m.shl(parity, format.width - 1);
    let bits = m.bits(product);
    let bits = m.xor(bits, sign);
    (m.from_bits(bits), versine)
}
