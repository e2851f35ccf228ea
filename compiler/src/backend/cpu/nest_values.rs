//! The values of a nest's expressions while its loops are being emitted.
//!
//! An expression is computed in the outermost loop in which all its operands are known. If it changes along the vector
//! axis, it is computed once for each copy. Otherwise it is computed once as a scalar, which is copied to all lanes where
//! vectors need it.

use super::convert;
use super::emitter::{Emitter, flags, immediate};
use super::operation::{self, Form};
use crate::ir::graph::Op;
use crate::ir::kernels::{Access, Affine, BufferId, Dtype, Expr, ExprId, Nest};
use crate::math::Machine;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use std::collections::HashMap;

/// The index along an axis of the space at the current point.
#[derive(Clone, Copy)]
enum Index {
    /// A number that is known while code is emitted.
    Constant(usize),
    /// A loop variable.
    Variable(Value),
}

/// Byte offsets from a buffer's base, by the strides of accesses: one map for numbers of the program's precision, one for
/// bfloat16.
type Offsets = [HashMap<Vec<usize>, Option<Value>>; 2];

/// The index of a type's map in [`Offsets`].
fn kind(dtype: Dtype) -> usize {
    usize::from(dtype == Dtype::Bf16)
}

/// The values that are known at the current point.
pub(super) struct Values<'n> {
    nest: &'n Nest,
    order: Vec<usize>,
    vector: Option<usize>,
    /// For each expression: the number of loops that must be open to compute it.
    level: Vec<usize>,
    /// For each expression: does it need the result of a reduction?
    after_reduction: Vec<bool>,
    /// For each expression: do stores and reductions inside the loops need it?
    inside_reduction: Vec<bool>,
    /// For each expression: does it change along the vector axis?
    varies: Vec<bool>,
    /// Expressions to compute after the reductions, in order, see [`remains`].
    remains: Vec<usize>,
    index: Vec<Index>,
    /// Byte offsets from a buffer's base by the strides of accesses, for each level.
    offsets: Vec<Offsets>,
    /// For each expression its scalar, or one value per copy.
    known: Vec<Vec<Value>>,
    /// For each expression its scalar copied to all lanes, where vectors need it.
    spread: Vec<Option<Value>>,
    width: usize,
}

impl<'n> Values<'n> {
    /// Values of a nest before the first loop. With `reload`, loads that change along the vector axis are repeated at
    /// every point, even if they stay the same in the loops inside it.
    pub(super) fn new(nest: &'n Nest, order: &[usize], vector: Option<usize>, reload: bool) -> Self {
        let depth = |at: &Affine| {
            let open = |axis: &usize| at.strides[*axis] != 0;
            order.iter().rposition(open).map_or(0, |position| position + 1)
        };
        // Operands come before their users, so that level and variation follow from those of the operands. `again` marks
        // values that the loops reload at every point: after the reductions they are computed anew, because no register
        // holds them.
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
                Expr::Const(_) | Expr::Index(_) | Expr::Reduced(_) => false,
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
            after_reduction: nest.after_reduction(),
            inside_reduction: nest.inside_reduction(),
            known: vec![Vec::new(); nest.exprs.len()],
            spread: vec![None; nest.exprs.len()],
            index: vec![Index::Constant(0); nest.space.len()],
            offsets: vec![Offsets::default(); order.len() + 1],
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

    /// Computes the expressions that become known with `level` open loops. In the innermost loop only those that all
    /// copies share.
    pub(super) fn enter(&mut self, emitter: &mut Emitter, level: usize, width: usize, copies: usize) {
        self.width = width;
        self.enter_offsets(emitter, level);
        let innermost = level == self.order.len();
        for index in 0..self.nest.exprs.len() {
            if self.level[index] != level || !self.inside_reduction[index] || self.after_reduction[index] {
                continue;
            }
            if innermost && self.varies[index] {
                self.known[index].clear();
            } else {
                self.compute(emitter, index, copies);
            }
        }
    }

    /// Computes the expressions of one copy in the innermost loop. Must be called for each copy in order.
    pub(super) fn point(&mut self, emitter: &mut Emitter, copy: usize) {
        let innermost = self.order.len();
        for index in 0..self.nest.exprs.len() {
            if self.level[index] == innermost
                && self.varies[index]
                && self.inside_reduction[index]
                && !self.after_reduction[index]
            {
                let value = self.value(emitter, index, copy, self.width);
                self.known[index].push(value);
            }
        }
    }

    /// Computes byte offsets with the newest loop, for each pattern of strides: the offset of the outer loops plus that
    /// of this one.
    fn enter_offsets(&mut self, emitter: &mut Emitter, level: usize) {
        self.offsets[level] = Offsets::default();
        let own = Dtype::from(emitter.precision);
        for (buffer, at) in addressed(self.nest) {
            let dtype = buffer.map_or(own, |buffer| emitter.dtype(buffer));
            let kind = kind(dtype);
            if self.offsets[level][kind].contains_key(&at.strides) {
                continue;
            }
            let outer =
                if level == 0 { None } else { self.offsets[level - 1][kind].get(&at.strides).copied().flatten() };
            let mut bytes = outer;
            if let Some(axis) = level.checked_sub(1).map(|l| self.order[l])
                && let (Index::Variable(variable), stride @ 1..) = (self.index[axis], at.strides[axis])
            {
                let own = emitter.times(variable, stride * dtype.bytes());
                bytes = Some(outer.map_or(own, |outer| emitter.b.ins().iadd(outer, own)));
            }
            self.offsets[level][kind].insert(at.strides.clone(), bytes);
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

    /// Does an expression that changes along the vector axis, a store or a reduction use this one?
    fn used_in_vectors(&self, index: usize) -> bool {
        let uses = |o: &ExprId| o.index() == index;
        let by_expr =
            self.nest.exprs.iter().enumerate().any(
                |(user, e)| matches!(e, Expr::Apply(_, operands) if self.varies[user] && operands.iter().any(uses)),
            );
        let stored = self.nest.stores.iter().any(|s| uses(&s.value));
        by_expr || stored || self.nest.reductions.iter().any(|r| uses(&r.value))
    }

    /// The value of an expression for a copy, at the current width.
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
            Expr::Reduced(_) => self.known[index][copy], // set by `finish` before any user is computed
            Expr::Apply(op, operands) => self.apply(emitter, op, operands, copy, width),
        }
    }

    /// The part of an element's index that is known while code is emitted: the offset, constant indices, and the copy.
    fn fixed(&self, at: &Affine, copy: usize, width: usize) -> usize {
        let constants = self.index.iter().zip(&at.strides).map(|(index, stride)| match index {
            Index::Constant(value) => value * stride,
            Index::Variable(_) => 0,
        });
        let along = self.vector.map_or(0, |axis| at.strides[axis]);
        at.offset + constants.sum::<usize>() + copy * width * along
    }

    /// The address of an element without its fixed part, and the offset of its buffer.
    fn pointer(&self, emitter: &mut Emitter, access: &Access) -> (Value, usize) {
        let (base, offset) = emitter.base(access.buffer);
        let deepest = self.order.iter().rposition(|&axis| access.at.strides[axis] != 0).map_or(0, |p| p + 1);
        let kind = kind(emitter.dtype(access.buffer));
        match self.offsets[deepest][kind].get(&access.at.strides).copied().flatten() {
            Some(bytes) => (emitter.b.ins().iadd(base, bytes), offset),
            None => (base, offset),
        }
    }

    /// Address and immediate offset of each lane. Only one for the whole vector if its elements are contiguous and need
    /// no conversion.
    fn places(&self, emitter: &mut Emitter, access: &Access, copy: usize, width: usize) -> Vec<(Value, i32)> {
        let along = self.vector.map_or(0, |axis| access.at.strides[axis]);
        let (pointer, offset) = self.pointer(emitter, access);
        let dtype = emitter.dtype(access.buffer);
        let apart = along > 1 || (along == 1 && dtype == Dtype::Bf16);
        let count = if apart { width } else { 1 };
        let first = self.fixed(&access.at, copy, width);
        (0..count)
            .map(|lane| {
                let bytes = offset + (first + lane * along) * dtype.bytes();
                match i32::try_from(bytes) {
                    Ok(immediate) => (pointer, immediate),
                    Err(_) => (emitter.b.ins().iadd_imm_s(pointer, immediate(bytes)), 0),
                }
            })
            .collect()
    }

    fn load(&mut self, emitter: &mut Emitter, access: &Access, copy: usize, width: usize) -> Value {
        let dtype = emitter.dtype(access.buffer);
        let places = self.places(emitter, access, copy, width);
        if let [(pointer, offset)] = places[..] {
            let along = self.vector.map_or(0, |axis| access.at.strides[axis]);
            let value = if along == 1 && width > 1 {
                let float = emitter.float(width);
                emitter.b.ins().load(float, flags(), pointer, offset)
            } else {
                convert::load(emitter, dtype, pointer, offset)
            };
            return if along == 0 && width > 1 { emitter.machine(width).splat(value) } else { value };
        }
        let mut vector = None;
        for (lane, (pointer, offset)) in places.into_iter().enumerate() {
            let value = convert::load(emitter, dtype, pointer, offset);
            vector = Some(match vector {
                None => emitter.machine(width).splat(value),
                Some(vector) => emitter.b.ins().insertlane(vector, value, u8::try_from(lane).unwrap_or(0)),
            });
        }
        vector.unwrap_or_else(|| emitter.machine(width).number(0.0))
    }

    fn write(&mut self, emitter: &mut Emitter, access: &Access, value: Value, copy: usize, width: usize) {
        let dtype = emitter.dtype(access.buffer);
        let places = self.places(emitter, access, copy, width);
        if let [(pointer, offset)] = places[..] {
            return convert::store(emitter, dtype, value, pointer, offset);
        }
        for (lane, (pointer, offset)) in places.into_iter().enumerate() {
            let number = emitter.b.ins().extractlane(value, u8::try_from(lane).unwrap_or(0));
            convert::store(emitter, dtype, number, pointer, offset);
        }
    }

    /// The index as a floating-point number. It is exact below 2^24 (f32) or 2^53 (f64).
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
        let steps: Vec<f64> = (0..width).map(|lane| (lane * along) as f64).collect();
        let steps = m.numbers(&steps);
        m.add(base, steps)
    }

    /// The condition of a select: the comparison itself where the operand is one, otherwise whether the operand is not 0.
    fn mask(&mut self, emitter: &mut Emitter, id: ExprId, copy: usize, width: usize) -> Value {
        let nest = self.nest;
        if let Expr::Apply(op, operands) = &nest.exprs[id.index()]
            && let Form::Comparison(condition) = operation::form(op)
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
        // A product in a sum is fused into one instruction. Select evaluates its condition as a mask instead of a number.
        if let Some(value) = self.fused(emitter, op, operands, copy, width) {
            return value;
        }
        let form = operation::form(op);
        if matches!(form, Form::Select) {
            return self.select(emitter, operands, copy, width);
        }
        let a = self.operand(emitter, operands[0].index(), copy, width);
        let second = operands.get(1).map(|id| self.operand(emitter, id.index(), copy, width));
        // With a constant other than NaN, a maximum or minimum needs one instruction. It is symmetric, so the constant
        // may be either operand.
        let constant = |i: usize| matches!(self.nest.exprs[operands[i].index()], Expr::Const(c) if !c.is_nan());
        let mut m = emitter.machine(width);
        match (form, second) {
            (Form::Unary(compute), None) => compute(&mut m, a),
            (Form::Binary(compute), Some(b)) => compute(&mut m, a, b),
            (Form::Bound { constant: compute, .. }, Some(b)) if constant(1) => compute(&mut m, a, b),
            (Form::Bound { constant: compute, .. }, Some(b)) if constant(0) => compute(&mut m, b, a),
            (Form::Bound { any, .. }, Some(b)) => any(&mut m, a, b),
            (Form::Comparison(condition), Some(b)) => {
                let mask = m.compare(condition, a, b);
                let (one, zero) = (m.number(1.0), m.number(0.0));
                m.select(mask, one, zero)
            }
            (Form::Unary(_) | Form::Binary(_) | Form::Bound { .. } | Form::Comparison(_) | Form::Select, _) => {
                unreachable!("{} with {} operands", op.name(), operands.len())
            }
        }
    }

    fn select(&mut self, emitter: &mut Emitter, operands: &[ExprId], copy: usize, width: usize) -> Value {
        let mask = self.mask(emitter, operands[0], copy, width);
        let b = self.operand(emitter, operands[1].index(), copy, width);
        if self.nest.exprs[operands[2].index()] == Expr::Const(0.0) {
            return emitter.machine(width).masked(mask, b);
        }
        let c = self.operand(emitter, operands[2].index(), copy, width);
        emitter.machine(width).select(mask, b, c)
    }

    /// A sum or difference of which one operand is a product, as a fused multiply-add with one rounding: a b + c, c - a b
    /// or a b - c.
    fn fused(
        &mut self,
        emitter: &mut Emitter,
        op: &Op,
        operands: &[ExprId],
        copy: usize,
        width: usize,
    ) -> Option<Value> {
        // If both operands are products, the second one is fused. The choice is fixed, so that the rounding is always the
        // same.
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

    /// The factors of a product, unless it is a scalar that was computed before in an outer loop.
    fn product(&self, id: ExprId, width: usize) -> Option<[ExprId; 2]> {
        match &self.nest.exprs[id.index()] {
            Expr::Apply(Op::Mul, factors) if width == 1 || self.varies[id.index()] => Some([factors[0], factors[1]]),
            Expr::Apply(..) | Expr::Const(_) | Expr::Load(_) | Expr::Index(_) | Expr::Reduced(_) => None,
        }
    }

    /// `sum` plus the value of an expression, fused if that is a product.
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

    /// Emits the stores of one copy inside the loops.
    pub(super) fn store(&mut self, emitter: &mut Emitter, copy: usize) {
        self.stores(emitter, copy, false);
    }

    fn stores(&mut self, emitter: &mut Emitter, copy: usize, after_reduction: bool) {
        let nest = self.nest;
        let chosen = || nest.stores.iter().filter(|s| s.after_reduction == after_reduction);
        let values: Vec<Value> = chosen().map(|store| self.at(emitter, store.value, copy)).collect();
        for (store, value) in chosen().zip(values) {
            self.write(emitter, &store.access, value, copy, self.width);
        }
    }

    /// Emits the expressions and stores after the reductions. `finished` holds the results of all reductions for each copy.
    pub(super) fn finish(&mut self, emitter: &mut Emitter, width: usize, finished: Vec<Vec<Value>>) {
        let nest = self.nest;
        self.width = width;
        // Values that all copies share come first. The others are computed copy by copy, each directly before its stores,
        // so that few registers are in use.
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

/// Every index expression with the buffer that it addresses. `None` where the index itself is the value.
fn addressed(nest: &Nest) -> impl Iterator<Item = (Option<BufferId>, &Affine)> {
    let exprs = nest.exprs.iter().filter_map(|e| match e {
        Expr::Load(access) => Some((Some(access.buffer), &access.at)),
        Expr::Index(at) => Some((None, at)),
        Expr::Const(_) | Expr::Reduced(_) | Expr::Apply(..) => None,
    });
    exprs.chain(nest.stores.iter().map(|s| (Some(s.access.buffer), &s.access.at)))
}

/// The expressions to compute after the reductions, in order. They also contain values that are known inside the loops
/// but are as cheap to compute `again` as to hold in registers.
fn remains(nest: &Nest, again: &[bool]) -> Vec<usize> {
    let (after_reduction, inside_reduction) = (nest.after_reduction(), nest.inside_reduction());
    let mut needed = vec![false; nest.exprs.len()];
    nest.stores.iter().filter(|s| s.after_reduction).for_each(|s| needed[s.value.index()] = true);
    for index in (0..needed.len()).rev() {
        needed[index] &= after_reduction[index] || !inside_reduction[index] || again[index];
        if let (true, Expr::Apply(_, operands)) = (needed[index], &nest.exprs[index]) {
            operands.iter().for_each(|o| needed[o.index()] = true);
        }
    }
    (0..needed.len()).filter(|&index| needed[index]).collect()
}
