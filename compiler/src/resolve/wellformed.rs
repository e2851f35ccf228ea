//! What a definition must look like before anything is computed with it: E0501 to E0506.

use super::reference::noun;
use crate::suggest::{listed, suggestion, with_article};
use gmpc_grammar::ast::{Ast, Binding, Definition, Expr, ExprKind, From, Item, Kind, Parameter, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// What the annotation of a loss's or metric's `target` may be.
const TARGETS: [&str; 3] = ["label", "binary", "class"];

/// Looks at every definition of the file.
pub(crate) fn check(ast: &Ast, errors: &mut Vec<Diagnostic>) {
    for item in &ast.items {
        let Item::Definition(definition) = item else { continue };
        annotations(definition, errors);
        if matches!(definition.kind, Kind::Loss | Kind::Metric) {
            errors.extend(compared(definition));
        }
        for statement in &definition.body.statements {
            match statement {
                Statement::From(from) if definition.kind == Kind::Parameterization => {
                    conversion(definition, from, errors);
                }
                Statement::Bind(binding) if binding.name.text == "better" => {
                    errors.extend(better(definition, binding));
                }
                _ => {}
            }
        }
    }
}

fn annotations(definition: &Definition, errors: &mut Vec<Diagnostic>) {
    for parameter in &definition.parameters {
        let Some(annotation) = &parameter.annotation else { continue };
        let word = word(annotation);
        let known: &[&str] = match (definition.kind, parameter.name.text.as_str()) {
            (Kind::Model, "input") => continue,
            (Kind::Loss | Kind::Metric, "prediction") => &["logits"],
            (Kind::Loss | Kind::Metric, "target") => &TARGETS,
            _ => {
                errors.push(no_annotation(definition, parameter, annotation.span));
                continue;
            }
        };
        if !known.contains(&word.as_str()) {
            let kinds = format!("what `{}` may be", parameter.name.text);
            errors.push(
                Diagnostic::error("E0504", format!("`{}` is annotated with an unknown word", parameter.name.text))
                    .label(annotation.span, "unknown")
                    .help(suggestion(&word, &kinds, known.iter().copied())),
            );
        }
    }
}

fn word(expr: &Expr) -> String {
    match &expr.node {
        ExprKind::Path(path) => path.to_string(),
        _ => String::new(),
    }
}

fn no_annotation(definition: &Definition, parameter: &Parameter, span: Span) -> Diagnostic {
    Diagnostic::error("E0501", format!("the parameter `{}` has no kind to state", parameter.name.text))
        .label(span, format!("not in {}", with_article(noun(definition.kind))))
        .help(format!("write `{}` alone, or with a default: `{0} = 1`", parameter.name.text))
}

/// A loss or metric begins with what it compares.
fn compared(definition: &Definition) -> Option<Diagnostic> {
    let names: Vec<&str> = definition.parameters.iter().map(|p| p.name.text.as_str()).collect();
    if names.starts_with(&["prediction", "target"]) {
        return None;
    }
    let name = definition.name.as_ref()?;
    let what = definition.kind.keyword();
    Some(
        Diagnostic::error("E0502", format!("a {what} compares `prediction` with `target`"))
            .label(name.span(), "does not begin with these two parameters")
            .help(format!("write `{what} {name}(prediction, target)`")),
    )
}

fn better(definition: &Definition, binding: &Binding) -> Option<Diagnostic> {
    if definition.kind == Kind::Metric && matches!(word(&binding.value).as_str(), "higher" | "lower") {
        return None;
    }
    let error = Diagnostic::error("E0503", "`better` says which way a metric is good")
        .label(binding.name.span.to(binding.value.span), "not here, or not like this");
    Some(error.help("write `better = higher` or `better = lower` in a `metric`"))
}

/// `from(w, b)` takes two names and binds every declared parameter, and nothing that is not declared or used on the way.
fn conversion(definition: &Definition, from: &From, errors: &mut Vec<Diagnostic>) {
    if from.parameters.len() != 2 {
        errors.push(
            Diagnostic::error("E0506", "`from` takes the plain weights and the plain offsets")
                .label(from.span, "takes something else")
                .help("write `from(w, b) { … }`"),
        );
    }
    let bound =
        |name: &str| from.body.statements.iter().any(|s| matches!(s, Statement::Bind(b) if b.name.text == name));
    let missing: Vec<&str> = definition
        .body
        .statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::Declare(d) if !bound(&d.name.text) => Some(d.name.text.as_str()),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        let place = definition.name.as_ref().map_or(definition.span, Path::span);
        errors.push(
            Diagnostic::error("E0506", format!("`from` does not say what becomes of {}", listed(&missing)))
                .label(from.span, "not bound here")
                .label(place, "declared in this parameterization")
                .help(format!("add a line `{} = …`", missing.first().copied().unwrap_or("w"))),
        );
    }
}
