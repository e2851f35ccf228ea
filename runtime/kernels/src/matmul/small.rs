//! The matmul C = A B for small matrices, tile by tile, called from generated code.

#![expect(clippy::needless_range_loop, reason = "tiles are written with their indices, as in the formula")]

use super::blocks::DEPTH;
use super::operand::{Epilogue, Operand, part};
use super::pack::transposed;
use crate::simd::{Number, Simd};
use std::mem::MaybeUninit;

/// Numbers of a packed panel of B: `DEPTH` rows of 4 vectors of 16.
const PANEL: usize = DEPTH * 64;

/// C = A B.
///
/// # Safety
/// The CPU has the features of `S`. A, B and C are valid matrices of the given sizes. C overlaps neither A nor B.
#[inline(always)]
unsafe fn matmul<S: Simd>(
    [m, n, k]: [usize; 3],
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    epilogue: Epilogue<S::Element>,
) {
    if n == 1 && a.columns == 1 && b.rows == 1 {
        // SAFETY: the contract of this function is that of the call.
        return unsafe { matrix_by_vector::<S>(m, k, a, b.at, c, c_rows, epilogue) };
    }
    let vectors = n.div_ceil(S::LANES);
    // A panel of columns is computed in blocks of rows of B, so that a block stays in the L1 cache. With one tile of rows
    // nothing is read twice, so all rows of B form one block.
    let depth = if m <= S::TILE.0 && b.columns == 1 { k.max(1) } else { DEPTH };
    for panel in 0..vectors.div_ceil(S::TILE.1) {
        let (first, width) = part(vectors, S::TILE.1, panel);
        let column = first * S::LANES;
        let columns = (width * S::LANES).min(n - column);
        let mut done = 0;
        while done < k {
            let depth = depth.min(k - done);
            // SAFETY: `done < k` and `column < n`, so both operands begin inside A and B; `depth` and `columns` end
            // inside them.
            unsafe {
                let a = a.from(0, done);
                let b = b.from(done, column);
                // Bias and ReLU come after the last block of a sum, not before.
                let last = done + depth == k;
                let bias = if epilogue.bias.is_null() || !last { std::ptr::null() } else { epilogue.bias.add(column) };
                let epilogue = Epilogue { bias, relu: epilogue.relu && last };
                block::<S>([m, columns, depth], width, a, b, c.add(column), c_rows, done > 0, epilogue);
            }
            done += depth;
        }
    }
}

/// One panel of columns over some rows of B, for all rows of A. If rows of B are not contiguous, they are packed first.
///
/// # Safety
/// As for [`matmul`]. `columns` are at most `width` vectors. `depth` is at most [`DEPTH`] if columns of B are not contiguous.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "everything here is inlined into one loop nest")]
unsafe fn block<S: Simd>(
    [m, columns, depth]: [usize; 3],
    width: usize,
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    add: bool,
    epilogue: Epilogue<S::Element>,
) {
    let mut packed = MaybeUninit::<[S::Element; PANEL]>::uninit();
    let mut b = b;
    if b.columns != 1 {
        let to = packed.as_mut_ptr().cast::<S::Element>();
        for v in 0..width {
            let left = (columns - v * S::LANES).min(S::LANES);
            // SAFETY: vector v begins at column `v * LANES < columns`. `depth <= DEPTH`, and a row of the panel has room for all
            // vectors of a tile (4 of 16 at most).
            unsafe { transposed::<S>(b.from(0, v * S::LANES), [depth, left, 64], to.add(v * S::LANES)) }
        }
        b = Operand { at: to, rows: 64, columns: 1 };
    }
    for tile in 0..m.div_ceil(S::TILE.0) {
        let (row, rows) = part(m, S::TILE.0, tile);
        // SAFETY: `row + rows <= m`, so the rows are inside A and C.
        unsafe {
            rows_of_tile::<S>(
                rows,
                width,
                columns,
                depth,
                a.from(row, 0),
                b,
                c.add(row * c_rows),
                c_rows,
                add,
                epilogue,
            )
        }
    }
}

/// Panics: no tile has this size. Returning would leave results that were never computed.
#[cold]
#[inline(never)]
pub(crate) fn no_tile(rows: usize, width: usize) -> ! {
    panic!("no tile of {rows} x {width}")
}

/// Calls the tile of the right size. Its loops have constant bounds, so that the compiler unrolls them into registers.
///
/// # Safety
/// As for [`matmul`], for `rows` rows of A and C, `columns` columns of B and C and `depth` terms. The rows of B are contiguous.
/// `columns` fill more than `width - 1` vectors and at most `width`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "everything here is inlined into one loop nest")]
pub(super) unsafe fn rows_of_tile<S: Simd>(
    rows: usize,
    width: usize,
    columns: usize,
    depth: usize,
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    add: bool,
    epilogue: Epilogue<S::Element>,
) {
    // The guard compares with a constant of `S`, so that tiles which never occur are not compiled.
    macro_rules! pick {
        ($($m:literal $v:literal),*) => {
            match (rows, width) {
                // SAFETY: the contract of this function is that of the call.
                $(($m, $v) if $m <= S::TILE.0 && $v <= S::TILE.1 =>
                    unsafe { tile::<S, $m, $v>(columns, depth, a, b, c, c_rows, add, epilogue) },)*
                _ => no_tile(rows, width),
            }
        };
    }
    pick!(
        1 1, 1 2, 1 3, 1 4, 2 1, 2 2, 2 3, 2 4, 3 1, 3 2, 3 3, 3 4,
        4 1, 4 2, 4 3, 4 4, 5 1, 5 2, 5 3, 5 4, 6 1, 6 2, 6 3, 6 4
    );
}

/// `M` rows by `V` vectors of C, which stay in registers over the whole depth. The last vector may be partly filled.
///
/// # Safety
/// As for [`matmul`].
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "everything here is inlined into one loop nest")]
unsafe fn tile<S: Simd, const M: usize, const V: usize>(
    columns: usize,
    depth: usize,
    a: Operand<S::Element>,
    b: Operand<S::Element>,
    c: *mut S::Element,
    c_rows: usize,
    add: bool,
    epilogue: Epilogue<S::Element>,
) {
    let last = columns - (V - 1) * S::LANES;
    let full = last == S::LANES;
    // SAFETY: `M` rows and `columns` columns are inside A, B and C. The partial loads and stores of the last vector touch
    // only `last` numbers.
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
        // Separate simple loops, which the compiler unrolls completely: so the sums never leave the registers.
        if add {
            for i in 0..M {
                for v in 0..V {
                    sums[i][v] = sums[i][v].add(some(c.add(i * c_rows), v));
                }
            }
        }
        if !epilogue.bias.is_null() {
            for v in 0..V {
                let bias = some(epilogue.bias, v);
                for row in &mut sums {
                    row[v] = row[v].add(bias);
                }
            }
        }
        if epilogue.relu {
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

/// Rows of the matrix that share each load of the vector.
const GROUP: usize = 8;

/// The matmul with a single column. Rows of A and the column are contiguous.
///
/// # Safety
/// As for [`matmul`].
#[inline(always)]
unsafe fn matrix_by_vector<S: Simd>(
    m: usize,
    k: usize,
    a: Operand<S::Element>,
    b: *const S::Element,
    c: *mut S::Element,
    c_rows: usize,
    epilogue: Epilogue<S::Element>,
) {
    let mut row = 0;
    while row < m {
        // SAFETY: `row < m`, and a group begins only if all its rows are below m.
        unsafe {
            let (a, c) = (a.from(row, 0), c.add(row * c_rows));
            if m - row >= GROUP {
                dots::<S, GROUP>(k, a, b, c, c_rows, epilogue);
                row += GROUP;
            } else {
                dots::<S, 1>(k, a, b, c, c_rows, epilogue);
                row += 1;
            }
        }
    }
}

/// Dot products of `M` rows with the vector.
///
/// # Safety
/// As for [`matmul`].
#[inline(always)]
unsafe fn dots<S: Simd, const M: usize>(
    k: usize,
    a: Operand<S::Element>,
    b: *const S::Element,
    c: *mut S::Element,
    c_rows: usize,
    epilogue: Epilogue<S::Element>,
) {
    let whole = k / S::LANES * S::LANES;
    // SAFETY: each row and the vector have k numbers. Whole vectors end at `whole <= k`, and partial loads read the
    // remaining `k - whole` numbers. C has M rows.
    unsafe {
        let mut sums = [S::zero(); M];
        for p in (0..whole).step_by(S::LANES) {
            let factor = S::load(b.add(p));
            for i in 0..M {
                sums[i] = sums[i].add_product(factor, S::load(a.at.add(i * a.rows + p)));
            }
        }
        // The other lanes of a partial load are 0 and add nothing.
        if whole < k {
            let factor = S::load_first(b.add(whole), k - whole);
            for i in 0..M {
                sums[i] = sums[i].add_product(factor, S::load_first(a.at.add(i * a.rows + whole), k - whole));
            }
        }
        // `total < 0` is false for NaN, so NaN passes the ReLU.
        for i in 0..M {
            let mut total = sums[i].total();
            if !epilogue.bias.is_null() {
                total = total.plus(*epilogue.bias);
            }
            if epilogue.relu && total < S::Element::default() {
                total = S::Element::default();
            }
            *c.add(i * c_rows) = total;
        }
    }
}

macro_rules! entry {
    ($name:ident, $simd:ty, $element:ty, $($feature:literal)?) => {
        /// See [`crate::MatMul`].
        ///
        /// # Safety
        /// The CPU has the features. The matrices are valid, and C overlaps neither A nor B.
        $(#[cfg(target_arch = "x86_64")] #[target_feature(enable = $feature)])?
        pub(crate) unsafe extern "C" fn $name(
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
            // SAFETY: this function enables the features of the vector type; the rest is its own contract.
            unsafe { matmul::<$simd>([m, n, k], a, b, c, c_rows, Epilogue { bias, relu: relu != 0 }) }
        }
    };
}
#[cfg(target_arch = "x86_64")]
entry!(avx512_f32, crate::simd::F32x16, f32, "avx512f");
#[cfg(target_arch = "x86_64")]
entry!(avx512_f64, crate::simd::F64x8, f64, "avx512f");
#[cfg(target_arch = "x86_64")]
entry!(avx2_f32, crate::simd::F32x8, f32, "avx2,fma");
#[cfg(target_arch = "x86_64")]
entry!(avx2_f64, crate::simd::F64x4, f64, "avx2,fma");
entry!(portable_f32, crate::simd::PlainF32, f32,);
entry!(portable_f64, crate::simd::PlainF64, f64,);
