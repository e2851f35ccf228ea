//! What is said when a parameterization or a modifier does not make a unit.

use crate::module::Instance;
use gmpc_grammar::ast::{Declaration, Definition};
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

pub(super) fn one_row(span: Span, place: Span, name: &str) -> Diagnostic {
    Diagnostic::error("E0567", format!("the batch variance of one value is always 0, and `{name}` divides by it"))
        .label(span, "variance over the batch")
        .label(place, "this layer sees a batch of 1 row")
        .help("train with two rows or more in every batch, the last one included, or without this parameterization")
}

pub(super) fn bad_momentum(value: f64, span: Span) -> Diagnostic {
    Diagnostic::error("E0568", format!("a momentum is above 0 and at most 1, but this one is {value}"))
        .label(span, "asked for here")
        .help("it is the weight of the new batch in the running statistic: 0.1 is usual")
}

pub(crate) fn unknown_kind(declaration: &Declaration) -> Diagnostic {
    let found = &declaration.kind.text;
    let kinds = ["weight", "unit", "offset", "angles"];
    let error = Diagnostic::error("E0569", format!("`{found}` is no kind of parameter"))
        .label(declaration.kind.span, "unknown kind");
    match gmpc_grammar::similar::nearest(found, kinds.into_iter()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("a parameter is a `weight`, a `unit`, an `offset` or `angles`"),
    }
}

pub(super) fn bad_operands(name: &str, expected: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0570", format!("`{name}` takes {expected}")).label(span, "something else stands here").help(
        match name {
            "dot" => "write `dot(w, x)`: the weight first",
            _ => "declare it: `theta: angles ~ init`",
        },
    )
}

pub(super) fn declared_twice(declaration: &Declaration) -> Diagnostic {
    Diagnostic::error("E0571", format!("`{}` is declared twice in one unit", declaration.name.text))
        .label(declaration.name.span, "the second one")
        .help("give it another name; a modifier shares the names of the parameterization")
}
