//! A nest as loops: which axis becomes vectors, in which order the others run, where accumulators live.
//!
//! ```text
//! map      kept axes, then vectors along one of them
//! column   kept axes, vectors along one of them, then the reduced axes: accumulators in registers, no joining of lanes
//! row      kept axes, then the reduced axes, the last in vectors: several accumulators, joined in a fixed tree at the end
//! ```

use super::contraction;
use super::emitter::{Emitter, Loop};
use super::nest_values::Values;
use crate::graph::Op;
use crate::kernels::{Access, Expr, ExprId, Join, MatMul, Matrix, Nest};
use crate::math::Machine;
use cranelift_codegen::ir::Value;
use cranelift_frontend::Variable;

/// Vectors worked on at once; more hide latency, too many spill the sixteen registers.
const UNROLL: usize = 5;
/// Vector registers that a column's accumulators and fixed operands may take; the others hold what one point needs.
const REGISTERS: usize = 10;

/// One stretch of the vector axis, all of it worked on in the same way.
#[derive(Clone, Copy)]
struct Chunk {
    /// Numbers a value: 1 or a full vector.
    width: usize,
    /// Values worked on at once.
    copies: usize,
    /// First element.
    start: usize,
    /// How often.
    rounds: usize,
}

/// Whole vectors in groups, the vectors left over, the elements left over.
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
    if let Some(product) = matrix_by_vector(nest) {
        return contraction::emit(emitter, &product);
    }
    let vector = vector_axis(nest);
    let order = loop_order(nest, vector);
    let (unroll, reload) = unroll(nest, vector);
    let mut run = Run { values: Values::new(nest, &order, vector, reload), nest, order, vector, unroll };
    run.values.enter(emitter, 0, 1, 1);
    run.kept(emitter, 0);
}

/// A nest that is nothing but scalar products of rows, side by side in memory, with one vector.
fn matrix_by_vector(nest: &Nest) -> Option<MatMul> {
    let ([m, k], [false, true], [sum], [store]) =
        (&nest.space[..], &nest.reduced[..], &nest.reductions[..], &nest.stores[..])
    else {
        return None;
    };
    if nest.spread {
        return None; // threads share its rows
    }
    let Expr::Apply(Op::Mul, factors) = &nest.exprs[sum.value.index()] else { return None };
    let result = sum.join == Join::Sum && store.late && nest.exprs[store.value.index()] == Expr::Reduced(0);
    let of = |id: &ExprId| if let Expr::Load(access) = &nest.exprs[id.index()] { Some(access) } else { None };
    let (first, second) = (of(&factors[0])?, of(&factors[1])?);
    let (matrix, vector) = if first.at.strides[0] == 0 { (second, first) } else { (first, second) };
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

/// How many vectors to work on at once, so that accumulators and what stays the same inside the loops fit the registers;
/// and whether to read what stays the same again at every point, so that more of them fit.
fn unroll(nest: &Nest, vector: Option<usize>) -> (usize, bool) {
    let Some(axis) = vector else { return (1, false) };
    let heavy = |e: &Expr| matches!(e, Expr::Apply(op, _) if is_long(op));
    if nest.exprs.iter().any(heavy) {
        return (1, false); // long sequences overlap by themselves
    }
    if nest.reductions.is_empty() || nest.reduced[axis] {
        return (UNROLL, false);
    }
    let stays =
        |l: &&Access| l.at.strides[axis] != 0 && nest.reduced.iter().zip(&l.at.strides).all(|(r, s)| !r || *s == 0);
    let early = nest.early();
    let fixed = nest.exprs.iter().zip(&early).filter(|(e, early)| **early && matches!(e, Expr::Load(l) if stays(&l)));
    let kept = REGISTERS / (nest.reductions.len() + fixed.count());
    if kept >= UNROLL - 1 {
        return (kept.min(UNROLL), false);
    }
    ((REGISTERS / nest.reductions.len()).clamp(1, UNROLL), true)
}

/// Is the operation a long sequence of instructions?
fn is_long(op: &Op) -> bool {
    matches!(op, Op::Exp | Op::Log | Op::Sin | Op::Cos | Op::Tanh | Op::Erf | Op::Pow)
}

/// The axis that most accesses walk along one by one; stores count twice, steps of more than one count against it.
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
    let shared = usize::from(nest.spread); // the axis that threads share stays a plain loop
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

/// A nest under way.
struct Run<'n> {
    nest: &'n Nest,
    values: Values<'n>,
    /// Axes from the outermost loop to the innermost.
    order: Vec<usize>,
    vector: Option<usize>,
    unroll: usize,
}

/// Accumulators of one chunk: for each reduction one for each copy.
type Accumulators = Vec<Vec<Variable>>;

impl Run<'_> {
    /// The loops over kept axes from nesting level `level` on.
    fn kept(&mut self, emitter: &mut Emitter, level: usize) {
        let Some(&axis) = self.order.get(level) else { return self.innermost(emitter) };
        if self.vector == Some(axis) && !self.nest.reduced[axis] {
            return self.vector_kept(emitter, level);
        }
        if self.nest.reduced[axis] {
            return self.row(emitter, level);
        }
        if self.nest.spread && level == 0 {
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

    /// Opens the loop over a whole axis one by one and computes what does not change inside it.
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

    /// No axis left: one point, whose reductions are over nothing.
    fn innermost(&mut self, emitter: &mut Emitter) {
        let reduced = self.nest.reductions.iter().map(|r| self.values.at(emitter, r.value, 0)).collect();
        self.values.store(emitter, 0);
        self.values.finish(emitter, 1, vec![reduced]);
    }

    /// Vectors along a kept axis; reduced axes, if any, inside.
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

    /// The reduced loops inside a chunk of the vector axis, then what follows the reductions.
    fn reduce_inside(&mut self, emitter: &mut Emitter, level: usize, chunk: Chunk) {
        if self.nest.reductions.is_empty() {
            return self.points(emitter, chunk, &vec![]);
        }
        let accumulators = self.accumulators(emitter, chunk.width, chunk.copies);
        self.reduced_loops(emitter, level, chunk, &accumulators);
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

    /// Reduced axes, the innermost in vectors.
    fn row(&mut self, emitter: &mut Emitter, level: usize) {
        let axis = self.order[self.order.len() - 1];
        let chunks = chunks(self.nest.space[axis], emitter.lanes(), self.unroll);
        let most = chunks.iter().filter(|c| c.width > 1).map(|c| c.copies).max().unwrap_or(0);
        let vectors = self.accumulators(emitter, emitter.lanes(), most);
        let single = self.accumulators(emitter, 1, 1);
        self.row_loops(emitter, level, &chunks, &vectors, &single);
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
        vectors: &Accumulators,
        single: &Accumulators,
    ) {
        let axis = self.order[level];
        if Some(axis) != self.vector {
            let open = self.open(emitter, axis, level + 1, 1, 1, 0);
            self.row_loops(emitter, level + 1, chunks, vectors, single);
            return emitter.end_loop(&open, self.nest.space[axis], 1);
        }
        for &chunk in chunks {
            let step = chunk.width * chunk.copies;
            let open = (chunk.rounds > 1).then(|| emitter.begin_loop(chunk.start));
            match &open {
                Some(open) => self.values.set_variable(axis, open.index),
                None => self.values.set_constant(axis, chunk.start),
            }
            self.values.enter(emitter, level + 1, chunk.width, chunk.copies);
            self.points(emitter, chunk, if chunk.width > 1 { vectors } else { single });
            if let Some(open) = open {
                emitter.end_loop(&open, chunk.start + step * chunk.rounds, step);
            }
        }
    }

    /// Fresh accumulators at the value that changes nothing.
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

    /// The innermost loop's body, one copy after another: what a copy needs is forgotten before the next one begins, so
    /// that the accumulators keep their registers.
    fn points(&mut self, emitter: &mut Emitter, chunk: Chunk, accumulators: &Accumulators) {
        for copy in 0..chunk.copies {
            self.values.point(emitter, copy);
            self.accumulate(emitter, chunk.width, copy, accumulators);
            self.values.store(emitter, copy);
        }
    }

    /// Joins a copy's values to the accumulators; copies beyond their number share the first ones.
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

/// All accumulators of a reduction as one scalar: copies in pairs, then the halves of the vector, then the tail.
fn join_lanes(emitter: &mut Emitter, join: Join, mut copies: Vec<Value>, tail: Value) -> Value {
    use cranelift_codegen::ir::InstBuilder;
    let lanes = emitter.lanes();
    let both = |emitter: &mut Emitter, width: usize, a: Value, b: Value| {
        let mut m = emitter.machine(width);
        match join {
            Join::Sum => m.add(a, b),
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
    let mut parts: Vec<Value> =
        (0..lanes).map(|lane| emitter.b.ins().extractlane(vector, u8::try_from(lane).unwrap_or(0))).collect();
    while parts.len() > 1 {
        let half = parts.len() / 2;
        parts = (0..half).map(|i| both(emitter, 1, parts[i], parts[i + half])).collect();
    }
    both(emitter, 1, parts[0], tail)
}
