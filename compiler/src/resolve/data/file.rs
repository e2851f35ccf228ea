//! `file = table(…) | npy(…) | npz(…) | formula(…) | images(…) | batches(…) | idx(…) | shapes(…)`

use super::{SETTINGS, Said, formula, images};
use crate::arguments::{Bound, Slot, bind};
use crate::experiment::{Arrays, Column, DataSource, FileSpec, Separator, Table};
use crate::module::Value;
use crate::resolve::context::Context;
use crate::suggest::suggestion;
use gmpc_grammar::ast::{Argument, Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;

/// What each kind of source takes.
#[rustfmt::skip] // one line a source
pub(crate) const KINDS: [(&str, &[Slot<'static>]); 8] = [
    ("table", &[Slot::optional("path"), Slot::optional("separator"), Slot::optional("header"), Slot::optional("skip")]),
    ("npy", &[Slot::required("inputs"), Slot::required("targets")]),
    ("npz", &[Slot::optional("path"), Slot::optional("inputs"), Slot::optional("targets")]),
    ("formula", &[Slot::required("y"), Slot::required("x"), Slot::optional("points"), Slot::optional("noise"),
        Slot::optional("test"), Slot::optional("draw")]),
    ("images", &[Slot::required("train"), Slot::optional("test")]),
    ("batches", &[Slot::required("folder"), Slot::required("train"), Slot::optional("test"), Slot::optional("names"),
        Slot::optional("labels"), Slot::optional("label_bytes"), Slot::optional("first_label")]),
    ("idx", &[Slot::required("folder"), Slot::required("train"), Slot::optional("test"), Slot::optional("names")]),
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

/// What a file named directly is called: its path without folders and ending.
pub(super) fn shown_name(arguments: &[Argument], context: &mut Context<'_>) -> Option<String> {
    let ExprKind::String(path) = &arguments.first()?.value.node else { return None };
    let _ = context;
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    Some(file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_string())
}

/// Reads the source, wherever it stands.
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
            Diagnostic::error("E0706", "numbers cannot be read from this")
                .label(expr.span, "unknown")
                .help(suggestion(&name, "sources", KINDS.iter().map(|(kind, _)| *kind))),
        ]));
    };
    // Where the source stands in the `data` line itself, settings stand among its arguments.
    let mut slots = own.to_vec();
    if said.direct.is_some() {
        slots.extend(SETTINGS.iter().filter(|s| !takes(kind, s)).map(|s| Slot::optional(s)));
    }
    let bound = bind(kind, expr.span, &slots, own.len(), arguments);
    let bound = context.keep(bound)?;
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
    let get = |key: &str| bound.get(key).copied();
    let separator = match get("separator") {
        Some(expr) => separator(expr, context),
        None => Some(Separator::Character(',')),
    };
    let header = get("header").map(|e| context.truth("header", e));
    let skip = get("skip").map(|e| context.text("skip", e));
    let file = file(get("path"), said, context);
    let target = match said.read("target", context, columns)? {
        Some(target) => Some(target),
        None => context.keep(Err(vec![
            Diagnostic::error("E0707", "which column of the table is the target?")
                .label(said.span, "no target is named")
                .help("add `target = \"price\"`, or its position counted from 0: `target = 6`"),
        ])),
    };
    let columns = said.read("columns", context, columns)?;
    Some(Table {
        file: file?,
        separator: separator?,
        header: header.map_or(Some(None), |h| h.map(Some))?,
        skip: skip.map_or(Some(String::new()), |s| s)?,
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

/// The file itself; without a path it is called as its address ends, in a folder of the data set's name.
pub(super) fn file(path: Option<&Expr>, said: &Said<'_>, context: &mut Context<'_>) -> Option<FileSpec> {
    let given = path.map(|e| (e, context.text("path", e)));
    let url = said.read("url", context, |e, c| c.text("url", e))?;
    let sha256 = said.read("sha256", context, checksum)?;
    let path = match given {
        Some((expr, path)) => Some(path?).filter(|p| !p.is_empty()).or_else(|| no_path(expr.span, context)),
        None => match url.as_deref().and_then(|u| u.rsplit('/').next()).filter(|name| !name.is_empty()) {
            Some(name) => Some(format!("{}/{name}", said.name.replace('.', "/"))),
            None => no_path(said.span, context),
        },
    };
    Some(FileSpec { path: path?, url, sha256 })
}

fn no_path(span: gmpc_grammar::source::Span, context: &mut Context<'_>) -> Option<String> {
    context.keep(Err(vec![
        Diagnostic::error("E0708", "the file has no name").label(span, "here").help("write `table(\"data.csv\", …)`"),
    ]))
}

fn checksum(expr: &Expr, context: &mut Context<'_>) -> Option<String> {
    let text = context.text("sha256", expr)?;
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    context.keep(Err(vec![
        Diagnostic::error("E0709", "a SHA-256 checksum is 64 hexadecimal digits")
            .label(expr.span, format!("{} characters", text.chars().count()))
            .help("print it with `sha256sum FILE`"),
    ]))
}

/// A position counted from 0, a name, or a list of them.
fn columns(expr: &Expr, context: &mut Context<'_>) -> Option<Vec<Column>> {
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
