//! Matches the arguments of a call with parameters: by position first, then by name.
//!
//! Layers, blocks, parameterizations, optimizers, schedules and data sets are all called the same way, so that mistakes in
//! their arguments give the same errors.

use crate::front::suggest::{listed, suggestion};
use gmpc_grammar::ast::{Argument, Expr, Ident};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// A parameter of something that can be called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'a> {
    /// The parameter's name.
    pub name: &'a str,
    /// Must the call give it a value? True for a parameter without a default.
    pub required: bool,
}

impl<'a> Slot<'a> {
    /// A parameter without a default.
    pub(crate) const fn required(name: &'a str) -> Self {
        Slot { name, required: true }
    }

    /// A parameter with a default.
    pub(crate) const fn optional(name: &'a str) -> Self {
        Slot { name, required: false }
    }
}

/// The expressions of the arguments, by parameter name.
pub(crate) type Bound<'a> = BTreeMap<String, &'a Expr>;

/// Matches `arguments` with `slots`. The first `positional` slots may be given without a name.
///
/// # Errors
/// Every argument that is unknown (E0211), one too many (E0212) or given twice (E0213). Without such an argument, the
/// parameters that are missing (E0214).
pub(crate) fn bind<'a>(
    callee: &str,
    span: Span,
    slots: &[Slot<'_>],
    positional: usize,
    arguments: &'a [Argument],
) -> Result<Bound<'a>, Vec<Diagnostic>> {
    let mut bound = Bound::new();
    let mut errors = Vec::new();
    for (i, argument) in arguments.iter().enumerate() {
        // The grammar lets no argument without a name follow one with a name, so `i` is also its position among the slots.
        let slot = match &argument.name {
            Some(name) => slots.iter().find(|s| s.name == name.text).ok_or_else(|| unknown(callee, name, slots)),
            None => slots.iter().take(positional).nth(i).ok_or_else(|| too_many(callee, argument, slots, positional)),
        };
        match slot {
            Err(error) => errors.push(error),
            Ok(slot) => {
                if let Some(first) = bound.insert(slot.name.to_string(), &argument.value) {
                    errors.push(twice(callee, slot.name, first.span, argument.value.span));
                }
            }
        }
    }
    // A misspelt name leaves its parameter without a value. Reporting both would be one mistake told twice.
    let missing: Vec<&str> =
        slots.iter().filter(|s| s.required && !bound.contains_key(s.name)).map(|s| s.name).collect();
    if !missing.is_empty() && errors.is_empty() {
        errors.push(lacks(callee, span, &missing));
    }
    if errors.is_empty() { Ok(bound) } else { Err(errors) }
}

fn unknown(callee: &str, name: &Ident, slots: &[Slot<'_>]) -> Diagnostic {
    let error = Diagnostic::error("E0211", format!("`{callee}` has no argument `{}`", name.text))
        .label(name.span, "no such argument");
    let asks_weights = matches!(name.text.as_str(), "weight" | "weights" | "class_weight" | "class_weights");
    if asks_weights && !slots.iter().any(|slot| slot.name == "weights") {
        return error.help(format!(
            "`{callee}` weighs all classes alike; a loss of your own can weigh them: \
             `loss mine(prediction: logits, target: label) {{ mean((1 + 4 * (target == 1)) * (log_sum_exp(prediction) - \
             pick(prediction, target))) }}`"
        ));
    }
    if slots.is_empty() {
        return error.help(format!("`{callee}` takes no arguments"));
    }
    error.help(suggestion(&name.text, &format!("arguments of `{callee}`"), slots.iter().map(|s| s.name)))
}

fn too_many(callee: &str, argument: &Argument, slots: &[Slot<'_>], positional: usize) -> Diagnostic {
    let names: Vec<&str> = slots.iter().map(|s| s.name).collect();
    let message = match positional {
        0 => format!("`{callee}` takes no argument without a name"),
        1 => format!("`{callee}` takes one argument without a name"),
        n => format!("`{callee}` takes {n} arguments without a name"),
    };
    Diagnostic::error("E0212", message).label(argument.value.span, "one too many").help(if names.is_empty() {
        "leave it out".to_string()
    } else {
        format!("in order, `{callee}` takes {}", listed(&names))
    })
}

fn twice(callee: &str, name: &str, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0213", format!("`{callee}` is given `{name}` twice"))
        .label(second, "given again here")
        .label(first, "first given here")
        .help("leave one of them out")
}

fn lacks(callee: &str, span: Span, missing: &[&str]) -> Diagnostic {
    let example: Vec<String> = missing.iter().map(|name| format!("{name} = …")).collect();
    Diagnostic::error("E0214", format!("`{callee}` needs {}", listed(missing)))
        .label(span, "called here")
        .help(format!("write `{callee}({})`", example.join(", ")))
}
