//! How a large matmul is cut into blocks.
//!
//! ```text
//! DEPTH   rows of B, and columns of A, that are added up before a result is stored: the order of every sum
//! strip   columns of B that a register tile covers, DEPTH rows of them packed: stays in the L1 cache
//! ROWS    rows of A, DEPTH columns of them packed: stays in the L2 cache
//! task    rows by columns of C that one thread computes
//! ```

use crate::memory::Parts;
use crate::simd::Simd;

/// Terms of a sum that are added up in a register, as in the kernel for small matmuls: a strip of 64 columns is 32 KB.
pub(super) const DEPTH: usize = 128;
/// Most rows of A that a thread packs at once: 288 KB in single precision. A multiple of all tile heights (6 and 4).
pub(super) const ROWS: usize = 576;

/// The cut of C into tasks, row blocks by column blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Grid {
    /// The number of tasks.
    pub(super) fn tasks(self) -> usize {
        self.rows * self.columns
    }

    /// The cut that takes these workers the least time, by a rough count of instructions. It has no influence on results.
    pub(super) fn choose<S: Simd>([m, n, k]: [usize; 3], transposed_b: bool, workers: usize) -> Self {
        let vectors = n.div_ceil(S::LANES);
        let (least, strips) = (m.div_ceil(ROWS), vectors.div_ceil(S::TILE.1));
        // Some tasks for each worker are enough, and a few row blocks more than necessary make their number even.
        let enough = 4 * workers;
        let rows = least..=m.div_ceil(S::TILE.0).min(enough.max(least + workers)).max(least);
        let columns = |rows: usize| (1..=strips).take_while(move |columns| *columns == 1 || rows * columns <= enough);
        let cuts = rows.flat_map(|rows| columns(rows).map(move |columns| Grid { rows, columns }));
        let cost = |grid: &Grid| grid.cost::<S>([m, vectors, k], transposed_b, workers);
        cuts.min_by(|a, b| cost(a).total_cmp(&cost(b))).unwrap_or(Grid { rows: least, columns: 1 })
    }

    /// Instructions until the last worker is done, counted in multiply-adds of vectors.
    fn cost<S: Simd>(self, [m, vectors, k]: [usize; 3], transposed_b: bool, workers: usize) -> f64 {
        /// Starting the other threads, and one task.
        const START: f64 = 10_000.0;
        const TASK: f64 = 500.0;
        let (rows, width) = (m.div_ceil(self.rows) as f64, vectors.div_ceil(self.columns) as f64);
        // Packing copies vectors; B may be transposed on the way.
        let packing = rows / S::LANES as f64 * 2.0 + width * if transposed_b { 8.0 } else { 2.0 };
        let task = (rows * width + packing) * k as f64 + TASK;
        let rounds = self.tasks().div_ceil(workers) as f64;
        let start = if self.tasks() > 1 && workers > 1 { START } else { 0.0 };
        // A thread that is late by a part of a task delays all: small tasks are better where they cost the same.
        task * rounds + 0.1 * task + start
    }
}

/// Numbers between packed columns of A: an odd number of cache lines, so that columns do not compete for the same ones.
pub(super) fn stride_of_a(rows: usize) -> usize {
    16 * (rows.div_ceil(16) | 1)
}

/// Numbers that so many rows of A need when they are packed.
pub(super) fn numbers_of_a(rows: usize) -> usize {
    stride_of_a(rows) * DEPTH
}

/// Where a worker packs: offsets of A and of B in its part of the workspace, and the size of the part.
pub(super) struct Space {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) elements: usize,
}

impl Space {
    pub(super) fn new<S: Simd>() -> Self {
        let mut parts = Parts::default();
        let a = parts.take(numbers_of_a(ROWS));
        let b = parts.take(DEPTH * S::TILE.1 * S::LANES);
        Space { a, b, elements: parts.take(0) }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::simd::F32x16;

    #[test]
    fn two_threads_get_equal_halves_and_small_products_one_task() {
        let choose = |shape, workers| Grid::choose::<F32x16>(shape, false, workers);
        assert_eq!(choose([64, 100, 13], 2).tasks(), 1);
        for shape in [[512, 2048, 2048], [64, 2048, 1024], [2048, 64, 512], [4096, 4096, 4096]] {
            let grid = choose(shape, 2);
            assert!(grid.tasks().is_multiple_of(2), "{shape:?}: {grid:?}");
            assert!(shape[0].div_ceil(grid.rows) <= ROWS, "{shape:?}: {grid:?}");
        }
    }
}
