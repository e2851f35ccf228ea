//! `if` and `match param` among values known at compile time.

use super::sort;
use crate::front::interpret::Choices;
use crate::front::scope::Scope;
use crate::front::suggest::suggestion;
use crate::ir::module::{ParamUse, Value};
use gmpc_grammar::ast::{BinaryOp, Expr, ExprKind, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Finds the arm of a `match param`. An arm fits if it names the current parameterization with all its modifiers, or only its
/// base, or if it is `_`. The first arm that fits counts.
impl<'e, 'a> Choices<'e> for Scope<'a> {
    type Subject = &'a ParamUse;

    // Patterns are names, not values. A misspelt name is an error in every arm, also after the arm that fits.
    const EVERY_PATTERN: bool = true;

    fn no_condition(&mut self, value: &Value, span: Span) -> Diagnostic {
        Diagnostic::error("E0406", "a condition is true or false")
            .label(span, format!("this is {}", sort(value)))
            .help("compare it with something, as in `stride == 1`")
    }

    fn subject(&mut self, subject: &'e Expr) -> Result<&'a ParamUse, Diagnostic> {
        let is_param = matches!(&subject.node, ExprKind::Path(path) if path.to_string() == "param");
        self.param.filter(|_| is_param).ok_or_else(|| no_subject(subject, is_param))
    }

    fn fits(&mut self, param: &&'a ParamUse, pattern: &'e Expr) -> Result<bool, Diagnostic> {
        let names = pattern_names(pattern)?;
        check_names(&names, self)?;
        let modifiers = param.modifiers.iter().map(|m| m.name.clone());
        let mut words = names.iter().map(ToString::to_string);
        let same_base = words.next().is_some_and(|base| base == param.base.name);
        Ok(same_base && (names.len() == 1 || words.eq(modifiers)))
    }

    fn no_arm(&mut self, param: &&'a ParamUse, span: Span) -> Diagnostic {
        Diagnostic::error("E0407", format!("no arm of this `match` is for `{param}`"))
            .label(span, "nothing fits here")
            .label(param.base.span, format!("`param` is `{param}`"))
            .help(format!("add an arm `{} => …` or `_ => …`", param.base.name))
    }
}

fn no_subject(subject: &Expr, is_param: bool) -> Diagnostic {
    let message = if is_param { "there is no `param` to look at here" } else { "`match` looks at `param` only" };
    let error = Diagnostic::error("E0408", message).label(subject.span, "this");
    error.help(if is_param {
        "name the parameterization itself"
    } else {
        "use `if … { … } else { … }` for other choices"
    })
}

/// Returns the names of `gmp + mn`.
fn pattern_names(pattern: &Expr) -> Result<Vec<&Path>, Diagnostic> {
    match &pattern.node {
        ExprKind::Path(path) => Ok(vec![path]),
        ExprKind::Binary(BinaryOp::Add, left, right) => {
            let mut names = pattern_names(left)?;
            names.extend(pattern_names(right)?);
            Ok(names)
        }
        _ => Err(Diagnostic::error("E0409", "an arm of `match param` begins with the name of a parameterization")
            .label(pattern.span, "no such name")
            .help("write `gmp => …`, `gmp + mn => …` or `_ => …`")),
    }
}

fn check_names(names: &[&Path], scope: &Scope<'_>) -> Result<(), Diagnostic> {
    for (i, path) in names.iter().enumerate() {
        let (kind, kinds) = match i {
            0 => (Kind::Parameterization, "parameterizations"),
            _ => (Kind::Modifier, "modifiers"),
        };
        let name = path.to_string();
        if !scope.definitions.contains_key(&(kind, name.clone())) {
            let known = scope.definitions.keys().filter(|(k, _)| *k == kind).map(|(_, n)| n.as_str());
            return Err(Diagnostic::error("E0409", format!("there is no {} called `{name}`", kind.keyword()))
                .label(path.span(), "unknown")
                .help(suggestion(&name, kinds, known)));
        }
    }
    Ok(())
}
