//! What happens to a register tile between the last product and memory.
//!
//! Simple loops, each unrolled whole, so that the tile never leaves the registers.

#![allow(clippy::needless_range_loop)] // as the tile itself

use super::Product;
use crate::simd::Arithmetic;
use crate::total::Total;

/// The vectors of a row: all are full but perhaps the last.
#[derive(Clone, Copy)]
struct Row {
    vectors: usize,
    /// Numbers in the last one.
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
    /// The row is there; the processor has the features.
    #[inline(always)]
    unsafe fn load<S: Arithmetic>(self, from: *const S::Element, v: usize) -> S {
        // SAFETY: as the caller says; of the last vector only what exists is read.
        unsafe {
            let from = from.add(v * S::LANES);
            if self.is_full::<S>(v) { S::load(from) } else { S::load_first(from, self.last) }
        }
    }

    /// # Safety
    /// As [`Self::load`].
    #[inline(always)]
    unsafe fn store<S: Arithmetic>(self, value: S, to: *mut S::Element, v: usize) {
        // SAFETY: as the caller says; of the last vector only what exists is written.
        unsafe {
            let to = to.add(v * S::LANES);
            if self.is_full::<S>(v) { value.store(to) } else { value.store_first(to, self.last) }
        }
    }
}

impl<S: Arithmetic, const ACROSS: bool> Product<'_, S, ACROSS> {
    /// Adds what is there and the bias, rectifies, lets through the gate, counts, and stores.
    ///
    /// # Safety
    /// As [`Product`].
    #[inline(always)]
    pub(super) unsafe fn end<const M: usize, const V: usize>(&self, tile: &mut [[S; V]; M], target: *mut S::Element) {
        let row = Row { vectors: V, last: self.columns - (V - 1) * S::LANES };
        // SAFETY: rows below M and columns below `columns` exist in C and in what the finish points to.
        unsafe {
            if self.add {
                for i in 0..M {
                    for v in 0..V {
                        tile[i][v] = tile[i][v].add(row.load(target.add(i * self.target_stride), v));
                    }
                }
            }
            self.rectify(tile, row);
            self.let_through(tile, row, target);
            for i in 0..M {
                for v in 0..V {
                    row.store(tile[i][v], target.add(i * self.target_stride), v);
                }
            }
        }
    }

    /// Bias and rectifier.
    ///
    /// # Safety
    /// As [`Product`].
    #[inline(always)]
    unsafe fn rectify<const M: usize, const V: usize>(&self, tile: &mut [[S; V]; M], row: Row) {
        // SAFETY: there is a bias for each column.
        unsafe {
            if !self.finish.bias.is_null() {
                for v in 0..V {
                    let bias = row.load(self.finish.bias, v);
                    for i in 0..M {
                        tile[i][v] = tile[i][v].add(bias);
                    }
                }
            }
            if self.finish.relu {
                for i in 0..M {
                    for v in 0..V {
                        tile[i][v] = tile[i][v].relu();
                    }
                }
            }
        }
    }

    /// The gate, the sums on both its sides, and its factor.
    ///
    /// # Safety
    /// As [`Product`].
    #[inline(always)]
    unsafe fn let_through<const M: usize, const V: usize>(
        &self,
        tile: &mut [[S; V]; M],
        row: Row,
        target: *mut S::Element,
    ) {
        let (finish, gate) = (&self.finish, &self.finish.gate);
        // SAFETY: what the rectifier gave lies as C does; there are totals of whole vectors, and a factor for each column.
        unsafe {
            if !gate.rectified.is_null() {
                let from = gate.rectified.offset(target.offset_from(self.target));
                for v in 0..V {
                    let mut weighted = S::zero();
                    for i in 0..M {
                        let by = row.load(from.add(i * self.target_stride), v);
                        weighted = weighted.add_product(tile[i][v], by);
                        tile[i][v] = tile[i][v].where_positive(by);
                    }
                    if !gate.weighted.is_null() {
                        Total::add_at(gate.weighted.add(2 * v * S::LANES), weighted);
                    }
                }
            }
            if !finish.sums.is_null() {
                for v in 0..V {
                    let mut sum = tile[0][v];
                    for i in 1..M {
                        sum = sum.add(tile[i][v]);
                    }
                    Total::add_at(finish.sums.add(2 * v * S::LANES), sum);
                }
            }
            if !gate.scale.is_null() {
                for v in 0..V {
                    let scale = row.load(gate.scale, v);
                    for i in 0..M {
                        tile[i][v] = tile[i][v].times(scale);
                    }
                }
            }
        }
    }
}
