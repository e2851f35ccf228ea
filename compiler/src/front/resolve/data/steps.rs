//! Reads `transform = [resize(368), center_crop(224)]` and `augment = [horizontal_flip, random_crop(32, pad = 4)]`.

use crate::front::arguments::{Slot, bind};
use crate::front::constant::number;
use crate::front::resolve::context::Context;
use crate::front::suggest::suggestion;
use crate::ir::experiment::{Extent, ImageStep};
use crate::ir::module::Value;
use gmpc_grammar::ast::{Argument, Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

/// The parameters of each step.
#[rustfmt::skip] // one line a step
pub(crate) const STEPS: [(&str, &[Slot<'static>]); 7] = [
    ("horizontal_flip", &[]),
    ("random_crop", &[Slot::required("size"), Slot::optional("pad")]),
    ("center_crop", &[Slot::required("size")]),
    ("resize", &[Slot::required("size")]),
    ("resize_shorter", &[Slot::required("side")]),
    ("random_resize", &[Slot::required("low"), Slot::required("high")]),
    ("lighting", &[Slot::required("deviation")]),
];

/// The parameters of `normalize = channels(…)`.
pub(crate) const NORMALIZE: (&str, &[Slot<'static>]) =
    ("channels", &[Slot::optional("mean"), Slot::optional("deviation")]);

/// The most steps of a list. A longer list is certainly a mistake.
const MOST_STEPS: usize = 32;

/// Reads a list of steps. `what` is the name of the setting: `augment`, or `transform`, where steps cannot be random.
pub(crate) fn steps(what: &str, expr: &Expr, context: &mut Context<'_>) -> Option<Vec<ImageStep>> {
    let expr = context.branch(expr)?;
    let items = match &expr.node {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(expr),
    };
    let mut found = Vec::new();
    for item in items {
        // All steps are read, so that all mistakes are reported together.
        found.push(step(item, context).and_then(|step| fitting(what, step, item, context)));
    }
    if found.len() > MOST_STEPS {
        return context.unfit(what, "a short list of steps", expr, &Value::List(Vec::new()));
    }
    found.into_iter().collect()
}

/// Checks that a step of `transform` is not random: evaluation must give the same result every time.
fn fitting(what: &str, step: ImageStep, expr: &Expr, context: &mut Context<'_>) -> Option<ImageStep> {
    if what == "augment" || !step.is_random() {
        return Some(step);
    }
    context.keep(Err(vec![
        Diagnostic::error("E0718", "`transform` is done to every image alike, so nothing in it can be random")
            .label(expr.span, "drawn anew each time")
            .help("write it in `train { augment = […] }`"),
    ]))
}

/// Reads one step.
fn step(expr: &Expr, context: &mut Context<'_>) -> Option<ImageStep> {
    let none: &[Argument] = &[];
    let (name, arguments) = match &expr.node {
        ExprKind::Path(path) => (path.to_string(), none),
        ExprKind::Call { callee, arguments } => (callee.to_string(), arguments.as_slice()),
        _ => (String::new(), none),
    };
    let Some((name, slots)) = STEPS.iter().find(|(known, _)| *known == name) else {
        return context.keep(Err(vec![
            Diagnostic::error("E0713", "there is no such image step").label(expr.span, "unknown").help(suggestion(
                &name,
                "steps",
                STEPS.iter().map(|(known, _)| *known),
            )),
        ]));
    };
    let bound = context.keep(bind(name, expr.span, slots, slots.len(), arguments))?;
    let get = |key: &str| bound.get(key).copied();
    match *name {
        "horizontal_flip" => Some(ImageStep::HorizontalFlip),
        "random_crop" => {
            let size = size(get("size")?, context);
            let pad = get("pad").map_or(Some(0), |e| pad(e, context));
            let ([height, width], pad) = (size?, pad?);
            Some(ImageStep::RandomCrop { height, width, pad })
        }
        "center_crop" => size(get("size")?, context).map(|[height, width]| ImageStep::CenterCrop { height, width }),
        "resize" => size(get("size")?, context).map(|[height, width]| ImageStep::Resize { height, width }),
        "resize_shorter" => one_side("side", get("side")?, context).map(|side| ImageStep::ResizeShorter { side }),
        "random_resize" => {
            let (low, high) = (get("low")?, get("high")?);
            let (least, most) = (one_side("low", low, context), one_side("high", high, context));
            // The two limits may be equal: then every image gets this size.
            match (least?, most?) {
                (low, high) if low <= high => Some(ImageStep::RandomResize { low, high }),
                (least, most) => {
                    // The number is only shown in a message, so it may saturate.
                    let wanted = format!("a number of pixels, {least} or more");
                    context.unfit("high", &wanted, high, &Value::Integer(i64::try_from(most).unwrap_or(i64::MAX)))
                }
            }
        }
        // `lighting`, the only step of `STEPS` that is left.
        _ => {
            let deviation = context.number("deviation", get("deviation")?, ", 0 or more", |x| x >= 0.0);
            deviation.map(|deviation| ImageStep::Lighting { deviation })
        }
    }
}

/// Returns a side of an image in pixels, if the value is a possible one.
pub(super) fn side(value: &Value) -> Option<usize> {
    match value {
        Value::Integer(n) => usize::try_from(*n).ok().filter(|n| (1..=ImageStep::LARGEST).contains(n)),
        _ => None,
    }
}

fn one_side(what: &str, expr: &Expr, context: &mut Context<'_>) -> Option<usize> {
    let value = context.value(expr)?;
    side(&value).or_else(|| context.unfit(what, &pixels(), expr, &value))
}

/// Reads `224`, or `[height, width]`.
fn size(expr: &Expr, context: &mut Context<'_>) -> Option<[usize; 2]> {
    let value = context.value(expr)?;
    let found = match &value {
        Value::List(items) => match items.as_slice() {
            [height, width] => side(height).zip(side(width)),
            _ => None,
        },
        other => side(other).map(|n| (n, n)),
    };
    match found {
        Some((height, width)) => Some([height, width]),
        None => context.unfit("size", &format!("{}, or `[height, width]`", pixels()), expr, &value),
    }
}

fn pad(expr: &Expr, context: &mut Context<'_>) -> Option<usize> {
    match context.value(expr)? {
        Value::Integer(0) => Some(0),
        value => side(&value).or_else(|| context.unfit("pad", &pixels(), expr, &value)),
    }
}

fn pixels() -> String {
    format!("a number of pixels, 1 to {}", ImageStep::LARGEST)
}

/// Returns the arguments of `channels(mean = …, deviation = …)`.
pub(super) fn normalize_arguments<'e>(expr: &'e Expr, context: &mut Context<'_>) -> Option<[Option<&'e Expr>; 2]> {
    let ExprKind::Call { callee, arguments } = &expr.node else { return None };
    let (name, slots) = NORMALIZE;
    if callee.to_string() != name {
        return context.keep(Err(vec![
            Diagnostic::error("E0719", "there is no such normalization")
                .label(expr.span, "unknown")
                .help("write `none`, `centre`, `channels`, or `channels(mean = [0.5, 0.5, 0.5], deviation = [0.2, 0.2, 0.2])`"),
        ]));
    }
    let bound = context.keep(bind(name, expr.span, slots, slots.len(), arguments))?;
    Some([bound.get("mean").copied(), bound.get("deviation").copied()])
}

/// Reads a list with one number for each channel.
pub(super) fn channel_values(
    what: &str,
    expr: &Expr,
    channels: usize,
    fits: fn(f64) -> bool,
    context: &mut Context<'_>,
) -> Option<Vec<f64>> {
    // One number without brackets is enough for images with one channel.
    let value = context.value(expr)?;
    let items = match &value {
        Value::List(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let values: Option<Vec<f64>> = items.iter().map(|item| number(item).filter(|x| fits(*x))).collect();
    match values.filter(|values| values.len() == channels) {
        Some(values) => Some(values),
        None => {
            // Pixels are divided by 255 before. With means between 0 and 255, all inputs would be far from 0.
            let wanted = if what == "deviation" {
                "numbers above 0 and up to 1"
            } else {
                "numbers from 0 to 1 (of pixels / 255)"
            };
            context.unfit(what, &format!("{wanted}, one for each of the {channels} channels"), expr, &value)
        }
    }
}

/// Notes E0717 if a crop is larger than its image, as far as the size of the image is known.
pub(super) fn fits(stored: Extent, steps: &[ImageStep], here: Span, context: &mut Context<'_>) -> Option<()> {
    let mut extent = stored;
    for step in steps {
        let window = match *step {
            ImageStep::RandomCrop { height, width, pad } => {
                Some((height, width, pad, "resize to a larger size first, or give the crop a `pad`"))
            }
            ImageStep::CenterCrop { height, width } => Some((height, width, 0, "resize to a larger size first")),
            _ => None,
        };
        if let (Some((height, width, pad, help)), Some((rows, columns))) = (window, least(extent, steps, step))
            && (height > rows + 2 * pad || width > columns + 2 * pad)
        {
            return context.keep(Err(vec![
                Diagnostic::error("E0717", format!("a window of {height}×{width} does not fit into {rows}×{columns}"))
                    .label(here, "asks for it")
                    .help(help),
            ]));
        }
        extent = step.extent(extent);
    }
    Some(())
}

/// Returns the smallest height and width that an image can have before a step, if they are known.
fn least(extent: Extent, steps: &[ImageStep], before: &ImageStep) -> Option<(usize, usize)> {
    if let Extent::Known(rows, columns) = extent {
        return Some((rows, columns));
    }
    let earlier = steps.iter().take_while(|step| !std::ptr::eq(*step, before));
    match earlier.last() {
        Some(&ImageStep::RandomResize { low, .. }) => Some((low, low)),
        Some(&ImageStep::ResizeShorter { side }) => Some((side, side)),
        _ => None,
    }
}
