//! Operators and functions on values.

use super::{number, sort};
use crate::front::arguments::{Slot, bind};
use crate::front::functions::{self, Dialect};
use crate::front::interpret::Vocabulary;
use crate::front::scope::Scope;
use crate::front::suggest::suggestion;
use crate::ir::graph::scalar;
use crate::ir::module::Value;
use gmpc_grammar::ast::{Argument, BinaryOp, UnaryOp};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// `-x`, `not x`
pub(super) fn unary(operator: UnaryOp, (value, place): (Value, Span)) -> Result<Value, Diagnostic> {
    match (operator, &value) {
        (UnaryOp::Negate, Value::Integer(n)) => n.checked_neg().map(Value::Integer).ok_or_else(|| overflow(place)),
        (UnaryOp::Negate, Value::Float(x)) => Ok(Value::Float(-x)),
        (UnaryOp::Not, Value::Bool(b)) => Ok(Value::Bool(!b)),
        (UnaryOp::Negate, _) => Err(unfit("-", "a number", place, &value)),
        (UnaryOp::Not, _) => Err(unfit("not", "true or false", place, &value)),
    }
}

/// `a + b`, `a < b`; also `a and b` and `a or b` if the left side does not decide the result.
pub(super) fn binary(
    operator: BinaryOp,
    (a, left): (Value, Span),
    (b, right): (Value, Span),
    span: Span,
) -> Result<Value, Diagnostic> {
    match operator {
        // The interpreter has returned already if the left side decides (`false and …`). So the right side is the result.
        BinaryOp::And | BinaryOp::Or => match (&a, &b) {
            (Value::Bool(_), Value::Bool(b)) => Ok(Value::Bool(*b)),
            (Value::Bool(_), _) => Err(unfit(operator.symbol(), "true or false", right, &b)),
            _ => Err(unfit(operator.symbol(), "true or false", left, &a)),
        },
        // Every two values can be compared for equality: values of different kinds are unequal. Order needs numbers.
        BinaryOp::Equal => Ok(Value::Bool(equal(&a, &b))),
        BinaryOp::NotEqual => Ok(Value::Bool(!equal(&a, &b))),
        _ => {
            let x = number(&a).ok_or_else(|| unfit(operator.symbol(), "numbers", left, &a))?;
            let y = number(&b).ok_or_else(|| unfit(operator.symbol(), "numbers", right, &b))?;
            match operator {
                BinaryOp::Less => Ok(Value::Bool(x < y)),
                BinaryOp::LessEqual => Ok(Value::Bool(x <= y)),
                BinaryOp::Greater => Ok(Value::Bool(x > y)),
                BinaryOp::GreaterEqual => Ok(Value::Bool(x >= y)),
                _ => computed(operator, (&a, &b), (x, y), span, right),
            }
        }
    }
}

/// Returns a sum, difference, product, quotient or power. The result is whole if both operands are whole and the exact result
/// is; otherwise it is a finite float.
fn computed(
    operator: BinaryOp,
    values: (&Value, &Value),
    (x, y): (f64, f64),
    span: Span,
    divisor: Span,
) -> Result<Value, Diagnostic> {
    if operator == BinaryOp::Divide && y == 0.0 {
        return Err(Diagnostic::error("E0404", "division by zero")
            .label(divisor, "this is 0")
            .help("divide by something that is never 0"));
    }
    // `None`: the result is not whole (7 / 2, 2^-1), and is computed in floats below. `Some(None)`: an overflow.
    if let (Value::Integer(a), Value::Integer(b)) = values {
        let whole = match operator {
            BinaryOp::Add => Some(a.checked_add(*b)),
            BinaryOp::Subtract => Some(a.checked_sub(*b)),
            BinaryOp::Multiply => Some(a.checked_mul(*b)),
            // i64::MIN / -1 has no remainder but does not fit into 64 bits: `checked_div` makes it an overflow.
            BinaryOp::Divide => (a.wrapping_rem(*b) == 0).then(|| a.checked_div(*b)),
            BinaryOp::Power => u32::try_from(*b).ok().map(|b| a.checked_pow(b)),
            _ => None,
        };
        if let Some(result) = whole {
            return result.map(Value::Integer).ok_or_else(|| overflow(span));
        }
    }
    finite(
        match operator {
            BinaryOp::Add => x + y,
            BinaryOp::Subtract => x - y,
            BinaryOp::Multiply => x * y,
            BinaryOp::Divide => x / y,
            _ => libm::pow(x, y),
        },
        span,
    )
}

/// `sqrt(2)`, `max(a, b)`, …
pub(super) fn function(
    name: &str,
    name_span: Span,
    arguments: &[Argument],
    span: Span,
    scope: &mut Scope<'_>,
) -> Result<Value, Diagnostic> {
    const SLOTS: [Slot<'static>; 2] = [Slot::required("a"), Slot::required("b")];
    let Some(function) = functions::find(name, &[Dialect::Constants]) else {
        return Err(unknown_function(name, name_span));
    };
    // Every function takes all of its arguments, so a name that `bind` returns without error is complete.
    let slots = &SLOTS[..function.most_arguments()];
    let bound = bind(name, span, slots, slots.len(), arguments).map_err(super::first)?;
    let mut operand = |key: &str| match bound.get(key) {
        Some(expr) => {
            let value = scope.evaluate(expr)?;
            number(&value).map(|x| (x, value.clone())).ok_or_else(|| unfit(name, "a number", expr.span, &value))
        }
        None => Ok((0.0, Value::Integer(0))),
    };
    let ((x, a), (y, b)) = (operand("a")?, operand("b")?);
    match (name, &function.op) {
        // These return a whole number if their argument is whole. The others return floats.
        ("max", _) => Ok(if y > x { b } else { a }),
        ("min", _) => Ok(if y < x { b } else { a }),
        ("abs", _) => match a {
            Value::Integer(n) => n.checked_abs().map(Value::Integer).ok_or_else(|| overflow(span)),
            _ => Ok(Value::Float(x.abs())),
        },
        ("floor", _) => whole(x.floor(), span),
        ("ceil", _) => whole(x.ceil(), span),
        (_, Some(op)) => finite(scalar(op, [x, y, 0.0]), span),
        (_, None) => Err(unknown_function(name, name_span)),
    }
}

fn unknown_function(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0413", format!("`{name}` does not compute a value known at compile time"))
        .label(span, "unknown here")
        .help(suggestion(name, "functions of known values", functions::names(&[Dialect::Constants])))
}

fn finite(x: f64, span: Span) -> Result<Value, Diagnostic> {
    if x.is_finite() {
        return Ok(Value::Float(x));
    }
    let what = if x.is_nan() { "not a number" } else { "infinite" };
    Err(Diagnostic::error("E0405", format!("the result of this is {what}"))
        .label(span, what)
        .help("check the numbers that go in"))
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(x: f64, span: Span) -> Result<Value, Diagnostic> {
    if x.abs() < 9e18 { Ok(Value::Integer(x as i64)) } else { Err(overflow(span)) }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(a), Value::String(b)) | (Value::Word(a), Value::Word(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Instance(a), Value::Instance(b)) => {
            a.name == b.name && a.arguments.iter().zip(&b.arguments).all(|((k, x), (l, y))| k == l && equal(x, y))
        }
        (Value::Integer(a), Value::Integer(b)) => a == b,
        _ => matches!((number(a), number(b)), (Some(x), Some(y)) if x == y),
    }
}

fn unfit(operator: &str, wanted: &str, span: Span, value: &Value) -> Diagnostic {
    Diagnostic::error("E0402", format!("`{operator}` works on {wanted}"))
        .label(span, format!("this is {}", sort(value)))
        .help(format!("give it {wanted}"))
}

/// The error for a whole number beyond 64 bits.
pub(super) fn overflow(span: Span) -> Diagnostic {
    Diagnostic::error("E0403", "this whole number is too large")
        .label(span, "beyond 9,223,372,036,854,775,807")
        .help("whole numbers end there: write a smaller one")
}
