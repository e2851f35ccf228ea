//! e^x, the natural logarithm, and powers.

use super::{Machine, abs, format, polynomial};
use crate::Precision;
use std::f64::consts::LOG2_E;

/// e^x: x = n log 2 + r with |r| <= log 2 / 2, a polynomial for e^r, and 2^n put into the exponent in two halves, so that
/// results near the ends of the range, subnormal ones included, come out right.
///
/// Overflows to infinity, underflows to 0. Coefficients in f32: Cephes `expf`; in f64: Taylor's, whose error is 4e-18.
pub fn exp<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let (low, high, ln2): (f64, f64, [f64; 2]) = match m.precision() {
        Precision::F32 => (-104.0, 89.0, [0.693_359_375, -2.121_944_4e-4]),
        Precision::F64 => (-746.0, 710.0, [6.931_471_803_691_238_164_9e-1, 1.908_214_929_270_587_700_02e-10]),
    };
    let (low, high) = (m.number(low), m.number(high));
    let below = m.less(x, low);
    let x = m.select(below, low, x);
    let above = m.less(high, x);
    let x = m.select(above, high, x);
    let (log2_e, magic) = (m.number(LOG2_E), m.number(format(m.precision()).magic));
    let shifted = m.fma(x, log2_e, magic);
    let n = m.sub(shifted, magic);
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
    let half = m.number(0.5);
    let shifted = m.fma(n, half, magic);
    let first = m.sub(shifted, magic);
    let second = m.sub(n, first);
    let second = m.add(second, magic);
    let value = times_power_of_two(m, value, shifted);
    times_power_of_two(m, value, second)
}

/// a 2^n where `shifted` is n plus the magic number.
fn times_power_of_two<A: Machine>(m: &mut A, a: A::V, shifted: A::V) -> A::V {
    let format = format(m.precision());
    let bits = m.bits(shifted);
    let exponent = m.shl(bits, format.fraction);
    let one = m.whole(format.one);
    let bits = m.plus(exponent, one);
    let power = m.from_bits(bits);
    m.mul(a, power)
}

/// Natural logarithm: x = 2^k (1 + f) with 1 + f near 1, and log(1 + f) from s = f / (2 + f), as in fdlibm.
///
/// log 0 is minus infinity, of a negative number NaN.
pub fn log<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let format = format(m.precision());
    let (smallest, scale, lift, root_half) = match m.precision() {
        Precision::F32 => (f64::from(f32::MIN_POSITIVE), 25, 33_554_432.0, 0x3F35_04F3),
        Precision::F64 => (f64::MIN_POSITIVE, 54, 18_014_398_509_481_984.0, 0x3FE6_A09E_667F_3BCD),
    };
    let (smallest, lift) = (m.number(smallest), m.number(lift));
    let tiny = m.less(x, smallest);
    let lifted = m.mul(x, lift);
    let scaled = m.select(tiny, lifted, x);
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

/// The biased exponent in the low bits as a number, less the bias and what `tiny` numbers were scaled by.
fn exponent_number<A: Machine>(m: &mut A, exponent: A::I, tiny: A::M, scale: f64) -> A::V {
    let format = format(m.precision());
    // 2^fraction with the exponent in its low bits is 2^fraction + exponent.
    let base = (1_u64 << format.fraction) as f64;
    let base_bits = match m.precision() {
        Precision::F32 => i64::from((base as f32).to_bits()),
        Precision::F64 => base.to_bits() as i64,
    };
    let base_bits = m.whole(base_bits);
    let bits = m.or(exponent, base_bits);
    let number = m.from_bits(bits);
    let bias = (format.one >> format.fraction) as f64;
    let (plain, scaled) = (m.number(base + bias), m.number(base + bias + scale));
    let offset = m.select(tiny, scaled, plain);
    m.sub(number, offset)
}

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
    let [ln2_high, ln2_low] = ln2.map(|part| m.number(part));
    let low = m.mul(k, ln2_low);
    let value = m.fma(s, sum, low);
    let value = m.sub(value, half_square);
    let value = m.add(value, f);
    m.fma(k, ln2_high, value)
}

/// Puts in what the formula cannot know: 0, infinity, negative numbers and NaN.
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

/// a^b for a >= 0, as e^(b log a): the relative error grows with |b log a|. Whole constant powers are products long before
/// this.
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
