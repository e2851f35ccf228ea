//! Operators on terms. Known values are computed at once, nodes become new nodes. Wrong shapes are reported as mistakes of the
//! user.

use super::{Term, complain, node, number};
use crate::ir::axes::Axes;
use crate::ir::graph::{Graph, Id, Op, scalar};
use crate::ir::module::Value;
use gmpc_grammar::ast::{BinaryOp, UnaryOp};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// `-a`, `not a`
pub(super) fn unary(graph: &mut Graph, op: UnaryOp, a: Term, span: Span) -> Result<Term, Diagnostic> {
    match (op, a) {
        (UnaryOp::Not, Term::Known(Value::Bool(b))) => Ok(Term::Known(Value::Bool(!b))),
        (UnaryOp::Not, Term::Known(_)) => Err(complain::not_a_condition(span)),
        (UnaryOp::Not, Term::Node(id, role)) => {
            let one = graph.constant(1.0);
            Ok(Term::Node(graph.sub(one, id), role))
        }
        (UnaryOp::Negate, a) => elementwise(graph, &Op::Neg, &[(a, span)], span),
    }
}

/// `a op b`
pub(super) fn binary(
    graph: &mut Graph,
    op: BinaryOp,
    a: (Term, Span),
    b: (Term, Span),
    span: Span,
) -> Result<Term, Diagnostic> {
    let swapped = |a, b| [b, a];
    match op {
        BinaryOp::And | BinaryOp::Or => logic(graph, op, a, b, span),
        BinaryOp::Equal | BinaryOp::NotEqual => equality(graph, op, a, b, span),
        BinaryOp::Less => comparison(graph, &Op::Less, [a, b], span),
        BinaryOp::LessEqual => comparison(graph, &Op::LessEqual, [a, b], span),
        BinaryOp::Greater => comparison(graph, &Op::Less, swapped(a, b), span),
        BinaryOp::GreaterEqual => comparison(graph, &Op::LessEqual, swapped(a, b), span),
        BinaryOp::Add => sum(graph, a, b, span),
        BinaryOp::Subtract if is(&b.0, 0.0) => Ok(a.0),
        BinaryOp::Subtract => elementwise(graph, &Op::Sub, &[a, b], span),
        BinaryOp::Multiply => product(graph, a, b, span),
        BinaryOp::Divide if is(&b.0, 1.0) => Ok(a.0),
        BinaryOp::Divide => elementwise(graph, &Op::Div, &[a, b], span),
        BinaryOp::Power => power(graph, a, b, span),
    }
}

/// Applies an elementwise operation. If all operands are known, the result is known too. Scalars are repeated.
pub(super) fn elementwise(
    graph: &mut Graph,
    op: &Op,
    operands: &[(Term, Span)],
    span: Span,
) -> Result<Term, Diagnostic> {
    if operands.iter().all(|(term, _)| matches!(term, Term::Known(_))) {
        return compute(op, operands, span);
    }
    // All operands become nodes before their shapes are compared, so that an error can show both of them.
    let mut nodes = Vec::with_capacity(operands.len());
    for (term, place) in operands {
        let (id, axes) = node(graph, term, *place)?;
        // The definition expects angles. The sign of a unit with one input has the wrong meaning in a formula of angles.
        if axes.is_sign() {
            return Err(complain::no_angles(*place));
        }
        nodes.push((id, axes, *place));
    }
    match nodes[..] {
        [(id, axes, _)] => Ok(Term::Node(graph.unary(op.clone(), id), axes)),
        [a, b] => {
            let axes = joined(graph, a, b, span)?;
            Ok(Term::Node(graph.binary(op.clone(), a.0, b.0), axes))
        }
        _ => Err(complain::no_such_expression(span)),
    }
}

fn compute(op: &Op, operands: &[(Term, Span)], span: Span) -> Result<Term, Diagnostic> {
    let mut values = [0.0; 3];
    for (slot, (term, place)) in values.iter_mut().zip(operands) {
        if let Term::Known(value) = term {
            *slot = number(value, *place)?;
        }
    }
    let value = scalar(op, values);
    if value.is_finite() { Ok(Term::Known(Value::Float(value))) } else { Err(complain::not_finite(span)) }
}

/// Returns the axes of an operation on two nodes, if they fit together.
pub(super) fn joined(graph: &Graph, a: (Id, Axes, Span), b: (Id, Axes, Span), span: Span) -> Result<Axes, Diagnostic> {
    match a.1.joined(b.1) {
        Some(axes) if graph.fitted_shape(a.0, b.0).is_some() => Ok(axes),
        _ => Err(complain::do_not_fit(graph, a, b, span)),
    }
}

fn sum(graph: &mut Graph, a: (Term, Span), b: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
    match (is(&a.0, 0.0), is(&b.0, 0.0)) {
        (true, _) => Ok(b.0),
        (_, true) => Ok(a.0),
        _ => elementwise(graph, &Op::Add, &[a, b], span),
    }
}

/// Multiplies. A known 0 makes the product a known 0, so that `weight_decay * value` adds no nodes if `weight_decay` is 0.
fn product(graph: &mut Graph, a: (Term, Span), b: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
    if is(&a.0, 0.0) || is(&b.0, 0.0) {
        return Ok(Term::Known(Value::Float(0.0)));
    }
    match (is(&a.0, 1.0), is(&b.0, 1.0)) {
        (true, _) => Ok(b.0),
        (_, true) => Ok(a.0),
        _ => elementwise(graph, &Op::Mul, &[a, b], span),
    }
}

/// Raises to a power. Small whole powers become multiplications, which are cheap and right for negative bases.
fn power(graph: &mut Graph, a: (Term, Span), b: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
    let (Term::Node(id, role), Term::Known(exponent)) = (&a.0, &b.0) else {
        return elementwise(graph, &Op::Pow, &[a, b], span);
    };
    let exponent = number(exponent, b.1)?;
    let unary = |op: &Op, graph: &mut Graph| elementwise(graph, op, std::slice::from_ref(&a), span);
    match exponent {
        0.0 => Ok(Term::Known(Value::Float(1.0))),
        1.0 => Ok(a.0.clone()),
        0.5 => unary(&Op::Sqrt, graph),
        2.0 => Ok(Term::Node(graph.mul(*id, *id), *role)),
        3.0 => {
            let square = graph.mul(*id, *id);
            Ok(Term::Node(graph.mul(square, *id), *role))
        }
        4.0 => {
            let square = graph.mul(*id, *id);
            Ok(Term::Node(graph.mul(square, square), *role))
        }
        _ => elementwise(graph, &Op::Pow, &[a, b], span),
    }
}

fn comparison(graph: &mut Graph, op: &Op, operands: [(Term, Span); 2], span: Span) -> Result<Term, Diagnostic> {
    match elementwise(graph, op, &operands, span)? {
        Term::Known(Value::Float(x)) => Ok(Term::Known(Value::Bool(x != 0.0))),
        term => Ok(term),
    }
}

fn equality(graph: &mut Graph, op: BinaryOp, a: (Term, Span), b: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
    let negated = op == BinaryOp::NotEqual;
    if let (Term::Known(a), Term::Known(b)) = (&a.0, &b.0) {
        return Ok(Term::Known(Value::Bool(same(a, b) != negated)));
    }
    let equal = elementwise(graph, &Op::Equal, &[a, b], span)?;
    if negated { unary(graph, UnaryOp::Not, equal, span) } else { Ok(equal) }
}

/// Computes `and` and `or`. On nodes of zeros and ones, `and` is the product and `or` the maximum.
fn logic(graph: &mut Graph, op: BinaryOp, a: (Term, Span), b: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
    match (&a.0, &b.0) {
        // The interpreter has returned already if a known left side decides. So the result is `b`.
        (Term::Known(Value::Bool(_)), Term::Known(Value::Bool(_)) | Term::Node(..)) => Ok(b.0),
        (Term::Known(_), _) => Err(complain::not_a_condition(a.1)),
        (_, Term::Known(Value::Bool(b))) => Ok(match (op, b) {
            (BinaryOp::And, true) | (BinaryOp::Or, false) => a.0,
            _ => Term::Known(Value::Float(f64::from(u8::from(*b)))),
        }),
        (_, Term::Known(_)) => Err(complain::not_a_condition(b.1)),
        _ => elementwise(graph, if op == BinaryOp::And { &Op::Mul } else { &Op::Max }, &[a, b], span),
    }
}

fn is(term: &Term, number: f64) -> bool {
    match term {
        Term::Known(Value::Float(x)) => *x == number,
        Term::Known(Value::Integer(n)) => *n as f64 == number,
        _ => false,
    }
}

/// Are two known values equal? Words, texts and names of definitions are compared as text.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    let place = Span { source: gmpc_grammar::source::SourceId(0), start: 0, end: 0 };
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => match (word(a), word(b)) {
            (Some(a), Some(b)) => a == b,
            (None, None) => matches!((number(a, place), number(b, place)), (Ok(a), Ok(b)) if a == b),
            _ => false,
        },
    }
}

/// Returns the text of a value that is a text, a word or a definition.
pub(super) fn word(value: &Value) -> Option<&str> {
    match value {
        Value::String(s) | Value::Word(s) => Some(s),
        Value::Instance(instance) => Some(&instance.name),
        _ => None,
    }
}
