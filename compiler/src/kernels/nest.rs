//! Loop nests: elementwise expressions and reductions over one iteration space.

use super::BufferId;
use crate::graph::{Op, Shape};

/// Index of an expression of a nest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

impl ExprId {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A whole number that is linear in the loop variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Affine {
    /// Where all loop variables are 0.
    pub offset: usize,
    /// One factor for each axis of the space.
    pub strides: Vec<usize>,
}

/// An element of a buffer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// Which buffer.
    pub buffer: BufferId,
    /// Which of its numbers.
    pub at: Affine,
}

/// A value at one point of the space.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A number.
    Const(f64),
    /// A number from memory.
    Load(Access),
    /// The index itself, as a number.
    Index(Affine),
    /// The finished reduction of this index; only meaningful after the reduced loops.
    Reduced(usize),
    /// An elementwise operation on earlier expressions.
    Apply(Op, Vec<ExprId>),
}

/// What to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// Where.
    pub access: Access,
    /// What.
    pub value: ExprId,
    /// Once for each point of the kept axes, after the reductions, instead of at every point.
    pub late: bool,
}

/// How numbers are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// a + b
    Sum,
    /// The larger one; NaN if either is.
    Max,
}

/// Joins a value over the reduced axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    /// How.
    pub join: Join,
    /// What.
    pub value: ExprId,
}

/// Expressions over one iteration space.
///
/// At every point all loads happen before all stores; a buffer that is read and written here is read and written at the
/// same element. Reductions run over the axes marked in `reduced`; late stores follow them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nest {
    /// Axis sizes, outermost first; empty for one point.
    pub space: Shape,
    /// The axes that the reductions run over.
    pub reduced: Vec<bool>,
    /// Operands before users.
    pub exprs: Vec<Expr>,
    /// What is written.
    pub stores: Vec<Store>,
    /// What is joined.
    pub reductions: Vec<Reduction>,
    /// Threads may share the outermost axis, which is kept and tells all stores apart.
    pub spread: bool,
}

impl Nest {
    /// The expression, added unless it is there already.
    pub fn push(&mut self, expr: Expr) -> ExprId {
        let known = self.exprs.iter().position(|e| *e == expr);
        let index = known.unwrap_or_else(|| {
            self.exprs.push(expr);
            self.exprs.len() - 1
        });
        ExprId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Every element that is read, with the expression that reads it.
    pub fn loads(&self) -> impl Iterator<Item = &Access> {
        self.exprs.iter().filter_map(|e| if let Expr::Load(access) = e { Some(access) } else { None })
    }

    /// For each expression: does it need a finished reduction?
    #[must_use]
    pub fn late(&self) -> Vec<bool> {
        let mut late: Vec<bool> = Vec::with_capacity(self.exprs.len());
        for expr in &self.exprs {
            late.push(match expr {
                Expr::Reduced(_) => true,
                Expr::Apply(_, operands) => operands.iter().any(|o| late[o.index()]),
                Expr::Const(_) | Expr::Load(_) | Expr::Index(_) => false,
            });
        }
        late
    }

    /// For each expression: do the stores and reductions inside the loops need it?
    #[must_use]
    pub fn early(&self) -> Vec<bool> {
        let mut early = vec![false; self.exprs.len()];
        let inside = self.stores.iter().filter(|s| !s.late).map(|s| s.value);
        inside.chain(self.reductions.iter().map(|r| r.value)).for_each(|id| early[id.index()] = true);
        for index in (0..early.len()).rev() {
            if let (true, Expr::Apply(_, operands)) = (early[index], &self.exprs[index]) {
                operands.iter().for_each(|o| early[o.index()] = true);
            }
        }
        early
    }

    /// Every index expression, of loads, stores and index values.
    pub fn affines_mut(&mut self) -> impl Iterator<Item = &mut Affine> {
        let exprs = self.exprs.iter_mut().filter_map(|e| match e {
            Expr::Load(access) => Some(&mut access.at),
            Expr::Index(at) => Some(at),
            Expr::Const(_) | Expr::Reduced(_) | Expr::Apply(..) => None,
        });
        exprs.chain(self.stores.iter_mut().map(|s| &mut s.access.at))
    }

    /// Every index expression.
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
        let mut kept = Nest { space, reduced, ..Nest::default() };
        let mut place = vec![ExprId(0); self.exprs.len()];
        for (index, expr) in self.exprs.drain(..).enumerate().filter(|(i, _)| needed[*i]) {
            place[index] = kept.push(match expr {
                Expr::Apply(op, operands) => Expr::Apply(op, operands.iter().map(|o| place[o.index()]).collect()),
                leaf => leaf,
            });
        }
        self.exprs = kept.exprs;
        self.stores.iter_mut().for_each(|s| s.value = place[s.value.index()]);
        self.reductions.iter_mut().for_each(|r| r.value = place[r.value.index()]);
    }
}
