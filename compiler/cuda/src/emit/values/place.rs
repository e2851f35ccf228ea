//! The stage of each value of a nest, its operands after fusion, and how often it is used.

use super::{Stage, Values};
use gmpc_compiler::ir::graph::Op;
use gmpc_compiler::ir::kernels::{Access, Affine, Expr, ExprId, Join};

/// How a value is computed from its operands.
pub(super) enum Form {
    /// ±x y ± c, rounded once.
    Fma { x: ExprId, y: ExprId, c: ExprId, minus_product: bool, minus_sum: bool },
    /// `then` if a comparison holds, else `other`.
    Choice { op: Op, a: ExprId, b: ExprId, then: ExprId, other: ExprId },
    /// The operation itself.
    Plain,
}

impl Values<'_> {
    /// Decides for every expression its stage, and whether it differs between lanes.
    pub(super) fn place(&mut self) {
        let (after_reduction, inside_reduction) = (self.nest.after_reduction(), self.nest.inside_reduction());
        let is_map = !self.nest.reduced.contains(&true) && self.nest.reductions.is_empty();
        for (index, expr) in self.nest.exprs.iter().enumerate() {
            let moves = |at: &Affine| at.strides.iter().zip(&self.nest.reduced).any(|(s, r)| *r && *s != 0);
            let along = |at: &Affine| self.along.is_some_and(|axis| at.strides[axis] != 0);
            let (inner, varies) = match expr {
                Expr::Const(_) => (false, false),
                Expr::Load(Access { at, .. }) | Expr::Index(at) => (moves(at), along(at)),
                Expr::Reduced(_) => (false, self.along.is_some_and(|axis| !self.nest.reduced[axis])),
                Expr::Apply(_, operands) => operands.iter().fold((false, false), |(inner, varies), o| {
                    (inner || self.stage[o.index()] == Stage::Inner, varies || self.varies[o.index()])
                }),
            };
            self.stage.push(match (after_reduction[index] || !inside_reduction[index], inner) {
                (true, _) => Stage::After,
                (false, inner) if inner || is_map => Stage::Inner,
                (false, _) => Stage::Outer,
            });
            self.varies.push(varies);
        }
    }

    /// Counts the uses of each value by other values, stores and reductions.
    pub(super) fn count_uses(&mut self) {
        let nest = self.nest;
        nest.stores.iter().for_each(|s| self.uses[s.value.index()] += 1);
        for reduction in &nest.reductions {
            match self.joined_product(reduction.join, reduction.value) {
                Some(factors) => factors.iter().for_each(|f| self.uses[f.index()] += 1),
                None => self.uses[reduction.value.index()] += 1,
            }
        }
        // Operands stand before their users. So from last to first the count of a user is final, and unused values use nothing.
        for index in (0..nest.exprs.len()).rev() {
            if self.uses[index] == 0 {
                continue;
            }
            for operand in self.operands(index) {
                self.uses[operand.index()] += 1;
            }
        }
    }

    pub(super) fn operands(&self, index: usize) -> Vec<ExprId> {
        let Expr::Apply(_, operands) = &self.nest.exprs[index] else { return Vec::new() };
        match self.form(index) {
            Form::Fma { x, y, c, .. } => vec![x, y, c],
            Form::Choice { a, b, then, other, .. } => vec![a, b, then, other],
            Form::Plain => operands.clone(),
        }
    }

    /// The factors of a product computed in `stage`. A sum in the same stage may fuse with it, so that it is not rounded before.
    pub(super) fn product(&self, id: ExprId, stage: Stage) -> Option<[ExprId; 2]> {
        match &self.nest.exprs[id.index()] {
            Expr::Apply(Op::Mul, factors) if self.stage[id.index()] == stage => Some([factors[0], factors[1]]),
            Expr::Apply(..) | Expr::Const(_) | Expr::Load(_) | Expr::Index(_) | Expr::Reduced(_) => None,
        }
    }

    pub(super) fn joined_product(&self, join: Join, value: ExprId) -> Option<[ExprId; 2]> {
        if join == Join::Sum { self.product(value, Stage::Inner) } else { None }
    }

    pub(super) fn form(&self, index: usize) -> Form {
        let Expr::Apply(op, operands) = &self.nest.exprs[index] else { return Form::Plain };
        let minus = *op == Op::Sub;
        match (op, &operands[..]) {
            (Op::Add | Op::Sub, [first, second]) => {
                if let Some([x, y]) = self.product(*second, self.stage[index]) {
                    return Form::Fma { x, y, c: *first, minus_product: minus, minus_sum: false };
                }
                match self.product(*first, self.stage[index]) {
                    Some([x, y]) => Form::Fma { x, y, c: *second, minus_product: false, minus_sum: minus },
                    None => Form::Plain,
                }
            }
            (Op::Select, [mask, then, other]) => {
                if let Expr::Apply(op @ (Op::Less | Op::LessEqual | Op::Equal), sides) = &self.nest.exprs[mask.index()]
                {
                    Form::Choice { op: op.clone(), a: sides[0], b: sides[1], then: *then, other: *other }
                } else {
                    Form::Plain
                }
            }
            _ => Form::Plain,
        }
    }

    /// Is the only user of a value in the same stage, and computed equally often?
    pub(super) fn used_nearby(&self, index: usize) -> bool {
        let user = (index + 1..self.nest.exprs.len())
            .find(|&user| self.uses[user] > 0 && self.operands(user).iter().any(|o| o.index() == index));
        match user {
            Some(user) => self.stage[user] == self.stage[index] && self.varies[user] == self.varies[index],
            None => self.stage[index] != Stage::Outer && (self.along.is_none() || self.varies[index]),
        }
    }
}
