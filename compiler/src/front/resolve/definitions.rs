//! Collects the definitions that a file can use: those of the standard library, of the modules that it uses, and its own.

use crate::front::names::reference::noun;
use crate::front::stages::{RESERVED, STAGES};
use crate::front::stdlib::library;
use crate::front::suggest::{suggestion, with_article};
use crate::ir::module::Definitions;
use gmpc_grammar::ast::{Ast, Definition, Item, Kind, Path};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::sync::Arc;

/// Does the language define this name itself? Then no definition of this kind can have it.
fn is_built_in(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Block => STAGES.contains(&name) || RESERVED.contains(&name),
        Kind::Activation | Kind::Stage => STAGES.contains(&name),
        Kind::Schedule => ["reduce_on_plateau", "warm_up"].contains(&name),
        Kind::Dataset => ["table", "npy", "npz", "formula"].contains(&name),
        _ => false,
    }
}

/// The kinds of definitions that a flow can name. A name stands for one of them.
const FLOWS: [Kind; 3] = [Kind::Block, Kind::Activation, Kind::Stage];

/// The definitions of a file, with its model and its `train` block.
pub(crate) struct Found {
    /// All definitions, by kind and name.
    pub definitions: Definitions,
    /// The only model, if there is one.
    pub model: Option<Arc<Definition>>,
    /// The only `train` block, if there is one.
    pub train: Option<Arc<Definition>>,
}

/// Collects definitions. Notes names that are defined twice, unknown modules, and a second model or `train` block.
pub(crate) fn collect(ast: &Ast, errors: &mut Vec<Diagnostic>) -> Found {
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
                // A definition of the file itself has priority, also if it comes before the `use`.
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
    if is_built_in(kind, &name) {
        errors.push(
            Diagnostic::error("E0206", format!("`{name}` is built in"))
                .label(path.span(), "cannot be defined anew")
                .help(format!("choose another name for this {}", noun(kind))),
        );
        return;
    }
    let others = FLOWS.into_iter().filter(|other| FLOWS.contains(&kind) && *other != kind);
    for other in others {
        match found.definitions.get(&(other, name.clone())) {
            // The library has more activations and stages over time: the file's own definition has priority.
            Some(first) if is_standard(first) => {
                found.definitions.remove(&(other, name.clone()));
            }
            Some(first) => errors.push(taken(definition, path, first)),
            None => {}
        }
    }
    match found.definitions.get(&(kind, name.clone())) {
        // Blocks of the library come from modules. A block of the file may replace them; any other name is taken.
        Some(first) if kind != Kind::Block || !is_standard(first) => errors.push(taken(definition, path, first)),
        _ => {
            found.definitions.insert((kind, name), Arc::clone(definition));
        }
    }
}

/// Is this a definition of the library? The texts of the library are the first sources.
fn is_standard(definition: &Definition) -> bool {
    crate::front::stdlib::is_library(definition)
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
