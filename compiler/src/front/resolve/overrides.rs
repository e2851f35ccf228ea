//! Applies `--param`, `--seed` and `--set KEY=VALUE` as edits of the syntax tree, so that the printed tree is the whole
//! experiment.
//!
//! ```text
//! --set train.epochs=500            the setting `epochs` of `train`
//! --set train.optimizer.lr=0.1      the argument `lr` of the call that `optimizer` is
//! --set data.noise=0                the argument `noise` of the call that `data` is
//! --set data=uci.yacht              the setting `data` of the file
//! --set stage.channels=64           the default of a block's or the model's parameter
//! --set model.width=32              the default of the model's parameter, also if the model has another name
//! ```
//!
//! Each override is a source of its own, so that an error can point into it. Names in its value are checked later, together
//! with the names of the file.

use super::data::SETTINGS as DATA_SETTINGS;
use super::train::SETTINGS as TRAIN_SETTINGS;
use crate::front::resolve::signature;
use crate::front::stdlib::library;
use crate::front::suggest::suggestion;
use crate::ir::experiment::Seeds;
use crate::ir::module::Definitions;
use gmpc_grammar::ast::{Argument, Ast, Binding, Definition, Expr, ExprKind, Ident, Item, Kind, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::{Source, SourceId, Sources};
use gmpc_grammar::{read_expr, read_path};

/// The options that replace parts of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--param 'gmp + mn'`
    pub param: Option<String>,
    /// `--set train.epochs=500`, in order. A later one replaces an earlier one.
    pub set: Vec<(String, String)>,
    /// `--seed 3`
    pub seed: Option<Seeds>,
    /// `--precision f64`
    pub precision: Option<String>,
}

/// The settings at the top level of a file.
pub(crate) const FILE_SETTINGS: [&str; 5] = ["param", "data", "defaults", "precision", "seed"];

/// Applies the overrides to a tree.
///
/// # Errors
/// Values that cannot be read, and keys that the file does not have.
pub(crate) fn apply(mut ast: Ast, sources: &mut Sources, overrides: &Overrides) -> Result<Ast, Vec<Diagnostic>> {
    let seed = overrides.seed.map(Seeds::setting);
    let short = [("param", &overrides.param), ("precision", &overrides.precision), ("seed", &seed)];
    let mut errors = Vec::new();
    for (key, value) in &overrides.set {
        let edit = format!("{key}={value}");
        errors.extend(one(&mut ast, sources, &format!("--set {edit}"), &edit, key.len()).err());
    }
    for (key, value) in short.into_iter().filter_map(|(k, v)| v.as_ref().map(|v| (k, v))) {
        let edit = format!("{key}={value}");
        errors.extend(one(&mut ast, sources, &format!("--{key} {value}"), &edit, key.len()).err());
    }
    if errors.is_empty() { Ok(ast) } else { Err(errors) }
}

/// Applies one override. `text` is `KEY=VALUE`, and its first `key` bytes are the key.
fn one(ast: &mut Ast, sources: &mut Sources, name: &str, text: &str, key: usize) -> Result<(), Diagnostic> {
    let source = sources.add(Source { name: name.to_string(), text: text.to_string() });
    let path = read_path(text.get(..key).unwrap_or(""), source)?;
    // The key is replaced by blanks, so that the spans of the value are right for the whole text.
    let padded = format!("{}{}", " ".repeat(key + 1), text.get(key + 1..).unwrap_or(""));
    let value = read_expr(&padded, source)?;
    set(ast, &path, value, source)
}

fn set(ast: &mut Ast, path: &Path, value: Expr, source: SourceId) -> Result<(), Diagnostic> {
    let known = known(ast);
    let [first, rest @ ..] = path.parts.as_slice() else { return Err(nothing_there(path, &[])) };
    match (first.text.as_str(), rest) {
        ("train", [setting, inner @ ..]) => {
            let block = train_block(ast, source, path)?;
            let binding = bind(&mut block.body.statements, setting, inner.is_empty(), &TRAIN_SETTINGS)?;
            replace(binding, inner, value, &known)
        }
        (name, _) if FILE_SETTINGS.contains(&name) => {
            let binding = file_setting(ast, first, rest.is_empty())?;
            replace(binding, rest, value, &known)
        }
        (_, [parameter]) => match part(ast, &first.text) {
            Some(definition) => default(definition, first, parameter, value),
            None => Err(nothing_there(path, &parts(ast))),
        },
        _ => Err(nothing_there(path, &parts(ast))),
    }
}

/// Returns the definitions that calls can refer to: those of the library and of the file.
fn known(ast: &Ast) -> Definitions {
    let mut known = library().prelude.clone();
    for item in &ast.items {
        if let Item::Definition(d) = item
            && let Some(name) = &d.name
        {
            known.insert((d.kind, name.to_string()), std::sync::Arc::new(d.clone()));
        }
    }
    known
}

/// Returns the first parts that a key can have.
fn parts(ast: &Ast) -> Vec<String> {
    let mut parts: Vec<String> = FILE_SETTINGS.iter().map(ToString::to_string).collect();
    parts.push("train".to_string());
    parts.extend(ast.items.iter().filter_map(|item| match item {
        Item::Definition(Definition { kind: Kind::Model | Kind::Block, name: Some(name), .. }) => {
            Some(name.to_string())
        }
        _ => None,
    }));
    parts
}

fn train_block<'a>(ast: &'a mut Ast, source: SourceId, path: &Path) -> Result<&'a mut Definition, Diagnostic> {
    let found = ast.items.iter_mut().find_map(|item| match item {
        Item::Definition(d) if d.kind == Kind::Train => Some(d),
        _ => None,
    });
    assert!(path.parts.iter().all(|p| p.span.source == source));
    found.ok_or_else(|| {
        Diagnostic::error("E0220", "the file has no `train` block to set this in")
            .label(path.span(), "leads nowhere")
            .help("add a block `train { loss = mse }` to the file")
    })
}

fn part<'a>(ast: &'a mut Ast, name: &str) -> Option<&'a mut Definition> {
    ast.items.iter_mut().find_map(|item| match item {
        Item::Definition(d)
            if d.kind == Kind::Model && name == "model"
                || matches!(d.kind, Kind::Model | Kind::Block)
                    && d.name.as_ref().is_some_and(|n| n.to_string() == name) =>
        {
            Some(d)
        }
        _ => None,
    })
}

/// Returns the binding of a `train` setting. A missing one is added if its whole value is replaced (`whole`).
fn bind<'a>(
    statements: &'a mut Vec<Statement>,
    name: &Ident,
    whole: bool,
    known: &[&str],
) -> Result<&'a mut Binding, Diagnostic> {
    let place = statements.iter().position(|s| matches!(s, Statement::Bind(b) if b.name.text == name.text));
    let place = match place {
        Some(place) => place,
        None if !known.contains(&name.text.as_str()) => {
            return Err(super::settings::unknown_setting(name, "`train`", known));
        }
        None if !whole => return Err(not_set(name)),
        None => {
            statements.push(Statement::Bind(fresh(name)));
            statements.len() - 1
        }
    };
    match statements.get_mut(place) {
        Some(Statement::Bind(binding)) => Ok(binding),
        _ => Err(not_set(name)),
    }
}

/// Returns a setting of the file. A missing one is added if its whole value is replaced (`whole`).
fn file_setting<'a>(ast: &'a mut Ast, name: &Ident, whole: bool) -> Result<&'a mut Binding, Diagnostic> {
    let is_it = |item: &Item| matches!(item, Item::Setting(b) if b.name.text == name.text);
    let place = match ast.items.iter().position(is_it) {
        Some(place) => place,
        None if !whole => return Err(not_set(name)),
        None => {
            let place = ast.items.iter().take_while(|item| !matches!(item, Item::Definition(_))).count();
            ast.items.insert(place, Item::Setting(fresh(name)));
            place
        }
    };
    match ast.items.get_mut(place) {
        Some(Item::Setting(binding)) => Ok(binding),
        _ => Err(not_set(name)),
    }
}

fn fresh(name: &Ident) -> Binding {
    let value = Expr { node: ExprKind::Bool(false), span: name.span };
    Binding { name: name.clone(), value, docs: Vec::new() }
}

fn not_set(name: &Ident) -> Diagnostic {
    Diagnostic::error(
        "E0221",
        format!("the file does not set `{}`, so there is nothing inside it to change", name.text),
    )
    .label(name.span, "not set in the file")
    .help(format!("set all of `{}` first", name.text))
}

fn nothing_there(path: &Path, parts: &[String]) -> Diagnostic {
    let first = path.parts.first().map_or("", |p| p.text.as_str());
    Diagnostic::error("E0222", format!("the file has nothing called `{path}`"))
        .label(path.span(), "leads nowhere")
        .help(suggestion(first, "what can be set", parts.iter().map(String::as_str)))
}

/// Replaces the value of a binding, or the argument inside it that `inner` names.
fn replace(binding: &mut Binding, inner: &[Ident], value: Expr, known: &Definitions) -> Result<(), Diagnostic> {
    let (kind, slots): (_, &[&str]) = match binding.name.text.as_str() {
        "loss" => (Some(Kind::Loss), &[]),
        "optimizer" => (Some(Kind::Optimizer), &[]),
        "schedule" => (Some(Kind::Schedule), &[]),
        "param" => (Some(Kind::Parameterization), &[]),
        "data" => (Some(Kind::Dataset), &DATA_SETTINGS),
        _ => (None, &[]),
    };
    within(&mut binding.value, inner, value, kind, slots, known)
}

/// Replaces an expression, or the argument of a call inside it: `inner` is the path to it. `kind` and `settings` say what the
/// call can be, and which arguments it takes beside its own parameters.
fn within(
    expr: &mut Expr,
    inner: &[Ident],
    value: Expr,
    kind: Option<Kind>,
    settings: &[&str],
    known: &Definitions,
) -> Result<(), Diagnostic> {
    let [name, deeper @ ..] = inner else {
        *expr = value;
        return Ok(());
    };
    let whole = expr.span;
    let (callee, arguments) = opened(expr, name)?;
    // A callee without known parameters is misspelt, or a block's parameter. Resolving reports it later if it is wrong.
    let own = signature::parameters(&callee.to_string(), kind, known);
    let names = own.iter().map(String::as_str).chain(settings.iter().copied());
    if !own.is_empty() && !names.clone().any(|known| known == name.text) {
        let help = suggestion(&name.text, &format!("arguments of `{callee}`"), names);
        return Err(Diagnostic::error("E0211", format!("`{callee}` has no argument `{}`", name.text))
            .label(name.span, "no such argument")
            .label(whole, "called here")
            .help(help));
    }
    // The file may give the argument by its name or by its position: `adam(0.1)`. Adding it again by name would be E0213.
    let place = own.iter().position(|p| *p == name.text);
    let positional = |i: usize, a: &Argument| a.name.is_none() && place == Some(i);
    let found = arguments
        .iter()
        .enumerate()
        .position(|(i, a)| a.name.as_ref().is_some_and(|n| n.text == name.text) || positional(i, a));
    match found.and_then(|i| arguments.get_mut(i)) {
        Some(argument) => within(&mut argument.value, deeper, value, None, &[], known),
        // The file leaves the argument out. It can be added whole, but there is nothing inside it to change.
        None if deeper.is_empty() => {
            arguments.push(Argument { name: Some(name.clone()), value });
            Ok(())
        }
        None => Err(not_set(name)),
    }
}

/// Returns the arguments of a call. A bare name becomes a call without arguments first.
fn opened<'a>(expr: &'a mut Expr, name: &Ident) -> Result<(Path, &'a mut Vec<Argument>), Diagnostic> {
    if let ExprKind::Path(path) = &expr.node {
        expr.node = ExprKind::Call { callee: path.clone(), arguments: Vec::new() };
    }
    match &mut expr.node {
        ExprKind::Call { callee, arguments } => Ok((callee.clone(), arguments)),
        _ => Err(Diagnostic::error("E0223", format!("there is no argument `{}` to change here", name.text))
            .label(name.span, "leads nowhere")
            .label(expr.span, "this is not a call")
            .help("set the whole value instead")),
    }
}

/// Sets the default of a parameter of the model or of a block.
fn default(definition: &mut Definition, part: &Ident, parameter: &Ident, value: Expr) -> Result<(), Diagnostic> {
    match definition.parameters.iter_mut().find(|p| p.name.text == parameter.text) {
        Some(found) => {
            found.default = Some(value);
            Ok(())
        }
        None => {
            let names = definition.parameters.iter().map(|p| p.name.text.as_str());
            let help = suggestion(&parameter.text, &format!("parameters of `{}`", part.text), names);
            Err(Diagnostic::error("E0211", format!("`{}` has no parameter `{}`", part.text, parameter.text))
                .label(parameter.span, "no such parameter")
                .help(help))
        }
    }
}
