//! Values known at compile time: arithmetic, conditions, `match param`, names such as `input.channels`.
//!
//! ```text
//! 2 * channels            Integer(128), where channels is 64
//! 6 / 3, 1 / 3            Integer(2), Float(0.333…): a quotient of integers stays whole where it is whole
//! scale == "drawn"        Bool(false), where scale is 1: values of different kinds are unequal
//! match param { gmp => 0.1, _ => 0.01 }
//! ```
//!
//! Integers are checked 64-bit ones and never wrap; numbers are always finite. The reader bounds how deep an expression
//! nests, so the recursion here is bounded too.

mod arithmetic;
mod choose;

pub(crate) use choose::{branch, chosen_arm, truth};

use crate::instance;
use crate::module::{Definitions, ParamUse, Value};
use crate::suggest::suggestion;
use gmpc_grammar::ast::{Argument, Expr, ExprKind, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// What an expression may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Values by their name with dots: `stride`, `input.channels`.
    pub names: &'a BTreeMap<String, Value>,
    /// What `match param` looks at; `None` where no parameterization is in force.
    pub param: Option<&'a ParamUse>,
    /// Where initializers and parameterizations are found.
    pub definitions: &'a Definitions,
    /// Plain words that stand for themselves here: `same`, `all`, `relu`.
    pub words: &'a [&'a str],
    /// How many definitions stand around this one, each a default argument of the one before.
    pub depth: usize,
}

impl<'a> Scope<'a> {
    /// A scope with names only.
    #[must_use]
    pub fn new(names: &'a BTreeMap<String, Value>, definitions: &'a Definitions) -> Self {
        Scope { names, param: None, definitions, words: &[], depth: 0 }
    }
}

/// The value of an expression.
///
/// # Errors
/// E04xx: the first thing that is wrong with it.
pub fn evaluate(expr: &Expr, scope: &Scope<'_>) -> Result<Value, Diagnostic> {
    match &expr.node {
        ExprKind::Integer(value) => {
            i64::try_from(*value).map(Value::Integer).map_err(|_| arithmetic::overflow(expr.span))
        }
        ExprKind::Float(value) => Ok(Value::Float(*value)),
        ExprKind::String(text) => Ok(Value::String(text.clone())),
        ExprKind::Bool(value) => Ok(Value::Bool(*value)),
        ExprKind::Path(path) => named(path, scope),
        ExprKind::List(items) => Ok(Value::List(items.iter().map(|e| evaluate(e, scope)).collect::<Result<_, _>>()?)),
        ExprKind::Unary(operator, operand) => arithmetic::unary(*operator, operand, &evaluate(operand, scope)?),
        ExprKind::Binary(operator, left, right) => arithmetic::binary(*operator, left, right, expr.span, scope),
        ExprKind::Call { callee, arguments } => called(callee, arguments, expr.span, scope),
        ExprKind::If { condition, yes, no } => evaluate(if truth(condition, scope)? { yes } else { no }, scope),
        ExprKind::Match { subject, arms } => evaluate(&chosen_arm(subject, arms, expr.span, scope)?.value, scope),
        ExprKind::Flow { .. } => Err(no_value(expr.span)),
    }
}

fn named(path: &Path, scope: &Scope<'_>) -> Result<Value, Diagnostic> {
    let name = path.to_string();
    if let Some(value) = scope.names.get(&name) {
        return Ok(value.clone());
    }
    for kind in [Kind::Initializer, Kind::Parameterization] {
        if let Some(definition) = scope.definitions.get(&(kind, name.clone())) {
            let made = instance::instantiate(definition, &[], path.span(), scope);
            return made.map(|i| Value::Instance(Box::new(i))).map_err(first);
        }
    }
    if scope.words.contains(&name.as_str()) {
        return Ok(Value::Word(name));
    }
    Err(unknown(&name, path.span(), scope))
}

fn called(callee: &Path, arguments: &[Argument], span: Span, scope: &Scope<'_>) -> Result<Value, Diagnostic> {
    let name = callee.to_string();
    for kind in [Kind::Initializer, Kind::Parameterization] {
        if let Some(definition) = scope.definitions.get(&(kind, name.clone())) {
            let made = instance::instantiate(definition, arguments, span, scope);
            return made.map(|i| Value::Instance(Box::new(i))).map_err(first);
        }
    }
    arithmetic::function(&name, callee.span(), arguments, span, scope)
}

/// The first of several errors: an expression reports one.
fn first(errors: Vec<Diagnostic>) -> Diagnostic {
    errors.into_iter().next().unwrap_or_else(|| Diagnostic::error("E0401", "this is not a value"))
}

fn unknown(name: &str, span: Span, scope: &Scope<'_>) -> Diagnostic {
    let initializers = scope.definitions.keys().filter(|(kind, _)| *kind == Kind::Initializer).map(|(_, n)| n.as_str());
    let known = scope.names.keys().map(String::as_str).chain(scope.words.iter().copied());
    let help = match gmpc_grammar::similar::nearest(name, known.clone().chain(initializers)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => suggestion(name, "values known here", known),
    };
    Diagnostic::error("E0401", format!("there is no value called `{name}` here")).label(span, "unknown").help(help)
}

fn no_value(span: Span) -> Diagnostic {
    Diagnostic::error("E0410", "this is computed from the data, but a value known at compile time is needed here")
        .label(span, "a flow")
        .help("use numbers, `input.shape`, `data.classes` or the parameters of the block")
}

/// What a value is, for messages: "a whole number".
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

/// As a number, whole or not.
#[must_use]
#[allow(clippy::cast_precision_loss)] // whole numbers beyond 2^53 are rounded, as in any language
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Float(x) => Some(*x),
        _ => None,
    }
}
