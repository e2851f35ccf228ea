//! Unit vectors from angles, and the gradient at the angles: scans along the angles, several units side by side.
//!
//! ```text
//! u[k] = P[k] cos t[k],  P[k + 1] = P[k] sin t[k],  u[n - 1] = P[n - 1]
//! F = g[n - 1];  for k from the last angle on:  dL/dt[k] = P[k] (cos t[k] F - g[k] sin t[k]),  F = g[k] cos t[k] + sin t[k] F
//! ```
//!
//! The prefix product is updated as `P -= P q` with `q = 1 - sin t`. This keeps the low bits if sines are near 1. In f32
//! a second number carries the rounding error along, so that vectors of thousands of elements keep their length. The
//! result of a unit depends only on its angles: not on its neighbours, the vector type or the thread.
//!
//! The forward scan saves only the product before each group of [`GROUP`] angles. The backward scan walks the groups from
//! last to first and recomputes the cosines, versines and products of a group. That is arithmetic in the L1 cache. Three
//! saved numbers for each angle would go to memory and back, which takes longer for large networks.

#[cfg(test)]
mod tests;

use super::Variant;
use super::simd::{Arithmetic, PlainF32, PlainF64, Simd, Vectors, Work, prefetch};
#[cfg(target_arch = "x86_64")]
use super::simd::{F32x8, F32x16, F64x4, F64x8};
use gmpc_math::spherical::GROUP;
use gmpc_math::{Machine, Precision, cosine_and_versine, neg};

/// Up to this number of angles, a plain product keeps the length of a unit vector to 4e-6 in f32 (an error of 2^-25 for each
/// factor).
const SHORT: usize = 64;
/// Limit on the vectors of units computed at once: a block of f32 is four cache lines wide.
const BLOCK: usize = 4;
/// How many rows ahead are prefetched: the rows of a block lie far apart, so no CPU prefetches them by itself.
const AHEAD: usize = 12;

/// The forward scan as generated code calls it. Arguments: angles of a unit; units; the range of units to compute,
/// `first..end`; `theta` `[angles, units]`; `u`, unit vectors `[angles + 1, units]`, or null; `saved`, the prefix product
/// before every [`GROUP`]th angle except the first, with its rounding error, `[(angles - 1) / GROUP, 2, units]`, or null.
pub type Spherical<T> = unsafe extern "C" fn(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const T,
    u: *mut T,
    saved: *mut T,
);

/// The backward scan as generated code calls it. Sizes, range, `theta` and `saved` are those of [`Spherical`]; `g` is the
/// gradient at the unit vectors `[angles + 1, units]`; `gradient`, at the angles `[angles, units]`, is written.
pub type SphericalGrad<T> = unsafe extern "C" fn(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const T,
    saved: *const T,
    g: *const T,
    gradient: *mut T,
);

macro_rules! by_variant {
    ($name:ident, $kernel:ident, $type:ident, $element:ty, $avx512:ty, $avx2:ty, $plain:ty) => {
        /// The kernel of a variant. Not inlined: the crate that calls it would compile it with its own optimization.
        #[must_use]
        #[inline(never)]
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
/// The CPU has the features of `S`. The arrays have the sizes given there. Arrays that are written overlap no other.
unsafe extern "C" fn spherical<S: Arithmetic>(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const S::Element,
    u: *mut S::Element,
    saved: *mut S::Element,
) {
    let scan = Forward { angles: Angles::new::<S>(angles, units, theta), u, saved };
    // SAFETY: the contract of this function is that of the call.
    unsafe { S::enter(Blocks { first, end: end.min(units), scan }) }
}

/// See [`SphericalGrad`].
///
/// # Safety
/// As for [`spherical`].
unsafe extern "C" fn spherical_grad<S: Arithmetic>(
    angles: usize,
    units: usize,
    first: usize,
    end: usize,
    theta: *const S::Element,
    saved: *const S::Element,
    g: *const S::Element,
    gradient: *mut S::Element,
) {
    let scan = Backward { angles: Angles::new::<S>(angles, units, theta), saved, g, gradient };
    // SAFETY: the contract of this function is that of the call.
    unsafe { S::enter(Blocks { first, end: end.min(units), scan }) }
}

/// A scan over some units.
trait Scan<S: Simd> {
    /// Computes `columns` units from `unit` on, in `V` vectors, each with at least one unit.
    ///
    /// # Safety
    /// The units are inside the arrays, the arrays are valid, and the CPU has the features of `S`.
    unsafe fn block<const V: usize>(&self, unit: usize, columns: usize);
}

/// A scan over the units `first..end`, block by block.
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
            // SAFETY: `unit + columns <= end`, which is at most the number of units; the match chooses as many vectors as
            // the columns need. The rest is the contract of whoever made `self`.
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

/// A row of a block: `vectors` vectors, of which the last one has `last` lanes in use.
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
    /// The row is readable there, and the CPU has the features.
    #[inline(always)]
    unsafe fn load<S: Simd>(self, from: *const S::Element, v: usize) -> S {
        // SAFETY: vector `v` is inside the row; a partial load reads only the lanes in use.
        unsafe {
            let from = from.add(v * S::LANES);
            if v + 1 < self.vectors || self.last == S::LANES { S::load(from) } else { S::load_first(from, self.last) }
        }
    }

    /// Prefetches the row that begins at `from`. The address need not be valid.
    #[inline(always)]
    fn ask<S: Simd>(self, from: *const S::Element) {
        (0..self.vectors).for_each(|v| prefetch(from.wrapping_add(v * S::LANES)));
    }

    /// Writes vector `v` of the row that begins at `to`.
    ///
    /// # Safety
    /// The row is writable there, and the CPU has the features.
    #[inline(always)]
    unsafe fn store<S: Simd>(self, to: *mut S::Element, v: usize, value: S) {
        // SAFETY: vector `v` is inside the row; a partial store writes only the lanes in use.
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
    /// Angles of a unit.
    count: usize,
    units: usize,
    theta: *const T,
    /// Is the rounding error of the product carried along?
    exact: bool,
}

impl<T: Copy> Angles<T> {
    fn new<S: Arithmetic>(count: usize, units: usize, theta: *const T) -> Self {
        Angles { count, units, theta, exact: S::PRECISION == Precision::F32 && count > SHORT }
    }

    /// Offsets of the saved prefix product and its rounding error for `group`; group 0 has none.
    #[inline(always)]
    fn saved(self, group: usize, unit: usize) -> [usize; 2] {
        [2, 1].map(|back| (2 * group - back) * self.units + unit)
    }
}

/// The product of the sines so far, and its rounding error, for `V` vectors of units.
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

    /// Multiplies vector `v` by 1 - q.
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
    saved: *mut T,
}

impl<S: Arithmetic> Scan<S> for Forward<S::Element> {
    #[inline(always)]
    unsafe fn block<const V: usize>(&self, unit: usize, columns: usize) {
        let (row, angles) = (Row::new::<S>(V, columns), self.angles);
        // SAFETY: the contract of `Scan::block`. `theta` has `angles.count` rows with these columns, `u` one more, and
        // `saved` two rows for each group of angles except the first.
        unsafe {
            let mut m = Vectors::<S>::new();
            let mut state = Product::<S, V>::one(&mut m);
            for angle in 0..angles.count {
                let at = angle * angles.units + unit;
                // Prefetching `u` too saves the wait for its lines before the stores.
                for ahead in [angles.theta, self.u] {
                    row.ask::<S>(ahead.wrapping_add(at + AHEAD * angles.units));
                }
                // The backward scan restarts each group from here; group 0 starts from 1 and needs nothing.
                if !self.saved.is_null() && angle > 0 && angle % GROUP == 0 {
                    let [p, e] = angles.saved(angle / GROUP, unit).map(|at| self.saved.add(at));
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

/// (P + error)(1 - q) as a rounded number and its error. `fma` gives the error of the product, Knuth's two-sum that of
/// the sum.
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
    saved: *const T,
    g: *const T,
    gradient: *mut T,
}

/// The cosine, the versine (one minus the sine), and the product before an angle.
type Parts<S> = [S; 3];

impl<T: Copy> Backward<T> {
    /// Recomputes what the backward scan needs of the angles of a group.
    ///
    /// # Safety
    /// As for [`Scan::block`]. The group has at least one angle.
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
        // SAFETY: the rows of the group have these columns. So have its two saved rows, which exist for every group but the
        // first.
        unsafe {
            if group > 0 {
                let [p, e] = angles.saved(group, unit).map(|at| self.saved.add(at));
                state = Product {
                    product: std::array::from_fn(|v| row.load(p, v)),
                    error: std::array::from_fn(|v| row.load(e, v)),
                };
            }
            let first = group * GROUP;
            for (angle, parts) in (first..angles.count).zip(parts) {
                let at = angle * angles.units + unit;
                // The next group is the one before this: its rows lie GROUP rows back.
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
        // SAFETY: the contract of `Scan::block`. `theta` and `gradient` have `angles.count` rows with these columns, `g`
        // one more, and every row index below is smaller than that.
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
                        // Both formulas avoid the sine 1 - q, whose low bits would be lost: g - g q and f - f q take its
                        // place.
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
