//! Operators and functions on values.

use super::{Scope, evaluate, number, sort};
use crate::arguments::{Slot, bind};
use crate::module::Value;
use crate::suggest::suggestion;
use gmpc_grammar::ast::{Argument, BinaryOp, Expr, UnaryOp};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// `-x`, `not x`
pub(super) fn unary(operator: UnaryOp, operand: &Expr, value: &Value) -> Result<Value, Diagnostic> {
    match (operator, value) {
        (UnaryOp::Negate, Value::Integer(n)) => {
            n.checked_neg().map(Value::Integer).ok_or_else(|| overflow(operand.span))
        }
        (UnaryOp::Negate, Value::Float(x)) => Ok(Value::Float(-x)),
        (UnaryOp::Not, Value::Bool(b)) => Ok(Value::Bool(!b)),
        (UnaryOp::Negate, _) => Err(unfit("-", "a number", operand.span, value)),
        (UnaryOp::Not, _) => Err(unfit("not", "true or false", operand.span, value)),
    }
}

/// `a + b`, `a < b`, `a and b`; `and` and `or` look at the right side only where it matters.
pub(super) fn binary(
    operator: BinaryOp,
    left: &Expr,
    right: &Expr,
    span: Span,
    scope: &Scope<'_>,
) -> Result<Value, Diagnostic> {
    let a = evaluate(left, scope)?;
    match (operator, &a) {
        (BinaryOp::And, Value::Bool(false)) => return Ok(Value::Bool(false)),
        (BinaryOp::Or, Value::Bool(true)) => return Ok(Value::Bool(true)),
        _ => {}
    }
    let b = evaluate(right, scope)?;
    match operator {
        BinaryOp::And | BinaryOp::Or => match (&a, &b) {
            (Value::Bool(_), Value::Bool(b)) => Ok(Value::Bool(*b)),
            (Value::Bool(_), _) => Err(unfit(symbol(operator), "true or false", right.span, &b)),
            _ => Err(unfit(symbol(operator), "true or false", left.span, &a)),
        },
        BinaryOp::Equal => Ok(Value::Bool(equal(&a, &b))),
        BinaryOp::NotEqual => Ok(Value::Bool(!equal(&a, &b))),
        _ => {
            let x = number(&a).ok_or_else(|| unfit(symbol(operator), "numbers", left.span, &a))?;
            let y = number(&b).ok_or_else(|| unfit(symbol(operator), "numbers", right.span, &b))?;
            match operator {
                BinaryOp::Less => Ok(Value::Bool(x < y)),
                BinaryOp::LessEqual => Ok(Value::Bool(x <= y)),
                BinaryOp::Greater => Ok(Value::Bool(x > y)),
                BinaryOp::GreaterEqual => Ok(Value::Bool(x >= y)),
                _ => computed(operator, (&a, &b), (x, y), span, right.span),
            }
        }
    }
}

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
    if let (Value::Integer(a), Value::Integer(b)) = values {
        let whole = match operator {
            BinaryOp::Add => Some(a.checked_add(*b)),
            BinaryOp::Subtract => Some(a.checked_sub(*b)),
            BinaryOp::Multiply => Some(a.checked_mul(*b)),
            // The smallest whole number by -1 divides without remainder and does not fit: that is an overflow.
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
    scope: &Scope<'_>,
) -> Result<Value, Diagnostic> {
    const FUNCTIONS: [&str; 8] = ["abs", "ceil", "exp", "floor", "log", "max", "min", "sqrt"];
    const ONE: [Slot<'static>; 1] = [Slot::required("a")];
    const TWO: [Slot<'static>; 2] = [Slot::required("a"), Slot::required("b")];
    if !FUNCTIONS.contains(&name) {
        return Err(Diagnostic::error("E0413", format!("`{name}` does not compute a value known at compile time"))
            .label(name_span, "unknown here")
            .help(suggestion(name, "functions of known values", FUNCTIONS.into_iter())));
    }
    let slots: &[Slot<'_>] = if matches!(name, "max" | "min") { &TWO } else { &ONE };
    let bound = bind(name, span, slots, slots.len(), arguments).map_err(super::first)?;
    let operand = |key: &str| match bound.get(key) {
        Some(expr) => {
            let value = evaluate(expr, scope)?;
            number(&value).map(|x| (x, value.clone())).ok_or_else(|| unfit(name, "a number", expr.span, &value))
        }
        None => Ok((0.0, Value::Integer(0))),
    };
    let ((x, a), (y, b)) = (operand("a")?, operand("b")?);
    match name {
        "max" => Ok(if y > x { b } else { a }),
        "min" => Ok(if y < x { b } else { a }),
        "abs" => match a {
            Value::Integer(n) => n.checked_abs().map(Value::Integer).ok_or_else(|| overflow(span)),
            _ => Ok(Value::Float(x.abs())),
        },
        "floor" => whole(x.floor(), span),
        "ceil" => whole(x.ceil(), span),
        "exp" => finite(libm::exp(x), span),
        "log" => finite(libm::log(x), span),
        _ => finite(libm::sqrt(x), span),
    }
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

#[allow(clippy::cast_possible_truncation)] // the range is checked first
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

fn symbol(operator: BinaryOp) -> &'static str {
    match operator {
        BinaryOp::Or => "or",
        BinaryOp::And => "and",
        BinaryOp::Equal => "==",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Less => "<",
        BinaryOp::LessEqual => "<=",
        BinaryOp::Greater => ">",
        BinaryOp::GreaterEqual => ">=",
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Power => "^",
    }
}

fn unfit(operator: &str, wanted: &str, span: Span, value: &Value) -> Diagnostic {
    Diagnostic::error("E0402", format!("`{operator}` works on {wanted}"))
        .label(span, format!("this is {}", sort(value)))
        .help(format!("give it {wanted}"))
}

/// A whole number beyond 64 bits.
pub(super) fn overflow(span: Span) -> Diagnostic {
    Diagnostic::error("E0403", "this whole number is too large")
        .label(span, "beyond 9,223,372,036,854,775,807")
        .help("write it as a number with a point if it need not be exact")
}
