//! The interpreter: one walk over expressions and statements, shared by all their meanings.
//!
//! ```text
//! vocabulary        where                     a value is
//! constants         constant.rs               a number, a text, a list, a definition, known while compiling
//! graph operations  define.rs                 a known value, or a node of a graph
//! column formulas   resolve/data/formula.rs   a node of a graph on one `x`
//! stages            infer/body.rs             a known value, or a layer of the network
//! ```
//!
//! The walk decides what is evaluated, and in which order. Operands are evaluated from left to right. `and` and `or` skip the
//! right operand if the left one decides. An `if` or a `match` evaluates one branch. A [`Vocabulary`] decides everything else:
//! what a value is, what names, literals, operators and calls mean, and which mistakes exist. A new kind of definition needs
//! one more vocabulary.
//!
//! The reader limits how deep expressions nest, so the recursion here is limited too.

use gmpc_grammar::ast::{Argument, Arm, BinaryOp, Binding, Body, Declaration, Expr, ExprKind};
use gmpc_grammar::ast::{From, Path, Stage, Statement, UnaryOp};
use gmpc_grammar::source::Span;

/// A value that the text states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Literal<'e> {
    /// `10_000`
    Integer(u64),
    /// `0.1`; always finite
    Float(f64),
    /// `"target"`
    String(&'e str),
    /// `true`
    Bool(bool),
}

/// An operator without its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `-x`, `not x`
    Unary(UnaryOp),
    /// `a + b`, `a and b`
    Binary(BinaryOp),
}

/// What the expressions of the language mean in one kind of context. `'e` is the lifetime of the syntax tree.
pub(crate) trait Vocabulary<'e>: Sized {
    /// The value of an expression.
    type Value;
    /// A mistake in an expression.
    type Failure;

    /// Does the walk continue after a mistake in the left operand, so that mistakes of the right operand and of the operator
    /// are reported too?
    const TELLS_ALL: bool = false;

    /// Returns the value of an expression. A vocabulary that does something before or after every expression overrides this
    /// method and calls [`walk`].
    fn evaluate(&mut self, expr: &'e Expr) -> Result<Self::Value, Self::Failure> {
        walk(self, expr)
    }

    /// A number, a text or a truth value of the text.
    fn literal(&mut self, literal: Literal<'e>, span: Span) -> Result<Self::Value, Self::Failure>;

    /// A name. `span` is the span of the expression, which may include parentheses.
    fn name(&mut self, path: &'e Path, span: Span) -> Result<Self::Value, Self::Failure>;

    /// The list `[a, b]`; `expr` is the whole list.
    fn list(&mut self, items: &'e [Expr], expr: &'e Expr) -> Result<Self::Value, Self::Failure>;

    /// Is this operator allowed in this context? Called before the operands are evaluated, or after them with
    /// [`Vocabulary::TELLS_ALL`].
    fn permits(&mut self, _operator: Operator, _span: Span) -> Result<(), Self::Failure> {
        Ok(())
    }

    /// Returns whether a value is known to be true or false. `None` if it is not a truth value, or not known while compiling.
    /// It decides `and`, `or` and `if`.
    fn truth(&self, value: &Self::Value) -> Option<bool>;

    /// `-x`, `not x`. The operand comes with its span.
    fn unary(
        &mut self,
        operator: UnaryOp,
        operand: (Self::Value, Span),
        span: Span,
    ) -> Result<Self::Value, Self::Failure>;

    /// `a + b`. The operands come with their spans. Called for `and` and `or` only if the left operand does not decide.
    fn binary(
        &mut self,
        operator: BinaryOp,
        left: (Self::Value, Span),
        right: (Self::Value, Span),
        span: Span,
    ) -> Result<Self::Value, Self::Failure>;

    /// The call `sqrt(x)`; `expr` is the whole call. The arguments are not evaluated yet, because a definition first matches
    /// them with its parameters.
    fn call(
        &mut self,
        callee: &'e Path,
        arguments: &'e [Argument],
        expr: &'e Expr,
    ) -> Result<Self::Value, Self::Failure>;

    /// Decides an `if` or a `match`, also nested ones, and returns the branch that is left. A vocabulary with [`Choices`]
    /// calls [`choose`].
    fn chosen(&mut self, expr: &'e Expr) -> Result<&'e Expr, Self::Failure>;

    /// `input -> dense(10)`
    fn flow(&mut self, source: &'e Expr, stages: &'e [Stage], span: Span) -> Result<Self::Value, Self::Failure>;
}

/// How a vocabulary decides an `if` and a `match`.
pub(crate) trait Choices<'e>: Vocabulary<'e> {
    /// The value that the patterns of a `match` are compared with.
    type Subject;

    /// Are the patterns after the first one that fits checked too, so that their mistakes are reported?
    const EVERY_PATTERN: bool;

    /// The mistake of a condition that is not known to be true or false.
    fn no_condition(&mut self, value: &Self::Value, span: Span) -> Self::Failure;

    /// Returns the value of the expression between `match` and `{`.
    fn subject(&mut self, subject: &'e Expr) -> Result<Self::Subject, Self::Failure>;

    /// Does a pattern fit?
    fn fits(&mut self, subject: &Self::Subject, pattern: &'e Expr) -> Result<bool, Self::Failure>;

    /// The mistake of a `match` in which no pattern fits and which has no `_`.
    fn no_arm(&mut self, subject: &Self::Subject, span: Span) -> Self::Failure;
}

/// Evaluates the parts of an expression, then asks the vocabulary for the value of the whole.
///
/// # Errors
/// The first mistake that the vocabulary finds.
pub(crate) fn walk<'e, V: Vocabulary<'e>>(vocabulary: &mut V, expr: &'e Expr) -> Result<V::Value, V::Failure> {
    let span = expr.span;
    match &expr.node {
        ExprKind::Integer(n) => vocabulary.literal(Literal::Integer(*n), span),
        ExprKind::Float(x) => vocabulary.literal(Literal::Float(*x), span),
        ExprKind::String(text) => vocabulary.literal(Literal::String(text), span),
        ExprKind::Bool(b) => vocabulary.literal(Literal::Bool(*b), span),
        ExprKind::Path(path) => vocabulary.name(path, span),
        ExprKind::List(items) => vocabulary.list(items, expr),
        ExprKind::Unary(operator, operand) => {
            vocabulary.permits(Operator::Unary(*operator), span)?;
            let value = vocabulary.evaluate(operand)?;
            vocabulary.unary(*operator, (value, operand.span), span)
        }
        ExprKind::Binary(operator, left, right) => binary(vocabulary, *operator, left, right, span),
        ExprKind::Call { callee, arguments } => vocabulary.call(callee, arguments, expr),
        ExprKind::If { .. } | ExprKind::Match { .. } => {
            let chosen = vocabulary.chosen(expr)?;
            vocabulary.evaluate(chosen)
        }
        ExprKind::Flow { source, stages } => vocabulary.flow(source, stages, span),
    }
}

/// Evaluates the left operand first. `and` and `or` evaluate the right one only if the left one does not decide.
fn binary<'e, V: Vocabulary<'e>>(
    vocabulary: &mut V,
    operator: BinaryOp,
    left: &'e Expr,
    right: &'e Expr,
    span: Span,
) -> Result<V::Value, V::Failure> {
    let asked = Operator::Binary(operator);
    if !V::TELLS_ALL {
        vocabulary.permits(asked, span)?;
    }
    let a = go_on::<V, _>(vocabulary.evaluate(left))?;
    let decided = a.as_ref().is_ok_and(|a| decides(operator, vocabulary.truth(a)));
    let b = if decided { None } else { Some(vocabulary.evaluate(right)) };
    // With `TELLS_ALL`, mistakes of the operands are reported before the mistake of the operator.
    if V::TELLS_ALL {
        vocabulary.permits(asked, span)?;
    }
    match b {
        Some(b) => vocabulary.binary(operator, (a?, left.span), (b?, right.span), span),
        None => a,
    }
}

/// Stops at a mistake. If the vocabulary reports all mistakes, hands the mistake to the caller instead, which looks at it
/// later.
fn go_on<'e, V: Vocabulary<'e>, T>(part: Result<T, V::Failure>) -> Result<Result<T, V::Failure>, V::Failure> {
    match part {
        Err(failure) if !V::TELLS_ALL => Err(failure),
        part => Ok(part),
    }
}

/// Does the left operand decide the result, as in `false and …` and `true or …`?
fn decides(operator: BinaryOp, left: Option<bool>) -> bool {
    matches!((operator, left), (BinaryOp::And, Some(false)) | (BinaryOp::Or, Some(true)))
}

/// Decides an `if` or a `match`, then the `if` or `match` in its branch, and so on. Returns the expression that is left, which
/// is `expr` itself if it is neither.
///
/// # Errors
/// A condition that is not known, a subject or a pattern that means nothing here, no arm that fits.
pub(crate) fn choose<'e, V: Choices<'e>>(vocabulary: &mut V, expr: &'e Expr) -> Result<&'e Expr, V::Failure> {
    let mut chosen = expr;
    loop {
        chosen = match &chosen.node {
            ExprKind::If { condition, yes, no } => {
                let value = vocabulary.evaluate(condition)?;
                match vocabulary.truth(&value) {
                    Some(true) => yes,
                    Some(false) => no,
                    None => return Err(vocabulary.no_condition(&value, condition.span)),
                }
            }
            ExprKind::Match { subject, arms } => arm(vocabulary, subject, arms, chosen.span)?,
            _ => return Ok(chosen),
        };
    }
}

/// Returns the expression of the first arm that fits.
fn arm<'e, V: Choices<'e>>(
    vocabulary: &mut V,
    subject: &'e Expr,
    arms: &'e [Arm],
    span: Span,
) -> Result<&'e Expr, V::Failure> {
    let subject = vocabulary.subject(subject)?;
    let mut chosen = None;
    for arm in arms {
        if chosen.is_some() && !V::EVERY_PATTERN {
            break;
        }
        let fits = match &arm.pattern {
            Some(pattern) => vocabulary.fits(&subject, pattern)?,
            None => true,
        };
        if fits && chosen.is_none() {
            chosen = Some(&arm.value);
        }
    }
    chosen.ok_or_else(|| vocabulary.no_arm(&subject, span))
}

/// What statements do, for vocabularies of definitions that have a body.
pub(crate) trait Statements<'e>: Vocabulary<'e> {
    /// `name = value`
    fn bind(&mut self, binding: &'e Binding) -> Result<(), Self::Failure>;

    /// `theta: angles ~ init`
    fn declare(&mut self, declaration: &'e Declaration) -> Result<(), Self::Failure>;

    /// `from(w, b) { … }`
    fn section(&mut self, section: &'e From) -> Result<(), Self::Failure>;

    /// The mistake of a body that does not end with an expression.
    fn no_result(&mut self, body: &'e Body) -> Self::Failure;

    /// Runs one statement.
    fn statement(&mut self, statement: &'e Statement) -> Result<(), Self::Failure> {
        match statement {
            Statement::Bind(binding) => self.bind(binding),
            Statement::Declare(declaration) => self.declare(declaration),
            Statement::From(section) => self.section(section),
        }
    }

    /// Runs the statements of a body in order. Returns the value of its last expression.
    fn body(&mut self, body: &'e Body) -> Result<Self::Value, Self::Failure> {
        for statement in &body.statements {
            self.statement(statement)?;
        }
        match &body.result {
            Some(result) => self.evaluate(result),
            None => Err(self.no_result(body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_grammar::source::SourceId;

    /// A vocabulary that records the names it is asked for. Names that begin with `t` are true, names with `f` are false, all
    /// others are mistakes.
    #[derive(Default)]
    struct Notes<const ALL: bool>(Vec<String>);

    impl<'e, const ALL: bool> Vocabulary<'e> for Notes<ALL> {
        type Value = bool;
        type Failure = ();

        const TELLS_ALL: bool = ALL;

        fn literal(&mut self, literal: Literal<'e>, _: Span) -> Result<bool, ()> {
            Ok(literal == Literal::Bool(true))
        }

        fn name(&mut self, path: &'e Path, _: Span) -> Result<bool, ()> {
            self.0.push(path.to_string());
            match path.to_string().as_bytes()[0] {
                b't' => Ok(true),
                b'f' => Ok(false),
                _ => Err(()),
            }
        }

        fn list(&mut self, _: &'e [Expr], _: &'e Expr) -> Result<bool, ()> {
            Err(())
        }

        fn permits(&mut self, operator: Operator, _: Span) -> Result<(), ()> {
            if operator == Operator::Binary(BinaryOp::Power) {
                self.0.push("^".to_string());
                return Err(());
            }
            Ok(())
        }

        fn truth(&self, value: &bool) -> Option<bool> {
            Some(*value)
        }

        fn unary(&mut self, _: UnaryOp, (operand, _): (bool, Span), _: Span) -> Result<bool, ()> {
            Ok(!operand)
        }

        fn binary(&mut self, _: BinaryOp, _: (bool, Span), (right, _): (bool, Span), _: Span) -> Result<bool, ()> {
            Ok(right)
        }

        fn call(&mut self, _: &'e Path, arguments: &'e [Argument], _: &'e Expr) -> Result<bool, ()> {
            arguments.iter().try_fold(true, |all, argument| Ok(self.evaluate(&argument.value)? && all))
        }

        fn chosen(&mut self, expr: &'e Expr) -> Result<&'e Expr, ()> {
            choose(self, expr)
        }

        fn flow(&mut self, _: &'e Expr, _: &'e [Stage], _: Span) -> Result<bool, ()> {
            Err(())
        }
    }

    impl<'e, const ALL: bool> Choices<'e> for Notes<ALL> {
        type Subject = bool;

        const EVERY_PATTERN: bool = ALL;

        fn no_condition(&mut self, _: &bool, _: Span) {}

        fn subject(&mut self, subject: &'e Expr) -> Result<bool, ()> {
            self.evaluate(subject)
        }

        fn fits(&mut self, subject: &bool, pattern: &'e Expr) -> Result<bool, ()> {
            Ok(self.evaluate(pattern)? == *subject)
        }

        fn no_arm(&mut self, _: &bool, _: Span) {}
    }

    /// The value, and the names that were looked at.
    fn told<const ALL: bool>(text: &str) -> (Result<bool, ()>, String) {
        let expr = gmpc_grammar::read_expr(text, SourceId(0)).expect("an expression");
        let mut notes = Notes::<ALL>::default();
        (notes.evaluate(&expr), notes.0.join(" "))
    }

    #[test]
    fn and_and_or_skip_operands_that_cannot_matter() {
        assert_eq!(told::<false>("f1 and wrong"), (Ok(false), "f1".to_string()));
        assert_eq!(told::<false>("t1 or wrong"), (Ok(true), "t1".to_string()));
        assert_eq!(told::<false>("t1 and f1 or not f2"), (Ok(true), "t1 f1 f2".to_string()));
    }

    #[test]
    fn one_branch_is_evaluated() {
        assert_eq!(told::<false>("if t1 { f1 } else { wrong }"), (Ok(false), "t1 f1".to_string()));
        let choice = "match f1 { t1 => wrong, f2 => t2, wrong => t3 }";
        assert_eq!(told::<false>(choice), (Ok(true), "f1 t1 f2 t2".to_string()));
        assert_eq!(told::<true>(choice), (Err(()), "f1 t1 f2 wrong".to_string()));
        assert_eq!(told::<false>("match t1 { f1 => t2 }"), (Err(()), "t1 f1".to_string()));
    }

    #[test]
    fn a_mistake_ends_the_walk_unless_all_are_collected() {
        assert_eq!(told::<false>("wrong + bad"), (Err(()), "wrong".to_string()));
        assert_eq!(told::<true>("wrong + bad"), (Err(()), "wrong bad".to_string()));
        assert_eq!(told::<false>("wrong ^ bad"), (Err(()), "^".to_string()));
        assert_eq!(told::<true>("wrong ^ bad"), (Err(()), "wrong bad ^".to_string()));
    }
}
