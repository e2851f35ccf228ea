//! Readers of settings. Each returns the value of a setting if it has the right type, and notes an error otherwise. After an
//! error the caller continues with the next setting.

use crate::front::constant::{Scope, branch, evaluate, number, sort};
use crate::front::suggest::suggestion;
use crate::ir::module::{Definitions, ParamUse, Value};
use gmpc_grammar::ast::{Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// The names that settings may use, and the errors and warnings so far.
pub(crate) struct Context<'a> {
    /// All definitions.
    pub definitions: &'a Definitions,
    /// The parameterization of the file.
    pub param: Option<&'a ParamUse>,
    /// Parameters of the definition whose settings are read.
    pub names: BTreeMap<String, Value>,
    /// Errors so far.
    pub errors: Vec<Diagnostic>,
    /// Warnings so far.
    pub warnings: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    /// A context without names and errors.
    pub(crate) fn new(definitions: &'a Definitions, param: Option<&'a ParamUse>) -> Self {
        Context { definitions, param, names: BTreeMap::new(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// Returns the names that values may use.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { param: self.param, ..Scope::new(&self.names, self.definitions) }
    }

    /// Keeps a result, or notes its errors.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
        result.map_err(|errors| self.errors.extend(errors)).ok()
    }

    /// Returns the value of an expression.
    pub(crate) fn value(&mut self, expr: &Expr) -> Option<Value> {
        let value = evaluate(expr, &self.scope()).map_err(|e| vec![e]);
        self.keep(value)
    }

    /// Decides every `if` and `match param` at the head of an expression, and returns the branch that is left.
    pub(crate) fn branch<'e>(&mut self, expr: &'e Expr) -> Option<&'e Expr> {
        let chosen = branch(expr, &self.scope()).map_err(|e| vec![e]);
        self.keep(chosen)
    }

    /// Reads a whole number of at least `least`.
    pub(crate) fn whole(&mut self, what: &str, expr: &Expr, least: u64) -> Option<u64> {
        match self.value(expr)? {
            Value::Integer(n) if u64::try_from(n).is_ok_and(|n| n >= least) => u64::try_from(n).ok(),
            // `1e1` is a float. The help writes it as the whole number that is probably meant.
            Value::Float(x) if x.fract() == 0.0 && x >= least as f64 && x < 9e15 => {
                self.errors.push(
                    Diagnostic::error("E0603", format!("`{what}` is a whole number, {least} or more"))
                        .label(expr.span, "a number with a point or an exponent")
                        .help(format!("write `{x:.0}`")),
                );
                None
            }
            other => self.unfit(what, &format!("a whole number, {least} or more"), expr, &other),
        }
    }

    /// Reads a whole number of at least `least` that fits into `usize`.
    pub(crate) fn count(&mut self, what: &str, expr: &Expr, least: u64) -> Option<usize> {
        self.whole(what, expr, least).and_then(|n| usize::try_from(n).ok())
    }

    /// Reads a number for which `fits` holds. `range` describes the condition: " above 0".
    pub(crate) fn number(&mut self, what: &str, expr: &Expr, range: &str, fits: fn(f64) -> bool) -> Option<f64> {
        let value = self.value(expr)?;
        match number(&value) {
            Some(x) if fits(x) => Some(x),
            _ => self.unfit(what, &format!("a number{range}"), expr, &value),
        }
    }

    /// Reads `true` or `false`.
    pub(crate) fn truth(&mut self, what: &str, expr: &Expr) -> Option<bool> {
        match self.value(expr)? {
            Value::Bool(b) => Some(b),
            other => self.unfit(what, "`true` or `false`", expr, &other),
        }
    }

    /// Reads `"a text"`.
    pub(crate) fn text(&mut self, what: &str, expr: &Expr) -> Option<String> {
        match self.value(expr)? {
            Value::String(text) => Some(text),
            other => self.unfit(what, "a text in quotes", expr, &other),
        }
    }

    /// Reads one of a few words. Returns the value that belongs to the word.
    pub(crate) fn word<T: Copy>(&mut self, what: &str, expr: &Expr, choices: &[(&str, T)]) -> Option<T> {
        let names = choices.iter().map(|(name, _)| *name);
        let words: Vec<&str> = names.clone().collect();
        let value = evaluate(expr, &Scope { words: &words, ..self.scope() });
        let word = match &value {
            Ok(Value::Word(word)) => Some(word.clone()),
            _ => None,
        };
        if let Some((_, choice)) = word.and_then(|w| choices.iter().find(|(name, _)| *name == w)) {
            return Some(*choice);
        }
        let said = match &expr.node {
            ExprKind::Path(path) => path.to_string(),
            _ => String::new(),
        };
        self.errors.push(
            Diagnostic::error("E0604", format!("`{what}` is one of a few words"))
                .label(expr.span, "not one of them")
                .help(suggestion(&said, &format!("what `{what}` may be"), names)),
        );
        None
    }

    /// Notes that a setting has a value of the wrong type or range.
    pub(crate) fn unfit<T>(&mut self, what: &str, wanted: &str, expr: &Expr, value: &Value) -> Option<T> {
        let found = match value {
            Value::Integer(n) => format!("this is {n}"),
            Value::Float(x) => format!("this is {x}"),
            other => format!("this is {}", sort(other)),
        };
        self.errors.push(
            Diagnostic::error("E0603", format!("`{what}` is {wanted}"))
                .label(expr.span, found)
                .help(format!("give `{what}` {wanted}")),
        );
        None
    }
}
