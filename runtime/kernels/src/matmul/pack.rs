//! Copies of parts of A and B in which tiles find what they read side by side.

use super::blocks::{DEPTH, stride_of_a};
use super::operand::Operand;
use crate::simd::Simd;

/// Numbers between neighbouring rows of B from which on they are packed: rows that are far apart compete for the same lines of
/// the cache.
const FAR: usize = 512;

/// Columns of C from which on the rows of A are packed as well: the copy is then a small part of the work. Fewer columns get
/// packed rows where these are multiples of a page apart.
const MANY: usize = 512;
const PAGE: usize = 1024;

/// Packs `depth` columns of `rows` rows of A where that helps; returns where tiles find them, which multiply them with `columns`
/// columns of B.
///
/// # Safety
/// The CPU has the features of `S`. A has the rows and columns. `to` has room for [`numbers_of_a`](super::blocks::numbers_of_a) of the rows.
#[inline(always)]
pub(super) unsafe fn a_block<S: Simd>(
    a: Operand<S::Element>,
    [rows, depth]: [usize; 2],
    columns: usize,
    to: *mut S::Element,
) -> Operand<S::Element> {
    // SAFETY: reads stay inside `rows` by `depth` elements of A; writes stay inside `rows` times `DEPTH` numbers where rows
    // are copied, and inside `depth <= DEPTH` times the stride where columns are: there is room for both.
    unsafe {
        if a.columns == 1 && columns < MANY && !a.rows.is_multiple_of(PAGE) {
            return a;
        }
        if a.columns == 1 {
            for i in 0..rows {
                copy::<S>(a.from(i, 0).at, to.add(i * DEPTH), depth);
            }
            return Operand { at: to, rows: DEPTH, columns: 1 };
        }
        let stride = stride_of_a(rows);
        for p in 0..depth {
            if a.rows == 1 {
                copy::<S>(a.from(0, p).at, to.add(p * stride), rows);
            } else {
                for i in 0..rows {
                    *to.add(p * stride + i) = *a.from(i, p).at;
                }
            }
        }
        Operand { at: to, rows: 1, columns: stride }
    }
}

/// Copies `count` numbers.
///
/// # Safety
/// The CPU has the features of `S`. `count` numbers are readable and writable.
#[inline(always)]
unsafe fn copy<S: Simd>(from: *const S::Element, to: *mut S::Element, count: usize) {
    let whole = count / S::LANES * S::LANES;
    // SAFETY: whole vectors end at `whole <= count`; the partial ones access the `count - whole` numbers behind them.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            S::load(from.add(at)).store(to.add(at));
        }
        if whole < count {
            S::load_first(from.add(whole), count - whole).store_first(to.add(whole), count - whole);
        }
    }
}

/// Packs `depth` rows of B by `columns` columns where that helps, each row `width` vectors; returns where tiles find them.
///
/// # Safety
/// The CPU has the features of `S`. B has the rows and columns, which fill more than `width - 1` vectors and at most `width`.
/// `to` has room for `width * LANES * DEPTH` numbers.
#[inline(always)]
pub(super) unsafe fn b_strip<S: Simd>(
    b: Operand<S::Element>,
    [depth, columns, width]: [usize; 3],
    to: *mut S::Element,
) -> Operand<S::Element> {
    if b.columns == 1 && b.rows <= FAR {
        return b;
    }
    let stride = width * S::LANES;
    // SAFETY: row `p < depth` of B has `columns` numbers from the first one on, and the strip `stride` numbers in each row.
    // Vector v begins at column `v * LANES < columns`.
    unsafe {
        if b.columns == 1 {
            for p in 0..depth {
                copy::<S>(b.at.add(p * b.rows), to.add(p * stride), columns);
            }
        } else {
            for v in 0..width {
                let left = (columns - v * S::LANES).min(S::LANES);
                transposed::<S>(b.from(0, v * S::LANES), [depth, left, stride], to.add(v * S::LANES));
            }
        }
    }
    Operand { at: to, rows: stride, columns: 1 }
}

/// Packs up to a vector of columns of B, four rows at a time where columns are contiguous, else number by number.
///
/// # Safety
/// The CPU has the features of `S`. B has `depth` rows and `left` columns, at most a vector. `to` has room for `depth` rows of a
/// vector, `stride` numbers apart.
#[inline(always)]
pub(super) unsafe fn transposed<S: Simd>(
    b: Operand<S::Element>,
    [depth, left, stride]: [usize; 3],
    to: *mut S::Element,
) {
    let whole = if b.rows == 1 && left == S::LANES { depth / 4 * 4 } else { 0 };
    // SAFETY: each of `LANES` columns of B has 4 rows from `p` on, since `p + 4 <= depth`. Element (p, j) of B exists for
    // `j < left`; the strip has `LANES` numbers in each row.
    unsafe {
        for p in (0..whole).step_by(4) {
            let rows = S::load_transposed(b.at.add(p), b.columns);
            for (i, row) in rows.into_iter().enumerate() {
                row.store(to.add((p + i) * stride));
            }
        }
        for p in whole..depth {
            for j in 0..left {
                *to.add(p * stride + j) = *b.from(p, j).at;
            }
        }
    }
}
