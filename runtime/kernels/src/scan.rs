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
//!
//! Of the way forwards only the product before each group of [`GROUP`] angles is kept. The gradient walks the groups
//! backwards and computes cosines, sines and products of a group anew: that is arithmetic in the first-level cache, where
//! three kept numbers an angle would go to memory and back, which takes longer for networks worth the wait.

#[cfg(test)]
mod tests;

use super::Variant;
use super::simd::{Arithmetic, PlainF32, PlainF64, Simd, Vectors, Work, prefetch};
#[cfg(target_arch = "x86_64")]
use super::simd::{F32x8, F32x16, F64x4, F64x8};
use gmpc_math::spherical::GROUP;
use gmpc_math::{Machine, Precision, cosine_and_versine, neg};

/// Angles up to which a plain product keeps a unit vector's length to 4e-6 in f32 (2^-25 a factor).
const SHORT: usize = 64;
/// Most vectors of units worked on at once: a block of f32 is four lines of a cache wide.
const BLOCK: usize = 4;
/// Rows ahead that are asked for: a block's rows lie far apart, where no processor looks by itself.
const AHEAD: usize = 12;

/// Unit vectors, as generated code calls it: angles a unit, units; the units from `first` to below `end` are computed;
/// angles `[angles, units]`; unit vectors `[angles + 1, units]` or null; the prefix products before every [`GROUP`]th angle
/// but the first and their rounding errors, `[(angles - 1) / GROUP, 2, units]`, or null.
pub type Spherical<T> = unsafe extern "C" fn(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const T,
    u: *mut T,
    kept: *mut T,
);

/// The gradient, as generated code calls it: sizes, range and angles as in [`Spherical`]; what that kept; the gradient at the
/// unit vectors `[angles + 1, units]`; the gradient at the angles `[angles, units]`, which is written.
pub type SphericalGrad<T> = unsafe extern "C" fn(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const T,
    kept: *const T,
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
    kept: *mut S::Element,
) {
    let scan = Forward { angles: Angles::new::<S>(angles, units, theta), u, kept };
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
    theta: *const S::Element,
    kept: *const S::Element,
    g: *const S::Element,
    gradient: *mut S::Element,
) {
    let scan = Backward { angles: Angles::new::<S>(angles, units, theta), kept, g, gradient };
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

    /// Asks for the row that begins at `from`, or would: any address will do.
    #[inline(always)]
    fn ask<S: Simd>(self, from: *const S::Element) {
        (0..self.vectors).for_each(|v| prefetch(from.wrapping_add(v * S::LANES)));
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

/// The angles of all units.
#[derive(Clone, Copy)]
struct Angles<T> {
    /// Of a unit.
    count: usize,
    units: usize,
    theta: *const T,
    /// Whether the product's rounding error is carried along.
    exact: bool,
}

impl<T: Copy> Angles<T> {
    fn new<S: Arithmetic>(count: usize, units: usize, theta: *const T) -> Self {
        Angles { count, units, theta, exact: S::PRECISION == Precision::F32 && count > SHORT }
    }

    /// Where the product before a group is kept, of which there is none before the first one, and its error.
    #[inline(always)]
    fn kept(self, group: usize, unit: usize) -> [usize; 2] {
        [2, 1].map(|back| (2 * group - back) * self.units + unit)
    }
}

/// The product of the sines so far and its rounding error, of `V` vectors of units.
#[derive(Clone, Copy)]
struct Product<S, const V: usize> {
    product: [S; V],
    error: [S; V],
}

impl<S: Arithmetic, const V: usize> Product<S, V> {
    #[inline(always)]
    fn one(m: &mut Vectors<S>) -> Self {
        Product { product: [m.number(1.0); V], error: [m.number(0.0); V] }
    }

    /// Times 1 - q in vector `v`.
    #[inline(always)]
    fn shrink(&mut self, m: &mut Vectors<S>, v: usize, q: S, exact: bool) {
        let p = self.product[v];
        if exact {
            (self.product[v], self.error[v]) = shrink(m, p, self.error[v], q);
        } else {
            let minus = neg(m, p);
            self.product[v] = m.fma(minus, q, p);
        }
    }
}

struct Forward<T> {
    angles: Angles<T>,
    u: *mut T,
    kept: *mut T,
}

impl<S: Arithmetic> Scan<S> for Forward<S::Element> {
    #[inline(always)]
    unsafe fn block<const V: usize>(&self, unit: usize, columns: usize) {
        let (row, angles) = (Row::new::<S>(V, columns), self.angles);
        // SAFETY: rows below the number of angles, and one more of u, have these columns, and so have two rows for each
        // group of angles but the first; the caller has the features.
        unsafe {
            let mut m = Vectors::<S>::new();
            let mut state = Product::<S, V>::one(&mut m);
            for angle in 0..angles.count {
                let at = angle * angles.units + unit;
                for ahead in [angles.theta, self.u] {
                    row.ask::<S>(ahead.wrapping_add(at + AHEAD * angles.units));
                }
                if !self.kept.is_null() && angle > 0 && angle % GROUP == 0 {
                    let [p, e] = angles.kept(angle / GROUP, unit).map(|at| self.kept.add(at));
                    (0..V).for_each(|v| row.store(p, v, state.product[v]));
                    (0..V).for_each(|v| row.store(e, v, state.error[v]));
                }
                for v in 0..V {
                    let (cosine, versine) = cosine_and_versine(&mut m, row.load(angles.theta.add(at), v));
                    if !self.u.is_null() {
                        let mut value = m.mul(state.product[v], cosine);
                        if angles.exact {
                            value = m.fma(state.error[v], cosine, value);
                        }
                        row.store(self.u.add(at), v, value);
                    }
                    state.shrink(&mut m, v, versine, angles.exact);
                }
            }
            if !self.u.is_null() {
                let last = self.u.add(angles.count * angles.units + unit);
                (0..V).for_each(|v| row.store(last, v, state.product[v]));
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
    angles: Angles<T>,
    kept: *const T,
    g: *const T,
    gradient: *mut T,
}

/// Cosine, one minus sine and the product before an angle.
type Parts<S> = [S; 3];

impl<T: Copy> Backward<T> {
    /// What the way back needs of the group's angles, computed anew.
    ///
    /// # Safety
    /// As [`Scan::block`]; the group exists.
    #[inline(always)]
    unsafe fn parts<S: Arithmetic<Element = T>, const V: usize>(
        &self,
        m: &mut Vectors<S>,
        group: usize,
        [unit, columns]: [usize; 2],
        parts: &mut [[Parts<S>; V]; GROUP],
    ) {
        let (row, angles) = (Row::new::<S>(V, columns), self.angles);
        let mut state = Product::<S, V>::one(m);
        // SAFETY: the group's rows have these columns, and so have its two kept rows, unless it is the first group.
        unsafe {
            if group > 0 {
                let [p, e] = angles.kept(group, unit).map(|at| self.kept.add(at));
                state = Product {
                    product: std::array::from_fn(|v| row.load(p, v)),
                    error: std::array::from_fn(|v| row.load(e, v)),
                };
            }
            let first = group * GROUP;
            for (angle, parts) in (first..angles.count).zip(parts) {
                let at = angle * angles.units + unit;
                for back in [angles.theta, self.g, self.gradient] {
                    row.ask::<S>(back.wrapping_add(at).wrapping_sub(GROUP * angles.units));
                }
                for (v, parts) in parts.iter_mut().enumerate() {
                    let (cosine, versine) = cosine_and_versine(m, row.load(angles.theta.add(at), v));
                    *parts = [cosine, versine, state.product[v]];
                    state.shrink(m, v, versine, angles.exact);
                }
            }
        }
    }
}

impl<S: Arithmetic> Scan<S> for Backward<S::Element> {
    #[inline(always)]
    unsafe fn block<const V: usize>(&self, unit: usize, columns: usize) {
        let (row, angles) = (Row::new::<S>(V, columns), self.angles);
        // SAFETY: rows below the number of angles, and one more of g, have these columns; the groups cover the angles; the
        // caller has the features.
        unsafe {
            let mut m = Vectors::<S>::new();
            let last = self.g.add(angles.count * angles.units + unit);
            let mut suffix: [S; V] = std::array::from_fn(|v| row.load(last, v));
            let mut all = [[[S::zero(); 3]; V]; GROUP];
            for group in (0..angles.count.div_ceil(GROUP)).rev() {
                self.parts(&mut m, group, [unit, columns], &mut all);
                let first = group * GROUP;
                let count = (angles.count - first).min(GROUP);
                for (angle, parts) in (first..first + count).zip(&all).rev() {
                    let at = angle * angles.units + unit;
                    for (v, (suffix, &[cosine, versine, p])) in suffix.iter_mut().zip(parts).enumerate() {
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
}
