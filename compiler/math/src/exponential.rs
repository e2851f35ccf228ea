//! e^x, the natural logarithm, and powers.

use super::{Machine, abs, format, polynomial};
use crate::Precision;
use std::f64::consts::LOG2_E;

/// e^x. With x = n log 2 + r and |r| <= log 2 / 2, it is a polynomial for e^r times 2^n. The factor 2^n is applied in two halves,
/// so that results near the ends of the range, subnormal ones included, are right.
///
/// It overflows to infinity and underflows to 0. Coefficients: Cephes `expf` (f32), Taylor series with an error of 4e-18 (f64).
pub fn exp<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let (low, high, ln2): (f64, f64, [f64; 2]) = match m.precision() {
        Precision::F32 => (-104.0, 89.0, [0.693_359_375, -2.121_944_4e-4]),
        Precision::F64 => (-746.0, 710.0, [6.931_471_803_691_238_164_9e-1, 1.908_214_929_270_587_700_02e-10]),
    };
    // Beyond these limits the result is 0 or infinity anyway. Clamping keeps n small enough for the exponent's bits. A NaN fails
    // both comparisons and stays.
    let (low, high) = (m.number(low), m.number(high));
    let below = m.less(x, low);
    let x = m.select(below, low, x);
    let above = m.less(high, x);
    let x = m.select(above, high, x);
    // n = round(x / log 2). Adding and subtracting the magic number rounds; see [`Format`].
    let (log2_e, magic) = (m.number(LOG2_E), m.number(format(m.precision()).magic));
    let shifted = m.fma(x, log2_e, magic);
    let n = m.sub(shifted, magic);
    // log 2 in two parts: the product of n and the first part is exact, the second part corrects it (Cody and Waite).
    let minus = ln2.map(|part| m.number(-part));
    let r = m.fma(n, minus[0], x);
    let r = m.fma(n, minus[1], r);
    let tail = match m.precision() {
        Precision::F32 => polynomial(
            m,
            r,
            &[
                1.987_569_15e-4,
                1.398_199_950_7e-3,
                8.333_451_907_3e-3,
                4.166_579_589_4e-2,
                1.666_666_545_9e-1,
                5.000_000_120_1e-1,
            ],
        ),
        Precision::F64 => {
            let factorials: Vec<f64> = (2..=13).rev().map(|n| 1.0 / (1..=n).map(f64::from).product::<f64>()).collect();
            polynomial(m, r, &factorials)
        }
    };
    let square = m.mul(r, r);
    let rest = m.fma(tail, square, r);
    let one = m.number(1.0);
    let value = m.add(rest, one);
    // 2^n = 2^(n/2) 2^(n - n/2): each half is a normal number even if 2^n is not.
    let half = m.number(0.5);
    let shifted = m.fma(n, half, magic);
    let first = m.sub(shifted, magic);
    let second = m.sub(n, first);
    let second = m.add(second, magic);
    let value = times_power_of_two(m, value, shifted);
    times_power_of_two(m, value, second)
}

/// a 2^n, where `shifted` is n plus the magic number.
fn times_power_of_two<A: Machine>(m: &mut A, a: A::V, shifted: A::V) -> A::V {
    // The low bits of `shifted` are n. Moved to the exponent and added to the bits of 1.0, they give the bits of 2^n.
    let format = format(m.precision());
    let bits = m.bits(shifted);
    let exponent = m.shl(bits, format.fraction);
    let one = m.whole(format.one);
    let bits = m.plus(exponent, one);
    let power = m.from_bits(bits);
    m.mul(a, power)
}

/// Natural logarithm. With x = 2^k (1 + f) and 1 + f near 1, log(1 + f) is computed from s = f / (2 + f), as in fdlibm.
///
/// log 0 is minus infinity. The logarithm of a negative number is NaN.
pub fn log<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let format = format(m.precision());
    let (smallest, scale, lift, root_half) = match m.precision() {
        Precision::F32 => (f64::from(f32::MIN_POSITIVE), 25, 33_554_432.0, 0x3F35_04F3),
        Precision::F64 => (f64::MIN_POSITIVE, 54, 18_014_398_509_481_984.0, 0x3FE6_A09E_667F_3BCD),
    };
    // Subnormal numbers are scaled to normal ones first, because their exponent bits say nothing.
    let (smallest, lift) = (m.number(smallest), m.number(lift));
    let tiny = m.less(x, smallest);
    let lifted = m.mul(x, lift);
    let scaled = m.select(tiny, lifted, x);
    // Integer arithmetic on the bits splits off the exponent, so that the mantissa lies between sqrt(1/2) and sqrt(2).
    let bits = m.bits(scaled);
    let bias = m.whole(format.one - root_half);
    let moved = m.plus(bits, bias);
    let exponent = m.shr(moved, format.fraction);
    let fraction_mask = m.whole((1 << format.fraction) - 1);
    let fraction = m.and(moved, fraction_mask);
    let root_half = m.whole(root_half);
    let bits = m.plus(fraction, root_half);
    let mantissa = m.from_bits(bits);
    let k = exponent_number(m, exponent, tiny, f64::from(scale));
    let value = log_near_one(m, mantissa, k);
    special_logarithms(m, x, value)
}

/// log(1 + x): the logarithm of the rounded sum, plus the relative rounding error of the sum. It is accurate also for x that is too
/// small to change the 1.
pub fn log1p<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let (one, zero, infinity) = (m.number(1.0), m.number(0.0), m.number(f64::INFINITY));
    let sum = m.add(x, one);
    let added = m.sub(sum, one);
    let lost = m.sub(x, added);
    let relative = m.div(lost, sum);
    let value = log(m, sum);
    let corrected = m.add(value, relative);
    // For -1 and infinity there is no rounding error, and the correction would be NaN.
    let above = m.less(zero, sum);
    let finite = m.less(sum, infinity);
    let corrected = m.select(finite, corrected, value);
    m.select(above, corrected, value)
}

/// Converts the biased exponent in the low bits to a number, and subtracts the bias and the scaling of `tiny` numbers.
fn exponent_number<A: Machine>(m: &mut A, exponent: A::I, tiny: A::M, scale: f64) -> A::V {
    let format = format(m.precision());
    // The number 2^fraction with the exponent in its low bits is 2^fraction + exponent.
    let base = (1_u64 << format.fraction) as f64;
    #[expect(clippy::cast_possible_truncation, reason = "a power of two, exact in both precisions")]
    let base_bits = match m.precision() {
        Precision::F32 => i64::from((base as f32).to_bits()),
        Precision::F64 => base.to_bits().cast_signed(),
    };
    let base_bits = m.whole(base_bits);
    let bits = m.or(exponent, base_bits);
    let number = m.from_bits(bits);
    let bias = (format.one >> format.fraction) as f64;
    let (plain, scaled) = (m.number(base + bias), m.number(base + bias + scale));
    let offset = m.select(tiny, scaled, plain);
    m.sub(number, offset)
}

/// k log 2 + log(mantissa), for a mantissa near 1. Coefficients: fdlibm.
fn log_near_one<A: Machine>(m: &mut A, mantissa: A::V, k: A::V) -> A::V {
    let (coefficients, ln2): (&[f64], [f64; 2]) = match m.precision() {
        Precision::F32 => (
            &[0.242_790_788_41, 0.284_987_867_88, 0.400_009_721_52, 0.666_666_626_93],
            [6.931_381_225_6e-1, 9.058_000_614_5e-6],
        ),
        Precision::F64 => (
            &[
                1.479_819_860_511_658_591e-1,
                1.531_383_769_920_937_332e-1,
                1.818_357_216_161_805_012e-1,
                2.222_219_843_214_978_396e-1,
                2.857_142_874_366_239_149e-1,
                3.999_999_999_940_941_908e-1,
                6.666_666_666_666_735_13e-1,
            ],
            [6.931_471_803_691_238_164_9e-1, 1.908_214_929_270_587_700_02e-10],
        ),
    };
    // log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)) with s = f / (2 + f). The form keeps f, the largest term, unrounded.
    let (one, two, half) = (m.number(1.0), m.number(2.0), m.number(0.5));
    let f = m.sub(mantissa, one);
    let denominator = m.add(f, two);
    let s = m.div(f, denominator);
    let z = m.mul(s, s);
    let series = polynomial(m, z, coefficients);
    let r = m.mul(series, z);
    let square = m.mul(f, f);
    let half_square = m.mul(square, half);
    let sum = m.add(half_square, r);
    // Terms are added from the smallest to the largest. k times the high part of log 2 is exact, so it comes last.
    let [ln2_high, ln2_low] = ln2.map(|part| m.number(part));
    let low = m.mul(k, ln2_low);
    let value = m.fma(s, sum, low);
    let value = m.sub(value, half_square);
    let value = m.add(value, f);
    m.fma(k, ln2_high, value)
}

/// Sets the results for 0, infinity, negative numbers and NaN, for which the formula is wrong.
fn special_logarithms<A: Machine>(m: &mut A, x: A::V, value: A::V) -> A::V {
    let (zero, infinity) = (m.number(0.0), m.number(f64::INFINITY));
    let (minus_infinity, nan) = (m.number(f64::NEG_INFINITY), m.number(f64::NAN));
    let finite = m.less(x, infinity);
    let value = m.select(finite, value, x); // infinity and NaN stay
    let negative = m.less(x, zero);
    let value = m.select(negative, nan, value);
    let bits = m.bits(x);
    let unsigned = m.shl(bits, 1);
    let is_zero = m.is_zero(unsigned);
    m.select(is_zero, minus_infinity, value)
}

/// a^b for a >= 0, computed as e^(b log a). The relative error grows with |b log a|. Whole constant powers have become products
/// before.
pub fn pow<A: Machine>(m: &mut A, a: A::V, b: A::V) -> A::V {
    let base = log(m, a);
    let product = m.mul(base, b);
    let value = exp(m, product);
    let magnitude = abs(m, b);
    let smallest = m.number(f64::MIN_POSITIVE.max(f64::from(f32::MIN_POSITIVE)));
    let is_zero = m.less(magnitude, smallest);
    let one = m.number(1.0);
    m.select(is_zero, one, value)
}
