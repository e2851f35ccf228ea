//! Errors that the grammar cannot find: names given twice, and statements in the wrong place.

use crate::ast::{Argument, Binding, Body, Definition, Expr, ExprKind, Ident, Item, Kind, Path, Statement};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use std::collections::HashMap;

/// E0149: `-x` at the start of a line, after an expression that it could be subtracted from.
pub fn two_ways(minus: Span) -> Diagnostic {
    Diagnostic::error("E0149", "this `-` can be read in two ways")
        .label(minus, "continues the line above, or begins a new value?")
        .help("write `- x` with a blank to subtract, or `(-x)` to begin a new value")
}

/// E0150: `a < b < c`
pub fn chained(left: Span, right: Span) -> Diagnostic {
    Diagnostic::error("E0150", "comparisons do not form a chain")
        .label(right, "compared again here")
        .label(left, "this is already `true` or `false`")
        .help("write `a < b and b < c`")
}

/// E0151 and E0152: arguments in the wrong order, or given twice.
pub fn arguments(arguments: &[Argument], errors: &mut Vec<Diagnostic>) {
    let mut first_named: Option<&Ident> = None;
    for argument in arguments {
        match (&argument.name, first_named) {
            (None, Some(named)) => {
                errors.push(
                    Diagnostic::error("E0151", "an argument without a name comes after one with a name")
                        .label(argument.value.span, "which argument is this?")
                        .label(named.span, "named arguments begin here")
                        .help("move it forward, or give it its name"),
                );
                break;
            }
            (Some(name), None) => first_named = Some(name),
            _ => {}
        }
    }
    let names = arguments.iter().filter_map(|argument| argument.name.as_ref());
    errors.extend(twice("E0152", "argument", names));
}

/// E0153: `block b(channels, channels)`
pub fn parameters(definition: &Definition, errors: &mut Vec<Diagnostic>) {
    errors.extend(twice("E0153", "parameter", definition.parameters.iter().map(|p| &p.name)));
}

/// E0154: a setting of a file given twice.
pub fn settings(items: &[Item], errors: &mut Vec<Diagnostic>) {
    let names = items.iter().filter_map(|item| match item {
        Item::Setting(Binding { name, .. }) => Some(name),
        _ => None,
    });
    errors.extend(twice("E0154", "setting", names));
}

/// E0154 to E0157: names and statements that a definition cannot have.
pub fn definition(definition: &Definition, errors: &mut Vec<Diagnostic>) {
    let kind = definition.kind;
    if let Some(name) = definition.name.as_ref().filter(|n| n.parts.len() > 1 && kind != Kind::Dataset) {
        errors.push(dotted(name, kind));
    }
    if matches!(kind, Kind::Train | Kind::Dataset) {
        let names = definition.body.statements.iter().filter_map(|statement| match statement {
            Statement::Bind(binding) => Some(&binding.name),
            _ => None,
        });
        errors.extend(twice("E0154", "setting", names));
        errors.extend(definition.body.result.as_ref().map(|value| nameless(value, &definition.body, kind)));
    }
    conversions(definition, errors);
}

/// E0155: `model a.b { … }`
fn dotted(name: &Path, kind: Kind) -> Diagnostic {
    let last = name.parts.last().map_or("", |part| part.text.as_str());
    Diagnostic::error("E0155", format!("the name of a `{}` has no dots", kind.keyword()))
        .label(name.span(), "only a `dataset` can have a dotted name")
        .help(format!("write `{} {last}`", kind.keyword()))
}

/// E0156: `train { mae }`, `train { epochs = 10 000 }`
fn nameless(value: &Expr, body: &Body, kind: Kind) -> Diagnostic {
    let error = Diagnostic::error("E0156", format!("a value in `{}` has no name", kind.keyword()))
        .label(value.span, "whose value is this?");
    let number = |expr: &Expr| matches!(expr.node, ExprKind::Integer(_) | ExprKind::Float(_));
    match body.statements.last() {
        Some(Statement::Bind(last)) if number(value) && number(&last.value) => error
            .label(last.value.span, "a number ends here")
            .help("digits are grouped with `_` and without blanks: `10_000`"),
        _ => error.help("write `name = value`"),
    }
}

/// E0157: `from` outside a parameterization, or twice in one.
fn conversions(definition: &Definition, errors: &mut Vec<Diagnostic>) {
    let mut first: Option<Span> = None;
    for statement in &definition.body.statements {
        let Statement::From(from) = statement else { continue };
        if definition.kind != Kind::Parameterization {
            let error = Diagnostic::error("E0157", "only a parameterization says how plain weights are written in it");
            errors.push(
                error
                    .label(from.span, format!("in this `{}`", definition.kind.keyword()))
                    .help("remove it, or move it into a `parameterization`"),
            );
        } else if let Some(first) = first {
            let error =
                Diagnostic::error("E0157", "a parameterization has one `from`").label(from.span, "a second one");
            errors.push(error.label(first, "the first one").help("keep one of them"));
        }
        first = first.or(Some(from.span));
        errors.extend(twice("E0153", "parameter", from.parameters.iter()));
    }
}

/// Returns an error for each name that is given again, with both places.
fn twice<'a>(code: &'static str, what: &'static str, names: impl Iterator<Item = &'a Ident>) -> Vec<Diagnostic> {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut errors = Vec::new();
    for name in names {
        match seen.get(name.text.as_str()) {
            Some(&first) => errors.push(
                Diagnostic::error(code, format!("the {what} `{}` is given twice", name.text))
                    .label(name.span, "given again here")
                    .label(first, "first given here")
                    .help("remove one of them"),
            ),
            None => {
                seen.insert(&name.text, name.span);
            }
        }
    }
    errors
}
