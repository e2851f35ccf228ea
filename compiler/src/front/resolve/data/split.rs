//! Reads `split = random(train = 0.8) | predefined(train = "…", test = "…", count = 20) | given`.

use super::{DEFAULT_SPLIT, Said};
use crate::front::arguments::{Slot, bind};
use crate::front::resolve::context::Context;
use crate::front::suggest::suggestion;
use crate::ir::experiment::{DataSource, ImageSource, Split};
use gmpc_grammar::ast::{Argument, Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;

#[rustfmt::skip] // one line a split
const SPLITS: [(&str, &[Slot<'static>]); 3] = [
    ("random", &[Slot::required("train")]),
    ("predefined", &[Slot::required("train"), Slot::required("test"), Slot::required("count")]),
    ("given", &[]),
];

/// Reads the setting.
pub(super) fn split(expr: &Expr, context: &mut Context<'_>) -> Option<Split> {
    let none: &[Argument] = &[];
    let (name, arguments) = match &expr.node {
        ExprKind::Path(path) => (path.to_string(), none),
        ExprKind::Call { callee, arguments } => (callee.to_string(), arguments.as_slice()),
        _ => (String::new(), none),
    };
    let Some((name, slots)) = SPLITS.iter().find(|(known, _)| *known == name) else {
        return context.keep(Err(vec![
            Diagnostic::error("E0703", "there is no such split").label(expr.span, "unknown").help(suggestion(
                &name,
                "splits",
                SPLITS.iter().map(|(known, _)| *known),
            )),
        ]));
    };
    let bound = bind(name, expr.span, slots, slots.len(), arguments);
    let bound = context.keep(bound)?;
    let get = |key: &str| bound.get(key).copied();
    match *name {
        // With 0 or 1 the training rows or the test rows would be empty.
        "random" => {
            let train = context.number("train", get("train")?, " above 0 and below 1", |x| x > 0.0 && x < 1.0)?;
            Some(Split::Random { train })
        }
        "predefined" => {
            let count = get("count")?;
            let splits = context.whole("count", count, 1);
            // Several splits need several files: their names must contain the number of the split.
            let many = splits.is_some_and(|n| n > 1).then_some(count.span);
            let train = pattern("train", get("train")?, many, context);
            let test = pattern("test", get("test")?, many, context);
            Some(Split::Predefined { train: train?, test: test?, count: splits? })
        }
        _ => Some(Split::Given),
    }
}

/// Reads a path. It must contain `{split}` if there are several splits; `many` is the span that says so.
fn pattern(what: &str, expr: &Expr, many: Option<Span>, context: &mut Context<'_>) -> Option<String> {
    let path = context.text(what, expr)?;
    match many.filter(|_| !path.contains("{split}")) {
        None => Some(path),
        Some(count) => context.keep(Err(vec![
            Diagnostic::error("E0712", "every split has files of its own")
                .label(expr.span, "the same file for each of them")
                .label(count, "several splits")
                .help("put `{split}` where the number of the split stands: `\"rows/train_{split}.txt\"`"),
        ])),
    }
}

/// Returns the split to use with this source, or notes E0704 if they do not fit. A formula has its own test points, images may
/// have test files, and a table never says which of its rows are test rows.
pub(super) fn fitting(
    split: Option<Split>,
    source: &DataSource,
    said: &Said<'_>,
    context: &mut Context<'_>,
) -> Option<Split> {
    let (has_test, is_images) = has_test(source);
    let clash = match (&split, has_test) {
        (Some(Split::Given), false) if is_images => "no test images are named",
        (Some(Split::Given), false) => "a file does not say which rows are test rows",
        (Some(Split::Random { .. } | Split::Predefined { .. }), true) if is_images => {
            "these images have their own test part"
        }
        (Some(Split::Random { .. } | Split::Predefined { .. }), true) => "a formula has its own test points",
        (Some(Split::Predefined { .. }), false) if is_images => "images are not split by files of row numbers",
        // `None`, or a split that fits. The default uses the test part of the source if it has one.
        _ => return Some(split.unwrap_or(if has_test { Split::Given } else { DEFAULT_SPLIT })),
    };
    // The default split always fits, so a clash comes from a written `split`, and the error points there.
    let here = said.expr("split").map_or(said.span, |e| e.span);
    let source = said.direct.or_else(|| said.expr("file")).map_or(said.span, |e| e.span);
    let help = if has_test { "write `split = given`, or leave it out" } else { "write `split = random(train = 0.8)`" };
    context.keep(Err(vec![
        Diagnostic::error("E0704", clash)
            .label(here, "asked for here")
            .label(source, "the data come from here")
            .help(help),
    ]))
}

/// Does the source have test examples of its own, and are they images?
fn has_test(source: &DataSource) -> (bool, bool) {
    let DataSource::Images(images) = source else { return (matches!(source, DataSource::Formula(_)), false) };
    let has = match &images.source {
        ImageSource::Batches(batches) => !batches.test.is_empty(),
        ImageSource::Idx(idx) => idx.test.is_some(),
        ImageSource::Folder { test, .. } => test.is_some(),
        ImageSource::Shapes { test, .. } => *test > 0,
    };
    (has, true)
}
