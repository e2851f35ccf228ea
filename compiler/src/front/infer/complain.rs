//! The errors of this stage: names, shapes, and networks that do not fit their data or loss.

mod shapes;

pub(super) use shapes::{
    Clash, Operand, cannot_join, cuts_too_much, groups_of_channels, groups_of_units, no_image, not_flat,
    pad_covers_window, pieces_of_features, reflects_too_far, shapes_differ, too_many_parts, too_many_weights,
    too_much_padding, window_too_large,
};

use crate::front::constant::sort;
use crate::front::suggest::suggestion;
use crate::ir::experiment::{DataSpec, Task};
use crate::ir::module::{Instance, Value};
use crate::ir::net::Layer;
use gmpc_grammar::ast::{Body, Declaration, Definition, Ident, Parameter};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// Returns the shape of an example as text: `13`, `3×32×32`.
pub(super) fn sizes(shape: &[usize]) -> String {
    match shape {
        [] => "a single number".to_string(),
        [n] => n.to_string(),
        _ => shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×"),
    }
}

// Names in a body.

pub(super) fn unknown_name<'a>(name: &str, span: Span, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    Diagnostic::error("E0301", format!("there is nothing called `{name}` here"))
        .label(span, "unknown")
        .help(suggestion(name, "known here", known))
}

pub(super) fn stage_alone(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0302", format!("`{name}` needs something that flows into it"))
        .label(span, "a stage without an input")
        .help(format!("let something flow into it: `input -> {name}`, with its arguments"))
}

pub(super) fn unknown_stage<'a>(name: &str, span: Span, known: impl Iterator<Item = &'a str> + Clone) -> Diagnostic {
    let error = Diagnostic::error("E0303", format!("there is no stage called `{name}`")).label(span, "unknown");
    match habit(name) {
        Some(instead) => error.help(instead),
        None => error.help(suggestion(name, "stages", known)),
    }
}

/// Stages of other frameworks, and what to write instead.
fn habit(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().replace('_', "").as_str() {
        "softmax" | "logsoftmax" => Some("leave it out: `cross_entropy` takes scores and applies the softmax itself"),
        "batchnorm" | "batchnorm1d" | "bn" => {
            Some("batch normalization is a parameterization, `dense(100, param = bn)`, or the stage `batch_norm`")
        }
        "layernorm" | "ln" => Some("layer normalization is the stage `layer_norm`"),
        "groupnorm" | "gn" => Some("group normalization is the stage `group_norm(groups)`"),
        "weightnorm" | "wn" => Some("weight normalization is a parameterization: `dense(100, param = wn)`"),
        "mn" | "mbn" => Some("modifiers are joined to a parameterization: `dense(100, param = gmp + mn)`"),
        "conv2d" | "convolution" | "convolution2d" => Some("a convolution is `conv(64, 3)`: channels, then the window"),
        "maxpool" | "maxpool2d" | "maxpooling2d" => Some("pooling is `max_pool(2)`"),
        "avgpool" | "avgpool2d" | "averagepooling2d" => Some("pooling is `avg_pool(2)`"),
        "gap" | "adaptiveavgpool2d" | "globalaveragepooling2d" => {
            Some("the mean over height and width is `global_avg_pool`")
        }
        "globalmaxpool" | "adaptivemaxpool2d" | "globalmaxpooling2d" => {
            Some("the largest value of each channel is `global_max_pool`")
        }
        "convtranspose2d" | "convtranspose1d" | "conv2dtranspose" | "deconv" | "deconvolution" => {
            Some("a transposed convolution is `conv_transpose(64, 3, stride = 2)`")
        }
        "conv1d" => Some("a convolution of a series is `conv(64, 3)` too: the input is `[channels, positions]`"),
        "depthwiseconv2d" | "depthwise" | "depthwiseconv" => {
            Some("filters of each channel alone are `conv(64, 3, groups = depthwise)`")
        }
        "upsampling2d" | "interpolate" | "unpool" => Some("an image is enlarged with `upsample(2)`"),
        "droppath" | "dropconnect" => Some("whole examples are dropped with `stochastic_depth(0.1)`"),
        "gaussiannoise" => Some("normal noise is `noise(0.1)`"),
        "batchnorm2d" => {
            Some("batch normalization is a parameterization, `conv(64, 3, param = bn)`, or the stage `batch_norm`")
        }
        "fc" | "fullyconnected" => Some("a fully connected layer is `dense(100)`, the output layer `linear(1)`"),
        "swish" => Some("swish is called `silu`, its name since 2017"),
        "hardtanh" => Some("write it as a definition: `activation hard_tanh(s) { min(max(s, -1), 1) }`"),
        _ => None,
    }
}

pub(super) fn no_stage_but_a_value(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error("E0303", format!("`{name}` is a value, not a stage"))
        .label(span, "nothing can flow into this")
        .help(format!("begin a flow with it: `{name} -> …`"))
}

pub(super) fn not_a_stage(span: Span) -> Diagnostic {
    Diagnostic::error("E0303", "this is not a stage")
        .label(span, "nothing can flow into this")
        .help("a stage is a layer such as `dense(100)` or `relu`, or a block")
}

pub(super) fn bound_twice(name: &Ident, first: Option<Span>) -> Diagnostic {
    let error =
        Diagnostic::error("E0305", format!("`{}` is bound twice", name.text)).label(name.span, "bound again here");
    match first {
        Some(first) => error.label(first, "first bound here").help("choose another name for one of them"),
        None => error.help("`input` is what comes in; choose another name"),
    }
}

pub(super) fn unfit(what: &str, wanted: &str, span: Span, value: &Value) -> Diagnostic {
    let found = match value {
        Value::Integer(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        other => sort(other).to_string(),
    };
    Diagnostic::error("E0306", format!("`{what}` is {wanted}"))
        .label(span, format!("this is {found}"))
        .help(format!("give it {wanted}"))
}

pub(super) fn not_a_tensor(span: Span, place: &str) -> Diagnostic {
    Diagnostic::error("E0307", format!("{place} is computed from the input, but this is known at compile time"))
        .label(span, "no tensor")
        .help("begin with `input` or with a name bound to a flow")
}

pub(super) fn no_tensor_operation(span: Span) -> Diagnostic {
    Diagnostic::error("E0308", "tensors are added, subtracted, multiplied and divided, nothing else")
        .label(span, "not possible between tensors")
        .help("use stages such as `relu` for other functions")
}

pub(super) fn no_result(body: &Body) -> Diagnostic {
    Diagnostic::error("E0309", "this body has no output")
        .label(body.span, "ends without a flow")
        .help("end it with a flow that is bound to no name, such as `input -> linear(1)`")
}

pub(super) fn no_output(model: &Definition) -> Diagnostic {
    no_result(&model.body)
}

pub(super) fn declared(declaration: &Declaration) -> Diagnostic {
    Diagnostic::error("E0310", "parameters are declared in parameterizations, not in models and blocks")
        .label(declaration.name.span, "declared here")
        .help("use a layer such as `dense(100)`, which has parameters of its own")
}

pub(super) fn from_part(span: Span) -> Diagnostic {
    Diagnostic::error("E0310", "`from` belongs in a parameterization").label(span, "here").help("remove it")
}

// Labels and names of layers.

pub(super) fn same_name(name: &str, second: Span, first: Span) -> Diagnostic {
    Diagnostic::error("E0311", format!("two layers are called `{name}`"))
        .label(second, "used again here")
        .label(first, "first used here")
        .help("label one of them differently with `as`")
}

pub(super) fn two_labels(first: &Ident, second: &Ident) -> Diagnostic {
    Diagnostic::error("E0312", "a layer and the activation right after it are one unit, with one label")
        .label(second.span, "a second label")
        .label(first.span, "the first label")
        .help(format!("leave out `as {}`", second.text))
}

pub(super) fn label_on_repeat(label: &Ident, span: Span) -> Diagnostic {
    Diagnostic::error("E0313", "a label names one layer, but `repeat` makes several")
        .label(label.span, "one label")
        .label(span, "several layers")
        .help("leave the label out, or label stages inside a block")
}

// Joining.

pub(super) fn concat_named(name: &Ident) -> Diagnostic {
    Diagnostic::error("E0317", "`concat` takes tensors only, without names")
        .label(name.span, "a name")
        .help("write `concat(a, b)`; they are joined along the first axis")
}

pub(super) fn concat_empty(span: Span) -> Diagnostic {
    Diagnostic::error("E0317", "`concat` joins at least one tensor")
        .label(span, "nothing to join")
        .help("write `concat(a, b)`")
}

pub(super) fn division_by_zero(span: Span) -> Diagnostic {
    Diagnostic::error("E0404", "division by zero").label(span, "this is 0").help("divide by something that is never 0")
}

// The input.

pub(super) fn no_input_shape(model: &Definition, data: Option<&DataSpec>) -> Diagnostic {
    let name = model.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let place = model.name.as_ref().map_or(model.span, gmpc_grammar::ast::Path::span);
    let error =
        Diagnostic::error("E0318", "the shape of the input is not known").label(place, "takes its input from the data");
    match data {
        Some(data) => error
            .label(data.span, "does not say how many features it has")
            .help(format!("state it: `features = 13` in the data set, or `model {name}(input: [13])`")),
        None => error.help(format!("state it: `model {name}(input: [13])`, or name the data: `data = …`")),
    }
}

pub(super) fn input_without_shape(parameter: &Parameter) -> Diagnostic {
    Diagnostic::error("E0319", "the input of a model is stated with its shape")
        .label(parameter.name.span, "no shape")
        .help("write `input: [13]`, or leave it out to take the shape from the data")
}

pub(super) fn not_a_shape(span: Span) -> Diagnostic {
    Diagnostic::error("E0319", "a shape is a list of whole numbers above 0")
        .label(span, "not such a list")
        .help("write `[13]` for 13 features")
}

pub(super) fn input_differs(stated: &[usize], span: Span, given: &[usize], data: &DataSpec) -> Diagnostic {
    Diagnostic::error("E0320", format!("the model takes {}, but the data have {}", sizes(stated), sizes(given)))
        .label(span, format!("{} stated here", sizes(stated)))
        .label(data.span, format!("`{}` has {}", data.name, sizes(given)))
        .help("leave `input: …` out to take the shape from the data")
}

pub(super) fn no_default(parameter: &Parameter, model: &str) -> Diagnostic {
    Diagnostic::error("E0321", format!("no value is given to the model's parameter `{}` a value", parameter.name.text))
        .label(parameter.name.span, "no default")
        .help(format!("write `{} = …` here; `--set {model}.{0}=…` can replace it", parameter.name.text))
}

pub(super) fn no_data_value<'a>(
    span: Span,
    what: &str,
    data: Option<&DataSpec>,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    if !matches!(what, "classes" | "features" | "outputs") {
        return unknown_name(&format!("data.{what}"), span, known);
    }
    let error = Diagnostic::error("E0322", format!("`data.{what}` is not known")).label(span, "needed here");
    match data {
        Some(data) if what == "classes" && data.task == Task::Regression => error
            .label(data.span, "a regression")
            .help("write `task = classification` in the data set if its target is a class"),
        Some(data) if what == "classes" => {
            error.label(data.span, "names no classes").help("write `classes = 10` in the data set")
        }
        Some(data) => error
            .label(data.span, "does not say how many features it has")
            .help("state it in the data set: `features = 13`"),
        None => error.help("name the data: `data = …`, or write the number itself"),
    }
}

// Caps.

pub(super) fn too_many(span: Span, what: &str, most: usize) -> Diagnostic {
    Diagnostic::error("E0323", format!("the network unrolls to more than {most} {what}"))
        .label(span, "the limit is exceeded here")
        .help("repeat less")
}

pub(super) fn too_large(span: Span, shape: &[usize]) -> Diagnostic {
    Diagnostic::error("E0324", format!("{} is more than a network can hold", sizes(shape)))
        .label(span, "more than 2^40 numbers")
        .help("use smaller sizes")
}

pub(super) fn too_many_axes(span: Span, axes: usize) -> Diagnostic {
    Diagnostic::error("E0325", format!("an example has at most {} axes, not {axes}", super::MOST_AXES))
        .label(span, format!("{axes} axes"))
        .help("join some of them")
}

pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error("E0326", format!("blocks are nested more than {} deep", super::DEEPEST_BLOCK))
        .label(span, "the innermost")
        .help("nest less")
}

// Loss, metrics and data.

pub(super) fn no_scores(layer: &Layer, loss: &Instance) -> Diagnostic {
    Diagnostic::error("E0330", format!("`{}` needs one score for each class", loss.name))
        .label(layer.span, format!("the network ends in {} here", sizes(&layer.shape)))
        .label(loss.span, "compares class scores")
        .help("end the network in `linear(data.classes)`; for two classes and one score use `binary_cross_entropy`")
}

pub(super) fn needs_classes(loss: &Instance, data: &DataSpec) -> Diagnostic {
    Diagnostic::error("E0331", format!("`{}` needs classes, but the data have numbers as targets", loss.name))
        .label(loss.span, "compares classes")
        .label(data.span, format!("`{}` is a regression", data.name))
        .help("use `mse` or `mae`, or write `task = classification` in the data set")
}

pub(super) fn outputs_differ(layer: &Layer, data: &DataSpec, wanted: usize, what: &str) -> Diagnostic {
    let last = if what == "classes" { "data.classes" } else { "data.outputs" };
    Diagnostic::error(
        "E0332",
        format!("the network ends in {}, but the data have {wanted} {what}", sizes(&layer.shape)),
    )
    .label(layer.span, format!("{} here", sizes(&layer.shape)))
    .label(data.span, format!("{wanted} {what}"))
    .help(format!("end the network in `linear({last})`"))
}

pub(super) fn compares_numbers(loss: &Instance, data: &DataSpec, classes: usize) -> Diagnostic {
    Diagnostic::error("E0333", format!("`{}` compares numbers, but the data have {classes} classes", loss.name))
        .label(loss.span, "compares numbers")
        .label(data.span, format!("{classes} classes"))
        .help("use `cross_entropy`, with a network that ends in `linear(data.classes)`")
}

pub(super) fn sigmoid_twice(layer: &Layer, loss: &Instance) -> Diagnostic {
    Diagnostic::error("E0334", format!("`{}` takes scores, but the network ends in a sigmoid", loss.name))
        .label(layer.span, "ends in a sigmoid here")
        .label(loss.span, "takes scores")
        .help("drop the sigmoid; the loss applies it")
}

pub(super) fn metric_differs(metric: &Instance, loss: &Instance, wanted: &str, found: &str) -> Diagnostic {
    Diagnostic::error("E0335", format!("the metric `{}` compares {wanted}, the loss {found}", metric.name))
        .label(metric.span, format!("compares {wanted}"))
        .label(loss.span, format!("compares {found}"))
        .help("choose a metric and a loss for the same kind of target")
}

pub(super) fn one_score(layer: &Layer, loss: &Instance) -> Diagnostic {
    Diagnostic::error("E0336", format!("`{}` needs a single score", loss.name))
        .label(layer.span, format!("the network ends in {} here", sizes(&layer.shape)))
        .label(loss.span, "compares one score with 0 or 1")
        .help("end the network in `linear(1)`, or use `cross_entropy` with `linear(data.classes)`")
}

pub(super) fn too_many_classes(loss: &Instance, data: &DataSpec, classes: usize) -> Diagnostic {
    Diagnostic::error("E0337", format!("`{}` tells two classes apart, but the data have {classes}", loss.name))
        .label(loss.span, "for two classes")
        .label(data.span, format!("{classes} classes"))
        .help("use `cross_entropy`, with a network that ends in `linear(data.classes)`")
}
