//! Builds expressions from pairs. Operators are ordered by precedence without recursion.
//!
//! Every expression is built together with the height of its tree. So no chain of operators (`- - - x`, `a ^ b ^ c`,
//! `a + b + …`, `else if … else if`) makes a tree that is too high for recursive walks.

use super::{Builder, check};
use crate::ast::{Argument, Arm, BinaryOp, Expr, ExprKind, Stage, UnaryOp};
use crate::diagnostic::Diagnostic;
use crate::read::MAX_DEPTH;
use crate::read::grammar::Rule;
use crate::source::Span;
use pest::iterators::Pair;

/// An expression and the height of its tree; a leaf has height 1.
struct Tall {
    expr: Expr,
    height: usize,
}

/// An operator on the stack that waits for its right operand.
#[derive(Clone, Copy)]
enum Pending {
    Prefix(UnaryOp, Span),
    Infix(BinaryOp),
}

// `inline(never)` keeps the stack frames small, so that one level of nesting needs little stack: see `MAX_BRACKETS`.
impl Builder<'_> {
    /// Returns the expression of a pair of the rule `expr`. `None` after an error.
    pub fn expr(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        self.flow(pair).map(|tall| tall.expr)
    }

    /// Returns the expression inside a pair of a rule such as `result` or `draw`.
    pub(super) fn inner_expr(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        self.expr(pair.into_inner().find(|p| p.as_rule() == Rule::expr)?)
    }

    #[inline(never)]
    fn flow(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        let (mut source, mut stages, mut height) = (None, Vec::new(), 0);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::operation => source = Some(self.operation(part)?),
                Rule::stage => {
                    let (stage, tall) = self.stage(part)?;
                    height = height.max(tall);
                    stages.push(stage);
                }
                _ => {}
            }
        }
        let source = source?;
        let Some(last) = stages.last() else {
            return Some(source);
        };
        let end = last.label.as_ref().map_or(last.expr.span, |label| label.span);
        let span = source.expr.span.to(end);
        let height = height.max(source.height);
        self.tall(ExprKind::Flow { source: Box::new(source.expr), stages }, span, height)
    }

    #[inline(never)]
    fn stage(&mut self, pair: Pair<'_, Rule>) -> Option<(Stage, usize)> {
        let (mut layer, mut label) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::as_word => {}
                Rule::name => label = Some(self.ident(&part)),
                _ => layer = Some(self.primary(part)?),
            }
        }
        let Tall { expr, height } = layer?;
        Some((Stage { expr, label }, height))
    }

    /// Builds a tree from a sequence of operands and operators, with two stacks (Dijkstra's shunting yard).
    #[inline(never)]
    fn operation(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        let (mut operands, mut pending): (Vec<Tall>, Vec<Pending>) = (Vec::new(), Vec::new());
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::not => pending.push(Pending::Prefix(UnaryOp::Not, span)),
                Rule::negate => pending.push(Pending::Prefix(UnaryOp::Negate, span)),
                rule => match infix(rule) {
                    Some(op) => {
                        self.check_infix(op, span, operands.last(), &pending);
                        self.reduce(&mut operands, &mut pending, op)?;
                        pending.push(Pending::Infix(op));
                    }
                    None => operands.push(self.primary(part)?),
                },
            }
        }
        while let Some(top) = pending.pop() {
            self.apply(top, &mut operands)?;
        }
        operands.pop()
    }

    /// E0149 and E0150: an operator that would probably be read in another way than intended.
    #[inline(never)]
    fn check_infix(&mut self, op: BinaryOp, span: Span, left: Option<&Tall>, pending: &[Pending]) {
        let Some(left) = left else { return };
        let above = self.text.get(left.expr.span.end as usize..span.start as usize).unwrap_or("");
        let glued = self.text.get(span.end as usize..).is_some_and(|rest| !rest.starts_with([' ', '\t', '\r', '\n']));
        if op == BinaryOp::Subtract && above.contains(['\n', '\r']) && glued {
            self.errors.push(check::two_ways(span));
        }
        // The operator whose result would be the left operand of this one.
        let before = pending.iter().rev().find_map(|p| match p {
            Pending::Infix(before) if level(*before) <= level(op) => Some(*before),
            _ => None,
        });
        if level(op) == COMPARISON && before.is_some_and(|before| level(before) == COMPARISON) {
            self.errors.push(check::chained(left.expr.span, span));
        }
    }

    /// Applies the waiting operators that bind more tightly than `op`.
    #[inline(never)]
    fn reduce(&mut self, operands: &mut Vec<Tall>, pending: &mut Vec<Pending>, op: BinaryOp) -> Option<()> {
        while let Some(&top) = pending.last() {
            let first = match top {
                Pending::Prefix(unary, _) => prefix_level(unary) >= level(op),
                Pending::Infix(left) if op == BinaryOp::Power => level(left) > level(op),
                Pending::Infix(left) => level(left) >= level(op),
            };
            if !first {
                break;
            }
            pending.pop();
            self.apply(top, operands)?;
        }
        Some(())
    }

    #[inline(never)]
    fn apply(&mut self, operator: Pending, operands: &mut Vec<Tall>) -> Option<()> {
        let right = operands.pop()?;
        let made = match operator {
            Pending::Prefix(op, span) => {
                let span = span.to(right.expr.span);
                self.tall(ExprKind::Unary(op, Box::new(right.expr)), span, right.height)?
            }
            Pending::Infix(op) => {
                let left = operands.pop()?;
                let span = left.expr.span.to(right.expr.span);
                let height = left.height.max(right.height);
                self.tall(ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr)), span, height)?
            }
        };
        operands.push(made);
        Some(())
    }

    #[inline(never)]
    fn primary(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        match pair.as_rule() {
            Rule::conditional => self.conditional(pair),
            Rule::selection => self.selection(pair),
            Rule::group => self.group(pair),
            Rule::list => self.list(pair),
            Rule::reference => self.reference(pair),
            _ => self.leaf(&pair),
        }
    }

    #[inline(never)]
    fn leaf(&mut self, pair: &Pair<'_, Rule>) -> Option<Tall> {
        let span = self.span(pair);
        let node = self.literal(pair, span)?;
        Some(Tall { expr: Expr { node, span }, height: 1 })
    }

    #[inline(never)]
    fn group(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        let span = self.span(&pair);
        let mut inside = self.flow(pair.into_inner().find(|p| p.as_rule() == Rule::expr)?)?;
        inside.expr.span = span;
        Some(inside)
    }

    #[inline(never)]
    fn list(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        let (span, mut items, mut height) = (self.span(&pair), Vec::new(), 0);
        for part in pair.into_inner().filter(|p| p.as_rule() == Rule::expr) {
            let item = self.flow(part)?;
            height = height.max(item.height);
            items.push(item.expr);
        }
        self.tall(ExprKind::List(items), span, height)
    }

    #[inline(never)]
    fn reference(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let callee = self.path(parts.next()?);
        let Some(inside) = parts.next() else {
            return Some(Tall { expr: Expr { span: callee.span(), node: ExprKind::Path(callee) }, height: 1 });
        };
        let (mut arguments, mut height) = (Vec::new(), 0);
        for part in inside.into_inner().filter(|p| p.as_rule() == Rule::argument) {
            let (argument, tall) = self.argument(part)?;
            height = height.max(tall);
            arguments.push(argument);
        }
        check::arguments(&arguments, &mut self.errors);
        self.tall(ExprKind::Call { callee, arguments }, span, height)
    }

    #[inline(never)]
    fn argument(&mut self, pair: Pair<'_, Rule>) -> Option<(Argument, usize)> {
        let (mut name, mut value) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.ident(&part)),
                Rule::expr => value = Some(self.flow(part)?),
                _ => {}
            }
        }
        let Tall { expr, height } = value?;
        Some((Argument { name, value: expr }, height))
    }

    /// Builds `if a { x } else if b { y } else { z }`, from its end.
    #[inline(never)]
    fn conditional(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        let (end, mut opened, mut halves) = (self.span(&pair), Vec::new(), Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::if_word => opened.push(self.span(&part)),
                Rule::operation => halves.push(self.operation(part)?),
                Rule::branch => halves.push(self.flow(part.into_inner().find(|p| p.as_rule() == Rule::expr)?)?),
                _ => {}
            }
        }
        let mut no = halves.pop()?;
        while let (Some(start), Some(yes), Some(condition)) = (opened.pop(), halves.pop(), halves.pop()) {
            let height = no.height.max(yes.height).max(condition.height);
            let node =
                ExprKind::If { condition: Box::new(condition.expr), yes: Box::new(yes.expr), no: Box::new(no.expr) };
            no = self.tall(node, start.to(end), height)?;
        }
        Some(no)
    }

    #[inline(never)]
    fn selection(&mut self, pair: Pair<'_, Rule>) -> Option<Tall> {
        let (span, mut subject, mut arms, mut height) = (self.span(&pair), None, Vec::new(), 0);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::operation => subject = Some(self.operation(part)?),
                Rule::arm => {
                    let (arm, tall) = self.arm(part)?;
                    height = height.max(tall);
                    arms.push(arm);
                }
                _ => {}
            }
        }
        let subject = subject?;
        let height = height.max(subject.height);
        self.tall(ExprKind::Match { subject: Box::new(subject.expr), arms }, span, height)
    }

    #[inline(never)]
    fn arm(&mut self, pair: Pair<'_, Rule>) -> Option<(Arm, usize)> {
        let (mut pattern, mut value, mut height) = (None, None, 0);
        for part in pair.into_inner() {
            let tall = match part.as_rule() {
                Rule::operation => self.operation(part)?,
                Rule::expr => {
                    let tall = self.flow(part)?;
                    height = height.max(tall.height);
                    value = Some(tall.expr);
                    continue;
                }
                _ => continue,
            };
            height = height.max(tall.height);
            pattern = Some(tall.expr);
        }
        Some((Arm { pattern, value: value? }, height))
    }

    /// Makes a node whose children have at most this height. If the tree becomes too high, it notes an error and returns `None`.
    #[inline(never)]
    fn tall(&mut self, node: ExprKind, span: Span, height: usize) -> Option<Tall> {
        if height >= MAX_DEPTH {
            self.errors.push(too_tall(span));
            return None;
        }
        Some(Tall { expr: Expr { node, span }, height: height + 1 })
    }
}

/// E0102: operators, branches or calls are nested more than [`MAX_DEPTH`] deep.
fn too_tall(span: Span) -> Diagnostic {
    Diagnostic::error("E0102", format!("this expression is more than {MAX_DEPTH} operations deep"))
        .label(span, "too deep from here on")
        .help("give a part of it a name of its own, `part = …`, and use the name here")
}

/// The level of comparisons: `==`, `<`, ….
const COMPARISON: u8 = 4;

/// Returns how tightly an operator binds. A larger number binds more tightly.
fn level(op: BinaryOp) -> u8 {
    use BinaryOp::{
        Add, And, Divide, Equal, Greater, GreaterEqual, Less, LessEqual, Multiply, NotEqual, Or, Power, Subtract,
    };
    match op {
        Or => 1,
        And => 2,
        Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual => COMPARISON,
        Add | Subtract => 5,
        Multiply | Divide => 6,
        Power => 8,
    }
}

/// `not a == b` is `not (a == b)`; `-a * b` is `(-a) * b`; `-a ^ b` is `-(a ^ b)`.
fn prefix_level(op: UnaryOp) -> u8 {
    match op {
        UnaryOp::Not => 3,
        UnaryOp::Negate => 7,
    }
}

fn infix(rule: Rule) -> Option<BinaryOp> {
    Some(match rule {
        Rule::or => BinaryOp::Or,
        Rule::and => BinaryOp::And,
        Rule::equal => BinaryOp::Equal,
        Rule::not_equal => BinaryOp::NotEqual,
        Rule::less => BinaryOp::Less,
        Rule::less_equal => BinaryOp::LessEqual,
        Rule::greater => BinaryOp::Greater,
        Rule::greater_equal => BinaryOp::GreaterEqual,
        Rule::add => BinaryOp::Add,
        Rule::subtract => BinaryOp::Subtract,
        Rule::multiply => BinaryOp::Multiply,
        Rule::divide => BinaryOp::Divide,
        Rule::power => BinaryOp::Power,
        _ => return None,
    })
}
