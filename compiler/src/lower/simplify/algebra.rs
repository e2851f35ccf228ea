//! Rules for elementwise operations: they fold constants, apply algebraic identities and postpone broadcasts.

use super::Rewriter;
use crate::ir::graph::{Id, Op, scalar};

/// Whole powers up to this exponent become products (chosen by hand: at most 20 products).
const LARGEST_POWER: f64 = 1024.0;

impl Rewriter {
    pub(super) fn elementwise(&mut self, op: &Op, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        let constant = |i: usize| inputs.get(i).and_then(|&id| self.constant(id));
        let constants = [constant(0), constant(1), constant(2)];
        if constants.iter().take(inputs.len()).all(Option::is_some) {
            return Some(self.full(scalar(op, constants.map(|value| value.unwrap_or(0.0))), shape));
        }
        // Rules for single operations come first. They may remove an operation, while postponing a broadcast only makes
        // it smaller.
        let second = constants[1];
        let simpler = match op {
            Op::Neg => self.negation(inputs[0], shape),
            Op::Add => self.addition(inputs, [constants[0], second], shape),
            Op::Sub => self.subtraction(inputs, [constants[0], second], shape),
            Op::Mul => self.multiplication(inputs, [constants[0], second], shape),
            Op::Div => self.division(inputs, second, shape),
            Op::Pow => second.and_then(|power| self.power(inputs[0], power, shape)),
            Op::Max | Op::Min if inputs[0] == inputs[1] => Some(inputs[0]),
            Op::Less if constants[0] == Some(0.0) => self.positive(inputs, shape),
            Op::Select => match constants[0] {
                Some(0.0) => Some(inputs[2]),
                Some(_) => Some(inputs[1]),
                None if inputs[1] == inputs[2] => Some(inputs[1]),
                None => self.masked_product(inputs, constants[2], shape),
            },
            _ => None,
        };
        simpler.or_else(|| self.postpone_broadcast(op, inputs, shape))
    }

    fn apply(&mut self, op: &Op, inputs: &[Id], shape: &[usize]) -> Id {
        self.node(op, inputs, shape)
    }

    fn negated(&self, id: Id) -> Option<Id> {
        (*self.op(id) == Op::Neg).then(|| self.graph[id].inputs[0])
    }

    fn negation(&mut self, a: Id, shape: &[usize]) -> Option<Id> {
        if let Some(inner) = self.negated(a) {
            return Some(inner);
        }
        let (factor, other) = self.constant_factor(a)?;
        let factor = self.full(-factor, shape);
        Some(self.apply(&Op::Mul, &[other, factor], shape))
    }

    fn addition(&mut self, inputs: &[Id], [first, second]: [Option<f64>; 2], shape: &[usize]) -> Option<Id> {
        let (a, b) = (inputs[0], inputs[1]);
        match (first, second) {
            (_, Some(0.0)) => return Some(a),
            (Some(0.0), _) => return Some(b),
            _ => {}
        }
        if let Some(b) = self.negated(b) {
            return Some(self.apply(&Op::Sub, &[a, b], shape));
        }
        let a = self.negated(a)?;
        Some(self.apply(&Op::Sub, &[b, a], shape))
    }

    fn subtraction(&mut self, inputs: &[Id], [first, second]: [Option<f64>; 2], shape: &[usize]) -> Option<Id> {
        let (a, b) = (inputs[0], inputs[1]);
        match (first, second) {
            (_, Some(0.0)) => return Some(a),
            (Some(0.0), _) => return Some(self.apply(&Op::Neg, &[b], shape)),
            _ => {}
        }
        let b = self.negated(b)?;
        Some(self.apply(&Op::Add, &[a, b], shape))
    }

    fn multiplication(&mut self, inputs: &[Id], constants: [Option<f64>; 2], shape: &[usize]) -> Option<Id> {
        let (factor, other) = match constants {
            [Some(factor), None] => (factor, inputs[1]),
            [None, Some(factor)] => (factor, inputs[0]),
            // No operand is constant here: a product of two constants was folded before.
            _ => return self.joined_factors(inputs, shape).or_else(|| self.masked_repeated(inputs, shape)),
        };
        if factor == 1.0 {
            return Some(other);
        }
        if factor == -1.0 {
            return Some(self.apply(&Op::Neg, &[other], shape));
        }
        // Constant factors and signs are combined to one factor: one operation on the whole tensor less.
        if let Some((inner, other)) = self.constant_factor(other) {
            let factor = self.full(inner * factor, shape);
            return Some(self.apply(&Op::Mul, &[other, factor], shape));
        }
        if let Some(other) = self.negated(other) {
            let factor = self.full(-factor, shape);
            return Some(self.apply(&Op::Mul, &[other, factor], shape));
        }
        // The constant becomes the right operand, so that later rules find it in one place.
        if constants[0].is_some() {
            let factor = self.full(factor, shape);
            return Some(self.apply(&Op::Mul, &[other, factor], shape));
        }
        self.joined_factors(inputs, shape)
    }

    /// (x s) t = x (s t) where s and t are broadcasts along the same axes, or one of them is a single number. This saves
    /// one operation on the whole tensor, and s t may be known before the step.
    fn joined_factors(&mut self, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        for (outer, product) in [(inputs[1], inputs[0]), (inputs[0], inputs[1])] {
            let Some(t) = self.repeated(outer) else { continue };
            if *self.op(product) != Op::Mul {
                continue;
            }
            let (a, b) = (self.graph[product].inputs[0], self.graph[product].inputs[1]);
            for (x, s) in [(a, self.repeated(b)), (b, self.repeated(a))] {
                let Some(s) = s.filter(|&s| self.alike(s, t)) else { continue };
                let small = self.graph.fitted_shape(s, t)?;
                let (s, t) = (self.broadcast(s, &small), self.broadcast(t, &small));
                let factor = self.node(&Op::Mul, &[s, t], &small);
                let factor = self.broadcast(factor, shape);
                return Some(self.apply(&Op::Mul, &[x, factor], shape));
            }
        }
        None
    }

    /// m ? x s : 0 = (m ? x : 0) s where s is the same in all rows. Outside the mask, a sum over rows can be taken before
    /// the factor.
    fn masked_product(&mut self, inputs: &[Id], other: Option<f64>, shape: &[usize]) -> Option<Id> {
        if other != Some(0.0) || *self.op(inputs[1]) != Op::Mul {
            return None;
        }
        let (a, b) = (self.graph[inputs[1]].inputs[0], self.graph[inputs[1]].inputs[1]);
        let is_row = |this: &Self, id: Id| {
            this.repeated(id).is_some_and(|s| this.shape(s).first() == Some(&1) && shape.first() != Some(&1))
        };
        let (x, row) = match (is_row(self, a), is_row(self, b)) {
            (_, true) => (a, b),
            (true, _) => (b, a),
            _ => return None,
        };
        let masked = self.node(&Op::Select, &[inputs[0], x, inputs[2]], shape);
        Some(self.node(&Op::Mul, &[masked, row], shape))
    }

    /// (m ? x : 0) s = m ? x s : 0 where x and s are both repeated: x s is computed, and rounded, once for all places that
    /// repeat it. What is centred afterwards then cancels: the sum and the numbers that it is taken from have the same
    /// rounding errors, which is not so of s times the sum of x.
    fn masked_repeated(&mut self, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        for (factor, masked) in [(inputs[1], inputs[0]), (inputs[0], inputs[1])] {
            let (Some(s), Op::Select) = (self.repeated(factor), self.op(masked)) else { continue };
            let [mask, x, other] = self.graph[masked].inputs[..] else { continue };
            let Some(x) = self.repeated(x).filter(|_| self.constant(other) == Some(0.0)) else { continue };
            let small = self.graph.fitted_shape(x, s)?;
            if small == shape {
                continue;
            }
            let (x, s) = (self.broadcast(x, &small), self.broadcast(s, &small));
            let product = self.node(&Op::Mul, &[x, s], &small);
            let product = self.broadcast(product, shape);
            return Some(self.apply(&Op::Select, &[mask, product, other], shape));
        }
        None
    }

    /// The operand of a broadcast.
    pub(super) fn repeated(&self, id: Id) -> Option<Id> {
        (*self.op(id) == Op::Broadcast).then(|| self.graph[id].inputs[0])
    }

    /// Have both values the same shape, or is one of them a single number?
    fn alike(&self, s: Id, t: Id) -> bool {
        let single = |id: Id| self.shape(id).iter().product::<usize>() == 1;
        self.shape(s) == self.shape(t) || single(s) || single(t)
    }

    /// x > 0 = max(x, 0) > 0. Where the maximum is stored anyway, x need not be stored for the mask.
    fn positive(&mut self, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        let known = self.known.find(&self.graph, &Op::Max, &[inputs[1], inputs[0]], shape)?;
        Some(self.push(Op::Less, &[inputs[0], known], shape))
    }

    /// The constant c and the operand x of a product x c.
    fn constant_factor(&self, id: Id) -> Option<(f64, Id)> {
        if *self.op(id) != Op::Mul {
            return None;
        }
        let (a, b) = (self.graph[id].inputs[0], self.graph[id].inputs[1]);
        self.constant(b).map(|c| (c, a)).or_else(|| self.constant(a).map(|c| (c, b)))
    }

    /// Turns a division into a product with the reciprocal where the reciprocal is computed less often: for constants,
    /// which it folds, and for broadcast divisors.
    fn division(&mut self, inputs: &[Id], second: Option<f64>, shape: &[usize]) -> Option<Id> {
        let Some(divisor) = second else { return self.division_by_repeated(inputs, shape) };
        let factor = 1.0 / divisor;
        // The reciprocal must be a normal number: that of 0 is infinite, and that of a huge divisor has few significant
        // bits.
        if !factor.is_normal() {
            return None;
        }
        let factor = self.full(factor, shape);
        Some(self.apply(&Op::Mul, &[inputs[0], factor], shape))
    }

    fn division_by_repeated(&mut self, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        if *self.op(inputs[1]) != Op::Broadcast || *self.op(inputs[0]) == Op::Broadcast {
            return None;
        }
        let source = self.graph[inputs[1]].inputs[0];
        let small = self.shape(source).to_vec();
        let one = self.full(1.0, &small);
        let reciprocal = self.node(&Op::Div, &[one, source], &small);
        let reciprocal = self.broadcast(reciprocal, shape);
        Some(self.apply(&Op::Mul, &[inputs[0], reciprocal], shape))
    }

    /// A power with a constant exponent as products, roots and a reciprocal, which are much faster than the general power.
    fn power(&mut self, a: Id, power: f64, shape: &[usize]) -> Option<Id> {
        if power < 0.0 {
            let positive = self.power(a, -power, shape)?;
            let one = self.full(1.0, shape);
            return Some(self.apply(&Op::Div, &[one, positive], shape));
        }
        if power == 0.0 {
            return Some(self.full(1.0, shape));
        }
        if power == 0.5 {
            return Some(self.apply(&Op::Sqrt, &[a], shape));
        }
        if power == 1.5 {
            let root = self.apply(&Op::Sqrt, &[a], shape);
            return Some(self.apply(&Op::Mul, &[a, root], shape));
        }
        if power.fract() != 0.0 || power > LARGEST_POWER {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to 1024")]
        Some(self.whole_power(a, power as u32, shape))
    }

    /// a^power by squaring.
    fn whole_power(&mut self, a: Id, power: u32, shape: &[usize]) -> Id {
        if power == 1 {
            return a;
        }
        let half = self.whole_power(a, power / 2, shape);
        let square = self.apply(&Op::Mul, &[half, half], shape);
        if power.is_multiple_of(2) { square } else { self.apply(&Op::Mul, &[square, a], shape) }
    }

    /// Applies an operation before its operands are broadcast, along every axis along which all operands are broadcasts.
    fn postpone_broadcast(&mut self, op: &Op, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        let source = |this: &Self, id: Id| {
            if *this.op(id) == Op::Broadcast { this.graph[id].inputs[0] } else { id }
        };
        let size = |axis: usize| inputs.iter().map(|&id| self.shape(source(self, id))[axis]).max().unwrap_or(1);
        if (0..shape.len()).all(|axis| size(axis) == shape[axis]) {
            return None;
        }
        let small: Vec<usize> = (0..shape.len()).map(size).collect();
        let sources: Vec<Id> = inputs.iter().map(|&id| source(self, id)).collect();
        let operands: Vec<Id> = sources.into_iter().map(|s| self.broadcast(s, &small)).collect();
        let value = self.node(op, &operands, &small);
        Some(self.broadcast(value, shape))
    }
}
