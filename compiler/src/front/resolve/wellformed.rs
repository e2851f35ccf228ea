//! Checks the form of definitions before anything is computed with them: E0501 to E0507.

use crate::front::bounds::stated;
use crate::front::names::reference::noun;
use crate::front::suggest::{listed, suggestion, with_article};
use gmpc_grammar::ast::{Ast, Binding, Definition, Expr, ExprKind, From, Item, Kind, Parameter, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// The annotations that the `target` of a loss or metric may have.
const TARGETS: [&str; 3] = ["label", "binary", "class"];

/// Checks every definition of the file.
pub(crate) fn check(ast: &Ast, errors: &mut Vec<Diagnostic>) {
    for item in &ast.items {
        let Item::Definition(definition) = item else { continue };
        annotations(definition, errors);
        if matches!(definition.kind, Kind::Loss | Kind::Metric) {
            errors.extend(compared(definition));
        }
        if definition.kind == Kind::Activation {
            errors.extend(without_argument(definition));
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

/// Checks the annotations of a definition's parameters.
fn annotations(definition: &Definition, errors: &mut Vec<Diagnostic>) {
    for parameter in &definition.parameters {
        let Some(annotation) = &parameter.annotation else { continue };
        let word = word(annotation);
        // What an annotation means depends on the definition: a shape, the form of a prediction or target, or a range. The
        // first two have words of their own. Ranges are known to `bounds`.
        let known: &[&str] = match (definition.kind, parameter.name.text.as_str()) {
            // A shape is checked when the network is inferred.
            (Kind::Model, "input") => continue,
            (Kind::Loss | Kind::Metric, "prediction") => &["logits"],
            (Kind::Loss | Kind::Metric, "target") => &TARGETS,
            (kind, _) if !matches!(kind, Kind::Model | Kind::Block | Kind::Dataset) && stated(parameter).is_some() => {
                continue;
            }
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

/// Checks that the first two parameters of a loss or metric are `prediction` and `target`.
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

/// Checks that the first parameter of an activation is the number that it is a formula of.
fn without_argument(definition: &Definition) -> Option<Diagnostic> {
    let name = definition.name.as_ref()?;
    let error = |message: &str| Diagnostic::error("E0507", format!("the activation `{name}` {message}"));
    match definition.parameters.first() {
        Some(first) => first.default.as_ref().map(|default| {
            error("has a default for its argument")
                .label(default.span, "the argument comes from the layer")
                .help(format!("write `activation {name}({}, …)`; further parameters have defaults", first.name.text))
        }),
        None => Some(
            error("has no argument")
                .label(name.span(), "no parameter")
                .help(format!("write `activation {name}(s) {{ … }}`: `s` is the number that it is applied to")),
        ),
    }
}

fn better(definition: &Definition, binding: &Binding) -> Option<Diagnostic> {
    if definition.kind == Kind::Metric && matches!(word(&binding.value).as_str(), "higher" | "lower") {
        return None;
    }
    let error = Diagnostic::error("E0503", "`better` says whether higher or lower values of a metric are better")
        .label(binding.name.span.to(binding.value.span), "not here, or not like this");
    Some(error.help("write `better = higher` or `better = lower` in a `metric`"))
}

/// Checks that `from(w, b)` takes two names and binds every declared parameter.
fn conversion(definition: &Definition, from: &From, errors: &mut Vec<Diagnostic>) {
    if from.parameters.len() != 2 {
        errors.push(
            Diagnostic::error("E0506", "`from` takes the plain weights and the plain offsets")
                .label(from.span, "takes something else")
                .help("write `from(w, b) { … }`"),
        );
    }
    // A conversion to this parameterization must give a value to every parameter, but to drawn ones of a shape of their own, such as a
    // factor of a product of 0. Additional bindings are intermediate values.
    let bound =
        |name: &str| from.body.statements.iter().any(|s| matches!(s, Statement::Bind(b) if b.name.text == name));
    let missing: Vec<&str> = definition
        .body
        .statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::Declare(d) if !bound(&d.name.text) && !d.may_be_drawn() => Some(d.name.text.as_str()),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        // The help shows one line of the form that is missing; the message lists all missing names.
        let place = definition.name.as_ref().map_or(definition.span, Path::span);
        errors.push(
            Diagnostic::error("E0506", format!("`from` does not say what becomes of {}", listed(&missing)))
                .label(from.span, "not bound here")
                .label(place, "declared in this parameterization")
                .help(format!("add a line `{} = …`", missing.first().copied().unwrap_or("w"))),
        );
    }
}
