//! Long sums in single precision: a few terms at a time in an accumulator, which is then added to a total that keeps what
//! rounding loses.
//!
//! Gradients that centring cancels are differences of such sums. A single long chain errs by the last digit of its largest
//! partial sum at every term, always to the same side where terms repeat; Adam would make whole steps of that.

use super::emitter::Emitter;
use crate::ir::experiment::Precision;
use crate::ir::kernels::{Join, Nest};
use crate::math::Machine;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_frontend::Variable;

/// Terms of an accumulator, about.
const BLOCK: usize = 16;
/// Terms from which on a sum is cut.
const LONG: usize = 64;

/// Where a reduced loop is cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// Which loop, and after how many of its rounds.
    pub(super) level: usize,
    pub(super) rounds: usize,
}

/// Where to cut the loops from `level` on, all of them reduced, whose sizes are these; nothing if the sum is short.
pub(super) fn cut(precision: Precision, nest: &Nest, level: usize, sizes: &[usize]) -> Option<Cut> {
    let sums = nest.reductions.iter().any(|reduction| reduction.join == Join::Sum);
    if precision != Precision::F32 || !sums || sizes.iter().product::<usize>() < LONG {
        return None;
    }
    let mut inside = 1;
    for (index, &size) in sizes.iter().enumerate().rev() {
        if inside * size >= BLOCK {
            return Some(Cut { level: level + index, rounds: (BLOCK / inside).max(1) });
        }
        inside *= size;
    }
    None
}

/// For each sum and each copy of its accumulator a total and what rounding lost of it.
pub(super) struct Totals {
    width: usize,
    pairs: Vec<Option<Vec<[Variable; 2]>>>,
}

impl Totals {
    /// All 0, for so many accumulators of each reduction.
    pub(super) fn new(emitter: &mut Emitter, nest: &Nest, width: usize, copies: usize) -> Self {
        let float = emitter.float(width);
        let zero = emitter.machine(width).number(0.0);
        let mut variable = || {
            let variable = emitter.b.declare_var(float);
            emitter.b.def_var(variable, zero);
            variable
        };
        let mut pairs = |join| (join == Join::Sum).then(|| (0..copies).map(|_| [variable(), variable()]).collect());
        Self { width, pairs: nest.reductions.iter().map(|reduction| pairs(reduction.join)).collect() }
    }

    /// Sets the accumulators of all sums to 0.
    pub(super) fn clear(&self, emitter: &mut Emitter, accumulators: &[Vec<Variable>]) {
        let zero = emitter.machine(self.width).number(0.0);
        for (_, variables) in self.sums(accumulators) {
            variables.iter().for_each(|&variable| emitter.b.def_var(variable, zero));
        }
    }

    /// Adds the accumulators: the exact sum of two numbers is two numbers (Knuth), of which the smaller ones are added up.
    pub(super) fn add(&self, emitter: &mut Emitter, accumulators: &[Vec<Variable>]) {
        for (pairs, variables) in self.sums(accumulators) {
            for ([total, lost], &variable) in pairs.iter().zip(variables) {
                let [sum, small, more] = [*total, *lost, variable].map(|variable| emitter.b.use_var(variable));
                let mut m = emitter.machine(self.width);
                let whole = m.add(sum, more);
                let back = m.sub(whole, sum);
                let kept = m.sub(whole, back);
                let (left, right) = (m.sub(sum, kept), m.sub(more, back));
                let error = m.add(left, right);
                let small = m.add(small, error);
                emitter.b.def_var(*total, whole);
                emitter.b.def_var(*lost, small);
            }
        }
    }

    /// Leaves the totals in the accumulators. An infinite total has lost nothing.
    pub(super) fn finish(&self, emitter: &mut Emitter, accumulators: &[Vec<Variable>]) {
        for (pairs, variables) in self.sums(accumulators) {
            for ([total, lost], &variable) in pairs.iter().zip(variables) {
                let [sum, lost]: [Value; 2] = [*total, *lost].map(|variable| emitter.b.use_var(variable));
                let mut m = emitter.machine(self.width);
                let exact = m.add(sum, lost);
                let unknown = m.compare(FloatCC::Unordered, lost, lost);
                let value = m.select(unknown, sum, exact);
                emitter.b.def_var(variable, value);
            }
        }
    }

    fn sums<'a>(
        &'a self,
        accumulators: &'a [Vec<Variable>],
    ) -> impl Iterator<Item = (&'a Vec<[Variable; 2]>, &'a Vec<Variable>)> {
        self.pairs.iter().zip(accumulators).filter_map(|(pairs, variables)| Some((pairs.as_ref()?, variables)))
    }
}
