//! Conditions and `match param`.

use super::{Scope, evaluate, sort};
use crate::module::Value;
use crate::suggest::suggestion;
use gmpc_grammar::ast::{Arm, BinaryOp, Expr, ExprKind, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Does a condition hold?
///
/// # Errors
/// E0406 where it is neither true nor false, and those of [`evaluate`].
pub(crate) fn truth(condition: &Expr, scope: &Scope<'_>) -> Result<bool, Diagnostic> {
    match evaluate(condition, scope)? {
        Value::Bool(holds) => Ok(holds),
        other => Err(Diagnostic::error("E0406", "a condition is true or false")
            .label(condition.span, format!("this is {}", sort(&other)))
            .help("compare it with something, as in `stride == 1`")),
    }
}

/// The expression behind any `if` and `match param`, each of them decided.
///
/// # Errors
/// Those of [`truth`] and [`chosen_arm`].
pub(crate) fn branch<'e>(expr: &'e Expr, scope: &Scope<'_>) -> Result<&'e Expr, Diagnostic> {
    match &expr.node {
        ExprKind::If { condition, yes, no } => branch(if truth(condition, scope)? { yes } else { no }, scope),
        ExprKind::Match { subject, arms } => branch(&chosen_arm(subject, arms, expr.span, scope)?.value, scope),
        _ => Ok(expr),
    }
}

/// The arm of a `match param` that fits the parameterization in force: the first that names exactly it, modifiers
/// included, or its base alone, or is `_`.
///
/// # Errors
/// E0407 to E0409: no arm fits, something else than `param` is looked at, an arm names no parameterization.
pub(crate) fn chosen_arm<'e>(
    subject: &Expr,
    arms: &'e [Arm],
    span: Span,
    scope: &Scope<'_>,
) -> Result<&'e Arm, Diagnostic> {
    let is_param = matches!(&subject.node, ExprKind::Path(path) if path.to_string() == "param");
    let Some(param) = scope.param.filter(|_| is_param) else {
        return Err(no_subject(subject, is_param));
    };
    let modifiers: Vec<&str> = param.modifiers.iter().map(|m| m.name.as_str()).collect();
    let mut chosen = None;
    for arm in arms {
        let fits = match &arm.pattern {
            None => true,
            Some(pattern) => {
                let names = pattern_names(pattern)?;
                check_names(&names, scope)?;
                let mut words = names.iter().map(ToString::to_string);
                words.next().is_some_and(|base| base == param.base.name)
                    && (names.len() == 1 || words.eq(modifiers.iter().map(ToString::to_string)))
            }
        };
        if fits && chosen.is_none() {
            chosen = Some(arm);
        }
    }
    chosen.ok_or_else(|| {
        Diagnostic::error("E0407", format!("no arm of this `match` is for `{param}`"))
            .label(span, "nothing fits here")
            .label(param.base.span, format!("`param` is `{param}`"))
            .help(format!("add an arm `{} => …` or `_ => …`", param.base.name))
    })
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

/// `gmp + mn` as its names.
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
