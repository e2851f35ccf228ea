//! The values of a nest's expressions while its loops are being emitted.
//!
//! An expression is computed in the outermost loop in which everything it depends on is known, once for each copy of the
//! vector axis if it depends on that, else once, spread over the lanes where vectors need it.

use super::emitter::{Emitter, flags, immediate};
use crate::graph::Op;
use crate::kernels::{Access, Affine, Expr, ExprId, Nest};
use crate::math::{self, Machine};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use std::collections::HashMap;

/// An axis of the space at the current point.
#[derive(Clone, Copy)]
enum Index {
    /// Known now.
    Constant(usize),
    /// A loop variable, in elements.
    Variable(Value),
}

/// Everything known at the current point.
pub(super) struct Values<'n> {
    nest: &'n Nest,
    order: Vec<usize>,
    vector: Option<usize>,
    /// For each expression: the number of loops that have to be open.
    level: Vec<usize>,
    /// For each expression: does it need a finished reduction?
    late: Vec<bool>,
    /// For each expression: do the stores and reductions inside the loops need it?
    early: Vec<bool>,
    /// For each expression: does it change along the vector axis?
    varies: Vec<bool>,
    /// Expressions that follow the reductions, in order: those that need one, and what nothing inside the loops needs or
    /// keeps.
    remains: Vec<usize>,
    index: Vec<Index>,
    /// Bytes from a buffer's base by the strides of an access, for each level.
    offsets: Vec<HashMap<Vec<usize>, Option<Value>>>,
    /// Scalars, or one value for each copy.
    known: Vec<Vec<Value>>,
    /// The same scalar in all lanes.
    spread: Vec<Option<Value>>,
    width: usize,
}

impl<'n> Values<'n> {
    /// Nothing is known yet. With `reload`, numbers that change along the vector axis are read at every point, even if they
    /// stay the same in the loops inside it.
    pub(super) fn new(nest: &'n Nest, order: &[usize], vector: Option<usize>, reload: bool) -> Self {
        let depth = |at: &Affine| {
            let open = |axis: &usize| at.strides[*axis] != 0;
            order.iter().rposition(open).map_or(0, |position| position + 1)
        };
        let (mut level, mut varies, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for expr in &nest.exprs {
            let along = |at: &Affine| vector.is_some_and(|axis| at.strides[axis] != 0);
            let kept = order.iter().filter(|&&a| !nest.reduced[a]).count();
            let (l, v) = match expr {
                Expr::Const(_) => (0, false),
                Expr::Load(Access { at, .. }) if reload && along(at) => (order.len(), true),
                Expr::Load(Access { at, .. }) | Expr::Index(at) => (depth(at), along(at)),
                Expr::Reduced(_) => (kept, vector.is_some_and(|axis| !nest.reduced[axis])),
                Expr::Apply(_, operands) => {
                    operands.iter().fold((0, false), |(l, v), o| (l.max(level[o.index()]), v || varies[o.index()]))
                }
            };
            let own = match expr {
                Expr::Load(Access { at, .. }) => reload && depth(at) < order.len(),
                Expr::Apply(_, operands) => operands.iter().all(|o| again[o.index()] || !varies[o.index()]),
                _ => false,
            };
            again.push(v && own);
            level.push(l);
            varies.push(v);
        }
        Values {
            nest,
            order: order.to_vec(),
            vector,
            remains: remains(nest, &again),
            late: nest.late(),
            early: nest.early(),
            known: vec![Vec::new(); nest.exprs.len()],
            spread: vec![None; nest.exprs.len()],
            index: vec![Index::Constant(0); nest.space.len()],
            offsets: vec![HashMap::new(); order.len() + 1],
            width: 1,
            level,
            varies,
        }
    }

    pub(super) fn set_variable(&mut self, axis: usize, value: Value) {
        self.index[axis] = Index::Variable(value);
    }

    pub(super) fn set_constant(&mut self, axis: usize, value: usize) {
        self.index[axis] = Index::Constant(value);
    }

    /// Computes what becomes known with `level` open loops; in the innermost one only what all copies share.
    pub(super) fn enter(&mut self, emitter: &mut Emitter, level: usize, width: usize, copies: usize) {
        self.width = width;
        self.enter_offsets(emitter, level);
        let innermost = level == self.order.len();
        for index in 0..self.nest.exprs.len() {
            if self.level[index] != level || !self.early[index] || self.late[index] {
                continue;
            }
            if innermost && self.varies[index] {
                self.known[index].clear();
            } else {
                self.compute(emitter, index, copies);
            }
        }
    }

    /// Computes what a copy has for itself in the innermost loop; copies follow each other from 0.
    pub(super) fn point(&mut self, emitter: &mut Emitter, copy: usize) {
        let innermost = self.order.len();
        for index in 0..self.nest.exprs.len() {
            if self.level[index] == innermost && self.varies[index] && self.early[index] && !self.late[index] {
                let value = self.value(emitter, index, copy, self.width);
                self.known[index].push(value);
            }
        }
    }

    /// Bytes that the newest loop adds, for each pattern of strides.
    fn enter_offsets(&mut self, emitter: &mut Emitter, level: usize) {
        self.offsets[level].clear();
        let nest = self.nest;
        for at in nest.affines() {
            if self.offsets[level].contains_key(&at.strides) {
                continue;
            }
            let outer = if level == 0 { None } else { self.offsets[level - 1].get(&at.strides).copied().flatten() };
            let mut bytes = outer;
            if let Some(axis) = level.checked_sub(1).map(|l| self.order[l])
                && let (Index::Variable(variable), stride @ 1..) = (self.index[axis], at.strides[axis])
            {
                let own = emitter.times(variable, stride * emitter.bytes());
                bytes = Some(outer.map_or(own, |outer| emitter.b.ins().iadd(outer, own)));
            }
            self.offsets[level].insert(at.strides.clone(), bytes);
        }
    }

    fn compute(&mut self, emitter: &mut Emitter, index: usize, copies: usize) {
        self.known[index].clear();
        self.spread[index] = None;
        let copies = if self.varies[index] { copies } else { 1 };
        let width = if self.varies[index] { self.width } else { 1 };
        for copy in 0..copies {
            let value = self.value(emitter, index, copy, width);
            self.known[index].push(value);
        }
        if !self.varies[index] && !matches!(self.nest.exprs[index], Expr::Const(_)) && self.used_in_vectors(index) {
            let lanes = emitter.lanes();
            let scalar = self.known[index][0];
            self.spread[index] = Some(emitter.machine(lanes).splat(scalar));
        }
    }

    /// Does a value along the vector axis use this one?
    fn used_in_vectors(&self, index: usize) -> bool {
        let uses = |o: &ExprId| o.index() == index;
        let by_expr =
            self.nest.exprs.iter().enumerate().any(
                |(user, e)| matches!(e, Expr::Apply(_, operands) if self.varies[user] && operands.iter().any(uses)),
            );
        let stored = self.nest.stores.iter().any(|s| uses(&s.value));
        by_expr || stored || self.nest.reductions.iter().any(|r| uses(&r.value))
    }

    /// The value of an expression for a copy, at the current width where it varies or `width` says so.
    pub(super) fn at(&mut self, emitter: &mut Emitter, id: ExprId, copy: usize) -> Value {
        self.operand(emitter, id.index(), copy, self.width)
    }

    fn operand(&mut self, emitter: &mut Emitter, index: usize, copy: usize, width: usize) -> Value {
        if let Expr::Const(value) = self.nest.exprs[index] {
            return emitter.machine(width).number(value);
        }
        if self.varies[index] {
            return self.known[index][copy];
        }
        match self.spread[index] {
            Some(vector) if width > 1 => vector,
            None if width > 1 => {
                let scalar = self.known[index][0];
                emitter.machine(width).splat(scalar)
            }
            _ => self.known[index][0],
        }
    }

    fn value(&mut self, emitter: &mut Emitter, index: usize, copy: usize, width: usize) -> Value {
        let nest = self.nest;
        match &nest.exprs[index] {
            Expr::Const(value) => emitter.machine(width).number(*value),
            Expr::Load(access) => self.load(emitter, access, copy, width),
            Expr::Index(at) => self.index_value(emitter, at, copy, width),
            Expr::Reduced(_) => self.known[index][copy], // set before anything asks
            Expr::Apply(op, operands) => self.apply(emitter, op, operands, copy, width),
        }
    }

    /// Bytes beyond the base that are known now: offset, constant indices, the copy.
    fn fixed(&self, at: &Affine, copy: usize, width: usize) -> usize {
        let constants = self.index.iter().zip(&at.strides).map(|(index, stride)| match index {
            Index::Constant(value) => value * stride,
            Index::Variable(_) => 0,
        });
        let along = self.vector.map_or(0, |axis| at.strides[axis]);
        at.offset + constants.sum::<usize>() + copy * width * along
    }

    /// The address of an element without its fixed part.
    fn pointer(&self, emitter: &mut Emitter, access: &Access) -> (Value, usize) {
        let (base, offset) = emitter.base(access.buffer);
        let deepest = self.order.iter().rposition(|&axis| access.at.strides[axis] != 0).map_or(0, |p| p + 1);
        match self.offsets[deepest].get(&access.at.strides).copied().flatten() {
            Some(bytes) => (emitter.b.ins().iadd(base, bytes), offset),
            None => (base, offset),
        }
    }

    /// Address and immediate of each lane, or of the whole vector if its elements lie side by side.
    fn places(&self, emitter: &mut Emitter, access: &Access, copy: usize, width: usize) -> Vec<(Value, i32)> {
        let along = self.vector.map_or(0, |axis| access.at.strides[axis]);
        let (pointer, offset) = self.pointer(emitter, access);
        let count = if along > 1 { width } else { 1 };
        let first = self.fixed(&access.at, copy, width);
        (0..count)
            .map(|lane| {
                let bytes = offset + (first + lane * along) * emitter.bytes();
                match i32::try_from(bytes) {
                    Ok(immediate) => (pointer, immediate),
                    Err(_) => (emitter.b.ins().iadd_imm_s(pointer, immediate(bytes)), 0),
                }
            })
            .collect()
    }

    fn load(&mut self, emitter: &mut Emitter, access: &Access, copy: usize, width: usize) -> Value {
        let places = self.places(emitter, access, copy, width);
        if let [(pointer, offset)] = places[..] {
            let along = self.vector.map_or(0, |axis| access.at.strides[axis]);
            let float = emitter.float(if along == 1 { width } else { 1 });
            let value = emitter.b.ins().load(float, flags(), pointer, offset);
            return if along == 0 && width > 1 { emitter.machine(width).splat(value) } else { value };
        }
        let scalar = emitter.float(1);
        let mut vector = None;
        for (lane, (pointer, offset)) in places.into_iter().enumerate() {
            let value = emitter.b.ins().load(scalar, flags(), pointer, offset);
            vector = Some(match vector {
                None => emitter.machine(width).splat(value),
                Some(vector) => emitter.b.ins().insertlane(vector, value, u8::try_from(lane).unwrap_or(0)),
            });
        }
        vector.unwrap_or_else(|| emitter.machine(width).number(0.0))
    }

    fn write(&mut self, emitter: &mut Emitter, access: &Access, value: Value, copy: usize, width: usize) {
        let places = self.places(emitter, access, copy, width);
        if let [(pointer, offset)] = places[..] {
            emitter.b.ins().store(flags(), value, pointer, offset);
            return;
        }
        for (lane, (pointer, offset)) in places.into_iter().enumerate() {
            let number = emitter.b.ins().extractlane(value, u8::try_from(lane).unwrap_or(0));
            emitter.b.ins().store(flags(), number, pointer, offset);
        }
    }

    /// The index as a number: whole numbers below 2^24 (f32) or 2^53 are exact.
    fn index_value(&mut self, emitter: &mut Emitter, at: &Affine, copy: usize, width: usize) -> Value {
        let mut sum = emitter.b.ins().iconst(I64, immediate(self.fixed(at, copy, width)));
        for (axis, &stride) in at.strides.iter().enumerate() {
            if let (Index::Variable(variable), 1..) = (self.index[axis], stride) {
                let term = emitter.times(variable, stride);
                sum = emitter.b.ins().iadd(sum, term);
            }
        }
        let float = emitter.float(1);
        let number = emitter.b.ins().fcvt_from_sint(float, sum);
        let along = self.vector.map_or(0, |axis| at.strides[axis]);
        if width == 1 {
            return number;
        }
        let mut m = emitter.machine(width);
        let base = m.splat(number);
        #[allow(clippy::cast_precision_loss)] // lanes and strides are small
        let steps: Vec<f64> = (0..width).map(|lane| (lane * along) as f64).collect();
        let steps = m.numbers(&steps);
        m.add(base, steps)
    }

    /// A truth value: what a comparison gives, or whether a number is not 0.
    fn mask(&mut self, emitter: &mut Emitter, id: ExprId, copy: usize, width: usize) -> Value {
        let nest = self.nest;
        if let Expr::Apply(op, operands) = &nest.exprs[id.index()]
            && let Some(condition) = condition(op)
        {
            let a = self.operand(emitter, operands[0].index(), copy, width);
            let b = self.operand(emitter, operands[1].index(), copy, width);
            return emitter.machine(width).compare(condition, a, b);
        }
        let value = self.operand(emitter, id.index(), copy, width);
        let mut m = emitter.machine(width);
        let zero = m.number(0.0);
        m.compare(FloatCC::NotEqual, value, zero)
    }

    fn apply(&mut self, emitter: &mut Emitter, op: &Op, operands: &[ExprId], copy: usize, width: usize) -> Value {
        if let Some(condition) = condition(op) {
            let a = self.operand(emitter, operands[0].index(), copy, width);
            let b = self.operand(emitter, operands[1].index(), copy, width);
            let mut m = emitter.machine(width);
            let mask = m.compare(condition, a, b);
            let (one, zero) = (m.number(1.0), m.number(0.0));
            return m.select(mask, one, zero);
        }
        if *op == Op::Select {
            let mask = self.mask(emitter, operands[0], copy, width);
            let b = self.operand(emitter, operands[1].index(), copy, width);
            if self.nest.exprs[operands[2].index()] == Expr::Const(0.0) {
                return emitter.machine(width).masked(mask, b);
            }
            let c = self.operand(emitter, operands[2].index(), copy, width);
            return emitter.machine(width).select(mask, b, c);
        }
        if let Some(value) = self.fused(emitter, op, operands, copy, width) {
            return value;
        }
        let a = self.operand(emitter, operands[0].index(), copy, width);
        let Some(second) = operands.get(1) else { return unary(&mut emitter.machine(width), op, a) };
        let b = self.operand(emitter, second.index(), copy, width);
        let constant = |id: ExprId| matches!(self.nest.exprs[id.index()], Expr::Const(c) if !c.is_nan());
        let constants = (constant(operands[0]), constant(*second));
        binary(&mut emitter.machine(width), op, [a, b], constants)
    }

    /// a b + c and its relatives with one rounding, where a product is added.
    fn fused(
        &mut self,
        emitter: &mut Emitter,
        op: &Op,
        operands: &[ExprId],
        copy: usize,
        width: usize,
    ) -> Option<Value> {
        let (Op::Add | Op::Sub, [first, second]) = (op, operands) else { return None };
        if let Some([x, y]) = self.product(*second, width) {
            let sum = self.operand(emitter, first.index(), copy, width);
            let x = self.operand(emitter, x.index(), copy, width);
            let y = self.operand(emitter, y.index(), copy, width);
            let mut m = emitter.machine(width);
            let x = if *op == Op::Sub { m.neg(x) } else { x };
            return Some(m.fma(x, y, sum));
        }
        let [x, y] = self.product(*first, width)?;
        let sum = self.operand(emitter, second.index(), copy, width);
        let x = self.operand(emitter, x.index(), copy, width);
        let y = self.operand(emitter, y.index(), copy, width);
        let mut m = emitter.machine(width);
        let sum = if *op == Op::Sub { m.neg(sum) } else { sum };
        Some(m.fma(x, y, sum))
    }

    /// The factors of a product that is not computed further out already.
    fn product(&self, id: ExprId, width: usize) -> Option<[ExprId; 2]> {
        match &self.nest.exprs[id.index()] {
            Expr::Apply(Op::Mul, factors) if width == 1 || self.varies[id.index()] => Some([factors[0], factors[1]]),
            _ => None,
        }
    }

    /// `sum` plus the value of an expression.
    pub(super) fn added(&mut self, emitter: &mut Emitter, sum: Value, id: ExprId, copy: usize) -> Value {
        let width = self.width;
        if let Some([x, y]) = self.product(id, width) {
            let x = self.operand(emitter, x.index(), copy, width);
            let y = self.operand(emitter, y.index(), copy, width);
            return emitter.machine(width).fma(x, y, sum);
        }
        let value = self.at(emitter, id, copy);
        emitter.machine(width).add(sum, value)
    }

    /// The stores inside the loops, of one copy.
    pub(super) fn store(&mut self, emitter: &mut Emitter, copy: usize) {
        self.stores(emitter, copy, false);
    }

    fn stores(&mut self, emitter: &mut Emitter, copy: usize, late: bool) {
        let nest = self.nest;
        let chosen = || nest.stores.iter().filter(|s| s.late == late);
        let values: Vec<Value> = chosen().map(|store| self.at(emitter, store.value, copy)).collect();
        for (store, value) in chosen().zip(values) {
            self.write(emitter, &store.access, value, copy, self.width);
        }
    }

    /// What follows the reductions: for each copy the finished values, then expressions and stores that need them.
    pub(super) fn finish(&mut self, emitter: &mut Emitter, width: usize, finished: Vec<Vec<Value>>) {
        let nest = self.nest;
        self.width = width;
        let remains = std::mem::take(&mut self.remains);
        for &index in &remains {
            if let Expr::Reduced(r) = nest.exprs[index] {
                self.known[index] = finished.iter().map(|all| all[r]).collect();
                self.spread[index] = None;
            } else if self.varies[index] {
                self.known[index].clear();
            } else {
                self.compute(emitter, index, 1);
            }
        }
        for copy in 0..finished.len() {
            for &index in &remains {
                if self.varies[index] && !matches!(nest.exprs[index], Expr::Reduced(_)) {
                    let value = self.value(emitter, index, copy, width);
                    self.known[index].push(value);
                }
            }
            self.stores(emitter, copy, true);
        }
        self.remains = remains;
    }
}

/// What is computed after the reductions, in order; also what is there inside the loops, but as cheap to get `again` as to
/// keep.
fn remains(nest: &Nest, again: &[bool]) -> Vec<usize> {
    let (late, early) = (nest.late(), nest.early());
    let mut needed = vec![false; nest.exprs.len()];
    nest.stores.iter().filter(|s| s.late).for_each(|s| needed[s.value.index()] = true);
    for index in (0..needed.len()).rev() {
        needed[index] &= late[index] || !early[index] || again[index];
        if let (true, Expr::Apply(_, operands)) = (needed[index], &nest.exprs[index]) {
            operands.iter().for_each(|o| needed[o.index()] = true);
        }
    }
    (0..needed.len()).filter(|&index| needed[index]).collect()
}

fn condition(op: &Op) -> Option<FloatCC> {
    match op {
        Op::Less => Some(FloatCC::LessThan),
        Op::LessEqual => Some(FloatCC::LessThanOrEqual),
        Op::Equal => Some(FloatCC::Equal),
        _ => None,
    }
}

fn unary(m: &mut super::machine::Lanes, op: &Op, a: Value) -> Value {
    match op {
        Op::Neg => m.neg(a),
        Op::Abs => m.abs(a),
        Op::Exp => math::exp(m, a),
        Op::Log => math::log(m, a),
        Op::Sqrt => m.sqrt(a),
        Op::Sin => math::sin(m, a),
        Op::Cos => math::cos(m, a),
        Op::Tanh => math::tanh(m, a),
        Op::Erf => math::erf(m, a),
        _ => {
            debug_assert!(false, "{} has not one operand", op.name());
            m.number(f64::NAN)
        }
    }
}

fn binary(m: &mut super::machine::Lanes, op: &Op, [a, b]: [Value; 2], constants: (bool, bool)) -> Value {
    match (op, constants) {
        (Op::Add, _) => m.add(a, b),
        (Op::Sub, _) => m.sub(a, b),
        (Op::Mul, _) => m.mul(a, b),
        (Op::Div, _) => m.div(a, b),
        (Op::Max, (_, true)) => m.larger_than(a, b),
        (Op::Max, (true, _)) => m.larger_than(b, a),
        (Op::Min, (_, true)) => m.smaller_than(a, b),
        (Op::Min, (true, _)) => m.smaller_than(b, a),
        (Op::Max, _) => m.larger(a, b),
        (Op::Min, _) => m.smaller(a, b),
        (Op::Pow, _) => math::pow(m, a, b),
        _ => {
            debug_assert!(false, "{} has not two operands", op.name());
            m.number(f64::NAN)
        }
    }
}
