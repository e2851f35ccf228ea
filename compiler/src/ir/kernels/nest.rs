//! Loop nests: elementwise expressions and reductions over one iteration space.

use super::BufferId;
use crate::ir::graph::{Op, Shape};
use crate::ir::internal::index32;

/// Index of an expression of a nest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

impl ExprId {
    /// The id of the expression with this index.
    #[must_use]
    pub fn new(index: usize) -> ExprId {
        ExprId(index32(index, "expressions"))
    }

    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An index that is affine in the loop variables: offset + sum of stride times variable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Affine {
    /// The index where all loop variables are 0.
    pub offset: usize,
    /// The factor of each axis of the space.
    pub strides: Vec<usize>,
}

/// An element of a buffer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// The buffer.
    pub buffer: BufferId,
    /// The index of the element.
    pub at: Affine,
}

/// A value at one point of the space.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A constant.
    Const(f64),
    /// An element in memory.
    Load(Access),
    /// An index as a number.
    Index(Affine),
    /// The result of the reduction with this index. It exists only after the reduced loops.
    Reduced(usize),
    /// An elementwise operation on earlier expressions.
    Apply(Op, Vec<ExprId>),
}

/// A value that is written to memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// The element to write.
    pub access: Access,
    /// The value.
    pub value: ExprId,
    /// Is it written after the reductions, once for each point of the axes that are not reduced? Otherwise at every point.
    pub after_reduction: bool,
}

/// The operation of a reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// a + b
    Sum,
    /// The larger of a and b; NaN if one of them is NaN.
    Max,
}

/// Reduces a value over the reduced axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    /// The operation.
    pub join: Join,
    /// The value to reduce.
    pub value: ExprId,
}

/// Expressions over one iteration space.
///
/// At every point, all loads come before all stores. A buffer that is both read and written here is read and written at the
/// same element. Reductions run over the axes marked in `reduced`. They come before the stores with `after_reduction`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nest {
    /// Sizes of the axes, outermost first; empty for a single point.
    pub space: Shape,
    /// Is the axis reduced? One entry for each axis.
    pub reduced: Vec<bool>,
    /// The expressions. Operands come before their users.
    pub exprs: Vec<Expr>,
    /// The values that are written.
    pub stores: Vec<Store>,
    /// The reductions.
    pub reductions: Vec<Reduction>,
    /// May threads share the outermost axis? It is then not reduced, and stores of different iterations never overlap.
    pub parallel: bool,
}

impl Nest {
    /// Returns the id of an expression. Adds the expression if the nest does not have it yet.
    pub fn push(&mut self, expr: Expr) -> ExprId {
        let known = self.exprs.iter().position(|e| *e == expr);
        let index = known.unwrap_or_else(|| {
            self.exprs.push(expr);
            self.exprs.len() - 1
        });
        ExprId::new(index)
    }

    /// Returns all elements that are read.
    pub fn loads(&self) -> impl Iterator<Item = &Access> {
        self.exprs.iter().filter_map(|e| if let Expr::Load(access) = e { Some(access) } else { None })
    }

    /// Returns for each expression: does it need the result of a reduction?
    #[must_use]
    pub fn after_reduction(&self) -> Vec<bool> {
        let mut after_reduction: Vec<bool> = Vec::with_capacity(self.exprs.len());
        for expr in &self.exprs {
            after_reduction.push(match expr {
                Expr::Reduced(_) => true,
                Expr::Apply(_, operands) => operands.iter().any(|o| after_reduction.get(o.index()) == Some(&true)),
                Expr::Const(_) | Expr::Load(_) | Expr::Index(_) => false,
            });
        }
        after_reduction
    }

    /// Returns for each expression: do the stores and reductions inside the reduced loops need it?
    #[must_use]
    pub fn inside_reduction(&self) -> Vec<bool> {
        let mut inside_reduction = vec![false; self.exprs.len()];
        let inside = self.stores.iter().filter(|s| !s.after_reduction).map(|s| s.value);
        inside.chain(self.reductions.iter().map(|r| r.value)).for_each(|id| inside_reduction[id.index()] = true);
        for index in (0..inside_reduction.len()).rev() {
            if let (true, Expr::Apply(_, operands)) = (inside_reduction[index], &self.exprs[index]) {
                operands.iter().for_each(|o| inside_reduction[o.index()] = true);
            }
        }
        inside_reduction
    }

    /// Returns the indices of all loads, stores and index values.
    pub fn affines_mut(&mut self) -> impl Iterator<Item = &mut Affine> {
        let exprs = self.exprs.iter_mut().filter_map(|e| match e {
            Expr::Load(access) => Some(&mut access.at),
            Expr::Index(at) => Some(at),
            Expr::Const(_) | Expr::Reduced(_) | Expr::Apply(..) => None,
        });
        exprs.chain(self.stores.iter_mut().map(|s| &mut s.access.at))
    }

    /// Returns the indices of all loads, stores and index values.
    pub fn affines(&self) -> impl Iterator<Item = &Affine> {
        let exprs = self.exprs.iter().filter_map(|e| match e {
            Expr::Load(access) => Some(&access.at),
            Expr::Index(at) => Some(at),
            Expr::Const(_) | Expr::Reduced(_) | Expr::Apply(..) => None,
        });
        exprs.chain(self.stores.iter().map(|s| &s.access.at))
    }

    /// Drops expressions that nothing needs.
    pub fn prune(&mut self) {
        // Operands come before their users, so one walk backwards marks everything that is needed.
        let mut needed = vec![false; self.exprs.len()];
        for id in self.stores.iter().map(|s| s.value).chain(self.reductions.iter().map(|r| r.value)) {
            needed[id.index()] = true;
        }
        for index in (0..self.exprs.len()).rev() {
            if let (true, Expr::Apply(_, operands)) = (needed[index], &self.exprs[index]) {
                operands.iter().for_each(|o| needed[o.index()] = true);
            }
        }
        let (space, reduced) = (self.space.clone(), self.reduced.clone());
        // Expressions get new indices. `push` also merges expressions that have become equal.
        let mut pruned = Nest { space, reduced, ..Nest::default() };
        let mut place = vec![ExprId(0); self.exprs.len()];
        for (index, expr) in self.exprs.drain(..).enumerate().filter(|(i, _)| needed[*i]) {
            place[index] = pruned.push(match expr {
                Expr::Apply(op, operands) => Expr::Apply(op, operands.iter().map(|o| place[o.index()]).collect()),
                leaf @ (Expr::Const(_) | Expr::Load(_) | Expr::Index(_) | Expr::Reduced(_)) => leaf,
            });
        }
        self.exprs = pruned.exprs;
        self.stores.iter_mut().for_each(|s| s.value = place[s.value.index()]);
        self.reductions.iter_mut().for_each(|r| r.value = place[r.value.index()]);
    }
}
