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

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_grammar::source::SourceId;

    /// What an expression comes to, `units` being 64, under `param = gmp + mn`.
    fn value(text: &str) -> String {
        let definitions = &crate::stdlib::library().prelude;
        let names = BTreeMap::from([("units".to_string(), Value::Integer(64))]);
        let scope = Scope { words: &["all"], ..Scope::new(&names, definitions) };
        let read = |text: &str| gmpc_grammar::read_expr(text, SourceId(0)).expect("an expression");
        let param = crate::resolve::param_use(&read("gmp + mn"), &scope).expect("a parameterization");
        match evaluate(&read(text), &Scope { param: Some(&param), ..scope }) {
            Ok(Value::Instance(instance)) => instance.name,
            Ok(value) => format!("{value:?}"),
            Err(error) => error.code.to_string(),
        }
    }

    #[test]
    fn whole_numbers_stay_whole_where_they_can() {
        assert_eq!(value("units / 2 - 1"), "Integer(31)");
        assert_eq!(value("2^10 * -1"), "Integer(-1024)");
        assert_eq!(value("1 / 4"), "Float(0.25)");
        assert_eq!(value("2^-1"), "Float(0.5)");
        assert_eq!(value("floor(units / 3) + ceil(0.5)"), "Integer(22)");
        assert_eq!(value("max(units, 3.5) + min(1, 2.5)"), "Integer(65)");
    }

    #[test]
    fn whole_numbers_never_wrap() {
        assert_eq!(value("9_223_372_036_854_775_807 + 1"), "E0403");
        assert_eq!(value("9_223_372_036_854_775_808"), "E0403");
        assert_eq!(value("(-9_223_372_036_854_775_807 - 1) / -1"), "E0403");
        assert_eq!(value("-(-9_223_372_036_854_775_807 - 1)"), "E0403");
        assert_eq!(value("abs(-9_223_372_036_854_775_807 - 1)"), "E0403");
        assert_eq!(value("10^100"), "E0403");
        assert_eq!(value("1e300 * 1e300"), "E0405");
        assert_eq!(value("(0 - 8)^0.5"), "E0405");
        assert_eq!(value("1 / (units - 64)"), "E0404");
    }

    #[test]
    fn conditions_look_no_further_than_they_must() {
        assert_eq!(value("false and 1 / 0 > 1"), "Bool(false)");
        assert_eq!(value("true or missing"), "Bool(true)");
        assert_eq!(value("if units > 3 { 1 } else { missing }"), "Integer(1)");
        assert_eq!(value("1 and true"), "E0402");
        assert_eq!(value("if units { 1 } else { 2 }"), "E0406");
    }

    #[test]
    fn values_of_different_kinds_are_unequal_and_numbers_compare_across() {
        assert_eq!(value("1 == \"drawn\""), "Bool(false)");
        assert_eq!(value("64.0 == units"), "Bool(true)");
        assert_eq!(value("[1, 2] != [1, 2.0]"), "Bool(false)");
        assert_eq!(value("all == all"), "Bool(true)");
        assert_eq!(value("he_normal == sp"), "Bool(false)");
    }

    #[test]
    fn a_match_takes_the_first_arm_that_fits() {
        assert_eq!(value("match param { sp => 1, gmp => 2, gmp + mn => 3, _ => 4 }"), "Integer(2)");
        assert_eq!(value("match param { gmp + mbn => 1, gmp + mn => 2, _ => 3 }"), "Integer(2)");
        assert_eq!(value("match param { wn => 1 }"), "E0407");
        assert_eq!(value("match units { _ => 1 }"), "E0408");
    }
}
