//! From a syntax tree to a module: every name found, every setting read, every override applied.
//!
//! ```text
//! text -read-> Ast -overrides-> Ast -resolve-> Module
//! ```
//!
//! Before: a tree that says what the text says. After: definitions by name, the model and the parameterization to use, and an
//! [`Experiment`] without syntax. Shapes are not looked at yet; that is `infer`.

mod context;
mod cycle;
mod data;
mod defaults;
mod definitions;
mod monitor;
mod overrides;
mod param;
mod record;
mod reference;
mod schedule;
mod settings;
mod signature;
mod train;
mod unused;
pub(crate) mod walk;
mod wellformed;

pub use overrides::Overrides;
pub(crate) use param::param_use;
pub(crate) use reference::find;

use crate::experiment::{Contractions, DataFacts, DataSpec, Experiment, PRECISIONS, Precision, TrainSpec};
use crate::module::{Definitions, Module, ParamUse, Training};
use crate::stdlib;
use context::Context;
use gmpc_grammar::ast::{Ast, Binding, Expr, ExprKind, Item, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, SourceId, Sources, Span};
use std::collections::BTreeMap;

/// What is wrong with a file, and the texts its places lie in.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Everything that was read.
    pub sources: Sources,
    /// At least one error, and the warnings before it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file, applies the overrides, and resolves it; the warnings come along.
///
/// # Errors
/// Everything found wrong by the stage that stopped.
pub fn read(file: Source, overrides: &Overrides) -> Result<(Module, Vec<Diagnostic>), Failure> {
    let mut sources = stdlib::sources();
    let text = file.text.clone();
    let id = sources.add(file);
    let (mut ast, errors) = gmpc_grammar::read(&text, id);
    if !errors.is_empty() {
        return Err(Failure { sources, diagnostics: errors });
    }
    if let Err(diagnostics) = overrides::apply(&mut ast, &mut sources, overrides) {
        return Err(Failure { sources, diagnostics });
    }
    resolve(sources, &ast)
}

/// Resolves a tree whose spans lie in `sources`, which begin with the library's (`stdlib::sources`).
///
/// # Errors
/// E02xx and E04xx to E07xx: everything found wrong.
pub fn resolve(sources: Sources, ast: &Ast) -> Result<(Module, Vec<Diagnostic>), Failure> {
    let mut errors = Vec::new();
    let (found, set) = names(ast, &mut errors);
    if found.model.is_none() {
        errors.push(no_model(ast, &sources));
    }
    let asked = asked(&set, &found, beginning(&sources), &mut errors);
    let mut warnings = asked.warnings;
    unused::check(ast, &mut warnings);
    let complete = || Some((found.model?, asked.param?, asked.data?, asked.train?, asked.precision?, asked.seed?));
    let Some((model, param, data, train, (precision, contractions), seed)) = complete().filter(|_| errors.is_empty())
    else {
        errors.extend(warnings);
        return Err(Failure { sources, diagnostics: errors });
    };
    let (training, train) = train.unzip();
    let name = model.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let param_text = param.to_string();
    let experiment = Experiment { model: name, param: param_text, data, train, precision, contractions, seed };
    let (definitions, effective_source) = (found.definitions, gmpc_grammar::print(ast));
    Ok((Module { sources, definitions, model, param, training, experiment, effective_source }, warnings))
}

/// The settings at the top level of a file, by name.
type FileSettings<'a> = BTreeMap<&'a str, &'a Binding>;

/// Everything that has a name, checked for its form, with the file's `defaults` in force.
fn names<'a>(ast: &'a Ast, errors: &mut Vec<Diagnostic>) -> (definitions::Found, FileSettings<'a>) {
    let mut found = definitions::gather(ast, errors);
    wellformed::check(ast, errors);
    let set = file_settings(ast, errors);
    if let Some(setting) = set.get("defaults") {
        defaults::apply(&setting.value, &mut found.definitions, errors);
    }
    cycle::check(&found.definitions, errors);
    (found, set)
}

/// What the settings say; `None` where one is wrong, `Some(None)` where it is not made.
struct Asked {
    param: Option<ParamUse>,
    #[allow(clippy::option_option)]
    data: Option<Option<DataSpec>>,
    #[allow(clippy::option_option)]
    train: Option<Option<(Training, TrainSpec)>>,
    precision: Option<(Precision, Contractions)>,
    seed: Option<u64>,
    warnings: Vec<Diagnostic>,
}

/// Reads all settings of the file and of its `train` block.
fn asked(set: &FileSettings<'_>, found: &definitions::Found, place: Span, errors: &mut Vec<Diagnostic>) -> Asked {
    let mut context = Context::new(&found.definitions, None);
    let param = match set.get("param") {
        Some(binding) => {
            let read = param_use(&binding.value, &context.scope());
            context.keep(read)
        }
        None => standard(&found.definitions, place),
    };
    let (precision, seed) = (precision(set, &mut context), seed(set, &mut context));
    errors.append(&mut context.errors);
    let mut context = Context::new(&found.definitions, param.as_ref());
    let data = set.get("data").map_or(Some(None), |binding| data::data(&binding.value, &mut context).map(Some));
    let known_data = data.as_ref().and_then(Option::as_ref);
    let block = found.train.as_ref();
    let train = block.map_or(Some(None), |block| train::train(block, known_data, &mut context).map(Some));
    // Where `param` itself is wrong, a `match param` has nothing to look at; that has been told.
    errors.extend(context.errors.into_iter().filter(|e| param.is_some() || e.code != "E0408"));
    let warnings = context.warnings;
    Asked { param, data, train, precision, seed, warnings }
}

impl Module {
    /// What the data set's declaration alone says of its shape: enough to check, summarize and measure without data.
    #[must_use]
    pub fn declared_facts(&self) -> Option<DataFacts> {
        let data = self.experiment.data.as_ref()?;
        Some(DataFacts {
            rows: None,
            shape: data.declared_shape()?,
            outputs: data.declared_outputs(),
            classes: data.classes,
        })
    }
}

fn file_settings<'a>(ast: &'a Ast, errors: &mut Vec<Diagnostic>) -> FileSettings<'a> {
    let mut set = BTreeMap::new();
    for item in &ast.items {
        let Item::Setting(binding) = item else { continue };
        if !overrides::FILE_SETTINGS.contains(&binding.name.text.as_str()) {
            errors.push(settings::unknown_setting(&binding.name, "a file", &overrides::FILE_SETTINGS));
            continue;
        }
        set.entry(binding.name.text.as_str()).or_insert(binding);
    }
    set
}

/// `sp`, where a file does not say.
fn standard(definitions: &Definitions, span: Span) -> Option<ParamUse> {
    let name = gmpc_grammar::ast::Ident { text: "sp".to_string(), span };
    let path = gmpc_grammar::ast::Path { parts: vec![name] };
    let expr = Expr { node: ExprKind::Path(path), span };
    let names = BTreeMap::new();
    param_use(&expr, &crate::constant::Scope::new(&names, definitions)).ok()
}

/// An empty place at the start of the user's file, for what is nowhere written.
fn beginning(sources: &Sources) -> Span {
    let source = SourceId(u32::try_from(stdlib::FILES).unwrap_or(0));
    debug_assert!(sources.get(source).is_some());
    Span { source, start: 0, end: 0 }
}

fn precision(set: &FileSettings<'_>, context: &mut Context<'_>) -> Option<(Precision, Contractions)> {
    let standard = Some((Precision::F32, Contractions::Full));
    set.get("precision").map_or(standard, |b| context.word("precision", &b.value, &PRECISIONS))
}

fn seed(set: &FileSettings<'_>, context: &mut Context<'_>) -> Option<u64> {
    set.get("seed").map_or(Some(0), |b| context.whole("seed", &b.value, 0))
}

fn no_model(ast: &Ast, sources: &Sources) -> Diagnostic {
    let place = ast.items.first().map_or_else(
        || beginning(sources),
        |item| match item {
            Item::Use { span, .. } => *span,
            Item::Setting(binding) => binding.name.span,
            Item::Definition(definition) => definition.span,
        },
    );
    let blocks = ast.items.iter().any(|i| matches!(i, Item::Definition(d) if d.kind == Kind::Block));
    let help = match blocks {
        true => "write `model name { input -> … }` and use the blocks in it",
        false => "write `model name { input -> dense(100) -> relu -> linear(1) }`",
    };
    Diagnostic::error("E0207", "the file has no model").label(place, "no `model` in this file").help(help)
}
