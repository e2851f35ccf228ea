//! Operators between terms: on known values at once, on nodes as nodes, with the shapes checked in the user's words.

use super::{Role, Term, complain, node, number};
use crate::graph::{Graph, Id, Op, scalar};
use crate::module::Value;
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

/// An elementwise operation: computed now if every operand is known. Operands that are numbers are repeated.
pub(super) fn elementwise(
    graph: &mut Graph,
    op: &Op,
    operands: &[(Term, Span)],
    span: Span,
) -> Result<Term, Diagnostic> {
    if operands.iter().all(|(term, _)| matches!(term, Term::Known(_))) {
        return compute(op, operands, span);
    }
    let mut nodes = Vec::with_capacity(operands.len());
    for (term, place) in operands {
        let (id, role) = node(graph, term, *place)?;
        if role == Role::Sign {
            return Err(complain::no_angles(*place));
        }
        nodes.push((id, role, *place));
    }
    match nodes[..] {
        [(id, role, _)] => Ok(Term::Node(graph.unary(op.clone(), id), role)),
        [a, b] => {
            let role = common_role(graph, a, b, span)?;
            Ok(Term::Node(graph.binary(op.clone(), a.0, b.0), role))
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

/// What the result of an operation between two nodes is, if they fit together.
fn common_role(graph: &Graph, a: (Id, Role, Span), b: (Id, Role, Span), span: Span) -> Result<Role, Diagnostic> {
    let role = match (a.1, b.1) {
        (Role::Scalar, role) | (role, Role::Scalar) => Some(role),
        (x, y) if x == y => Some(x),
        (Role::Unit, role) | (role, Role::Unit) => Some(role),
        _ => None,
    };
    match role {
        Some(role) if graph.fitted_shape(a.0, b.0).is_some() => Ok(role),
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

/// A known 0 makes the product 0, so that `weight_decay * value` costs nothing where it is 0.
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

/// Small whole powers are products: exact for negative bases, and cheap.
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

/// On nodes of zeros and ones: `and` is the product, `or` the larger one.
fn logic(graph: &mut Graph, op: BinaryOp, a: (Term, Span), b: (Term, Span), span: Span) -> Result<Term, Diagnostic> {
    match (&a.0, &b.0) {
        // The known left sides that decide alone were taken by the caller; what is left depends on `b`.
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

#[allow(clippy::float_cmp)] // asks for one exact number
fn is(term: &Term, number: f64) -> bool {
    match term {
        Term::Known(Value::Float(x)) => *x == number,
        #[allow(clippy::cast_precision_loss)] // compared with 0 and 1 only
        Term::Known(Value::Integer(n)) => *n as f64 == number,
        _ => false,
    }
}

/// Are two known values the same? A word, a string and a definition's name are compared as text.
#[allow(clippy::float_cmp)] // equality is what was asked for
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

/// A value that is a name.
pub(super) fn word(value: &Value) -> Option<&str> {
    match value {
        Value::String(s) | Value::Word(s) => Some(s),
        Value::Instance(instance) => Some(&instance.name),
        _ => None,
    }
}
