//! Reads `file = images(…) | batches(…) | idx(…) | shapes(…)`, and the settings that only images have: `shape`,
//! `transform`, `normalize`.

use super::Said;
use super::named_file::file;
use super::steps::{self, channel_values, steps};
use crate::front::arguments::Bound;
use crate::front::resolve::context::Context;
use crate::ir::experiment::{Batches, Extent, FileSpec, Idx, ImageSource, ImageStep, Images, Normalize};
use crate::ir::module::Value;
use gmpc_grammar::ast::{Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;

/// Settings of images that tables do not have.
const IMAGES_ONLY: [&str; 3] = ["shape", "transform", "normalize"];
/// Settings of tables that images do not have.
const TABLES_ONLY: [&str; 4] = ["target", "columns", "features", "standardize"];

/// Kinds of sources that hold images.
pub(super) const KINDS: [&str; 4] = ["images", "batches", "idx", "shapes"];

/// Channels, height and width of [`ImageSource::Shapes`].
const SHAPES: [usize; 3] = [3, 32, 32];
const SHAPES_TRAIN: usize = 10_000;
const SHAPES_TEST: usize = 2_000;

/// Reads a source of images; `kind` is one of [`KINDS`].
pub(super) fn images(kind: &str, bound: &Bound<'_>, said: &Said<'_>, context: &mut Context<'_>) -> Option<Images> {
    let archive = archive(said, context);
    let shape = said.read("shape", context, shape);
    // `stored` is the shape of the files' images, unless `shape` states another one. A folder can hold images of any size.
    let (source, stored) = match kind {
        "images" => (folder(bound, context)?, None),
        "batches" => (batches(bound, context).map(ImageSource::Batches)?, Some(SHAPES)),
        "idx" => (idx(bound, context).map(ImageSource::Idx)?, Some([1, 28, 28])),
        _ => (shapes(bound, context)?, Some(SHAPES)),
    };
    let shape = shape?.or(stored);
    let transform = said.read("transform", context, |e, c| steps("transform", e, c))?.unwrap_or_default();
    let channels = shape.map_or(3, |shape| shape[0]);
    if let (3, "idx", Some(expr)) = (channels, kind, said.expr("shape")) {
        let value = context.value(expr)?;
        return context.unfit("shape", "one channel, height and width for `idx` files: `[1, 28, 28]`", expr, &value);
    }
    let normalize = said.read("normalize", context, |e, c| normalize(e, channels, c))?.unwrap_or(Normalize::Channels);
    let images = Images { source, shape, transform, normalize, archive: archive? };
    sizes(&images, said, context)?;
    Some(images)
}

/// Notes settings that do not belong to the source: `target` for images, `transform` for a table.
pub(super) fn settings_fit(is_images: bool, said: &Said<'_>, context: &mut Context<'_>) {
    let (strangers, what, other) = match is_images {
        true => (TABLES_ONLY.as_slice(), "images", "tables"),
        false => (IMAGES_ONLY.as_slice(), "a table", "images"),
    };
    for name in strangers {
        let Some(expr) = said.expr(name) else { continue };
        let source = said.direct.or_else(|| said.expr("file")).map_or(said.span, |e| e.span);
        let help = match (is_images, *name) {
            (true, "features") => "write `shape = [3, 32, 32]`: channels, height, width".to_string(),
            (true, "standardize") => "write `normalize = channels`, or `normalize = none`".to_string(),
            (true, _) => "leave it out: the class of an image is its target".to_string(),
            (false, "normalize") => "write `standardize = features`".to_string(),
            (false, _) => "leave it out".to_string(),
        };
        context.errors.push(
            Diagnostic::error("E0716", format!("`{name}` is a setting of {other}"))
                .label(expr.span, "stated here")
                .label(source, format!("this reads {what}"))
                .help(help),
        );
    }
}

/// Reads `url`, the address of an archive with all files. It is kept in the folder of the data set.
fn archive(said: &Said<'_>, context: &mut Context<'_>) -> Option<Option<FileSpec>> {
    if said.expr("url").is_none() {
        return Some(None);
    }
    file(None, said, context).map(Some)
}

/// Reads `[3, 32, 32]`: channels, height, width.
fn shape(expr: &Expr, context: &mut Context<'_>) -> Option<[usize; 3]> {
    let value = context.value(expr)?;
    let sizes: Vec<usize> = match &value {
        Value::List(items) => items.iter().filter_map(steps::side).collect(),
        _ => Vec::new(),
    };
    match (sizes.as_slice(), &value) {
        (&[channels, height, width], Value::List(items)) if items.len() == 3 && matches!(channels, 1 | 3) => {
            Some([channels, height, width])
        }
        _ => context.unfit("shape", "channels (1 or 3), height and width: `[3, 32, 32]`", expr, &value),
    }
}

fn folder(bound: &Bound<'_>, context: &mut Context<'_>) -> Option<ImageSource> {
    let train = context.text("train", bound.get("train")?);
    let test = bound.get("test").map(|e| context.text("test", e));
    let background = bound.get("background").map(|e| background(e, context));
    let background = background.map_or(Some(None), |colour| colour.map(Some))?;
    Some(ImageSource::Folder { train: train?, test: test.map_or(Some(None), |t| t.map(Some))?, background })
}

/// `white`, `black`, or red, green and blue from 0 to 1, as bytes.
fn background(expr: &Expr, context: &mut Context<'_>) -> Option<[u8; 3]> {
    if !matches!(expr.node, ExprKind::List(_)) {
        return context.word("background", expr, &[("white", [255; 3]), ("black", [0; 3])]);
    }
    let colour = channel_values("background", expr, 3, |c| (0.0..=1.0).contains(&c), context)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    let bytes: Vec<u8> = colour.iter().map(|c| (c * 255.0).round() as u8).collect();
    bytes.try_into().ok()
}

fn batches(bound: &Bound<'_>, context: &mut Context<'_>) -> Option<Batches> {
    let get = |key: &str| bound.get(key).copied();
    let folder = context.text("folder", get("folder")?);
    let train = texts("train", get("train"), context);
    let test = texts("test", get("test"), context);
    let names = texts("names", get("names"), context);
    let labels = get("labels").map_or(Some("labels".to_string()), |e| context.text("labels", e));
    let label_bytes = get("label_bytes").map_or(Some(1), |e| context.count("label_bytes", e, 1));
    let first = get("first_label").map_or(Some(0), |e| context.whole("first_label", e, 0));
    Some(Batches {
        folder: folder?,
        train: train?,
        test: test?,
        names: names?,
        labels: labels?,
        label_bytes: label_bytes?,
        // A number that no label can have is reported when the labels are read.
        first_label: u32::try_from(first?).unwrap_or(u32::MAX),
    })
}

fn idx(bound: &Bound<'_>, context: &mut Context<'_>) -> Option<Idx> {
    let get = |key: &str| bound.get(key).copied();
    let folder = context.text("folder", get("folder")?);
    let mut pair = |what: &str| -> Option<Option<[String; 2]>> {
        let Some(expr) = get(what) else { return Some(None) };
        let files = texts(what, Some(expr), context)?;
        match <[String; 2]>::try_from(files) {
            Ok(pair) => Some(Some(pair)),
            Err(_) => {
                let value = Value::List(Vec::new());
                context.unfit(what, "two files: images, then labels", expr, &value)
            }
        }
    };
    let (train, test) = (pair("train"), pair("test"));
    let names = texts("names", get("names"), context);
    let transpose = get("transpose").map_or(Some(false), |e| context.truth("transpose", e));
    Some(Idx { folder: folder?, train: train??, test: test?, names: names?, transpose: transpose? })
}

fn shapes(bound: &Bound<'_>, context: &mut Context<'_>) -> Option<ImageSource> {
    let mut count =
        |key: &str, default: usize, least: u64| bound.get(key).map_or(Some(default), |e| context.count(key, e, least));
    let (train, test) = (count("train", SHAPES_TRAIN, 1), count("test", SHAPES_TEST, 0));
    let draw = bound.get("draw").map_or(Some(0), |e| context.whole("draw", e, 0));
    Some(ImageSource::Shapes { train: train?, test: test?, draw: draw? })
}

/// Reads a text or a list of texts. An empty list if the setting is not made.
fn texts(what: &str, expr: Option<&Expr>, context: &mut Context<'_>) -> Option<Vec<String>> {
    let Some(expr) = expr else { return Some(Vec::new()) };
    let value = context.value(expr)?;
    let items = match &value {
        Value::List(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let text = |item: &Value| match item {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    match items.iter().map(text).collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty()) {
        Some(texts) => Some(texts),
        None => context.unfit(what, "names of files in quotes", expr, &value),
    }
}

/// Reads `none`, `centre`, `channels`, or `channels(mean = […], deviation = […])`.
fn normalize(expr: &Expr, channels: usize, context: &mut Context<'_>) -> Option<Normalize> {
    let ExprKind::Call { .. } = &expr.node else {
        let choices = [("none", 0), ("centre", 1), ("channels", 2)];
        return context.word("normalize", expr, &choices).map(|choice| match choice {
            0 => Normalize::Unit,
            1 => Normalize::Centre,
            _ => Normalize::Channels,
        });
    };
    let [mean, deviation] = steps::normalize_arguments(expr, context)?;
    let mean = mean.map_or(Some(vec![0.0; channels]), |e| {
        channel_values("mean", e, channels, |m| (0.0..=1.0).contains(&m), context)
    });
    let deviation = deviation.map_or(Some(vec![1.0; channels]), |e| {
        channel_values("deviation", e, channels, |d| d > 0.0 && d <= 1.0, context)
    });
    Some(Normalize::Stated { mean: mean?, deviation: deviation? })
}

/// Checks the sizes of images. E0715: after all steps they still have different sizes. E0717: a crop is larger than its image.
fn sizes(images: &Images, said: &Said<'_>, context: &mut Context<'_>) -> Option<()> {
    let here = said.expr("transform").map_or(said.span, |e| e.span);
    steps::fits(images.stored(), &images.transform, here, context)?;
    if images.example_shape().is_some() {
        return Some(());
    }
    context.keep(Err(vec![
        Diagnostic::error("E0715", "the size of the images is not known, but a network needs one size")
            .label(here, "does not give them one")
            .help(
                "write `shape = [3, 64, 64]` if all have that size, else `transform = [resize(368), center_crop(224)]`",
            ),
    ]))
}

/// Checks that augmented training images have the size of the images that the network is evaluated on (E0714).
pub(crate) fn augmented(images: &Images, augment: &[ImageStep], expr: &Expr, context: &mut Context<'_>) -> Option<()> {
    let steps = images.training_steps(augment);
    steps::fits(images.stored(), &steps, expr.span, context)?;
    let (train, other) = (images.after(&steps), images.after(&images.transform));
    if train == other {
        return Some(());
    }
    let size = |extent| match extent {
        Extent::Known(height, width) => format!("{height}×{width}"),
        Extent::Varies => "of different sizes".to_string(),
    };
    context.keep(Err(vec![
        Diagnostic::error("E0714", "training images have another size than the images for validation and test")
            .label(expr.span, format!("they come out {}", size(train)))
            .help(format!(
                "`transform` of the data gives {}: end `augment` with a crop of that size, or change `transform`",
                size(other)
            )),
    ]))
}
