//! The values of a nest as C expressions.

use super::Values;
use super::place::Form;
use crate::emit::source::Features;
use crate::emit::text::{affine, float, function, number};
use gmpc_compiler::ir::graph::Op;
use gmpc_compiler::ir::graph::groups::{binary, convolution, joined, pool, reduction, scan, unary, view};
use gmpc_compiler::ir::kernels::{Affine, Expr, ExprId, Join};

impl Values<'_> {
    pub(super) fn operand(&self, id: ExprId) -> String {
        match self.nest.exprs[id.index()] {
            Expr::Const(value) => number(self.precision, value),
            Expr::Load(_) | Expr::Index(_) | Expr::Reduced(_) | Expr::Apply(..) => self.known[id.index()].clone(),
        }
    }

    pub(super) fn fma(&self, x: &str, y: &str, c: &str) -> String {
        format!("{}({}, {}, {})", function(self.precision, "fma"), bare(x), bare(y), bare(c))
    }

    pub(super) fn expression(&mut self, index: usize) -> String {
        let nest = self.nest;
        match self.form(index) {
            Form::Fma { x, y, c, minus_product, minus_sum } => {
                let signed = |minus: bool, text: String| if minus { negated(&text) } else { text };
                let x = signed(minus_product, self.operand(x));
                let c = signed(minus_sum, self.operand(c));
                return self.fma(&x, &self.operand(y), &c);
            }
            Form::Choice { op, a, b, then, other } => {
                let holds = format!("{} {} {}", self.operand(a), comparison(&op), self.operand(b));
                return format!("{holds} ? {} : {}", self.operand(then), self.operand(other));
            }
            Form::Plain => {}
        }
        match &nest.exprs[index] {
            Expr::Index(at) => self.index(at),
            Expr::Apply(op, operands) => self.apply(op, operands),
            Expr::Const(_) | Expr::Load(_) | Expr::Reduced(_) => self.known[index].clone(),
        }
    }

    pub(super) fn index(&self, at: &Affine) -> String {
        let mut whole = affine(at, &self.variables);
        if let Some(stride @ 1..) = self.along.map(|axis| at.strides[axis]) {
            whole = if stride == 1 { format!("{whole} + n") } else { format!("{whole} + {stride} * n") };
        }
        format!("{}({whole})", float(self.precision))
    }

    /// The text of an operation. Operands that are not names or constants stand in brackets already.
    pub(super) fn apply(&mut self, op: &Op, operands: &[ExprId]) -> String {
        let text: Vec<String> = operands.iter().map(|o| self.operand(*o)).collect();
        // NaN as a bound is excluded: the short functions for a constant bound do not propagate it.
        let constant = |i: usize| {
            operands.get(i).is_some_and(|o| matches!(self.nest.exprs[o.index()], Expr::Const(c) if !c.is_nan()))
        };
        let one = || number(self.precision, 1.0);
        let zero = || number(self.precision, 0.0);
        match (op, &text[..]) {
            (Op::Neg, [a]) => negated(a),
            (Op::Abs, [a]) => format!("{}({})", function(self.precision, "fabs"), bare(a)),
            (Op::Sqrt, [a]) => format!("{}({})", function(self.precision, "sqrt"), bare(a)),
            (Op::Add, [a, b]) => format!("{a} + {b}"),
            (Op::Sub, [a, b]) => format!("{a} - {b}"),
            (Op::Mul, [a, b]) => format!("{a} * {b}"),
            (Op::Div, [a, b]) => format!("{a} / {b}"),
            (Op::Max | Op::Min, [a, b]) if constant(0) || constant(1) => {
                let (a, b) = if constant(1) { (a, b) } else { (b, a) };
                format!("{}({}, {})", self.features.bound(op), bare(a), bare(b))
            }
            // A mask is a number, 0 or 1, as in the graph; a select compares it with 0.
            (Op::Less | Op::LessEqual | Op::Equal, [a, b]) => {
                format!("{a} {} {b} ? {} : {}", comparison(op), one(), zero())
            }
            (Op::Select, [mask, a, b]) => format!("{mask} != {} ? {a} : {b}", zero()),
            _ => {
                let name = self.features.function(op);
                let arguments: Vec<&str> = text.iter().map(|t| bare(t)).collect();
                format!("{name}({})", arguments.join(", "))
            }
        }
    }
}

/// The accumulator `sum` joined with `a`.
pub(crate) fn join(join: Join, a: &str, sum: &str, features: &mut Features) -> String {
    match join {
        Join::Sum => format!("{sum} + {a}"),
        Join::Max => format!("{}({a}, {sum})", features.function(&Op::Max)),
    }
}

fn comparison(op: &Op) -> &'static str {
    match op {
        Op::Less => "<",
        Op::LessEqual => "<=",
        Op::Equal => "==",
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => no_comparison(op),
        unary!() | binary!() | Op::Select => no_comparison(op),
        view!() | joined!() | reduction!() => no_comparison(op),
        Op::MatMul { .. } | convolution!() | pool!() | scan!() => no_comparison(op),
    }
}

fn no_comparison(op: &Op) -> ! {
    unreachable!("{} compares nothing", op.name())
}

/// The negative of a value that is a name, a constant, or in brackets.
fn negated(text: &str) -> String {
    text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_string)
}

/// The text without brackets around all of it.
pub(super) fn bare(text: &str) -> &str {
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.filter(|_| is_call(text)).unwrap_or(text)
}

/// Is a text one call or one pair of brackets, with nothing behind it?
pub(super) fn is_call(text: &str) -> bool {
    let Some(open) = text.find('(') else { return false };
    let word = text[..open].chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut depth = 0_i32;
    let closes_early = text.char_indices().any(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0 && at > open && at + 1 < text.len()
    });
    word && !closes_early
}
