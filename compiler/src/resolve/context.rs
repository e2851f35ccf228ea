//! Reading settings: each reader takes what a setting may hold, notes an error where it holds something else, and the
//! caller goes on to the next setting.

use crate::constant::{Scope, branch, evaluate, number, sort};
use crate::module::{Definitions, ParamUse, Value};
use crate::suggest::suggestion;
use gmpc_grammar::ast::{Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// What settings may refer to, and the errors and warnings so far.
pub(crate) struct Context<'a> {
    /// Everything defined.
    pub definitions: &'a Definitions,
    /// The parameterization in force.
    pub param: Option<&'a ParamUse>,
    /// Parameters of the definition whose settings are read.
    pub names: BTreeMap<String, Value>,
    /// Of the `E` kind.
    pub errors: Vec<Diagnostic>,
    /// Of the `W` kind.
    pub warnings: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    /// With no names and no errors yet.
    pub(crate) fn new(definitions: &'a Definitions, param: Option<&'a ParamUse>) -> Self {
        Context { definitions, param, names: BTreeMap::new(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// What values may refer to.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { param: self.param, ..Scope::new(&self.names, self.definitions) }
    }

    /// Keeps a result, or notes its errors.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Vec<Diagnostic>>) -> Option<T> {
        result.map_err(|errors| self.errors.extend(errors)).ok()
    }

    /// The value of an expression.
    pub(crate) fn value(&mut self, expr: &Expr) -> Option<Value> {
        let value = evaluate(expr, &self.scope()).map_err(|e| vec![e]);
        self.keep(value)
    }

    /// The expression behind any `if` and `match param`.
    pub(crate) fn branch<'e>(&mut self, expr: &'e Expr) -> Option<&'e Expr> {
        let chosen = branch(expr, &self.scope()).map_err(|e| vec![e]);
        self.keep(chosen)
    }

    /// A whole number of at least `least`.
    pub(crate) fn whole(&mut self, what: &str, expr: &Expr, least: u64) -> Option<u64> {
        match self.value(expr)? {
            Value::Integer(n) if u64::try_from(n).is_ok_and(|n| n >= least) => u64::try_from(n).ok(),
            other => self.unfit(what, &format!("a whole number, {least} or more"), expr, &other),
        }
    }

    /// A whole number of at least `least` that counts things in memory.
    pub(crate) fn count(&mut self, what: &str, expr: &Expr, least: u64) -> Option<usize> {
        self.whole(what, expr, least).and_then(|n| usize::try_from(n).ok())
    }

    /// A number for which `fits` holds; `range` says which those are: "above 0".
    pub(crate) fn number(&mut self, what: &str, expr: &Expr, range: &str, fits: fn(f64) -> bool) -> Option<f64> {
        let value = self.value(expr)?;
        match number(&value) {
            Some(x) if fits(x) => Some(x),
            _ => self.unfit(what, &format!("a number{range}"), expr, &value),
        }
    }

    /// `true` or `false`.
    pub(crate) fn truth(&mut self, what: &str, expr: &Expr) -> Option<bool> {
        match self.value(expr)? {
            Value::Bool(b) => Some(b),
            other => self.unfit(what, "`true` or `false`", expr, &other),
        }
    }

    /// `"a text"`.
    pub(crate) fn text(&mut self, what: &str, expr: &Expr) -> Option<String> {
        match self.value(expr)? {
            Value::String(text) => Some(text),
            other => self.unfit(what, "a text in quotes", expr, &other),
        }
    }

    /// One of a few words, which stand for themselves.
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

    /// Notes that a setting holds something else than it may.
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
