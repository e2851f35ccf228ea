//! Errors about shapes that do not fit. Each shows both places and both shapes, and says what to write instead.

use super::sizes;
use crate::ir::net::Connection;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

pub(in super::super) fn not_flat(name: &str, span: Span, shape: &[usize], origin: Span) -> Diagnostic {
    let other = if shape.len() == 3 { ", or `global_avg_pool`, the mean of each channel" } else { "" };
    Diagnostic::error("E0314", format!("`{name}` takes a row of numbers, but {} arrive", sizes(shape)))
        .label(span, "needs a single axis")
        .label(origin, format!("{} since here", sizes(shape)))
        .help(format!("flatten them first: `-> flatten -> {name}(…)`{other}"))
}

pub(in super::super) fn no_image(name: &str, span: Span, shape: &[usize], origin: Span, at_input: bool) -> Diagnostic {
    let help = match (shape, name) {
        _ if at_input => {
            "give the input three axes, `input: [channels, height, width]`, or two, `input: [channels, positions]`"
        }
        ([_], "conv") => "use `dense(units)` here, or move it before what makes a row of numbers of the image",
        ([_], _) => "leave it out, or move it before what makes a row of numbers of the image",
        _ => "give the input three axes, `input: [channels, height, width]`, or two, `input: [channels, positions]`",
    };
    let found = if shape.len() == 1 { format!("a row of {}", sizes(shape)) } else { sizes(shape) };
    Diagnostic::error("E0327", format!("`{name}` takes an image or a series, but {found} arrives"))
        .label(span, "needs channels, and one or two axes of positions")
        .label(origin, format!("{} since here", sizes(shape)))
        .help(help)
}

/// The error for a window that is larger than the padded image.
pub(in super::super) fn window_too_large(
    name: &str,
    (place, kernel): (Span, &[usize]),
    padded: &[usize],
    (origin, shape): (Span, &[usize]),
) -> Diagnostic {
    let around = if shape.get(1..) == Some(padded) { "" } else { ", padding included" };
    let help = match name {
        "conv" => "use a smaller window, or `pad = same`",
        _ => "use a smaller window, or pool less before",
    };
    Diagnostic::error("E0328", format!("the window of `{name}` is larger than what it slides over"))
        .label(place, format!("a window of {}", sizes(kernel)))
        .label(origin, format!("{} here: {} to slide over{around}", sizes(shape), sizes(padded)))
        .help(help)
}

pub(in super::super) fn too_much_padding(span: Span, name: &str) -> Diagnostic {
    Diagnostic::error("E0324", format!("`{name}` slides over more than a network can hold"))
        .label(span, "more than 2^40 numbers, padding included")
        .help("use a smaller window, stride or padding")
}

/// The error for a pool with windows that contain only padding.
pub(in super::super) fn pad_covers_window(
    name: &str,
    [pad_place, window_place]: [Span; 2],
    pad: [usize; 2],
    kernel: [usize; 2],
) -> Diagnostic {
    Diagnostic::error("E0329", format!("`{name}` is padded by as much as its window: some windows see nothing else"))
        .label(pad_place, format!("padding of {}", sizes(&pad)))
        .label(window_place, format!("a window of {}", sizes(&kernel)))
        .help("pad by less than the window, most often by half of it at most")
}

pub(in super::super) fn too_many_weights(span: Span, connection: &Connection, input: &[usize]) -> Diagnostic {
    let mut shape = vec![connection.units(), input.first().copied().unwrap_or(1)];
    if let Connection::Convolution(convolution) = connection {
        shape[1] = convolution.channels(shape[1]);
        shape.extend(convolution.window.kernel);
    }
    super::too_large(span, &shape)
}

pub(in super::super) fn groups_of_channels(span: Span, groups: usize, channels: usize, origin: Span) -> Diagnostic {
    Diagnostic::error("E0338", format!("{channels} channels cannot be divided into {groups} equal groups"))
        .label(span, format!("{groups} groups"))
        .label(origin, format!("{channels} channels since here"))
        .help(format!("{}, or `groups = depthwise` for filters of each channel alone", divisors(channels)))
}

pub(in super::super) fn groups_of_units(span: Span, groups: usize, units: usize, place: Span) -> Diagnostic {
    Diagnostic::error("E0338", format!("{units} filters cannot be divided into {groups} equal groups"))
        .label(span, format!("{groups} groups"))
        .label(place, format!("{units} filters"))
        .help(format!("make the number of filters a multiple of {groups}"))
}

pub(in super::super) fn pieces_of_features(span: Span, pieces: usize, features: usize, origin: Span) -> Diagnostic {
    Diagnostic::error("E0338", format!("{features} features cannot be divided into groups of {pieces}"))
        .label(span, format!("{pieces} features become one"))
        .label(origin, format!("{features} features since here"))
        .help(divisors(features))
}

/// The numbers by which `of` can be divided, as a next step.
fn divisors(of: usize) -> String {
    let found: Vec<String> = (1..=64.min(of)).filter(|n| of.is_multiple_of(*n)).map(|n| n.to_string()).collect();
    format!("choose a divisor of {of}: {}", found.join(", "))
}

/// The error for a transposed convolution with more padding than it can cut off.
pub(in super::super) fn cuts_too_much(
    [pad_place, window_place]: [Span; 2],
    pad: &[usize],
    kernel: &[usize],
) -> Diagnostic {
    Diagnostic::error("E0341", "the padding of `conv_transpose` is cut off from its result, and this is too much")
        .label(pad_place, format!("cuts off {} on each side", sizes(pad)))
        .label(window_place, format!("a window of {}", sizes(kernel)))
        .help("pad by less than the window, and leave something; `pad = same` gives `stride` times as many positions")
}

pub(in super::super) fn reflects_too_far(span: Span, pad: usize, size: usize) -> Diagnostic {
    let most = size.saturating_sub(1);
    Diagnostic::error("E0339", format!("{size} pixels cannot be reflected {pad} far"))
        .label(span, format!("the pixel at the edge is not repeated, so {size} give {most}"))
        .help("use a smaller window or `pad`, or `fill = zeros`")
}

pub(in super::super) fn too_many_parts(span: Span, parts: usize, is_alone: bool, most: usize) -> Diagnostic {
    let what = if is_alone { "taps or reflected rows" } else { "groups of several channels" };
    Diagnostic::error("E0340", format!("{parts} {what} are more than a convolution is compiled for"))
        .label(span, format!("at most {most}"))
        .help("use fewer groups or a smaller window, or `groups = depthwise` for filters of each channel alone")
}

/// One operand of shapes that do not match.
pub(in super::super) struct Operand<'a> {
    /// Where the text states it.
    pub span: Span,
    /// Its shape.
    pub shape: &'a [usize],
    /// The layer that gave it its shape.
    pub origin: Span,
}

/// Why two images differ.
pub(in super::super) struct Clash {
    /// The layer that introduced the difference.
    pub place: Span,
    /// What this layer does: `halves 32×32 to 16×16 here`.
    pub what: String,
    /// What to write on the other path.
    pub help: String,
}

pub(in super::super) fn shapes_differ(
    name: &str,
    left: &Operand<'_>,
    right: &Operand<'_>,
    clash: Option<Clash>,
) -> Diagnostic {
    let what = match name {
        "add" => "an addition",
        "subtract" => "a subtraction",
        "multiply" => "a multiplication",
        _ => "a division",
    };
    let mut error = Diagnostic::error("E0315", format!("shapes do not match in {what}"))
        .label(left.span, sizes(left.shape))
        .label(right.span, sizes(right.shape));
    // It names the layer that made the difference, and what to write on the other path: no label could add to it.
    if let Some(clash) = clash {
        return error.label(clash.place, clash.what).help(clash.help);
    }
    for Operand { span, shape, origin } in [left, right] {
        // Otherwise the label above stands at the layer that gave this shape.
        if origin != span {
            error = error.label(*origin, format!("{} since here", sizes(shape)));
        }
    }
    error.help(match (left.shape, right.shape) {
        ([_], [_]) => "give both the same shape, for instance with `linear(units)` on one of them",
        ([_], _) | (_, [_]) => "give both the same shape, for instance with `flatten` on the one with several axes",
        _ => "give both the same shape",
    })
}

pub(in super::super) fn cannot_join(span: Span, shape: &[usize], first: Span, first_shape: &[usize]) -> Diagnostic {
    let help = match (shape, first_shape) {
        ([_, _, _], [_, _, _]) => {
            "give them equal height and width, with a stride or a pool on the larger one; channels may differ"
        }
        _ => "give them equal shapes, or `flatten` each before joining",
    };
    Diagnostic::error("E0316", "these cannot be joined: `concat` joins along the first axis, the others must be equal")
        .label(span, sizes(shape))
        .label(first, sizes(first_shape))
        .help(help)
}
