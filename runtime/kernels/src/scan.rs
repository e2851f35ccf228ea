//! Unit vectors from angles and their gradient: scans along the angles, several units side by side.
//!
//! ```text
//! u[k] = P[k] cos t[k],  P[k + 1] = P[k] sin t[k],  u[n - 1] = P[n - 1]
//! F = g[n - 1];  for k from the last angle on:  dL/dt[k] = P[k] (cos t[k] F - g[k] sin t[k]),  F = g[k] cos t[k] + sin t[k] F
//! ```
//!
//! The prefix product is updated as `P -= P q` with `q = 1 - sin t`, which keeps its low bits where sines are near 1. In f32
//! its rounding error is carried along in a second number, so that vectors of thousands of elements keep their length.
//! What a unit gets depends on its angles alone: not on its neighbours, the vector type or the thread.

#[cfg(test)]
mod tests;

use super::Variant;
use super::simd::{Arithmetic, PlainF32, PlainF64, Simd, Vectors, Work};
#[cfg(target_arch = "x86_64")]
use super::simd::{F32x8, F32x16, F64x4, F64x8};
use gmpc_math::Precision;
use gmpc_math::{Machine, cosine_and_versine, neg};

/// Angles up to which a plain product keeps a unit vector's length to 4e-6 in f32 (2^-25 a factor).
const SHORT: usize = 64;
/// Most vectors of units worked on at once: a block of f32 is four lines of a cache wide.
const BLOCK: usize = 4;

/// Unit vectors, as generated code calls it: angles a unit, units; the units from `first` to below `end` are computed;
/// angles `[angles, units]`; unit vectors `[angles + 1, units]` or null; cosines, one-minus-sines and prefix products,
/// each `[angles, units]`, or all null.
pub type Spherical<T> = unsafe extern "C" fn(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const T,
    u: *mut T,
    cosines: *mut T,
    versines: *mut T,
    prefixes: *mut T,
);

/// The gradient, as generated code calls it: sizes and range as in [`Spherical`]; what that kept; the gradient at the unit
/// vectors `[angles + 1, units]`; the gradient at the angles `[angles, units]`, which is written.
pub type SphericalGrad<T> = unsafe extern "C" fn(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    cosines: *const T,
    versines: *const T,
    prefixes: *const T,
    g: *const T,
    gradient: *mut T,
);

macro_rules! by_variant {
    ($name:ident, $kernel:ident, $type:ident, $element:ty, $avx512:ty, $avx2:ty, $plain:ty) => {
        /// The kernel of a variant.
        #[must_use]
        pub fn $name(variant: Variant) -> $type<$element> {
            match variant {
                #[cfg(target_arch = "x86_64")]
                Variant::Avx512 => $kernel::<$avx512>,
                #[cfg(target_arch = "x86_64")]
                Variant::Avx2 => $kernel::<$avx2>,
                _ => $kernel::<$plain>,
            }
        }
    };
}
by_variant!(spherical_f32, spherical, Spherical, f32, F32x16, F32x8, PlainF32);
by_variant!(spherical_f64, spherical, Spherical, f64, F64x8, F64x4, PlainF64);
by_variant!(spherical_grad_f32, spherical_grad, SphericalGrad, f32, F32x16, F32x8, PlainF32);
by_variant!(spherical_grad_f64, spherical_grad, SphericalGrad, f64, F64x8, F64x4, PlainF64);

/// See [`Spherical`].
///
/// # Safety
/// The processor has the features of `S`; the arrays have the sizes given there, what is written overlaps nothing else.
unsafe extern "C" fn spherical<S: Arithmetic>(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const S::Element,
    u: *mut S::Element,
    cosines: *mut S::Element,
    versines: *mut S::Element,
    prefixes: *mut S::Element,
) {
    let exact = S::PRECISION == Precision::F32 && angles > SHORT;
    let kept = (!cosines.is_null()).then_some([cosines, versines, prefixes]);
    let scan = Forward { angles, units, theta, u, kept, exact };
    // SAFETY: passed on from the caller.
    unsafe { S::enter(Blocks { first, end: end.min(units), scan }) }
}

/// See [`SphericalGrad`].
///
/// # Safety
/// As [`spherical`].
unsafe extern "C" fn spherical_grad<S: Arithmetic>(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    cosines: *const S::Element,
    versines: *const S::Element,
    prefixes: *const S::Element,
    g: *const S::Element,
    gradient: *mut S::Element,
) {
    let scan = Backward { angles, units, kept: [cosines, versines, prefixes], g, gradient };
    // SAFETY: passed on from the caller.
    unsafe { S::enter(Blocks { first, end: end.min(units), scan }) }
}

/// A scan over some units.
trait Scan<S: Simd> {
    /// Works on the `V` vectors of units from `unit` on, `columns` units in all, at least one in each vector.
    ///
    /// # Safety
    /// The units exist, the processor has the features, the arrays are valid.
    unsafe fn block<const V: usize>(&self, unit: usize, columns: usize);
}

/// The units from `first` to below `end`, block by block.
struct Blocks<K> {
    first: usize,
    end: usize,
    scan: K,
}

impl<S: Simd, K: Scan<S>> Work<S> for Blocks<K> {
    #[inline(always)]
    unsafe fn run(self) {
        let mut unit = self.first;
        while unit < self.end {
            let columns = (self.end - unit).min(BLOCK * S::LANES);
            // SAFETY: the units exist, the number of vectors is what the columns need.
            unsafe {
                match columns.div_ceil(S::LANES) {
                    1 => self.scan.block::<1>(unit, columns),
                    2 => self.scan.block::<2>(unit, columns),
                    3 => self.scan.block::<3>(unit, columns),
                    _ => self.scan.block::<BLOCK>(unit, columns),
                }
            }
            unit += columns;
        }
    }
}

/// A row of a block: all lanes of the first vectors, `last` of the last one.
#[derive(Clone, Copy)]
struct Row {
    vectors: usize,
    last: usize,
}

impl Row {
    #[inline(always)]
    fn new<S: Simd>(vectors: usize, columns: usize) -> Self {
        Row { vectors, last: columns - (vectors - 1) * S::LANES }
    }

    /// Vector `v` of the row that begins at `from`.
    ///
    /// # Safety
    /// The row exists there, the processor has the features.
    #[inline(always)]
    unsafe fn load<S: Simd>(self, from: *const S::Element, v: usize) -> S {
        // SAFETY: the vector lies in the row; of the last one only the lanes that exist are read.
        unsafe {
            let from = from.add(v * S::LANES);
            if v + 1 < self.vectors || self.last == S::LANES { S::load(from) } else { S::load_first(from, self.last) }
        }
    }

    /// Writes vector `v` of the row that begins at `to`.
    ///
    /// # Safety
    /// As [`Self::load`].
    #[inline(always)]
    unsafe fn store<S: Simd>(self, to: *mut S::Element, v: usize, value: S) {
        // SAFETY: the vector lies in the row; of the last one only the lanes that exist are written.
        unsafe {
            let to = to.add(v * S::LANES);
            if v + 1 < self.vectors || self.last == S::LANES {
                value.store(to);
            } else {
                value.store_first(to, self.last);
            }
        }
    }
}

struct Forward<T> {
    angles: usize,
    units: usize,
    theta: *const T,
    u: *mut T,
    kept: Option<[*mut T; 3]>,
    /// Whether the product's rounding error is carried along.
    exact: bool,
}

impl<S: Arithmetic> Scan<S> for Forward<S::Element> {
    #[inline(always)]
    unsafe fn block<const V: usize>(&self, unit: usize, columns: usize) {
        let row = Row::new::<S>(V, columns);
        // SAFETY: rows below `angles`, and one more of u, have these columns; the caller has the features.
        unsafe {
            let mut m = Vectors::<S>::new();
            let (mut product, mut error) = ([m.number(1.0); V], [m.number(0.0); V]);
            for angle in 0..self.angles {
                let at = angle * self.units + unit;
                for v in 0..V {
                    let p = product[v];
                    let (cosine, versine) = cosine_and_versine(&mut m, row.load(self.theta.add(at), v));
                    let mut value = m.mul(p, cosine);
                    if self.exact {
                        value = m.fma(error[v], cosine, value);
                        (product[v], error[v]) = shrink(&mut m, p, error[v], versine);
                    } else {
                        let minus = neg(&mut m, p);
                        product[v] = m.fma(minus, versine, p);
                    }
                    if !self.u.is_null() {
                        row.store(self.u.add(at), v, value);
                    }
                    if let Some([cosines, versines, prefixes]) = self.kept {
                        row.store(cosines.add(at), v, cosine);
                        row.store(versines.add(at), v, versine);
                        row.store(prefixes.add(at), v, p);
                    }
                }
            }
            if !self.u.is_null() {
                let last = self.u.add(self.angles * self.units + unit);
                (0..V).for_each(|v| row.store(last, v, product[v]));
            }
        }
    }
}

/// (P + error)(1 - q) as a rounded number and its error; exact products by fma, exact sums after Knuth.
#[inline(always)]
fn shrink<A: Machine>(m: &mut A, p: A::V, error: A::V, q: A::V) -> (A::V, A::V) {
    let zero = m.number(0.0);
    let minus_q = m.sub(zero, q);
    let change = m.mul(p, minus_q);
    let minus_change = m.sub(zero, change);
    let change_error = m.fma(p, minus_q, minus_change);
    let sum = m.add(p, change);
    let back = m.sub(sum, p);
    let whole = m.sub(sum, back);
    let lost_p = m.sub(p, whole);
    let lost_change = m.sub(change, back);
    let sum_error = m.add(lost_p, lost_change);
    let carried = m.fma(error, minus_q, error);
    let lost = m.add(sum_error, change_error);
    (sum, m.add(carried, lost))
}

struct Backward<T> {
    angles: usize,
    units: usize,
    kept: [*const T; 3],
    g: *const T,
    gradient: *mut T,
}

impl<S: Arithmetic> Scan<S> for Backward<S::Element> {
    #[inline(always)]
    unsafe fn block<const V: usize>(&self, unit: usize, columns: usize) {
        let row = Row::new::<S>(V, columns);
        // SAFETY: rows below `angles`, and one more of g, have these columns; the caller has the features.
        unsafe {
            let mut m = Vectors::<S>::new();
            let last = self.g.add(self.angles * self.units + unit);
            let mut suffix: [S; V] = std::array::from_fn(|v| row.load(last, v));
            for angle in (0..self.angles).rev() {
                let at = angle * self.units + unit;
                for (v, suffix) in suffix.iter_mut().enumerate() {
                    let [cosine, versine, p] = self.kept.map(|kept| row.load::<S>(kept.add(at), v));
                    let (g, f) = (row.load::<S>(self.g.add(at), v), *suffix);
                    let minus_g = neg(&mut m, g);
                    let straight = m.fma(cosine, f, minus_g);
                    let slope = m.fma(g, versine, straight);
                    row.store(self.gradient.add(at), v, m.mul(p, slope));
                    let minus_f = neg(&mut m, f);
                    let sine_f = m.fma(minus_f, versine, f);
                    *suffix = m.fma(g, cosine, sine_f);
                }
            }
        }
    }
}
