//! `file = table(…) | npy(…) | npz(…) | formula(…) | images(…) | batches(…) | idx(…) | shapes(…)`

use super::named_file::file;
use super::{SETTINGS, Said, formula, images};
use crate::front::arguments::{Bound, Slot, bind};
use crate::front::resolve::context::Context;
use crate::front::suggest::suggestion;
use crate::ir::experiment::{Arrays, Column, DataSource, FileSpec, Separator, Table};
use crate::ir::module::Value;
use gmpc_grammar::ast::{Argument, Expr, ExprKind, Path};
use gmpc_grammar::diagnostic::Diagnostic;

/// The parameters of each kind of source.
#[rustfmt::skip] // one line a source
pub(crate) const KINDS: [(&str, &[Slot<'static>]); 8] = [
    ("table", &[Slot::optional("path"), Slot::optional("separator"), Slot::optional("header"), Slot::optional("skip"),
        Slot::optional("missing")]),
    ("npy", &[Slot::required("inputs"), Slot::required("targets")]),
    ("npz", &[Slot::optional("path"), Slot::optional("inputs"), Slot::optional("targets")]),
    ("formula", &[Slot::required("y"), Slot::required("x"), Slot::optional("points"), Slot::optional("noise"),
        Slot::optional("test"), Slot::optional("draw")]),
    ("images", &[Slot::required("train"), Slot::optional("test"), Slot::optional("background")]),
    ("batches", &[Slot::required("folder"), Slot::required("train"), Slot::optional("test"), Slot::optional("names"),
        Slot::optional("labels"), Slot::optional("label_bytes"), Slot::optional("first_label")]),
    ("idx", &[Slot::required("folder"), Slot::required("train"), Slot::optional("test"), Slot::optional("names"),
        Slot::optional("transpose")]),
    ("shapes", &[Slot::optional("train"), Slot::optional("test"), Slot::optional("draw")]),
];

/// Is this the name of a kind of source?
pub(super) fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|(kind, _)| *kind == name)
}

/// Does this kind of source take an argument of this name?
pub(super) fn takes(kind: &str, argument: &str) -> bool {
    KINDS.iter().any(|(k, slots)| *k == kind && slots.iter().any(|s| s.name == argument))
}

/// Is this `formula(…)`?
pub(super) fn is_formula(expr: &Expr) -> bool {
    matches!(&expr.node, ExprKind::Call { callee, .. } if callee.to_string() == "formula")
}

/// Returns the name of a data set whose file is named directly: the file's name without its ending.
pub(super) fn shown_name(arguments: &[Argument], context: &mut Context<'_>) -> Option<String> {
    let ExprKind::String(path) = &arguments.first()?.value.node else { return None };
    let _ = context;
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    Some(if stem.trim_matches('.').is_empty() { path.clone() } else { stem.to_string() })
}

/// Reads the source: from the `data` line itself, or from the setting `file`.
pub(super) fn source(said: &Said<'_>, context: &mut Context<'_>) -> Option<DataSource> {
    if let Some(direct) = said.direct {
        return named(direct, said, context);
    }
    let Some(read) = said.read("file", context, |expr, context| named(expr, said, context))? else {
        return context.keep(Err(vec![
            Diagnostic::error("E0705", format!("the data set `{}` does not say where its numbers are", said.name))
                .label(said.span, "used here")
                .help("add `file = table(\"data.csv\")` to it"),
        ]));
    };
    Some(read)
}

fn named(expr: &Expr, said: &Said<'_>, context: &mut Context<'_>) -> Option<DataSource> {
    let none: &[Argument] = &[];
    let (name, arguments) = match &expr.node {
        ExprKind::Path(path) => (path.to_string(), none),
        ExprKind::Call { callee, arguments } => (callee.to_string(), arguments.as_slice()),
        _ => (String::new(), none),
    };
    let Some((kind, own)) = KINDS.iter().find(|(kind, _)| *kind == name) else {
        return context.keep(Err(vec![
            Diagnostic::error("E0706", "this is not a source of data").label(expr.span, "unknown").help(suggestion(
                &name,
                "sources",
                KINDS.iter().map(|(kind, _)| *kind),
            )),
        ]));
    };
    // If the `data` line itself contains the source, settings of the data set are among the arguments of the source.
    let mut slots = own.to_vec();
    if said.direct.is_some() {
        slots.extend(SETTINGS.iter().filter(|s| !takes(kind, s)).map(|s| Slot::optional(s)));
    }
    let bound = bind(kind, expr.span, &slots, own.len(), arguments);
    let bound = context.keep(bound)?;
    // A setting of tables for images, or the reverse, would be ignored silently. A formula has no such settings to confuse.
    let is_images = images::KINDS.contains(kind);
    if *kind != "formula" {
        images::settings_fit(is_images, said, context);
    }
    match *kind {
        kind if is_images => images::images(kind, &bound, said, context).map(DataSource::Images),
        "table" => table(&bound, said, context).map(DataSource::Table),
        "npy" => npy(&bound, said, context).map(DataSource::Arrays),
        "npz" => npz(&bound, said, context).map(DataSource::Arrays),
        _ => formula::formula(&bound, said, context).map(DataSource::Formula),
    }
}

fn table(bound: &Bound<'_>, said: &Said<'_>, context: &mut Context<'_>) -> Option<Table> {
    // Every argument is read before the first `?`, so that all mistakes are reported together.
    let get = |key: &str| bound.get(key).copied();
    let separator = match get("separator") {
        Some(expr) => separator(expr, context),
        None => Some(Separator::Character(',')),
    };
    let header = get("header").map(|e| context.truth("header", e));
    let skip = get("skip").map(|e| skip(e, context));
    let missing = get("missing").map(|e| missing(e, context));
    let file = file(get("path"), said, context);
    let target = match said.read("target", context, columns)? {
        Some(target) => Some(target),
        None => context.keep(Err(vec![
            Diagnostic::error("E0707", "which column of the table is the target?")
                .label(said.span, "no target is named")
                .help("add `target = \"price\"`, or its position counted from 0: `target = 6`"),
        ])),
    };
    // No columns: all columns except the target are features.
    let columns = said.read("columns", context, columns)?;
    Some(Table {
        file: file?,
        separator: separator?,
        header: header.map_or(Some(None), |h| h.map(Some))?,
        skip: skip.map_or(Some(String::new()), |s| s)?,
        missing: missing.map_or(Some(None), |m| m.map(Some))?,
        target: target?,
        columns: columns.unwrap_or_default(),
    })
}

fn npy(bound: &Bound<'_>, said: &Said<'_>, context: &mut Context<'_>) -> Option<Arrays> {
    let inputs = file(bound.get("inputs").copied(), said, context);
    let targets = file(bound.get("targets").copied(), said, context).map(|f| FileSpec { url: None, sha256: None, ..f });
    Some(Arrays { inputs: inputs?, inputs_key: None, targets: targets?, targets_key: None })
}

fn npz(bound: &Bound<'_>, said: &Said<'_>, context: &mut Context<'_>) -> Option<Arrays> {
    let mut key = |name: &str, default: &str| match bound.get(name) {
        Some(expr) => context.text(name, expr),
        None => Some(default.to_string()),
    };
    let (inputs_key, targets_key) = (key("inputs", "x"), key("targets", "y"));
    let file = file(bound.get("path").copied(), said, context)?;
    Some(Arrays {
        inputs: file.clone(),
        inputs_key: Some(inputs_key?),
        targets: FileSpec { url: None, sha256: None, ..file },
        targets_key: Some(targets_key?),
    })
}

/// Finds a name without quotes, `y` for `"y"`, alone or in a list. A column is never named by a value.
fn bare_name(expr: &Expr) -> Option<&Path> {
    match &expr.node {
        ExprKind::Path(path) => Some(path),
        ExprKind::List(items) => items.iter().find_map(bare_name),
        _ => None,
    }
}

/// Reads a position counted from 0, a name, or a list of them.
fn columns(expr: &Expr, context: &mut Context<'_>) -> Option<Vec<Column>> {
    if let Some(name) = bare_name(expr).filter(|name| !context.names.contains_key(&name.to_string())) {
        let path = name.to_string();
        return context.keep(Err(vec![
            Diagnostic::error("E0603", "a column's name stands in quotes")
                .label(name.span(), "a name without quotes")
                .help(format!("write `\"{path}\"`, or the column's position counted from 0")),
        ]));
    }
    let value = context.value(expr)?;
    let items = match &value {
        Value::List(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut columns = Vec::new();
    for item in items {
        match item {
            Value::Integer(n) if *n >= 0 => columns.push(Column::Index(usize::try_from(*n).ok()?)),
            Value::String(name) => columns.push(Column::Name(name.clone())),
            other => return context.unfit("a column", "a position counted from 0, or a name in quotes", expr, other),
        }
    }
    Some(columns)
}

/// Reads the characters that mark lines without data. A character that a number or a word can begin with is an error, because
/// it would drop rows of data.
fn skip(expr: &Expr, context: &mut Context<'_>) -> Option<String> {
    let text = context.text("skip", expr)?;
    let begins_a_value = |c: &char| c.is_alphanumeric() || c.is_whitespace() || "+-.\"'\u{2212}".contains(*c);
    match text.chars().find(begins_a_value) {
        None => Some(text),
        Some(_) => context.keep(Err(vec![
            Diagnostic::error("E0603", "`skip` is a set of characters that mark remarks: `#`, `@`, `%`")
                .label(expr.span, "lines that begin with any of these would be dropped, rows of data too")
                .help("write `skip = \"#\"`, or delete the lines from the file"),
        ])),
    }
}

/// Texts in a list, or one alone.
fn missing(expr: &Expr, context: &mut Context<'_>) -> Option<Vec<String>> {
    let value = context.value(expr)?;
    let items = match &value {
        Value::List(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let text = |item: &Value| match item {
        Value::String(text) => Some(text.trim().to_string()),
        _ => None,
    };
    match items.iter().map(text).collect::<Option<Vec<_>>>() {
        Some(texts) => Some(texts),
        None => context.unfit("missing", "a list of texts in quotes, such as `[\"\", \"?\"]`", expr, &value),
    }
}

fn separator(expr: &Expr, context: &mut Context<'_>) -> Option<Separator> {
    if let ExprKind::String(text) = &expr.node {
        let mut letters = text.chars();
        return match (letters.next(), letters.next()) {
            (Some(c), None) => Some(Separator::Character(c)),
            _ => context.unfit("separator", "a single character", expr, &Value::String(text.clone())),
        };
    }
    let choices = [
        ("whitespace", Separator::Whitespace),
        ("comma", Separator::Character(',')),
        ("semicolon", Separator::Character(';')),
        ("tab", Separator::Character('\t')),
    ];
    context.word("separator", expr, &choices)
}
