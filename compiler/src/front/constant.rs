//! Values known at compile time: arithmetic, conditions, `match param`, names such as `input.channels`.
//!
//! ```text
//! 2 * channels            Integer(128), where channels is 64
//! 6 / 3, 1 / 3            Integer(2), Float(0.333…): a quotient of integers stays whole where it is whole
//! scale == "drawn"        Bool(false), where scale is 1: values of different kinds are unequal
//! match param { gmp => 0.1, _ => 0.01 }
//! ```
//!
//! Integers have 64 bits; an overflow is an error, they never wrap. Numbers are always finite. The reader limits how deep
//! expressions nest, so the recursion here is limited too.

mod arithmetic;
mod choose;

pub use crate::front::scope::Scope;
pub use crate::front::value::number;
pub(crate) use crate::front::value::sort;

use crate::front::functions::FUNCTIONS;
use crate::front::instance::instantiate;
use crate::front::interpret::{Literal, Vocabulary, choose};
use crate::front::stages::STAGES;
use crate::front::suggest::suggestion;
use crate::ir::module::Value;
use gmpc_grammar::ast::{Argument, BinaryOp, Expr, Kind, Path, Stage, UnaryOp};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Returns the value of an expression.
///
/// # Errors
/// E04xx: the first thing that is wrong with it.
pub fn evaluate(expr: &Expr, scope: &Scope<'_>) -> Result<Value, Diagnostic> {
    let mut scope = *scope;
    scope.evaluate(expr)
}

/// Decides every `if` and `match param` at the head of an expression, and returns the branch that is left.
///
/// # Errors
/// - E0406: a condition that is neither true nor false.
/// - E0407: no arm fits.
/// - E0408: a `match` of something other than `param`.
/// - E0409: an arm that names no parameterization.
/// - The errors of [`evaluate`].
pub(crate) fn branch<'e>(expr: &'e Expr, scope: &Scope<'_>) -> Result<&'e Expr, Diagnostic> {
    let mut scope = *scope;
    choose(&mut scope, expr)
}

/// The vocabulary of constants. The walk needs `&mut self`, but a scope never changes: callers copy it.
impl<'e> Vocabulary<'e> for Scope<'_> {
    type Value = Value;
    type Failure = Diagnostic;

    fn literal(&mut self, literal: Literal<'e>, span: Span) -> Result<Value, Diagnostic> {
        Ok(match literal {
            Literal::Integer(n) => Value::Integer(i64::try_from(n).map_err(|_| arithmetic::overflow(span))?),
            Literal::Float(x) => Value::Float(x),
            Literal::String(text) => Value::String(text.to_string()),
            Literal::Bool(b) => Value::Bool(b),
        })
    }

    fn name(&mut self, path: &'e Path, _: Span) -> Result<Value, Diagnostic> {
        let name = path.to_string();
        if let Some(value) = self.names.get(&name) {
            return Ok(value.clone());
        }
        if let Some(instance) = instance(&name, &[], path.span(), self) {
            return instance;
        }
        if self.words.contains(&name.as_str()) {
            return Ok(Value::Word(name));
        }
        Err(stage(&name, path.span(), self).unwrap_or_else(|| unknown(&name, path.span(), self)))
    }

    fn list(&mut self, items: &'e [Expr], _: &'e Expr) -> Result<Value, Diagnostic> {
        items.iter().map(|item| self.evaluate(item)).collect::<Result<_, _>>().map(Value::List)
    }

    fn truth(&self, value: &Value) -> Option<bool> {
        match value {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    fn unary(&mut self, operator: UnaryOp, operand: (Value, Span), _: Span) -> Result<Value, Diagnostic> {
        arithmetic::unary(operator, operand)
    }

    fn binary(
        &mut self,
        operator: BinaryOp,
        left: (Value, Span),
        right: (Value, Span),
        span: Span,
    ) -> Result<Value, Diagnostic> {
        arithmetic::binary(operator, left, right, span)
    }

    fn call(&mut self, callee: &'e Path, arguments: &'e [Argument], expr: &'e Expr) -> Result<Value, Diagnostic> {
        let name = callee.to_string();
        // `tanh(0.5)` calls a function, which numbers known here do not have; `act = leaky_relu(0.2)` names an activation.
        let is_function = FUNCTIONS.iter().any(|function| function.name == name);
        if is_function {
            return arithmetic::function(&name, callee.span(), arguments, expr.span, self);
        }
        match instance(&name, arguments, expr.span, self).or_else(|| Some(Err(stage(&name, callee.span(), self)?))) {
            Some(instance) => instance,
            None => arithmetic::function(&name, callee.span(), arguments, expr.span, self),
        }
    }

    fn chosen(&mut self, expr: &'e Expr) -> Result<&'e Expr, Diagnostic> {
        choose(self, expr)
    }

    fn flow(&mut self, _: &'e Expr, _: &'e [Stage], span: Span) -> Result<Value, Diagnostic> {
        Err(no_value(span))
    }
}

/// Returns an initializer, a parameterization or an activation as a value, if one has this name.
fn instance(name: &str, arguments: &[Argument], span: Span, scope: &Scope<'_>) -> Option<Result<Value, Diagnostic>> {
    let mut kinds = [Kind::Initializer, Kind::Parameterization, Kind::Activation].into_iter();
    let definition = kinds.find_map(|kind| scope.definitions.get(&(kind, name.to_string())))?;
    let made = instantiate(definition, arguments, span, scope);
    Some(made.map(|instance| Value::Instance(Box::new(instance))).map_err(first))
}

/// Returns the first of several errors, because an expression reports one error only.
fn first(errors: Vec<Diagnostic>) -> Diagnostic {
    errors.into_iter().next().unwrap_or_else(|| Diagnostic::error("E0401", "this is not a value"))
}

/// The error for a stage where a value belongs, as in `act = layer_norm`. `None` if no stage has this name.
fn stage(name: &str, span: Span, scope: &Scope<'_>) -> Option<Diagnostic> {
    let defined = |kind| scope.definitions.contains_key(&(kind, name.to_string()));
    let is_stage = STAGES.contains(&name) || defined(Kind::Stage) || defined(Kind::Block);
    is_stage.then(|| {
        Diagnostic::error("E0401", format!("`{name}` is a stage of a flow, not a value")).label(span, "a stage").help(
            format!("write `-> {name}` in a flow; an argument is a number, a word or an activation: `act = tanh`"),
        )
    })
}

fn unknown(name: &str, span: Span, scope: &Scope<'_>) -> Diagnostic {
    let initializers = scope.definitions.keys().filter(|(kind, _)| *kind == Kind::Initializer).map(|(_, n)| n.as_str());
    let known = scope.names.keys().map(String::as_str).chain(scope.words.iter().copied());
    let habit = habit(name, scope.words).map(str::to_string);
    let help = match gmpc_grammar::similar::nearest(name, known.clone().chain(initializers)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => suggestion(name, "values known here", known),
    };
    let help = habit.unwrap_or(help);
    Diagnostic::error("E0401", format!("there is no value called `{name}` here")).label(span, "unknown").help(help)
}

/// Words of other languages and frameworks, and what to write instead.
fn habit(name: &str, words: &[&str]) -> Option<&'static str> {
    match name {
        // Keras' words for the padding of a window.
        "valid" if words.contains(&"same") => Some("`valid` is called `pad = 0` here, and is the default"),
        "True" | "on" | "yes" => Some("write `true`"),
        "False" | "off" | "no" => Some("write `false`"),
        _ => None,
    }
}

fn no_value(span: Span) -> Diagnostic {
    Diagnostic::error("E0410", "this is computed from the data, but a value known at compile time is needed here")
        .label(span, "a flow")
        .help("use numbers, `input.shape`, `data.classes` or the parameters of the block")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_grammar::source::SourceId;
    use std::collections::BTreeMap;

    /// The value of an expression where `units` is 64 and `param = gmp + mn`.
    fn value(text: &str) -> String {
        let definitions = &crate::front::stdlib::library().prelude;
        let names = BTreeMap::from([("units".to_string(), Value::Integer(64))]);
        let scope = Scope { words: &["all"], ..Scope::new(&names, definitions) };
        let read = |text: &str| gmpc_grammar::read_expr(text, SourceId(0)).expect("an expression");
        let param = crate::front::names::param_use(&read("gmp + mn"), &scope).expect("a parameterization");
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
    fn conditions_skip_operands_that_cannot_matter() {
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
