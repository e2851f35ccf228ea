//! Collects the settings of a body (`train`, `dataset`): each at most once, none unknown.

use crate::front::suggest::suggestion;
use gmpc_grammar::ast::{Binding, Body, Expr, Ident, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// Settings by name: the name in the text, and the value.
pub(crate) type Settings<'a> = BTreeMap<&'a str, (&'a Ident, &'a Expr)>;

/// Returns the bindings of a body whose names are `known`. Other bindings are errors; `place` names the body in them
/// ("`train`").
pub(crate) fn settings<'a>(body: &'a Body, place: &str, known: &[&str], errors: &mut Vec<Diagnostic>) -> Settings<'a> {
    let mut found = Settings::new();
    for statement in &body.statements {
        match statement {
            Statement::Bind(binding) if !known.contains(&binding.name.text.as_str()) => {
                errors.push(unknown_setting(&binding.name, place, known));
            }
            Statement::Bind(binding) => add(&mut found, binding),
            // The reader rejects declarations and `from` in a body of settings.
            Statement::Declare(_) | Statement::From(_) => {}
        }
    }
    found
}

/// Adds a setting. Of two settings with the same name the first counts; the reader has reported the second.
pub(crate) fn add<'a>(found: &mut Settings<'a>, binding: &'a Binding) {
    found.entry(&binding.name.text).or_insert((&binding.name, &binding.value));
}

/// The error for an unknown setting.
pub(crate) fn unknown_setting(name: &Ident, place: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error("E0601", format!("{place} has no setting `{}`", name.text)).label(name.span, "unknown").help(
        habit(&name.text, place).map_or_else(
            || suggestion(&name.text, &format!("settings of {place}"), known.iter().copied()),
            ToString::to_string,
        ),
    )
}

/// Settings of other frameworks, and what to write instead.
fn habit(name: &str, place: &str) -> Option<&'static str> {
    match (place, name) {
        ("`train`", "lr" | "learning_rate") => {
            Some("the learning rate is an argument of the optimizer: `optimizer = adam(lr = 0.01)`")
        }
        ("`train`", "weight_decay" | "momentum") => {
            Some("it is an argument of the optimizer: `optimizer = sgd(lr = 0.1, momentum = 0.9, weight_decay = 1e-4)`")
        }
        ("`train`", "batch_size") => Some("it is called `batch`: `batch = 64`, or `batch = all`"),
        ("`train`", "early_stop" | "early_stopping" | "patience") => {
            Some("write `stop = early_stop(valid.loss, patience = 10)`")
        }
        ("`train`", "seed" | "precision" | "data" | "param") => {
            Some("it belongs to the file: write it above, outside `train`")
        }
        ("a file", "loss" | "optimizer" | "epochs" | "batch" | "metrics") => Some("it belongs into `train { … }`"),
        _ => None,
    }
}
