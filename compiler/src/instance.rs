//! A definition with its arguments: every parameter gets a value, from the call or from its default.

use crate::arguments::{Slot, bind};
use crate::constant::{Scope, evaluate};
use crate::module::{Instance, Value};
use gmpc_grammar::ast::{Argument, Definition, Expr, Kind, Parameter};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many initializers or parameterizations may be each other's default arguments: each level multiplies the work.
const MAX_NESTING: usize = 4;

/// Evaluates the arguments of a call of `definition` and the defaults of what it leaves out.
///
/// Defaults may refer to earlier parameters.
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
    let own: Vec<&Parameter> = definition.parameters.iter().filter(|p| !is_supplied(definition.kind, p)).collect();
    let slots: Vec<Slot<'_>> = own.iter().map(|p| Slot { name: &p.name.text, required: p.default.is_none() }).collect();
    let bound = bind(&name, span, &slots, slots.len(), arguments)?;
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    for parameter in own {
        let value = match (bound.get(&parameter.name.text), &parameter.default) {
            (Some(given), _) => evaluate(given, scope),
            (None, Some(default)) => default_value(default, &values, scope, span),
            (None, None) => continue,
        };
        match value {
            Ok(value) => {
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
    span: Span,
) -> Result<Value, Diagnostic> {
    if scope.depth >= MAX_NESTING {
        return Err(Diagnostic::error("E0511", "the defaults of this definition refer to each other in a circle")
            .label(default.span, "asks for a default again")
            .label(span, "asked for here")
            .help("give one of them a plain value"));
    }
    let around = scope.depth + 1;
    evaluate(default, &Scope { names: earlier, param: scope.param, words: &[], depth: around, ..*scope })
}

/// Parameters that the stage using a definition fills in itself.
pub(crate) fn is_supplied(kind: Kind, parameter: &Parameter) -> bool {
    matches!(kind, Kind::Loss | Kind::Metric) && matches!(parameter.name.text.as_str(), "prediction" | "target")
}
