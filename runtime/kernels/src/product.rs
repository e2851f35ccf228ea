//! C = A B, tile by tile.

#![allow(clippy::needless_range_loop)] // tiles are written with their indices, as in the formula

use super::simd::{Number, Simd};
use std::mem::MaybeUninit;

/// Rows of B that stay in the first-level cache while all of A passes by (chosen by hand: 128 rows of 4 vectors are 32 KB).
const DEPTH: usize = 128;
/// Numbers of a packed panel of B: `DEPTH` rows of 4 vectors of 16.
const PANEL: usize = DEPTH * 64;

/// A matrix operand: address, row stride, column stride.
#[derive(Clone, Copy)]
struct Operand<T> {
    at: *const T,
    rows: usize,
    columns: usize,
}

impl<T> Operand<T> {
    /// The operand from element (i, j) on.
    ///
    /// # Safety
    /// The element exists.
    #[inline(always)]
    unsafe fn from(self, i: usize, j: usize) -> Self {
        // SAFETY: the caller vouches for the element.
        Operand { at: unsafe { self.at.add(i * self.rows + j * self.columns) }, ..self }
    }
}

/// What happens to the results before they are written.
#[derive(Clone, Copy)]
struct Finish<T> {
    /// Added to every row, or null.
    bias: *const T,
    /// Negative results become 0.
    relu: bool,
}

/// Size `total` cut into `total.div_ceil(most)` nearly equal parts: start and size of part `index`.
#[inline(always)]
fn part(total: usize, most: usize, index: usize) -> (usize, usize) {
    let count = total.div_ceil(most);
    let (size, rest) = (total / count, total % count);
    (index * size + index.min(rest), size + usize::from(index < rest))
}

/// C = A B.
///
/// # Safety
/// `S`'s processor features; A, B and C are valid matrices of the given sizes, C overlaps neither.
#[inline(always)]
unsafe fn product<S: Simd>(
    [m, n, k]: [usize; 3],
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    finish: Finish<S::Element>,
) {
    if n == 1 && a.columns == 1 && b.rows == 1 {
        // SAFETY: passed on from the caller.
        return unsafe { matrix_by_vector::<S>(m, k, a, b.at, c, c_rows, finish) };
    }
    let vectors = n.div_ceil(S::LANES);
    let depth = if m <= S::TILE.0 && b.columns == 1 { k.max(1) } else { DEPTH };
    for panel in 0..vectors.div_ceil(S::TILE.1) {
        let (first, width) = part(vectors, S::TILE.1, panel);
        let column = first * S::LANES;
        let columns = (width * S::LANES).min(n - column);
        let mut done = 0;
        while done < k {
            let depth = depth.min(k - done);
            // SAFETY: row `done` and column `column` lie inside B; sizes stay inside by construction.
            unsafe {
                let a = a.from(0, done);
                let b = b.from(done, column);
                let last = done + depth == k;
                let bias = if finish.bias.is_null() || !last { std::ptr::null() } else { finish.bias.add(column) };
                let finish = Finish { bias, relu: finish.relu && last };
                block::<S>([m, columns, depth], width, a, b, c.add(column), c_rows, done > 0, finish);
            }
            done += depth;
        }
    }
}

/// One panel of columns over some depth, all rows; packs B where its rows are not contiguous.
///
/// # Safety
/// As [`product`]; `columns` are at most `width` vectors.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // everything here is inlined into one loop nest
unsafe fn block<S: Simd>(
    [m, columns, depth]: [usize; 3],
    width: usize,
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    add: bool,
    finish: Finish<S::Element>,
) {
    let mut packed = MaybeUninit::<[S::Element; PANEL]>::uninit();
    let mut b = b;
    if b.columns != 1 {
        let to = packed.as_mut_ptr().cast::<S::Element>();
        for row in 0..depth {
            for column in 0..columns {
                // SAFETY: `row < DEPTH` and `column < 64`, so the panel has room; the element of B exists.
                unsafe { *to.add(row * 64 + column) = *b.from(row, column).at }
            }
        }
        b = Operand { at: to, rows: 64, columns: 1 };
    }
    for tile in 0..m.div_ceil(S::TILE.0) {
        let (row, rows) = part(m, S::TILE.0, tile);
        // SAFETY: `row` lies inside A and C.
        unsafe {
            rows_of_tile::<S>(rows, width, columns, depth, a.from(row, 0), b, c.add(row * c_rows), c_rows, add, finish)
        }
    }
}

/// Picks the tile of the right size, whose loops the compiler unrolls into registers.
///
/// # Safety
/// As [`product`].
#[inline(always)]
#[allow(clippy::too_many_arguments)] // everything here is inlined into one loop nest
unsafe fn rows_of_tile<S: Simd>(
    rows: usize,
    width: usize,
    columns: usize,
    depth: usize,
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    add: bool,
    finish: Finish<S::Element>,
) {
    macro_rules! pick {
        ($($m:literal $v:literal),*) => {
            match (rows, width) {
                // SAFETY: passed on from the caller.
                $(($m, $v) if $m <= S::TILE.0 && $v <= S::TILE.1 =>
                    unsafe { tile::<S, $m, $v>(columns, depth, a, b, c, c_rows, add, finish) },)*
                _ => debug_assert!(false, "no tile of {rows} x {width}"),
            }
        };
    }
    pick!(
        1 1, 1 2, 1 3, 1 4, 2 1, 2 2, 2 3, 2 4, 3 1, 3 2, 3 3, 3 4,
        4 1, 4 2, 4 3, 4 4, 5 1, 5 2, 5 3, 5 4, 6 1, 6 2, 6 3, 6 4
    );
}

/// `M` rows by `V` vectors of C, held in registers over the whole depth; the last vector may be partly filled.
///
/// # Safety
/// As [`product`].
#[inline(always)]
#[allow(clippy::too_many_arguments)] // everything here is inlined into one loop nest
unsafe fn tile<S: Simd, const M: usize, const V: usize>(
    columns: usize,
    depth: usize,
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    add: bool,
    finish: Finish<S::Element>,
) {
    let last = columns - (V - 1) * S::LANES;
    let full = last == S::LANES;
    // SAFETY: rows below M and columns below `columns` exist in A, B and C; the last vector touches `last` numbers only.
    unsafe {
        let mut sums = [[S::zero(); V]; M];
        for p in 0..depth {
            let row = b.at.add(p * b.rows);
            let mut line = [S::zero(); V];
            for v in 0..V - 1 {
                line[v] = S::load(row.add(v * S::LANES));
            }
            let end = row.add((V - 1) * S::LANES);
            line[V - 1] = if full { S::load(end) } else { S::load_first(end, last) };
            for i in 0..M {
                let factor = S::splat(a.at.add(i * a.rows + p * a.columns));
                for v in 0..V {
                    sums[i][v] = sums[i][v].add_product(factor, line[v]);
                }
            }
        }
        let some = |from: *const S::Element, v: usize| {
            let from = from.add(v * S::LANES);
            if v + 1 < V || full { S::load(from) } else { S::load_first(from, last) }
        };
        // Simple loops, each unrolled whole, so that the sums never leave the registers.
        if add {
            for i in 0..M {
                for v in 0..V {
                    sums[i][v] = sums[i][v].add(some(c.add(i * c_rows), v));
                }
            }
        }
        if !finish.bias.is_null() {
            for v in 0..V {
                let bias = some(finish.bias, v);
                for row in &mut sums {
                    row[v] = row[v].add(bias);
                }
            }
        }
        if finish.relu {
            for row in &mut sums {
                for sum in row {
                    *sum = sum.relu();
                }
            }
        }
        for (i, row) in sums.iter().enumerate() {
            let to = c.add(i * c_rows);
            for (v, sum) in row.iter().enumerate().take(V - 1) {
                sum.store(to.add(v * S::LANES));
            }
            let end = to.add((V - 1) * S::LANES);
            if full { row[V - 1].store(end) } else { row[V - 1].store_first(end, last) }
        }
    }
}

/// Rows of a matrix that share what is read of the vector.
const GROUP: usize = 8;

/// The product with a column, rows of A and the column side by side.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn matrix_by_vector<S: Simd>(
    m: usize,
    k: usize,
    a: Operand<S::Element>,
    b: *const S::Element,
    c: *mut S::Element,
    c_rows: usize,
    finish: Finish<S::Element>,
) {
    let mut row = 0;
    while row < m {
        // SAFETY: the rows exist.
        unsafe {
            let (a, c) = (a.from(row, 0), c.add(row * c_rows));
            if m - row >= GROUP {
                dots::<S, GROUP>(k, a, b, c, c_rows, finish);
                row += GROUP;
            } else {
                dots::<S, 1>(k, a, b, c, c_rows, finish);
                row += 1;
            }
        }
    }
}

/// Scalar products of `M` rows with the vector.
///
/// # Safety
/// As [`product`].
#[inline(always)]
unsafe fn dots<S: Simd, const M: usize>(
    k: usize,
    a: Operand<S::Element>,
    b: *const S::Element,
    c: *mut S::Element,
    c_rows: usize,
    finish: Finish<S::Element>,
) {
    let whole = k / S::LANES * S::LANES;
    // SAFETY: the rows have k numbers, as has the vector; the last, partial vectors read no more; C has the rows.
    unsafe {
        let mut sums = [S::zero(); M];
        for p in (0..whole).step_by(S::LANES) {
            let factor = S::load(b.add(p));
            for i in 0..M {
                sums[i] = sums[i].add_product(factor, S::load(a.at.add(i * a.rows + p)));
            }
        }
        if whole < k {
            let factor = S::load_first(b.add(whole), k - whole);
            for i in 0..M {
                sums[i] = sums[i].add_product(factor, S::load_first(a.at.add(i * a.rows + whole), k - whole));
            }
        }
        for i in 0..M {
            let mut total = sums[i].total();
            if !finish.bias.is_null() {
                total = total.plus(*finish.bias);
            }
            if finish.relu && total < S::Element::default() {
                total = S::Element::default();
            }
            *c.add(i * c_rows) = total;
        }
    }
}

macro_rules! entry {
    ($name:ident, $simd:ty, $element:ty, $($feature:literal)?) => {
        /// See [`super::Product`].
        ///
        /// # Safety
        /// The processor has the features; the matrices are valid, C overlaps neither A nor B.
        $(#[cfg(target_arch = "x86_64")] #[target_feature(enable = $feature)])?
        #[allow(clippy::too_many_arguments)] // called by generated code, which passes numbers
        pub(super) unsafe extern "C" fn $name(
            m: usize,
            n: usize,
            k: usize,
            a: *const $element,
            a_rows: usize,
            a_columns: usize,
            b: *const $element,
            b_rows: usize,
            b_columns: usize,
            c: *mut $element,
            c_rows: usize,
            bias: *const $element,
            relu: usize,
        ) {
            let a = Operand { at: a, rows: a_rows, columns: a_columns };
            let b = Operand { at: b, rows: b_rows, columns: b_columns };
            // SAFETY: the features are enabled here, the caller vouches for the matrices.
            unsafe { product::<$simd>([m, n, k], a, b, c, c_rows, Finish { bias, relu: relu != 0 }) }
        }
    };
}
#[cfg(target_arch = "x86_64")]
entry!(avx512_f32, super::simd::F32x16, f32, "avx512f");
#[cfg(target_arch = "x86_64")]
entry!(avx512_f64, super::simd::F64x8, f64, "avx512f");
#[cfg(target_arch = "x86_64")]
entry!(avx2_f32, super::simd::F32x8, f32, "avx2,fma");
#[cfg(target_arch = "x86_64")]
entry!(avx2_f64, super::simd::F64x4, f64, "avx2,fma");
entry!(portable_f32, super::simd::PlainF32, f32,);
entry!(portable_f64, super::simd::PlainF64, f64,);
