//! The hyperbolic tangent.

use super::{Machine, abs, exp, polynomial, with_sign};
use crate::Precision;

/// tanh x. For |x| < 0.625 it is a rational function (f64) or a polynomial (f32), otherwise 1 - 2 / (e^(2|x|) + 1). Coefficients:
/// Cephes.
pub fn tanh<A: Machine>(m: &mut A, x: A::V) -> A::V {
    let magnitude = abs(m, x);
    let square = m.mul(x, x);
    let ratio = match m.precision() {
        Precision::F32 => polynomial(
            m,
            square,
            &[
                -5.704_988_727_45e-3,
                2.063_908_879_54e-2,
                -5.373_971_555_31e-2,
                1.333_144_220_36e-1,
                -3.333_328_194_22e-1,
            ],
        ),
        Precision::F64 => {
            let above = polynomial(
                m,
                square,
                &[-9.643_991_794_250_522_386_28e-1, -9.928_772_310_019_185_865_64e1, -1.614_687_684_417_084_479_52e3],
            );
            let below = polynomial(
                m,
                square,
                &[1.0, 1.128_116_784_916_329_314_02e2, 2.235_488_390_601_004_485_83e3, 4.844_063_053_251_254_860_48e3],
            );
            m.div(above, below)
        }
    };
    // x + x^3 R(x^2) keeps the relative accuracy for tiny x.
    let cube = m.mul(square, x);
    let small = m.fma(cube, ratio, x);
    // For large |x|, e^(2|x|) is infinite and the quotient 0, so the result is 1 without a limit of its own.
    let doubled = m.add(magnitude, magnitude);
    let power = exp(m, doubled);
    let (one, two) = (m.number(1.0), m.number(2.0));
    let denominator = m.add(power, one);
    let quotient = m.div(two, denominator);
    let large = m.sub(one, quotient);
    let large = with_sign(m, large, x);
    // Both ranges are computed and one is selected, because lanes of a vector may lie in different ranges.
    let limit = m.number(0.625);
    let is_small = m.less(magnitude, limit);
    m.select(is_small, small, large)
}
