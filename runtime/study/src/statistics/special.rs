//! Incomplete beta and gamma functions, regularized: what the distributions of Student, Fisher and chi-squared are made of.
//!
//! Series and continued fractions by Lentz's method, as in Press et al., "Numerical Recipes", 3rd ed., 6.2 and 6.4. They agree
//! with SciPy to about 1e-13 where the statistics here ask.

use libm::{exp, lgamma, log, log1p};

/// Terms of a series or of a continued fraction, at most: many more than any argument here needs.
const TERMS: u32 = 10_000;
/// What stands for zero in a denominator.
const TINY: f64 = 1e-300;

/// I_x(a, b), for a, b > 0 and x in 0..=1; NaN for anything else.
#[must_use]
pub fn beta(a: f64, b: f64, x: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && (0.0..=1.0).contains(&x)) {
        return f64::NAN;
    }
    if x <= 0.0 || x >= 1.0 {
        return x;
    }
    let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    // The fraction runs fast below the mean of the distribution; above it the other tail is the one to compute.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let whole = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / whole(1.0 - (a + b) * x / (a + 1.0)));
    let mut found = d;
    for m in 1..TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = found;
        for term in [even, odd] {
            d = 1.0 / whole(1.0 + term * d);
            c = whole(1.0 + term / c);
            found *= c * d;
        }
        if ((found - before) / found).abs() < f64::EPSILON {
            break;
        }
    }
    found
}

/// Q(a, x) = 1 - P(a, x), the upper incomplete gamma function over the whole one, for a > 0 and x >= 0; NaN for anything else.
#[must_use]
pub fn gamma_upper(a: f64, x: f64) -> f64 {
    if !(a > 0.0 && x >= 0.0) {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    let front = exp(a * log(x) - x - lgamma(a));
    if x < a + 1.0 { 1.0 - front * gamma_series(a, x) } else { front * gamma_fraction(a, x) }
}

fn gamma_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0 / a, 1.0 / a);
    for n in 1..TERMS {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

fn gamma_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut found = d;
    for n in 1..TERMS {
        let n = f64::from(n);
        let term = -n * (n - a);
        b += 2.0;
        let whole = |value: f64| if value.abs() < TINY { TINY } else { value };
        d = 1.0 / whole(term * d + b);
        c = whole(b + term / c);
        found *= c * d;
        if (c * d - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    found
}
