//! Products of a row with a matrix.

use super::Fault;
use super::machine::{Machine, Numbers};
use cranelift_codegen::ir::Value;

/// Vectors of a dense layer's results that are made together: a line of the cache of each row of weights.
const TOGETHER: usize = 4;

/// What a dense layer reads and writes.
pub(super) struct Dense {
    pub(super) units: usize,
    pub(super) inputs: usize,
    /// `[inputs, units]`
    pub(super) weights: Numbers,
    pub(super) offsets: Numbers,
    pub(super) x: Numbers,
    pub(super) y: Numbers,
}

impl Dense {
    /// All of its results.
    pub(super) fn all(&self, m: &mut Machine<'_>) -> Result<(), Fault> {
        let (units, lanes) = (self.units, m.lanes());
        let (wide, vector) = (TOGETHER * lanes, lanes);
        let wide_count = units / wide;
        let vector_count = (units - wide_count * wide) / vector;
        let rest = wide_count * wide + vector_count * vector;
        m.each(wide_count, |m, block| {
            let first = m.place(block, wide, 0);
            self.sums(m, first, TOGETHER, true)
        })?;
        m.each(vector_count, |m, block| {
            let first = m.place(block, vector, wide_count * wide);
            self.sums(m, first, 1, true)
        })?;
        m.each(units - rest, |m, single| {
            let first = m.place(single, 1, rest);
            self.sums(m, first, 1, false)
        })
    }

    /// So many vectors of neighbouring results, or numbers, from the unit `first` on.
    fn sums(&self, m: &mut Machine<'_>, first: Value, count: usize, vector: bool) -> Result<(), Fault> {
        let step = if vector { m.lanes() } else { 1 };
        let read = |m: &mut Machine<'_>, from, at| if vector { m.load_vector(from, at) } else { m.load(from, at) };
        let mut sums = Vec::with_capacity(count);
        for part in 0..count {
            let at = m.place(first, 1, part * step);
            sums.push(read(m, self.offsets, at));
        }
        let sums = m.fold(self.inputs, &sums, |m, input, sums| {
            let number = m.load(self.x, input);
            let factor = if vector { m.splat(number) } else { number };
            let row = m.place(input, self.units, 0);
            let row = m.plus(row, first);
            let mut new = Vec::with_capacity(count);
            for (part, &sum) in sums.iter().enumerate() {
                let at = m.place(row, 1, part * step);
                let weight = read(m, self.weights, at);
                new.push(m.multiply_add(sum, factor, weight));
            }
            Ok(new)
        })?;
        for (part, sum) in sums.into_iter().enumerate() {
            let at = m.place(first, 1, part * step);
            m.store(sum, self.y, at);
        }
        Ok(())
    }
}
