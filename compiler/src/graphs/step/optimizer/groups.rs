//! `groups = [angles(lr = 0.01), stem(weight_decay = 0)]`: other arguments of the optimizer for some parameters.

use crate::front::suggest::suggestion;
use crate::graphs::parameters::{Facts, words};
use crate::ir::graph::{Graph, Id};
use crate::ir::module::{Instance, Training, Value};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// Checks that every word of `groups` and `freeze` means a parameter.
///
/// # Errors
/// E0617 for each word that means none.
pub(super) fn check(training: &Training, facts: &BTreeMap<String, Facts>) -> Result<(), Vec<Diagnostic>> {
    let asked = training.groups.iter().map(|group| (group.name.as_str(), group.span, "group"));
    let frozen = training.freeze.iter().map(|(name, span)| (name.as_str(), *span, "layer"));
    let meant = |name: &str, what: &str| match what {
        "group" => facts.values().any(|facts| facts.is_meant(name)),
        _ => facts.values().any(|facts| facts.is_in(name)),
    };
    let wrong = asked.chain(frozen).filter(|(name, _, what)| !meant(name, what));
    let errors: Vec<Diagnostic> = wrong.map(|(name, span, _)| unknown(name, span, facts)).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn unknown(name: &str, span: Span, facts: &BTreeMap<String, Facts>) -> Diagnostic {
    let words = words(facts);
    Diagnostic::error("E0617", format!("no parameter of the network belongs to `{name}`"))
        .label(span, "neither a kind of parameter nor a layer with parameters")
        .help(suggestion(name, "kinds and layers", words.iter().map(String::as_str)))
}

/// The optimizer with the arguments of the groups that a parameter belongs to. Where two groups give the same argument, the last
/// one counts.
pub(super) fn own(optimizer: &Instance, training: &Training, facts: Option<&Facts>) -> Instance {
    let mut own = optimizer.clone();
    for group in &training.groups {
        if facts.is_some_and(|facts| facts.is_meant(&group.name)) {
            own.arguments.extend(group.arguments.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    own
}

/// The learning rate of a parameter. A group's rate is scheduled like that of the optimizer: both keep their ratio.
pub(super) fn rate(graph: &mut Graph, optimizer: &Instance, own: &Instance, lr: Id) -> Id {
    let number = |instance: &Instance| match instance.arguments.get("lr") {
        Some(Value::Integer(n)) => Some(*n as f64),
        Some(Value::Float(x)) => Some(*x),
        _ => None,
    };
    match (number(optimizer), number(own)) {
        // The quotient is exactly 1 as long as no schedule changes the rate, so that the group's rate is exact then.
        (Some(base), Some(wanted)) if wanted != base => {
            let base = graph.constant(base);
            let scheduled = graph.div(lr, base);
            graph.scale(scheduled, wanted)
        }
        _ => lr,
    }
}
