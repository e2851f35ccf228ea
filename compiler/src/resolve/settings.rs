//! The settings of a body (`train`, `dataset`): each at most once, none unknown.

use crate::suggest::suggestion;
use gmpc_grammar::ast::{Binding, Body, Expr, Ident, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// Settings by name: where the name stands, and its value.
pub(crate) type Settings<'a> = BTreeMap<&'a str, (&'a Ident, &'a Expr)>;

/// The bindings of a body whose names are `known`; others are errors worded for `place` ("`train`").
pub(crate) fn settings<'a>(
    body: &'a Body,
    place: &str,
    known: &[&str],
    errors: &mut Vec<Diagnostic>,
) -> Settings<'a> {
    let mut found = Settings::new();
    for statement in &body.statements {
        match statement {
            Statement::Bind(binding) if !known.contains(&binding.name.text.as_str()) => {
                errors.push(unknown_setting(&binding.name, place, known));
            }
            Statement::Bind(binding) => add(&mut found, binding, errors),
            Statement::Declare(declaration) => errors.push(not_a_setting(declaration.name.span, place)),
            Statement::From(from) => errors.push(not_a_setting(from.span, place)),
        }
    }
    if let Some(result) = &body.result {
        errors.push(not_a_setting(result.span, place));
    }
    found
}

/// Adds a setting, unless it was made before.
pub(crate) fn add<'a>(found: &mut Settings<'a>, binding: &'a Binding, errors: &mut Vec<Diagnostic>) {
    if let Some((first, _)) = found.get(binding.name.text.as_str()) {
        errors.push(
            Diagnostic::error("E0602", format!("`{}` is set twice", binding.name.text))
                .label(binding.name.span, "set again here")
                .label(first.span, "first set here")
                .help("leave one of them out"),
        );
        return;
    }
    found.insert(&binding.name.text, (&binding.name, &binding.value));
}

/// A setting nobody knows.
pub(crate) fn unknown_setting(name: &Ident, place: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error("E0601", format!("{place} has no setting `{}`", name.text))
        .label(name.span, "unknown")
        .help(suggestion(&name.text, &format!("settings of {place}"), known.iter().copied()))
}

fn not_a_setting(span: gmpc_grammar::source::Span, place: &str) -> Diagnostic {
    Diagnostic::error("E0605", format!("{place} holds settings only"))
        .label(span, "this is not a setting")
        .help("write `name = value`")
}
