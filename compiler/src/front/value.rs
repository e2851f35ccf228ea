//! Describes a compile-time value in words, and converts it to a number.

use crate::ir::module::Value;

/// Says in messages what kind of value this is: "a whole number".
pub(crate) fn sort(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::String(_) => "a text",
        Value::Bool(_) => "true or false",
        Value::List(_) => "a list",
        Value::Instance(_) => "a definition",
        Value::Word(_) => "a word",
    }
}

/// Converts a whole number or a float to a float; `None` for any other value.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(x) => Some(*x),
        _ => None,
    }
}
