//! The epilogue of a register tile, between the last product and the stores.
//!
//! It consists of separate simple loops, which the compiler unrolls completely: so the tile never leaves the registers.

#![expect(clippy::needless_range_loop, reason = "as the tile itself")]

use super::TileMatMul;
use crate::simd::Arithmetic;
use crate::total::Total;

/// The vectors of a row. All are full, except perhaps the last.
#[derive(Clone, Copy)]
struct Row {
    vectors: usize,
    /// Numbers in the last vector.
    last: usize,
}

impl Row {
    #[inline(always)]
    fn is_full<S: Arithmetic>(self, v: usize) -> bool {
        v + 1 < self.vectors || self.last == S::LANES
    }

    /// Vector `v` of a row that begins at `from`.
    ///
    /// # Safety
    /// The row is readable, and the CPU has the features.
    #[inline(always)]
    unsafe fn load<S: Arithmetic>(self, from: *const S::Element, v: usize) -> S {
        // SAFETY: the contract of this function; a partial load reads only numbers of the row.
        unsafe {
            let from = from.add(v * S::LANES);
            if self.is_full::<S>(v) { S::load(from) } else { S::load_first(from, self.last) }
        }
    }

    /// Writes vector `v` of a row that begins at `to`.
    ///
    /// # Safety
    /// The row is writable, and the CPU has the features.
    #[inline(always)]
    unsafe fn store<S: Arithmetic>(self, value: S, to: *mut S::Element, v: usize) {
        // SAFETY: the contract of this function; a partial store writes only numbers of the row.
        unsafe {
            let to = to.add(v * S::LANES);
            if self.is_full::<S>(v) { value.store(to) } else { value.store_first(to, self.last) }
        }
    }
}

impl<S: Arithmetic, const ACROSS: bool> TileMatMul<'_, S, ACROSS> {
    /// Adds C if wanted, applies the epilogue, and stores the tile.
    ///
    /// # Safety
    /// The contract of [`TileMatMul`].
    #[inline(always)]
    pub(super) unsafe fn end<const M: usize, const V: usize>(&self, tile: &mut [[S; V]; M], target: *mut S::Element) {
        let row = Row { vectors: V, last: self.columns - (V - 1) * S::LANES };
        // SAFETY: `M` rows and `columns` columns are inside C and the vectors of the epilogue, by the contract of this
        // function.
        unsafe {
            if self.add {
                for i in 0..M {
                    for v in 0..V {
                        tile[i][v] = tile[i][v].add(row.load(target.add(i * self.target_stride), v));
                    }
                }
            }
            self.bias_and_relu(tile, row);
            self.mask_and_sum(tile, row, target);
            for i in 0..M {
                for v in 0..V {
                    row.store(tile[i][v], target.add(i * self.target_stride), v);
                }
            }
        }
    }

    /// Applies bias and ReLU.
    ///
    /// # Safety
    /// The contract of [`TileMatMul`].
    #[inline(always)]
    unsafe fn bias_and_relu<const M: usize, const V: usize>(&self, tile: &mut [[S; V]; M], row: Row) {
        // SAFETY: the bias has a number for each column.
        unsafe {
            if !self.epilogue.bias.is_null() {
                for v in 0..V {
                    let bias = row.load(self.epilogue.bias, v);
                    for i in 0..M {
                        tile[i][v] = tile[i][v].add(bias);
                    }
                }
            }
            if self.epilogue.relu {
                for i in 0..M {
                    for v in 0..V {
                        tile[i][v] = tile[i][v].relu();
                    }
                }
            }
        }
    }

    /// Applies the ReLU mask, adds the sums before and after it to the totals, and applies the scale.
    ///
    /// # Safety
    /// The contract of [`TileMatMul`].
    #[inline(always)]
    unsafe fn mask_and_sum<const M: usize, const V: usize>(
        &self,
        tile: &mut [[S; V]; M],
        row: Row,
        target: *mut S::Element,
    ) {
        let (epilogue, relu_mask) = (&self.epilogue, &self.epilogue.relu_mask);
        // SAFETY: the ReLU output has the layout of C. The sums point to totals of whole vectors, and the scale has a
        // number for each column.
        unsafe {
            // The weighted sum takes the results before the mask: where the mask is 0, the ReLU output and so the product
            // is 0 too.
            if !relu_mask.relu_output.is_null() {
                let from = relu_mask.relu_output.offset(target.offset_from(self.target));
                for v in 0..V {
                    let mut weighted = S::zero();
                    for i in 0..M {
                        let by = row.load(from.add(i * self.target_stride), v);
                        weighted = weighted.add_product(tile[i][v], by);
                        tile[i][v] = tile[i][v].where_positive(by);
                    }
                    if !relu_mask.weighted.is_null() {
                        Total::add_at(relu_mask.weighted.add(2 * v * S::LANES), weighted);
                    }
                }
            }
            if !epilogue.sums.is_null() {
                // Within a tile plain sums of few rows; only the totals over all tiles are compensated.
                for v in 0..V {
                    let mut sum = tile[0][v];
                    for i in 1..M {
                        sum = sum.add(tile[i][v]);
                    }
                    Total::add_at(epilogue.sums.add(2 * v * S::LANES), sum);
                }
            }
            if !relu_mask.scale.is_null() {
                for v in 0..V {
                    let scale = row.load(relu_mask.scale, v);
                    for i in 0..M {
                        tile[i][v] = tile[i][v].times(scale);
                    }
                }
            }
        }
    }
}
