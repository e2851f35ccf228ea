//! Errors of networks that cannot be converted to another parameterization.

use crate::front::stdlib::is_library;
use crate::ir::graph::{State, Tensor};
use crate::ir::net::{Layer, Unit};
use gmpc_grammar::ast::From;
use gmpc_grammar::diagnostic::Diagnostic;

pub(super) fn missing(name: &str, layer: &Layer) -> Diagnostic {
    Diagnostic::error("E0580", format!("the checkpoint has no tensor `{name}`"))
        .label(layer.span, "this layer needs it")
        .help("convert a checkpoint of this very network")
}

pub(super) fn wrong_size(state: &State, tensor: &Tensor, layer: &Layer) -> Diagnostic {
    Diagnostic::error("E0580", format!("`{}` is {:?} in the checkpoint", state.name, tensor.shape))
        .label(layer.span, format!("{:?} is needed here", state.file_shape))
        .help("convert a checkpoint of this very network")
}

pub(super) fn differs(to: &Layer, from: &Layer) -> Diagnostic {
    Diagnostic::error("E0581", format!("the networks differ: `{}` here, `{}` there", to.name, from.name))
        .label(to.span, "this layer has no counterpart of the same kind and shape")
        .help("convert between files that differ in their parameterizations only")
}

pub(super) fn many_acts(layer: &Layer, unit: &Unit) -> Diagnostic {
    Diagnostic::error(
        "E0582",
        format!("`{}` cannot be folded: `{}` calls `act` more than once", layer.name, unit.param),
    )
    .label(layer.span, "this unit")
    .label(unit.param.base.definition.body.span, "its parameterization")
    .help("only units with one activation can be converted")
}

pub(super) fn not_affine(layer: &Layer, unit: &Unit, part: &str) -> Diagnostic {
    let what = match part {
        "inside" => "the argument of `act` is not an affine function of `x`",
        _ => "the formula around `act` is not an affine function of it",
    };
    Diagnostic::error("E0582", format!("`{}` cannot be folded: {what}", layer.name))
        .label(layer.span, "this unit")
        .label(unit.param.base.definition.body.span, "its parameterization")
        .help("only units of the form scale * act(w . x + b) + shift can be converted")
}

/// Zeros around an image stand for a value of it that depends on where it is multiplied, or for none.
pub(super) fn border(layer: &Layer, unit: &Unit) -> Diagnostic {
    Diagnostic::error("E0582", format!("`{}` cannot be folded: its border has no plain form", layer.name))
        .label(layer.span, "zeros are put around the image here, after it has been prepared")
        .label(unit.param.base.definition.body.span, "its parameterization")
        .help("prepare the image once, for all products, and keep every channel; or use `pad = 0` in the network")
}

pub(super) fn cannot_follow(unit: &Layer, user: &Layer, negative: Option<usize>) -> Diagnostic {
    let reason = match negative {
        Some(index) => format!("unit {index} has a negative scale outside its activation"),
        None => "a scale outside its activation cannot move inside".to_string(),
    };
    Diagnostic::error("E0583", format!("`{}` cannot be folded to plain weights: {reason}", unit.name))
        .label(unit.span, "this unit")
        .label(user.span, "the scale cannot move in here, or not only here")
        .help("it can where a single layer with weights comes next; averages may stand between")
}

pub(super) fn no_section(layer: &Layer, unit: &Unit) -> Diagnostic {
    Diagnostic::error(
        "E0584",
        format!("`{}` does not say how its parameters follow from plain weights", unit.param.base.name),
    )
    .label(unit.param.base.definition.body.span, "no `from(w, b)` section in here")
    .label(layer.span, "wanted for this layer")
    .help(if is_library(&unit.param.base.definition) {
        "no parameters of it give arbitrary weights: convert to another parameterization, such as `sp` or `wn`"
    } else {
        "add `from(w, b) { … }` with one binding for each parameter"
    })
}

pub(super) fn section_parameters(section: &From) -> Diagnostic {
    Diagnostic::error("E0584", "a `from` section takes two parameters")
        .label(section.span, "this one")
        .help("write `from(w, b) { … }`: the plain weight and the plain offset")
}

pub(super) fn not_bound(name: &str, section: &From, unit: &Unit) -> Diagnostic {
    Diagnostic::error("E0584", format!("`{}` does not say what `{name}` is for plain weights", unit.param.base.name))
        .label(section.span, format!("no `{name} = …` in here"))
        .help("bind every declared parameter in the `from` section")
}

pub(super) fn weightless(layer: &Layer, unit: &Unit, index: usize) -> Diagnostic {
    Diagnostic::error("E0585", format!("unit {index} of `{}` cannot be written in `{}`", layer.name, unit.param))
        .label(layer.span, "its weights are all 0, but its value is not: it has no direction")
        .help("remove the unit, or keep this layer's parameterization")
}

pub(super) fn curved(layer: &Layer, unit: &Unit) -> Diagnostic {
    Diagnostic::error("E0586", format!("`{}` cannot be written in `{}`", layer.name, unit.param))
        .label(layer.span, "its activation is curved, so the length of a weight vector cannot stand outside it")
        .help("keep this layer's parameterization, or use one whose scale stands inside, such as `wn`")
}

pub(super) fn not_reproduced(layer: &Layer, unit: &Unit) -> Diagnostic {
    Diagnostic::error("E0587", format!("`{}` written in `{}` is another function", layer.name, unit.param))
        .label(layer.span, "this layer")
        .label(unit.param.base.definition.body.span, "by its `from` section")
        .help(if unit.bias && is_library(&unit.param.base.definition) {
            "only some weights can be written in it, and these are others: convert to another parameterization, such as `sp` or `wn`"
        } else if unit.bias {
            "correct the `from` section"
        } else {
            "this layer has no offset: allow it with `bias = true`"
        })
}

/// The error for a centred convolution with padding, which has no plain form.
pub(super) fn moved_before_padding(there: &Layer, from: &Unit, here: &Layer, to: &Unit) -> Diagnostic {
    let names: Vec<&str> = from.param.modifiers.iter().map(|m| m.name.as_str()).collect();
    let centred =
        format!("{} + {}", to.param.base.name, if names.is_empty() { "mn".to_string() } else { names.join(" + ") });
    Diagnostic::error("E0588", format!("`{}` cannot be written in `{}`: its border would change", there.name, to.param))
        .label(there.span, format!("`{}` centres the image before zeros are put around it", from.param))
        .label(here.span, format!("`{}` puts zeros around the image as it comes", to.param))
        .help(format!("keep what centres: `{centred}`; or use `pad = 0` in the network"))
}
