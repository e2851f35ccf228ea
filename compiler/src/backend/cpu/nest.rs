//! Emits a nest as loops: this module chooses the axis of the vectors, the order of the other axes, and the place of
//! accumulators. "Kept" axes are those that are not reduced.
//!
//! ```text
//! map      kept axes, then vectors along one of them
//! column   kept axes, vectors along one of them, then the reduced axes: each lane has its own sum in a register
//! row      kept axes, then the reduced axes, the last one in vectors: several accumulators, joined in a fixed order at the end
//! ```

use super::contraction;
use super::emitter::{Emitter, Loop};
use super::nest_sums::{Cut, Totals, cut};
use super::nest_values::Values;
use super::operation::is_long;
use crate::ir::graph::Op;
use crate::ir::kernels::{Access, Dtype, Expr, ExprId, Join, MatMul, Matrix, Nest};
use crate::math::Machine;
use cranelift_codegen::ir::Value;
use cranelift_frontend::Variable;

/// Vectors that are computed at once. Several hide the latency of instructions, but too many spill the sixteen registers.
const UNROLL: usize = 5;
/// Vector registers for the accumulators and fixed operands of a column. The others hold the values of one point.
const REGISTERS: usize = 10;

/// A range of the vector axis that one loop computes.
#[derive(Clone, Copy)]
struct Chunk {
    /// Elements per value: 1, or the lanes of a vector.
    width: usize,
    /// Values that are computed at once in each round.
    copies: usize,
    /// The first element.
    start: usize,
    /// Number of rounds.
    rounds: usize,
}

/// Divides an axis into groups of whole vectors, the vectors left over, and the elements left over.
fn chunks(size: usize, lanes: usize, most: usize) -> Vec<Chunk> {
    let (vectors, rest) = (size / lanes, size % lanes);
    let divides = |copies: &usize| vectors.is_multiple_of(*copies);
    let copies = (1..=most).rev().find(|c| *c >= most.min(2) && divides(c)).unwrap_or(most).clamp(1, vectors.max(1));
    let mut all = vec![
        Chunk { width: lanes, copies, start: 0, rounds: vectors / copies },
        Chunk { width: lanes, copies: vectors % copies, start: vectors / copies * copies * lanes, rounds: 1 },
        Chunk { width: 1, copies: rest, start: vectors * lanes, rounds: 1 },
    ];
    all.retain(|c| c.copies > 0 && c.rounds > 0);
    all
}

/// Emits a nest.
pub(super) fn emit(emitter: &mut Emitter, nest: &Nest) {
    if nest.space.contains(&0) {
        return;
    }
    if let Some(product) = matrix_by_vector(nest).filter(|product| has_kernel(emitter, product)) {
        return contraction::emit(emitter, &product);
    }
    let vector = vector_axis(nest);
    let order = loop_order(nest, vector);
    let (unroll, reload) = unroll(nest, vector);
    let mut run = Run { values: Values::new(nest, &order, vector, reload), nest, order, vector, unroll };
    run.values.enter(emitter, 0, 1, 1);
    run.kept(emitter, 0);
}

/// Does the runtime's kernel for matmuls accept the types of the operands? It converts nothing.
fn has_kernel(emitter: &Emitter, product: &MatMul) -> bool {
    let own = Dtype::from(emitter.precision);
    [&product.a, &product.b, &product.c].iter().all(|matrix| emitter.dtype(matrix.buffer) == own)
}

/// A nest that only computes the products of matrix rows, contiguous in memory, with one vector. It becomes
/// a call of the runtime's matmul.
fn matrix_by_vector(nest: &Nest) -> Option<MatMul> {
    let ([m, k], [false, true], [sum], [store]) =
        (&nest.space[..], &nest.reduced[..], &nest.reductions[..], &nest.stores[..])
    else {
        return None;
    };
    if nest.parallel {
        return None; // threads share its rows
    }
    // The sum must be of a product of two loads, and the store must write the plain sum.
    let Expr::Apply(Op::Mul, factors) = &nest.exprs[sum.value.index()] else { return None };
    let result = sum.join == Join::Sum && store.after_reduction && nest.exprs[store.value.index()] == Expr::Reduced(0);
    let of = |id: &ExprId| if let Expr::Load(access) = &nest.exprs[id.index()] { Some(access) } else { None };
    let (first, second) = (of(&factors[0])?, of(&factors[1])?);
    let (matrix, vector) = if first.at.strides[0] == 0 { (second, first) } else { (first, second) };
    // The vector is the operand that does not change with the row.
    let along = |access: &Access| access.at.strides[1] == 1;
    let fits = result && along(matrix) && along(vector) && matrix.at.strides[0] > 0 && vector.at.strides[0] == 0;
    let place =
        |access: &Access, rows: usize| Matrix { buffer: access.buffer, offset: access.at.offset, rows, columns: 1 };
    fits.then(|| MatMul {
        m: *m,
        n: 1,
        k: *k,
        a: place(matrix, matrix.at.strides[0]),
        b: place(vector, 1),
        c: place(&store.access, store.access.at.strides[0]),
        bias: None,
        relu: false,
    })
}

/// Returns the number of vectors to compute at once, and whether operands that stay the same in the reduced loops are
/// loaded again at every point. Accumulators and such operands must fit into registers. Loading the operands again leaves
/// room for more accumulators.
fn unroll(nest: &Nest, vector: Option<usize>) -> (usize, bool) {
    let Some(axis) = vector else { return (1, false) };
    let heavy = |e: &Expr| matches!(e, Expr::Apply(op, _) if is_long(op));
    if nest.exprs.iter().any(heavy) {
        return (1, false); // long sequences of instructions hide latency by themselves
    }
    if nest.reductions.is_empty() || nest.reduced[axis] {
        return (UNROLL, false);
    }
    // Loads that change along the vector axis but not in the reduced loops. Each copy would hold one register for each of
    // them.
    let stays =
        |l: &&Access| l.at.strides[axis] != 0 && nest.reduced.iter().zip(&l.at.strides).all(|(r, s)| !r || *s == 0);
    let inside_reduction = nest.inside_reduction();
    let fixed = nest
        .exprs
        .iter()
        .zip(&inside_reduction)
        .filter(|(e, inside_reduction)| **inside_reduction && matches!(e, Expr::Load(l) if stays(&l)));
    let kept = REGISTERS / (nest.reductions.len() + fixed.count());
    if kept >= UNROLL - 1 {
        return (kept.min(UNROLL), false);
    }
    ((REGISTERS / nest.reductions.len()).clamp(1, UNROLL), true)
}

/// The axis along which most accesses are contiguous. Stores count twice, and strides above 1 count against an axis.
fn vector_axis(nest: &Nest) -> Option<usize> {
    let score = |axis: usize| -> i64 {
        let one = |stride: usize, weight: i64| match stride {
            0 => 0,
            1 => weight,
            _ => -3 * weight,
        };
        let loads: i64 = nest.loads().map(|l| one(l.at.strides[axis], 1)).sum();
        let stores: i64 = nest.stores.iter().map(|s| one(s.access.at.strides[axis], 2)).sum();
        loads + stores
    };
    let shared = usize::from(nest.parallel); // the axis that threads divide among them stays a plain loop
    (shared..nest.space.len()).max_by_key(|&axis| (score(axis), axis))
}

fn loop_order(nest: &Nest, vector: Option<usize>) -> Vec<usize> {
    let axes = |reduced: bool| {
        (0..nest.space.len()).filter(move |&a| nest.reduced[a] == reduced && Some(a) != vector).collect::<Vec<_>>()
    };
    let vector: Vec<usize> = vector.into_iter().collect();
    match vector.first() {
        Some(&axis) if nest.reduced[axis] => [axes(false), axes(true), vector].concat(),
        _ => [axes(false), vector, axes(true)].concat(),
    }
}

/// A nest that is being emitted.
struct Run<'n> {
    nest: &'n Nest,
    values: Values<'n>,
    /// The axes from the outermost loop to the innermost.
    order: Vec<usize>,
    vector: Option<usize>,
    unroll: usize,
}

/// The accumulators of a chunk: for each reduction, one per copy.
type Accumulators = Vec<Vec<Variable>>;

impl Run<'_> {
    /// Emits the loops over kept axes from nesting level `level` on.
    fn kept(&mut self, emitter: &mut Emitter, level: usize) {
        let Some(&axis) = self.order.get(level) else { return self.innermost(emitter) };
        if self.vector == Some(axis) && !self.nest.reduced[axis] {
            return self.vector_kept(emitter, level);
        }
        if self.nest.reduced[axis] {
            return self.row(emitter, level);
        }
        if self.nest.parallel && level == 0 {
            let (first, end) = emitter.share();
            let open = emitter.begin_loop_at(first);
            self.values.set_variable(axis, open.index);
            self.values.enter(emitter, 1, 1, 1);
            self.kept(emitter, 1);
            return emitter.end_loop_at(&open, end);
        }
        let open = self.open(emitter, axis, level + 1, 1, 1, 0);
        self.kept(emitter, level + 1);
        emitter.end_loop(&open, self.nest.space[axis], 1);
    }

    /// Opens a loop over a whole axis with steps of 1, and computes the values that become known there.
    fn open(
        &mut self,
        emitter: &mut Emitter,
        axis: usize,
        level: usize,
        width: usize,
        copies: usize,
        start: usize,
    ) -> Loop {
        let open = emitter.begin_loop(start);
        self.values.set_variable(axis, open.index);
        self.values.enter(emitter, level, width, copies);
        open
    }

    /// Emits a nest without axes: one point, at which a reduction is its only value.
    fn innermost(&mut self, emitter: &mut Emitter) {
        let reduced = self.nest.reductions.iter().map(|r| self.values.at(emitter, r.value, 0)).collect();
        self.values.store(emitter, 0);
        self.values.finish(emitter, 1, vec![reduced]);
    }

    /// Emits vectors along a kept axis, with the loops over reduced axes, if any, inside.
    fn vector_kept(&mut self, emitter: &mut Emitter, level: usize) {
        let axis = self.order[level];
        for chunk in chunks(self.nest.space[axis], emitter.lanes(), self.unroll) {
            let step = chunk.width * chunk.copies;
            let end = chunk.start + step * chunk.rounds;
            let open = (chunk.rounds > 1).then(|| emitter.begin_loop(chunk.start));
            match &open {
                Some(open) => self.values.set_variable(axis, open.index),
                None => self.values.set_constant(axis, chunk.start),
            }
            self.values.enter(emitter, level + 1, chunk.width, chunk.copies);
            self.reduce_inside(emitter, level + 1, chunk);
            if let Some(open) = open {
                emitter.end_loop(&open, end, step);
            }
        }
    }

    /// Emits the loops over reduced axes inside a chunk of the vector axis, then the expressions after the reductions.
    fn reduce_inside(&mut self, emitter: &mut Emitter, level: usize, chunk: Chunk) {
        if self.nest.reductions.is_empty() {
            return self.points(emitter, chunk, &vec![]);
        }
        let accumulators = self.accumulators(emitter, chunk.width, chunk.copies);
        match cut(emitter.precision, self.nest, level, &self.sizes(level)) {
            None => self.reduced_loops(emitter, level, chunk, &accumulators),
            Some(cut) => {
                let totals = Totals::new(emitter, self.nest, chunk.width, chunk.copies);
                self.cut_loops(emitter, level, chunk, &accumulators, (cut, &totals));
                totals.finish(emitter, &accumulators);
            }
        }
        let finished = (0..chunk.copies)
            .map(|copy| accumulators.iter().map(|copies| emitter.b.use_var(copies[copy])).collect())
            .collect();
        self.values.finish(emitter, chunk.width, finished);
    }

    fn reduced_loops(&mut self, emitter: &mut Emitter, level: usize, chunk: Chunk, accumulators: &Accumulators) {
        let Some(&axis) = self.order.get(level) else {
            return self.points(emitter, chunk, accumulators);
        };
        let open = self.open(emitter, axis, level + 1, chunk.width, chunk.copies, 0);
        self.reduced_loops(emitter, level + 1, chunk, accumulators);
        emitter.end_loop(&open, self.nest.space[axis], 1);
    }

    fn sizes(&self, level: usize) -> Vec<usize> {
        self.order[level..].iter().map(|&axis| self.nest.space[axis]).collect()
    }

    /// As [`Self::reduced_loops`], but that the accumulators move to totals from time to time.
    fn cut_loops(
        &mut self,
        emitter: &mut Emitter,
        level: usize,
        chunk: Chunk,
        accumulators: &Accumulators,
        (cut, totals): (Cut, &Totals),
    ) {
        let axis = self.order[level];
        let size = self.nest.space[axis];
        // Loops outside the cut stay as they are.
        if level < cut.level {
            let open = self.open(emitter, axis, level + 1, chunk.width, chunk.copies, 0);
            self.cut_loops(emitter, level + 1, chunk, accumulators, (cut, totals));
            return emitter.end_loop(&open, size, 1);
        }
        // Whole blocks first, then the rest in a loop of its own: no block has to ask where the axis ends.
        // `clear` and `add` touch the accumulators of sums alone; a maximum goes on from block to block.
        let whole = size - size % cut.rounds;
        if whole > 0 {
            let blocks = emitter.begin_loop(0);
            totals.clear(emitter, accumulators);
            let open = emitter.begin_loop_at(blocks.index);
            self.values.set_variable(axis, open.index);
            self.values.enter(emitter, level + 1, chunk.width, chunk.copies);
            self.reduced_loops(emitter, level + 1, chunk, accumulators);
            let end = emitter.behind(blocks.index, cut.rounds);
            emitter.end_loop_at(&open, end);
            totals.add(emitter, accumulators);
            emitter.end_loop(&blocks, whole, cut.rounds);
        }
        if whole < size {
            totals.clear(emitter, accumulators);
            let open = self.open(emitter, axis, level + 1, chunk.width, chunk.copies, whole);
            self.reduced_loops(emitter, level + 1, chunk, accumulators);
            emitter.end_loop(&open, size, 1);
            totals.add(emitter, accumulators);
        }
    }

    /// Emits the loops over reduced axes, the innermost of them in vectors.
    fn row(&mut self, emitter: &mut Emitter, level: usize) {
        let axis = self.order[self.order.len() - 1];
        let chunks = chunks(self.nest.space[axis], emitter.lanes(), self.unroll);
        let most = chunks.iter().filter(|c| c.width > 1).map(|c| c.copies).max().unwrap_or(0);
        let vectors = self.accumulators(emitter, emitter.lanes(), most);
        let single = self.accumulators(emitter, 1, 1);
        // Several rows that are long enough to be worth it move to totals, row by row.
        let rows: usize = self.sizes(level).iter().rev().skip(1).product();
        let steps = self.nest.space[axis] / (emitter.lanes() * most.max(1));
        let several = rows > 1 && steps > 1;
        let totals = cut(emitter.precision, self.nest, level, &[rows, steps])
            .filter(|_| several)
            .map(|_| [Totals::new(emitter, self.nest, emitter.lanes(), most), Totals::new(emitter, self.nest, 1, 1)]);
        self.row_loops(emitter, level, &chunks, [&vectors, &single], totals.as_ref());
        for (totals, accumulators) in totals.iter().flatten().zip([&vectors, &single]) {
            totals.finish(emitter, accumulators);
        }
        let finished = (0..self.nest.reductions.len())
            .map(|r| {
                let copies: Vec<Value> = vectors[r].iter().map(|&v| emitter.b.use_var(v)).collect();
                let tail = emitter.b.use_var(single[r][0]);
                join_lanes(emitter, self.nest.reductions[r].join, copies, tail)
            })
            .collect();
        self.values.finish(emitter, 1, vec![finished]);
    }

    fn row_loops(
        &mut self,
        emitter: &mut Emitter,
        level: usize,
        chunks: &[Chunk],
        accumulators: [&Accumulators; 2],
        totals: Option<&[Totals; 2]>,
    ) {
        let axis = self.order[level];
        if Some(axis) != self.vector {
            let open = self.open(emitter, axis, level + 1, 1, 1, 0);
            self.row_loops(emitter, level + 1, chunks, accumulators, totals);
            return emitter.end_loop(&open, self.nest.space[axis], 1);
        }
        // All chunks add to the same accumulators: those of whole vectors to the vector ones, the elements left over to
        // the scalar one. A chunk with a single round needs no loop, so its index is a constant.
        let both = || totals.into_iter().flatten().zip(accumulators);
        both().for_each(|(totals, accumulators)| totals.clear(emitter, accumulators));
        for &chunk in chunks {
            let step = chunk.width * chunk.copies;
            let open = (chunk.rounds > 1).then(|| emitter.begin_loop(chunk.start));
            match &open {
                Some(open) => self.values.set_variable(axis, open.index),
                None => self.values.set_constant(axis, chunk.start),
            }
            self.values.enter(emitter, level + 1, chunk.width, chunk.copies);
            self.points(emitter, chunk, accumulators[usize::from(chunk.width == 1)]);
            if let Some(open) = open {
                emitter.end_loop(&open, chunk.start + step * chunk.rounds, step);
            }
        }
        both().for_each(|(totals, accumulators)| totals.add(emitter, accumulators));
    }

    /// New accumulators that start at the neutral value of their reduction.
    fn accumulators(&mut self, emitter: &mut Emitter, width: usize, copies: usize) -> Accumulators {
        let float = emitter.float(width);
        let mut all = Vec::new();
        for reduction in &self.nest.reductions {
            let start = match reduction.join {
                Join::Sum => 0.0,
                Join::Max => f64::NEG_INFINITY,
            };
            let start = emitter.machine(width).number(start);
            let variables: Vec<Variable> = (0..copies).map(|_| emitter.b.declare_var(float)).collect();
            variables.iter().for_each(|&v| emitter.b.def_var(v, start));
            all.push(variables);
        }
        all
    }

    /// Emits the body of the innermost loop, one copy after the other. The values of a copy are not needed by the next
    /// one, so that the accumulators keep their registers.
    fn points(&mut self, emitter: &mut Emitter, chunk: Chunk, accumulators: &Accumulators) {
        for copy in 0..chunk.copies {
            self.values.point(emitter, copy);
            self.accumulate(emitter, chunk.width, copy, accumulators);
            self.values.store(emitter, copy);
        }
    }

    /// Adds the values of a copy to the accumulators. Where there are fewer accumulators than copies, several copies
    /// share one.
    fn accumulate(&mut self, emitter: &mut Emitter, width: usize, copy: usize, accumulators: &Accumulators) {
        for (reduction, variables) in self.nest.reductions.iter().zip(accumulators) {
            let variable = variables[copy % variables.len()];
            let old = emitter.b.use_var(variable);
            let new = match reduction.join {
                Join::Sum => self.values.added(emitter, old, reduction.value, copy),
                Join::Max => {
                    let value = self.values.at(emitter, reduction.value, copy);
                    emitter.machine(width).larger(value, old)
                }
            };
            emitter.b.def_var(variable, new);
        }
    }
}

/// Reduces all accumulators of a reduction to one scalar: pairs of copies first, then halves of the vector, then the
/// scalar for the elements left over. The order is fixed, so that the result does not depend on the machine.
fn join_lanes(emitter: &mut Emitter, join: Join, mut copies: Vec<Value>, tail: Value) -> Value {
    use cranelift_codegen::ir::InstBuilder;
    let lanes = emitter.lanes();
    let both = |emitter: &mut Emitter, width: usize, a: Value, b: Value| {
        let mut m = emitter.machine(width);
        match join {
            Join::Sum => m.add(a, b),
            // A NaN in either accumulator must reach the result.
            Join::Max => {
                let larger = m.larger(a, b);
                let unknown = m.compare(cranelift_codegen::ir::condcodes::FloatCC::Unordered, b, b);
                m.select(unknown, b, larger)
            }
        }
    };
    while copies.len() > 1 {
        copies = copies
            .chunks(2)
            .map(|pair| if let [a, b] = *pair { both(emitter, lanes, a, b) } else { pair[0] })
            .collect();
    }
    let Some(&vector) = copies.first() else { return tail };
    // The lanes become scalars, since a vector of 128 bits has at most four.
    let mut parts: Vec<Value> =
        (0..lanes).map(|lane| emitter.b.ins().extractlane(vector, u8::try_from(lane).unwrap_or(0))).collect();
    while parts.len() > 1 {
        let half = parts.len() / 2;
        parts = (0..half).map(|i| both(emitter, 1, parts[i], parts[i + half])).collect();
    }
    both(emitter, 1, parts[0], tail)
}
