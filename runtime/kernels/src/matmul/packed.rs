//! Large matmuls: both operands are packed block by block into the caches, and threads share rows and columns of the result.

use super::Product;
use super::blocks::{DEPTH, Grid, ROWS, Space};
use super::operand::{Epilogue, Operand, equal, part};
use super::pack::{a_block, b_strip};
use super::small::rows_of_tile;
use crate::memory::{Parallel, Parts, SharedPtr, aligned, run_all};
use crate::simd::{Number, Simd, prefetch};
use crate::workers::Workers;

/// A matmul and its cut into tasks.
struct Packed<'a, T> {
    product: &'a Product<T>,
    grid: Grid,
    /// Each worker has a part of it.
    workspace: SharedPtr<T>,
}

// SAFETY: `Product` holds addresses. Tasks read A, B and the bias, and write to disjoint parts of C.
unsafe impl<T> Sync for Packed<'_, T> {}

/// See [`super::workspace`].
pub(super) fn workspace<S: Simd>(workers: usize) -> usize {
    let mut parts = Parts::default();
    parts.take(Space::new::<S>().elements * workers.max(1));
    parts.elements()
}

/// See [`super::multiply`].
///
/// # Safety
/// As for [`super::multiply`]. The CPU has the features of `S`.
pub(super) unsafe fn multiply<S: Simd>(product: &Product<S::Element>, workspace: *mut S::Element, workers: &Workers) {
    let [m, n, k] = product.shape;
    if m == 0 || n == 0 {
        return;
    }
    let grid = Grid::choose::<S>([m, n, k], product.b.columns != 1, workers.threads());
    // SAFETY: the contract of this function.
    unsafe { run_all::<S, _>(&Packed { product, grid, workspace: aligned(workspace) }, workers) }
}

impl<S: Simd> Parallel<S> for Packed<'_, S::Element> {
    fn tasks(&self) -> usize {
        self.grid.tasks()
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, worker: usize) {
        let [m, n, _] = self.product.shape;
        let (row, rows) = equal(m, self.grid.rows, task / self.grid.columns);
        let (vector, vectors) = equal(n.div_ceil(S::LANES), self.grid.columns, task % self.grid.columns);
        let space = Space::new::<S>();
        // SAFETY: the workspace has a part for each worker.
        let own = unsafe { self.workspace.at(worker * space.elements) };
        let block = Block { row, rows, vector, vectors };
        // SAFETY: the contract of this function. The blocks of different tasks do not overlap.
        unsafe { self.block::<S>(block, own.add(space.a), own.add(space.b)) }
    }
}

/// Rows, and vectors of columns, of C.
#[derive(Clone, Copy)]
struct Block {
    row: usize,
    rows: usize,
    vector: usize,
    vectors: usize,
}

impl<T: Number> Packed<'_, T> {
    /// Computes a block of C.
    ///
    /// # Safety
    /// The CPU has the features of `S`. The block is inside C, and no other thread writes there. `a` and `b` point to memory
    /// for packed operands, as large as in [`Space`].
    #[inline(always)]
    unsafe fn block<S: Simd<Element = T>>(&self, block: Block, a: *mut T, b: *mut T) {
        let k = self.product.shape[2];
        let mut done = 0;
        // A product of no terms is 0, so there is at least one round.
        while done < k || done == 0 {
            let depth = DEPTH.min(k - done);
            let operand = Operand::of(self.product.a);
            debug_assert!(block.rows <= ROWS, "a block has room for its rows");
            // SAFETY: terms `done..done + depth` of the block's rows exist; the rest is the contract of this function.
            unsafe {
                let operand = if depth == 0 { operand } else { operand.from(block.row, done) };
                let packed = a_block::<S>(operand, [block.rows, depth], block.vectors * S::LANES, a);
                for strip in 0..block.vectors.div_ceil(S::TILE.1) {
                    self.strip::<S>(block, strip, [done, depth], packed, b);
                }
            }
            done += depth.max(1);
        }
    }

    /// Computes a strip of columns of the block.
    ///
    /// # Safety
    /// As for [`Self::block`].
    #[inline(always)]
    unsafe fn strip<S: Simd<Element = T>>(
        &self,
        block: Block,
        strip: usize,
        [done, depth]: [usize; 2],
        a: Operand<T>,
        b: *mut T,
    ) {
        let Product { shape: [_, n, k], c, c_rows, bias, relu, .. } = *self.product;
        let (first, width) = part(block.vectors, S::TILE.1, strip);
        let column = (block.vector + first) * S::LANES;
        let columns = (width * S::LANES).min(n - column);
        // Bias and ReLU come after the last block of a sum, not before.
        let last = done + depth >= k;
        let bias = if bias.is_null() || !last { std::ptr::null() } else { bias.wrapping_add(column) };
        let epilogue = Epilogue { bias, relu: relu && last };
        let operand = Operand::of(self.product.b);
        // SAFETY: columns `column..column + columns` are in B and C, and so are the rows of each tile; `a` has them from its
        // first row on.
        unsafe {
            let operand = if depth == 0 { operand } else { operand.from(done, column) };
            let b = b_strip::<S>(operand, [depth, columns, width], b);
            for index in 0..block.rows.div_ceil(S::TILE.0) {
                let (row, rows) = part(block.rows, S::TILE.0, index);
                let (a, c) = (a.from(row, 0), c.add((block.row + row) * c_rows + column));
                // The tile needs C at its end: until then it comes from memory.
                for (i, v) in (0..rows).flat_map(|i| (0..width).map(move |v| (i, v))) {
                    prefetch(c.wrapping_add(i * c_rows + v * S::LANES));
                }
                rows_of_tile::<S>(rows, width, columns, depth, a, b, c, c_rows, done > 0, epilogue);
            }
        }
    }
}
