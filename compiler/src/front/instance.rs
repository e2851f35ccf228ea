//! Makes an instance of a definition: every parameter gets a value, from the call or from its default.

use crate::front::arguments::{Slot, bind};
use crate::front::bounds;
use crate::front::interpret::Vocabulary;
use crate::front::scope::Scope;
use crate::ir::module::{Instance, Value};
use gmpc_grammar::ast::{Argument, Definition, Expr, Kind, Parameter};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep defaults may contain definitions that take their own defaults. Each level multiplies the work, so a small limit
/// keeps hostile files cheap.
const MAX_NESTING: usize = 4;

/// Evaluates the arguments of a call of `definition`, and the defaults of the parameters that the call leaves out.
///
/// A default may refer to earlier parameters.
///
/// # Errors
/// E021x for arguments that do not fit, E04xx for values.
pub(crate) fn instantiate(
    definition: &Arc<Definition>,
    arguments: &[Argument],
    span: Span,
    scope: &Scope<'_>,
) -> Result<Instance, Vec<Diagnostic>> {
    let name = definition.name.as_ref().map(ToString::to_string).unwrap_or_default();
    // `prediction` and `target` of a loss get their values from the training step, the argument of an activation from its unit.
    let own: Vec<&Parameter> = definition.parameters.iter().filter(|p| !is_supplied(definition, p)).collect();
    let slots: Vec<Slot<'_>> = own.iter().map(|p| Slot { name: &p.name.text, required: p.default.is_none() }).collect();
    let bound = bind(&name, span, &slots, slots.len(), arguments)?;
    let mut scope = Scope { words: words(definition.kind).unwrap_or(scope.words), ..*scope };
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    // In the order of the definition, because a default may use the values of the parameters before it.
    for parameter in own {
        let value = match (bound.get(&parameter.name.text), &parameter.default) {
            (Some(given), _) => scope.evaluate(given),
            (None, Some(default)) => default_value(default, &values, &scope, (definition.kind, span)),
            (None, None) => continue,
        };
        match value {
            // A value outside its range is kept all the same, so that later defaults do not add errors of their own.
            Ok(value) => {
                let place = bound.get(&parameter.name.text).map_or(span, |given| given.span);
                errors.extend(bounds::check(parameter, &value, place));
                values.insert(parameter.name.text.clone(), value);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(Instance { name, definition: Arc::clone(definition), arguments: values, span })
    } else {
        Err(errors)
    }
}

fn default_value(
    default: &Expr,
    earlier: &BTreeMap<String, Value>,
    scope: &Scope<'_>,
    (kind, span): (Kind, Span),
) -> Result<Value, Diagnostic> {
    if scope.depth >= MAX_NESTING {
        return Err(Diagnostic::error("E0511", "the defaults of this definition refer to each other in a circle")
            .label(default.span, "asks for a default again")
            .label(span, "asked for here")
            .help("give one of them a plain value"));
    }
    let mut inner = Scope {
        names: earlier,
        param: scope.param,
        words: words(kind).unwrap_or(&[]),
        depth: scope.depth + 1,
        ..*scope
    };
    inner.evaluate(default)
}

/// Returns the words that arguments of this kind of definition may be: `cosine(per = step)`. `None` if there are none.
fn words(kind: Kind) -> Option<&'static [&'static str]> {
    match kind {
        Kind::Schedule => Some(&["epoch", "step"]),
        Kind::Loss => Some(&["equal", "balanced"]),
        _ => None,
    }
}

/// Is this a parameter that the compiler fills in, not the call? True for `prediction` and `target` of losses and metrics, and for
/// the argument of an activation, its first parameter.
pub(crate) fn is_supplied(definition: &Definition, parameter: &Parameter) -> bool {
    match definition.kind {
        Kind::Loss | Kind::Metric => matches!(parameter.name.text.as_str(), "prediction" | "target"),
        Kind::Activation => definition.parameters.first().is_some_and(|first| first.name.text == parameter.name.text),
        _ => false,
    }
}
