//! Everything that has a name: the standard library's definitions, the modules a file uses, and its own.

use crate::module::Definitions;
use crate::resolve::reference::noun;
use crate::stdlib::library;
use crate::suggest::{suggestion, with_article};
use gmpc_grammar::ast::{Ast, Definition, Item, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::sync::Arc;

/// Names that mean something by themselves, so that no definition of this kind may take them.
fn built_in(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Block => &crate::infer::STAGES,
        Kind::Dataset => &["table", "npy", "npz", "formula"],
        _ => &[],
    }
}

/// The definitions of a file, with its model and its `train` block.
pub(crate) struct Found {
    /// By kind and name.
    pub definitions: Definitions,
    /// The only model, if there is one.
    pub model: Option<Arc<Definition>>,
    /// The only `train` block, if there is one.
    pub train: Option<Arc<Definition>>,
}

/// Gathers definitions and notes names taken twice, unknown modules, and a missing or a second model.
pub(crate) fn gather(ast: &Ast, errors: &mut Vec<Diagnostic>) -> Found {
    let mut found = Found { definitions: library().prelude.clone(), model: None, train: None };
    for item in &ast.items {
        match item {
            Item::Use { path, span } => use_module(path, *span, &mut found.definitions, errors),
            Item::Definition(definition) => define(&Arc::new(definition.clone()), &mut found, errors),
            Item::Setting(_) => {}
        }
    }
    found
}

fn use_module(path: &Path, span: Span, definitions: &mut Definitions, errors: &mut Vec<Diagnostic>) {
    let name = path.to_string();
    match library().modules.iter().find(|(known, _)| *known == name) {
        Some((_, module)) => {
            for (key, definition) in module {
                // What the file defines itself stays, wherever the `use` stands.
                definitions.entry(key.clone()).or_insert_with(|| Arc::clone(definition));
            }
        }
        None => {
            errors.push(
                Diagnostic::error("E0203", format!("there is no module `{name}`"))
                    .label(span, "unknown")
                    .help(suggestion(&name, "modules", library().modules.iter().map(|(known, _)| known.as_str()))),
            )
        }
    }
}

fn define(definition: &Arc<Definition>, found: &mut Found, errors: &mut Vec<Diagnostic>) {
    let only = match definition.kind {
        Kind::Model => &mut found.model,
        Kind::Train => &mut found.train,
        _ => return define_named(definition, found, errors),
    };
    match only {
        Some(first) => errors.push(second(definition, first)),
        None => *only = Some(Arc::clone(definition)),
    }
}

fn define_named(definition: &Arc<Definition>, found: &mut Found, errors: &mut Vec<Diagnostic>) {
    let Some(path) = &definition.name else { return };
    let (kind, name) = (definition.kind, path.to_string());
    if built_in(kind).contains(&name.as_str()) {
        errors.push(
            Diagnostic::error("E0206", format!("`{name}` is built in"))
                .label(path.span(), "cannot be defined anew")
                .help(format!("choose another name for this {}", noun(kind))),
        );
        return;
    }
    match found.definitions.get(&(kind, name.clone())) {
        // Blocks come from modules that the file asked for, so that its own may take their places.
        Some(first) if kind != Kind::Block || !is_standard(first) => errors.push(taken(definition, path, first)),
        _ => {
            found.definitions.insert((kind, name), Arc::clone(definition));
        }
    }
}

/// The source a definition of the library lies in is one of the library's.
fn is_standard(definition: &Definition) -> bool {
    (definition.span.source.0 as usize) < crate::stdlib::FILES
}

fn taken(definition: &Definition, path: &Path, first: &Definition) -> Diagnostic {
    let first_span = first.name.as_ref().map_or(first.span, Path::span);
    let what = noun(definition.kind);
    if is_standard(first) {
        return Diagnostic::error(
            "E0204",
            format!("`{path}` is the name of {} of the standard library", with_article(what)),
        )
        .label(path.span(), "defined again here")
        .label(first_span, "the standard one")
        .help(format!("choose another name, such as `my_{}`", path.to_string().replace('.', "_")));
    }
    Diagnostic::error("E0205", format!("the {what} `{path}` is defined twice"))
        .label(path.span(), "again here")
        .label(first_span, "first here")
        .help("rename or remove one of them")
}

fn second(definition: &Definition, first: &Definition) -> Diagnostic {
    let (code, what, help) = match definition.kind {
        Kind::Model => ("E0208", "model", "keep one; parts of a network are written as `block`s"),
        _ => ("E0209", "`train` block", "keep one"),
    };
    let place = |d: &Definition| d.name.as_ref().map_or(d.span, Path::span);
    Diagnostic::error(code, format!("a file has one {what}"))
        .label(place(definition), "a second one")
        .label(place(first), "the first one")
        .help(help)
}
