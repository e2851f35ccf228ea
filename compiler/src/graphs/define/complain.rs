//! Errors in the body of a definition.

use super::reduction::Reduction;
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id};
use crate::ir::module::Value;
use gmpc_grammar::ast::Ident;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::similar::nearest;
use gmpc_grammar::source::Span;

pub(super) fn unknown_name<'a>(name: &str, known: impl Iterator<Item = &'a String>, span: Span) -> Diagnostic {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let error =
        Diagnostic::error("E0550", format!("`{name}` is not known in this definition")).label(span, "not bound here");
    match nearest(name, known.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("bind it above, or add it to the definition's parameters"),
    }
}

pub(super) fn absent(name: &str, reason: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0551", format!("`{name}` has no value {reason}")).label(span, "needed here").help(
        "start the parameter from numbers, from `norm`, `mean` or `var` of a weight declared before it, or from a draw",
    )
}

pub(super) fn unknown_call(name: &str, known: impl Iterator<Item = &'static str> + Clone, span: Span) -> Diagnostic {
    let error = Diagnostic::error("E0552", format!("`{name}` cannot be called in this definition"))
        .label(span, "no such function here");
    match nearest(name, known.clone()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("these can be called here: {}", known.collect::<Vec<_>>().join(", "))),
    }
}

pub(super) fn arity(name: &str, expected: usize, found: usize, span: Span) -> Diagnostic {
    let plural = if expected == 1 { "" } else { "s" };
    Diagnostic::error("E0553", format!("`{name}` takes {expected} argument{plural}, but {found} stand here"))
        .label(span, "in this call")
        .help("give it as many as it takes")
}

pub(super) fn no_named_arguments(name: &str, span: Span) -> Diagnostic {
    let error =
        Diagnostic::error("E0553", format!("`{name}` takes no such named argument")).label(span, "in this call");
    if Reduction::of(name, true).is_some() {
        return error.help(format!("axes are named by `over`: `{name}(…, over = features)`"));
    }
    error.help("write the arguments without their names")
}

pub(super) fn do_not_fit(graph: &Graph, a: (Id, Axes, Span), b: (Id, Axes, Span), span: Span) -> Diagnostic {
    let describe = |(id, axes, _): (Id, Axes, Span)| format!("{}, {:?}", axes.description(), graph.shape(id));
    let error = Diagnostic::error("E0554", "these two do not fit together in one operation")
        .label(span, "in this operation")
        .label(a.2, describe(a))
        .label(b.2, describe(b));
    let either = |wanted: fn(&Axes) -> bool| (wanted(&a.1), wanted(&b.1));
    let (weight, batch) = (either(|axes| axes.has(Axis::Inputs)), either(Axes::is_batch));
    if (weight.0 && batch.1) || (weight.1 && batch.0) {
        return error.help("a weight meets the input in `dot(w, x)`");
    }
    let (feature, unit) = (either(|axes| axes.has(Axis::Features)), either(|axes| axes.has(Axis::Units)));
    if (feature.0 && unit.1) || (feature.1 && unit.0) {
        return error.help("one value for each feature of the input is a `feature`, one for each unit a `unit`");
    }
    error.help("operands have the same axes, or one is a number or lacks some of them")
}

pub(super) fn wrong_shape(axes: Axes, found: &[usize], expected: &[usize], span: Span) -> Diagnostic {
    let what = axes.description();
    Diagnostic::error("E0555", format!("this is {what} of shape {found:?}, where {expected:?} is needed"))
        .label(span, "this value")
        .help("reduce it, or give it as many values as are needed")
}

pub(crate) fn condition_not_known(span: Span) -> Diagnostic {
    Diagnostic::error(
        "E0556",
        "a choice in a definition is made while compiling, but this is only known while training",
    )
    .label(span, "depends on data or parameters")
    .help("use `min`, `max` or a comparison, which gives 0 or 1 for each value")
}

pub(super) fn not_a_condition(span: Span) -> Diagnostic {
    Diagnostic::error("E0556", "this is not `true` or `false`")
        .label(span, "a condition is needed")
        .help("compare it: `p > 0`")
}

pub(super) fn no_arm(span: Span) -> Diagnostic {
    Diagnostic::error("E0556", "no arm of this `match` fits")
        .label(span, "nothing is chosen")
        .help("add a last arm `_ => …`")
}

pub(super) fn not_a_number(value: &Value, span: Span) -> Diagnostic {
    let what = match value {
        Value::String(s) => format!("the text \"{s}\""),
        Value::Bool(b) => format!("`{b}`"),
        Value::List(_) => "a list".to_string(),
        Value::Instance(instance) => format!("the definition `{}`", instance.name),
        Value::Word(word) => format!("`{word}`"),
        Value::Integer(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
    };
    Diagnostic::error("E0557", format!("a number is needed, but this is {what}"))
        .label(span, "not a number")
        .help("give a number")
}

pub(super) fn not_finite(span: Span) -> Diagnostic {
    Diagnostic::error("E0558", "this is not a finite number")
        .label(span, "overflows or is undefined")
        .help("check its operands")
}

pub(super) fn no_such_expression(span: Span) -> Diagnostic {
    Diagnostic::error("E0559", "flows and lists have no meaning inside a definition's formula")
        .label(span, "here")
        .help("write a formula with `+ - * / ^` and functions")
}

pub(super) fn no_declaration(name: &Ident) -> Diagnostic {
    Diagnostic::error("E0560", format!("`{}` cannot be declared here", name.text))
        .label(name.span, "declared here")
        .help("parameters are declared in parameterizations and modifiers, states in optimizers; here, bind with `=`")
}

pub(super) fn no_result(span: Span) -> Diagnostic {
    Diagnostic::error("E0561", "this definition ends without a value")
        .label(span, "its last line binds a name")
        .help("end with the expression that is its value")
}

pub(super) fn no_angles(span: Span) -> Diagnostic {
    Diagnostic::error("E0562", "a unit with one input has no angles, its direction is a fixed sign")
        .label(span, "computes with its angles")
        .help("use the angles only in `spherical`, or give the layer more inputs")
}

/// E0563: the axis that a reduction has without `over` is not there.
pub(crate) fn cannot_reduce(what: Reduction, axes: Axes, argument: Span, span: Span) -> Diagnostic {
    let name = what.word();
    let error = Diagnostic::error("E0563", format!("`{name}` cannot reduce {}", axes.description()))
        .label(span, "in this call")
        .label(argument, axes.description());
    let choices: Vec<&str> = axes.words().into_iter().filter(|word| !word.contains(' ') && *word != "groups").collect();
    match choices.first() {
        None => error.help(format!("leave `{name}` out: this is one number, whatever the rows or the inputs are")),
        Some(first) if axes.is_batch() => {
            let first = choices.iter().find(|word| **word != "batch").unwrap_or(first);
            error.help(format!("say over which axes: `{name}(…, over = {first})`"))
        }
        Some(_) if choices.contains(&"inputs") => {
            error.help(format!("write `{name}(…, over = inputs)`, or `over = parameter` for all its numbers"))
        }
        Some(first) => error.help(format!("leave `{name}` out, or say over which axis: `{name}(…, over = {first})`")),
    }
}

pub(super) fn no_first_batch(kind: Span, span: Span) -> Diagnostic {
    Diagnostic::error("E0592", "the first batch can set a `unit` or an `offset`")
        .label(kind, "this is another kind")
        .label(span, "computed from the first batch")
        .help("draw it: `w: weight ~ init`, and let the first batch set a scale: `l: unit = first_batch(1 / sqrt(var(s)))`")
}

pub(super) fn no_first_batch_here(span: Span) -> Diagnostic {
    Diagnostic::error("E0592", "the first batch sets parameters of a parameterization")
        .label(span, "belongs to another definition")
        .help("start the parameter from a number, or write a parameterization that declares it")
}
