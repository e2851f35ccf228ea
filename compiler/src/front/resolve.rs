//! From a syntax tree to a module: every name found, every setting read, every override applied.
//!
//! ```text
//! text -read-> Ast -overrides-> Ast -resolve-> Module
//! ```
//!
//! Before: a tree of the text. After: definitions by name, the model and the parameterization to use, and an [`Experiment`]
//! without syntax. Shapes come later, in `infer`.

mod average;
mod context;
mod curve;
mod cycle;
mod data;
mod defaults;
mod definitions;
mod groups;
mod monitor;
pub(crate) mod overrides;
mod record;
mod schedule;
mod settings;
mod signature;
mod start;
mod train;
mod unused;
mod unusual;
mod wellformed;

pub use overrides::Overrides;

use crate::front::names::param_use;
use crate::front::stdlib;
use crate::ir::experiment::{Contractions, DataFacts, DataSpec, Experiment, PRECISIONS, Precision, Seeds, TrainSpec};
use crate::ir::internal::{index32, internal_error};
use crate::ir::module::{Definitions, Module, ParamUse, Training};
use context::Context;
use gmpc_grammar::ast::{Ast, Binding, Expr, ExprKind, Item, Kind};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{SourceId, Sources, Span};
use std::collections::BTreeMap;

/// The lists of names that this stage reads, for the reference.
pub(crate) mod listed {
    pub(crate) use super::average::AVERAGES;
    pub(crate) use super::data::steps::STEPS;
    pub(crate) use super::data::{FILE_KINDS as SOURCES, SETTINGS as DATA_SETTINGS};
    pub(crate) use super::overrides::FILE_SETTINGS;
    pub(crate) use super::record::RECORDS;
    pub(crate) use super::schedule::{SCHEDULES, STOPS};
    pub(crate) use super::start::{SEEDS, STARTS};
    pub(crate) use super::train::SETTINGS as TRAIN_SETTINGS;
}

/// The mistakes of a file, and the texts that their spans lie in.
#[derive(Debug, Clone)]
pub struct Failure {
    /// All texts that were read.
    pub sources: Sources,
    /// At least one error, and the warnings before it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Resolves a tree whose spans lie in `sources`. `sources` begin with the texts of the library (`stdlib::sources`).
///
/// # Errors
/// E02xx and E04xx to E07xx: all mistakes.
pub(crate) fn resolve(sources: Sources, ast: &Ast) -> Result<(Module, Vec<Diagnostic>), Failure> {
    let mut errors = Vec::new();
    let (found, set) = names(ast, &mut errors);
    if found.model.is_none() {
        errors.push(no_model(ast, &sources));
    }
    let asked = asked(&set, &found, beginning(&sources), &mut errors);
    let mut warnings = asked.warnings;
    // Warnings are collected even if there are errors, because both are shown together.
    unused::check(ast, &mut warnings);
    let loss = asked.train.as_ref().and_then(Option::as_ref).map(|(training, _)| &training.loss);
    unusual::check(ast, &found.definitions, loss.is_some_and(takes_logits), &mut warnings);
    // Everything has been read by now, so that all mistakes are reported together.
    let complete = || Some((found.model?, asked.param?, asked.data?, asked.train?, asked.precision?, asked.seed?));
    let Some((model, param, data, train, (precision, contractions), seed)) = complete().filter(|_| errors.is_empty())
    else {
        errors.extend(warnings);
        return Err(Failure { sources, diagnostics: errors });
    };
    let (training, train) = train.unzip();
    let name = model.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let param_text = param.to_string();
    let experiment = Experiment { model: name, param: param_text, data, train, precision, contractions, seeds: seed };
    let (definitions, effective_source) = (found.definitions, gmpc_grammar::print(ast));
    Ok((Module { sources, definitions, model, param, training, experiment, effective_source }, warnings))
}

/// Does the loss declare `prediction: logits`?
fn takes_logits(loss: &crate::ir::module::Instance) -> bool {
    let annotation = loss.definition.parameters.iter().find(|p| p.name.text == "prediction");
    let annotation = annotation.and_then(|p| p.annotation.as_ref());
    annotation.is_some_and(|a| matches!(&a.node, ExprKind::Path(path) if path.to_string() == "logits"))
}

/// The settings at the top level of a file, by name.
type FileSettings<'a> = BTreeMap<&'a str, &'a Binding>;

/// Collects all definitions and settings, checks their form, and applies the file's `defaults`.
fn names<'a>(ast: &'a Ast, errors: &mut Vec<Diagnostic>) -> (definitions::Found, FileSettings<'a>) {
    let mut found = definitions::collect(ast, errors);
    wellformed::check(ast, errors);
    let set = file_settings(ast, errors);
    if let Some(setting) = set.get("defaults") {
        defaults::apply(&setting.value, &mut found.definitions, errors);
    }
    cycle::check(&found.definitions, errors);
    (found, set)
}

/// The values of the settings. `None`: the setting is wrong. `Some(None)`: the file does not make it.
struct Asked {
    param: Option<ParamUse>,
    data: Option<Option<DataSpec>>,
    train: Option<Option<(Training, TrainSpec)>>,
    precision: Option<(Precision, Contractions)>,
    seed: Option<Seeds>,
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
    // If `param` itself is wrong, every `match param` fails too (E0408). The mistake is reported already.
    errors.extend(context.errors.into_iter().filter(|e| param.is_some() || e.code != "E0408"));
    let warnings = context.warnings;
    Asked { param, data, train, precision, seed, warnings }
}

impl Module {
    /// Returns the shape that the declaration of the data set states. It is enough to check, summarize and benchmark a network
    /// without its data.
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

/// Returns `sp`, the parameterization of files that state none.
fn standard(definitions: &Definitions, span: Span) -> Option<ParamUse> {
    let name = gmpc_grammar::ast::Ident { text: "sp".to_string(), span };
    let path = gmpc_grammar::ast::Path { parts: vec![name] };
    let expr = Expr { node: ExprKind::Path(path), span };
    let names = BTreeMap::new();
    param_use(&expr, &crate::front::constant::Scope::new(&names, definitions)).ok()
}

/// Returns an empty span at the start of the user's file, for what is written nowhere.
fn beginning(sources: &Sources) -> Span {
    let source = SourceId(index32(stdlib::FILES, "texts"));
    if sources.get(source).is_none() {
        internal_error("resolve", "the file comes after the texts of the library", source.0);
    }
    Span { source, start: 0, end: 0 }
}

fn precision(set: &FileSettings<'_>, context: &mut Context<'_>) -> Option<(Precision, Contractions)> {
    let standard = Some((Precision::F32, Contractions::Full));
    set.get("precision").map_or(standard, |b| context.word("precision", &b.value, &PRECISIONS))
}

fn seed(set: &FileSettings<'_>, context: &mut Context<'_>) -> Option<Seeds> {
    set.get("seed").map_or(Some(Seeds::all(0)), |b| start::seeds(&b.value, context))
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
