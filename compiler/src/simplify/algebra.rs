//! Elementwise operations: constants folded, identities used, broadcasts postponed.

use super::Rewriter;
use crate::graph::{Id, Op, scalar};

/// Whole powers up to this size become products (chosen by hand: at most 20 of them).
const LARGEST_POWER: f64 = 1024.0;

impl Rewriter {
    pub(super) fn elementwise(&mut self, op: &Op, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        let constants: Vec<Option<f64>> = inputs.iter().map(|&i| self.constant(i)).collect();
        if let Some(values) = constants.iter().copied().collect::<Option<Vec<f64>>>() {
            let value = |i: usize| values.get(i).copied().unwrap_or(0.0);
            return Some(self.full(scalar(op, [value(0), value(1), value(2)]), shape));
        }
        let second = constants.get(1).copied().flatten();
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
            _ => return self.joined_factors(inputs, shape),
        };
        if factor == 1.0 {
            return Some(other);
        }
        if factor == -1.0 {
            return Some(self.apply(&Op::Neg, &[other], shape));
        }
        if let Some((inner, other)) = self.constant_factor(other) {
            let factor = self.full(inner * factor, shape);
            return Some(self.apply(&Op::Mul, &[other, factor], shape));
        }
        if let Some(other) = self.negated(other) {
            let factor = self.full(-factor, shape);
            return Some(self.apply(&Op::Mul, &[other, factor], shape));
        }
        // The constant stands right, so that equal products look equal.
        if constants[0].is_some() {
            let factor = self.full(factor, shape);
            return Some(self.apply(&Op::Mul, &[other, factor], shape));
        }
        self.joined_factors(inputs, shape)
    }

    /// (x s) t = x (s t) where s and t are repeated, along the same axes or everywhere: one operation on the whole tensor
    /// less, and s t may be known before the step.
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

    /// A row factor of what a mask lets through goes outside, where a sum over the rows can leave it: for m ? x s : 0
    /// compute (m ? x : 0) s.
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

    /// What a tensor repeats.
    pub(super) fn repeated(&self, id: Id) -> Option<Id> {
        (*self.op(id) == Op::Broadcast).then(|| self.graph[id].inputs[0])
    }

    /// One shape, or one of them a single number.
    fn alike(&self, s: Id, t: Id) -> bool {
        let single = |id: Id| self.shape(id).iter().product::<usize>() == 1;
        self.shape(s) == self.shape(t) || single(s) || single(t)
    }

    /// x > 0 is max(x, 0) > 0, which saves keeping x where the maximum is kept anyway.
    fn positive(&mut self, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        let operands = vec![inputs[1], inputs[0]];
        let key = (std::mem::discriminant(&Op::Max), vec![], operands, shape.to_vec());
        let known = *self.known.get(&key)?;
        Some(self.push(Op::Less, &[inputs[0], known], shape))
    }

    /// c and x where a node is x c.
    fn constant_factor(&self, id: Id) -> Option<(f64, Id)> {
        if *self.op(id) != Op::Mul {
            return None;
        }
        let (a, b) = (self.graph[id].inputs[0], self.graph[id].inputs[1]);
        self.constant(b).map(|c| (c, a)).or_else(|| self.constant(a).map(|c| (c, b)))
    }

    /// Dividing is multiplying by the reciprocal where that is computed less often: constants, repeated values.
    fn division(&mut self, inputs: &[Id], second: Option<f64>, shape: &[usize]) -> Option<Id> {
        let Some(divisor) = second else { return self.division_by_repeated(inputs, shape) };
        let factor = 1.0 / divisor;
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
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a whole number up to 1024
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

    /// Computes on what is repeated before it is repeated, along every axis that all operands only repeat.
    fn postpone_broadcast(&mut self, op: &Op, inputs: &[Id], shape: &[usize]) -> Option<Id> {
        let source = |this: &Self, id: Id| {
            if *this.op(id) == Op::Broadcast { this.graph[id].inputs[0] } else { id }
        };
        let sources: Vec<Id> = inputs.iter().map(|&id| source(self, id)).collect();
        let size = |axis: usize| sources.iter().map(|&s| self.shape(s)[axis]).max().unwrap_or(1);
        let small: Vec<usize> = (0..shape.len()).map(size).collect();
        if small == shape {
            return None;
        }
        let operands: Vec<Id> = sources.into_iter().map(|s| self.broadcast(s, &small)).collect();
        let value = self.node(op, &operands, &small);
        Some(self.broadcast(value, shape))
    }
}
