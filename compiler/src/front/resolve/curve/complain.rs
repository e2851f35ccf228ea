//! Errors in the body of a schedule.

use super::DIALECT;
use crate::front::functions;
use crate::front::suggest::suggestion;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

pub(super) fn unknown_name<'a>(name: &str, span: Span, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    Diagnostic::error("E0620", format!("a schedule cannot read `{name}`")).label(span, "unknown").help(suggestion(
        name,
        "known here",
        known,
    ))
}

pub(super) fn unknown_function(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0620", format!("a schedule cannot call `{name}`")).label(span, "unknown").help(suggestion(
        name,
        "functions of a schedule",
        functions::names(DIALECT),
    ))
}

pub(super) fn arity(name: &str, expected: usize, span: Span) -> Diagnostic {
    let plural = if expected == 1 { "" } else { "s" };
    no_formula(&format!("`{name}` takes {expected} argument{plural}, without names"), span)
}

pub(super) fn no_number(found: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0621", format!("a schedule needs a number, but this is {found}"))
        .label(span, "not a number")
        .help("compute with numbers; `count(at <= epoch)` makes a number of a list")
}

pub(super) fn no_list(span: Span) -> Diagnostic {
    no_formula("`count` counts the items of a list", span)
}

pub(super) fn lengths(span: Span) -> Diagnostic {
    no_formula("these lists have different lengths", span)
}

pub(super) fn not_finite(span: Span) -> Diagnostic {
    no_formula("this is not a finite number", span)
}

pub(super) fn too_long(span: Span) -> Diagnostic {
    no_formula("this schedule is too long a formula", span)
}

pub(super) fn not_known(span: Span) -> Diagnostic {
    no_formula("a `match` looks at an argument, not at the time; use `if … { … } else { … }`", span)
}

pub(super) fn no_arm(span: Span) -> Diagnostic {
    no_formula("no arm of this `match` fits; add a last arm `_ => …`", span)
}

pub(super) fn no_state(span: Span) -> Diagnostic {
    no_formula("a schedule declares nothing: it is a formula of the time alone", span)
}

pub(super) fn no_result(span: Span) -> Diagnostic {
    no_formula("this schedule ends without a rate", span)
}

fn no_formula(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0621", message.to_string())
        .label(span, "here")
        .help("a schedule is a formula such as `base * 0.5 ^ floor(epoch / 30)`")
}
