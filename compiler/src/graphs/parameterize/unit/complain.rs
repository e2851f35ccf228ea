//! Errors of parameterizations and modifiers that do not define a unit.

use crate::ir::module::Instance;
use gmpc_grammar::ast::Definition;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

fn name(definition: &Definition) -> String {
    definition.name.as_ref().map(ToString::to_string).unwrap_or_default()
}

pub(crate) fn no_value(definition: &Definition) -> Diagnostic {
    Diagnostic::error("E0561", format!("the parameterization `{}` ends without a value", name(definition)))
        .label(definition.body.span, "its last line is no expression")
        .help("end with the unit's value, such as `act(s + b)`")
}

pub(super) fn not_per_example(span: Span) -> Diagnostic {
    Diagnostic::error("E0564", "a unit's value must depend on the example")
        .label(span, "is the same for every example")
        .help("use `dot` with a weight and `x`")
}

pub(super) fn no_act(definition: &Definition) -> Diagnostic {
    Diagnostic::error("E0565", format!("the parameterization `{}` never applies the activation", name(definition)))
        .label(definition.body.span, "no `act(…)` in here")
        .help("apply it to the pre-activation: `act(s + b)`")
}

pub(super) fn modifies_nothing(modifier: &Instance, base: &Definition) -> Diagnostic {
    Diagnostic::error(
        "E0566",
        format!("the modifier `{}` rebinds nothing that the parameterization `{}` assigns", modifier.name, name(base)),
    )
    .label(modifier.definition.body.span, "rebinds neither `x` nor a name assigned there")
    .label(base.body.span, "the names assigned here can be rebound")
    .help("name the pre-activation `s` in the parameterization, or rebind `x`")
}

pub(super) fn modifies_two(modifier: &Instance, targets: &[&str]) -> Diagnostic {
    let names: Vec<String> = targets.iter().map(|t| format!("`{t}`")).collect();
    Diagnostic::error("E0566", format!("the modifier `{}` rebinds {}", modifier.name, names.join(" and ")))
        .label(modifier.definition.body.span, "only one of them can be rebound")
        .help("write two modifiers and join them with `+`")
}

pub(crate) fn one_row(span: Span, place: Span, name: &str) -> Diagnostic {
    Diagnostic::error("E0567", format!("the batch variance of one value is always 0, and `{name}` divides by it"))
        .label(span, "variance over the batch")
        .label(place, "this layer sees a batch of 1 row")
        .help("write `last_batch = drop` if only the last batch has one row; else train with two rows or more in every batch")
}

pub(crate) fn state_of_another_shape(name: &str, shape: &[usize], span: Span) -> Diagnostic {
    Diagnostic::error("E0555", format!("the new value of the state `{name}` needs the shape {shape:?}"))
        .label(span, "this definition binds something else to it")
        .help("compute one value for each value of the state")
}

pub(super) fn bad_operands(name: &str, expected: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0570", format!("`{name}` takes {expected}")).label(span, "something else stands here").help(
        match name {
            "dot" => "write `dot(w, x)`: the weight first",
            _ => "declare it: `theta: angles ~ init`",
        },
    )
}
