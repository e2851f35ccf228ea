//! From a name in the text to the definition it stands for.

use crate::front::constant::{Scope, branch};
use crate::front::instance::instantiate;
use crate::front::stdlib::library;
use crate::front::suggest::{suggestion, with_article};
use crate::ir::module::{Definitions, Instance};
use gmpc_grammar::ast::{Argument, Definition, Expr, ExprKind, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::sync::Arc;

/// Returns the definition of this kind and name.
///
/// # Errors
/// E0201 if no definition has this name, E0202 if only definitions of other kinds have it.
pub(crate) fn find<'a>(
    kind: Kind,
    path: &Path,
    definitions: &'a Definitions,
) -> Result<&'a Arc<Definition>, Diagnostic> {
    let name = path.to_string();
    if let Some(found) = definitions.get(&(kind, name.clone())) {
        return Ok(found);
    }
    let other = Kind::ALL.into_iter().find_map(|k| definitions.get(&(k, name.clone())));
    Err(match other {
        Some(other) => wrong_kind(&name, path.span(), other, kind, definitions),
        None => unknown(&name, path.span(), kind, definitions),
    })
}

fn names(kind: Kind, definitions: &Definitions) -> impl Iterator<Item = &str> + Clone {
    definitions.keys().filter(move |(k, _)| *k == kind).map(|(_, name)| name.as_str())
}

fn unknown(name: &str, span: Span, kind: Kind, definitions: &Definitions) -> Diagnostic {
    let has = |(_, module): &&(String, Definitions)| module.contains_key(&(kind, name.to_string()));
    Diagnostic::error("E0201", format!("there is no {} called `{name}`", noun(kind))).label(span, "unknown").help(
        match library().modules.iter().find(has) {
            Some((module, _)) => format!("it is in `{module}`: write `use {module}` at the top of the file"),
            None => suggestion(name, &plural(kind), names(kind, definitions)),
        },
    )
}

fn wrong_kind(name: &str, span: Span, found: &Definition, wanted: Kind, definitions: &Definitions) -> Diagnostic {
    let (is, wants) = (with_article(noun(found.kind)), with_article(noun(wanted)));
    let error = Diagnostic::error("E0202", format!("`{name}` is {is}, not {wants}"))
        .label(span, format!("{wants} is needed here"));
    let defined = found.name.as_ref().map_or(found.span, Path::span);
    let help = match (found.kind, wanted) {
        (Kind::Modifier, Kind::Parameterization) => format!("join it to a parameterization: `gmp + {name}`"),
        (Kind::Parameterization, Kind::Modifier) => {
            "a layer has one parameterization; only modifiers follow it".to_string()
        }
        _ => suggestion(name, &plural(wanted), names(wanted, definitions)),
    };
    error.label(defined, format!("`{name}` is defined here")).help(help)
}

/// "data set", "loss"
pub(crate) fn noun(kind: Kind) -> &'static str {
    if kind == Kind::Dataset { "data set" } else { kind.keyword() }
}

fn plural(kind: Kind) -> String {
    let noun = noun(kind);
    format!("{noun}{}", if noun.ends_with('s') { "es" } else { "s" })
}

/// Makes the instance that a name or a call stands for. An `if` or a `match` around it is decided first.
///
/// # Errors
/// The errors of [`find`] and of the arguments. E0216 if the expression is neither a name nor a call.
pub(crate) fn instance(kind: Kind, expr: &Expr, scope: &Scope<'_>) -> Result<Instance, Vec<Diagnostic>> {
    let expr = branch(expr, scope).map_err(|e| vec![e])?;
    match &expr.node {
        ExprKind::Path(path) => made(kind, path, &[], expr.span, scope),
        ExprKind::Call { callee, arguments } => made(kind, callee, arguments, expr.span, scope),
        _ => Err(vec![no_name(kind, expr.span, scope.definitions)]),
    }
}

fn made(
    kind: Kind,
    path: &Path,
    arguments: &[Argument],
    span: Span,
    scope: &Scope<'_>,
) -> Result<Instance, Vec<Diagnostic>> {
    instantiate(find(kind, path, scope.definitions).map_err(|e| vec![e])?, arguments, span, scope)
}

fn no_name(kind: Kind, span: Span, definitions: &Definitions) -> Diagnostic {
    Diagnostic::error("E0216", format!("the name of {} is needed here", with_article(noun(kind))))
        .label(span, "this is not a name")
        .help(suggestion("", &plural(kind), names(kind, definitions)))
}
