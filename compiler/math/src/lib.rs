//! Elementary functions as short sequences of plain operations, written once for all backends, and random numbers.
//!
//! A function is generic over a [`Machine`]. The CPU backend's machine emits vector instructions; the machine of the tests
//! computes. The error is 1 to 2 units in the last place (f32 and f64), for `pow` and `erf` a few units. Sine and cosine have this
//! accuracy up to 2^22 (f32) and 2^50 (f64), and are NaN beyond. Functions that the runtime's kernels call on vectors are always
//! inlined, because only their callers have the vector instructions enabled.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

mod error_function;
mod exponential;
mod hyperbolic;
pub mod philox;
mod precision;
pub mod spherical;
#[cfg(test)]
mod tests;
mod trigonometric;

pub use error_function::erf;
pub use exponential::{exp, log, log1p, pow};
pub use hyperbolic::tanh;
pub use precision::Precision;
pub use trigonometric::{cos, cosine_and_versine, sin, sin_cos};

/// Plain operations on one number or on a vector of numbers.
pub trait Machine {
    /// Numbers.
    type V: Copy;
    /// Truth values.
    type M: Copy;
    /// The bits of numbers, as whole numbers of the same width.
    type I: Copy;

    /// The precision of `V`.
    fn precision(&self) -> Precision;
    /// A constant, rounded to the precision.
    fn number(&mut self, value: f64) -> Self::V;
    /// a + b
    fn add(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a - b
    fn sub(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a b
    fn mul(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b
    fn div(&mut self, a: Self::V, b: Self::V) -> Self::V;
    /// a b + c, rounded once.
    fn fma(&mut self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Square root.
    fn sqrt(&mut self, a: Self::V) -> Self::V;
    /// a < b; false for NaN.
    fn less(&mut self, a: Self::V, b: Self::V) -> Self::M;
    /// a where `mask` is true, otherwise b.
    fn select(&mut self, mask: Self::M, a: Self::V, b: Self::V) -> Self::V;
    /// The bits of a number.
    fn bits(&mut self, a: Self::V) -> Self::I;
    /// The number with these bits.
    #[expect(clippy::wrong_self_convention, reason = "it is the machine that emits the instruction")]
    fn from_bits(&mut self, a: Self::I) -> Self::V;
    /// A constant of `I`.
    fn whole(&mut self, value: i64) -> Self::I;
    /// a + b, wrapping
    fn plus(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise and.
    fn and(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise or.
    fn or(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Bitwise exclusive or.
    fn xor(&mut self, a: Self::I, b: Self::I) -> Self::I;
    /// Shifted towards the high end.
    fn shl(&mut self, a: Self::I, by: u32) -> Self::I;
    /// Shifted towards the low end, zeros from above.
    fn shr(&mut self, a: Self::I, by: u32) -> Self::I;
    /// a = 0?
    fn is_zero(&mut self, a: Self::I) -> Self::M;
}

/// The bit fields of a floating-point number, and a constant for rounding.
pub(crate) struct Format {
    /// Number of bits of the fraction.
    pub fraction: u32,
    /// Number of bits of the whole number.
    pub width: u32,
    /// The bits of 1.0.
    pub one: i64,
    /// The sign bit.
    pub sign: i64,
    /// 1.5 times 2^fraction. Adding it to a small number rounds the number to an integer. The low bits of the sum are then the
    /// two's complement of this integer.
    pub magic: f64,
}

#[inline(always)]
pub(crate) fn format(precision: Precision) -> Format {
    match precision {
        Precision::F32 => Format { fraction: 23, width: 32, one: 0x3F80_0000, sign: 1 << 31, magic: 12_582_912.0 },
        Precision::F64 => Format {
            fraction: 52,
            width: 64,
            one: 0x3FF0_0000_0000_0000,
            sign: i64::MIN,
            magic: 6_755_399_441_055_744.0,
        },
    }
}

/// |a|
pub fn abs<A: Machine>(m: &mut A, a: A::V) -> A::V {
    let mask = m.whole(!format(m.precision()).sign);
    let bits = m.bits(a);
    let bits = m.and(bits, mask);
    m.from_bits(bits)
}

/// -a
#[inline(always)]
pub fn neg<A: Machine>(m: &mut A, a: A::V) -> A::V {
    let mask = m.whole(format(m.precision()).sign);
    let bits = m.bits(a);
    let bits = m.xor(bits, mask);
    m.from_bits(bits)
}

/// |a| with the sign of b
pub(crate) fn with_sign<A: Machine>(m: &mut A, a: A::V, b: A::V) -> A::V {
    let mask = m.whole(format(m.precision()).sign);
    let (a, b) = (m.bits(a), m.bits(b));
    let sign = m.and(b, mask);
    let bits = m.or(a, sign);
    m.from_bits(bits)
}

/// `coefficients[0] x^n + … + coefficients[n]`, by Horner's rule.
#[inline(always)]
pub(crate) fn polynomial<A: Machine>(m: &mut A, x: A::V, coefficients: &[f64]) -> A::V {
    let mut sum = m.number(coefficients[0]);
    for &c in &coefficients[1..] {
        let c = m.number(c);
        sum = m.fma(sum, x, c);
    }
    sum
}
