//! Warnings about arguments that are allowed but probably not intended: a dropout above one half (W0911), a running mean that
//! is mostly the last batch (W0912), an activation that limits scores before the loss gets them (W0913), a weight decay that
//! acts on angles (W0914), an image without channels that is read as a series (W0917).
//!
//! Only numbers that the file itself states are checked. An argument that a block hands on is checked where the block is
//! called.

use crate::front::constant::{Scope, evaluate, number};
use crate::front::names::walk;
use crate::ir::module::{Definitions, Value};
use gmpc_grammar::ast::{Argument, Ast, BinaryOp, Body, Definition, Expr, ExprKind, Item, Kind, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// A fraction above this is often the opposite one: the fraction to keep instead of the fraction to drop, the weight of the
/// old mean instead of the weight of the new batch.
const USUAL: f64 = 0.5;

/// Checks every call of the file, and the last stage of its model.
pub(crate) fn check(ast: &Ast, definitions: &Definitions, takes_logits: bool, warnings: &mut Vec<Diagnostic>) {
    warnings.extend(decaying_angles(ast, definitions));
    for item in &ast.items {
        let mut see = |expr: &Expr| warnings.extend(call(expr, definitions));
        match item {
            Item::Setting(binding) => walk::each(&binding.value, &mut see),
            Item::Definition(definition) => {
                let defaults = definition.parameters.iter().filter_map(|parameter| parameter.default.as_ref());
                defaults.for_each(|expr| walk::each(expr, &mut see));
                walk::expressions(&definition.body, &mut see);
                if takes_logits && definition.kind == Kind::Model {
                    warnings.extend(cut_off(definition, definitions));
                }
                if definition.kind == Kind::Model {
                    warnings.extend(square_series(definition, definitions));
                }
            }
            Item::Use { .. } => {}
        }
    }
}

fn call(expr: &Expr, definitions: &Definitions) -> Option<Diagnostic> {
    let ExprKind::Call { callee, arguments } = &expr.node else { return None };
    match callee.to_string().as_str() {
        name @ ("dropout" | "stochastic_depth") => dropout(name, arguments, definitions),
        name => {
            let kinds = [Kind::Parameterization, Kind::Modifier, Kind::Stage];
            let found = kinds.into_iter().find_map(|kind| definitions.get(&(kind, name.to_string())))?;
            let place = found.parameters.iter().position(|parameter| parameter.name.text == "momentum")?;
            momentum(callee, arguments, place, definitions)
        }
    }
}

/// The warning about `weight_decay` in a file with angles. Decay pulls angles towards 0, which is a direction like any
/// other: units turn there.
fn decaying_angles(ast: &Ast, definitions: &Definitions) -> Option<Diagnostic> {
    let (mut with_angles, mut decay, mut excepted) = (None, None, false);
    // What counts is that a parameterization declares `angles`, in the library or in the file itself.
    let mut params = |value: &Expr| {
        walk::each(value, &mut |expr: &Expr| {
            if let ExprKind::Path(path) | ExprKind::Call { callee: path, .. } = &expr.node {
                let found = definitions.get(&(Kind::Parameterization, path.to_string()));
                let angles = |statement: &Statement| match statement {
                    Statement::Declare(declaration) => declaration.kind.text == "angles",
                    Statement::Bind(_) | Statement::From(_) => false,
                };
                if found.is_some_and(|found| found.body.statements.iter().any(angles)) {
                    with_angles.get_or_insert_with(|| path.to_string());
                }
            }
        });
    };
    for item in &ast.items {
        match item {
            Item::Setting(binding) if binding.name.text == "param" => params(&binding.value),
            Item::Definition(definition) if matches!(definition.kind, Kind::Model | Kind::Block) => {
                walk::expressions(&definition.body, &mut |expr: &Expr| {
                    let ExprKind::Call { arguments, .. } = &expr.node else { return };
                    let given = |a: &&Argument| a.name.as_ref().is_some_and(|name| name.text == "param");
                    arguments.iter().filter(given).for_each(|argument| params(&argument.value));
                });
            }
            Item::Definition(definition) if definition.kind == Kind::Train => {
                walk::expressions(&definition.body, &mut |expr: &Expr| {
                    let ExprKind::Call { callee, arguments } = &expr.node else { return };
                    let given = |a: &&Argument| a.name.as_ref().is_some_and(|name| name.text == "weight_decay");
                    // No names are known: a decay that a definition computes is not judged.
                    let names = BTreeMap::new();
                    let value = |a: &Argument| evaluate(&a.value, &Scope::new(&names, definitions)).ok();
                    // `groups = [angles(weight_decay = 0)]` says what is meant.
                    let zero = |a: &Argument| value(a).as_ref().and_then(number) == Some(0.0);
                    excepted |= callee.to_string() == "angles" && arguments.iter().filter(given).any(zero);
                    // An optimizer that looks at the kind decides itself what decays.
                    let own = definitions.get(&(Kind::Optimizer, callee.to_string()));
                    if own.is_some_and(|own| reads_kind(own)) {
                        return;
                    }
                    let above = |a: &&Argument| value(a).as_ref().and_then(number).is_some_and(|x| x > 0.0);
                    decay = decay.or(arguments.iter().filter(given).find(above).map(|a| a.value.span));
                });
            }
            Item::Setting(_) | Item::Definition(_) | Item::Use { .. } => {}
        }
    }
    let (param, decay) = (with_angles?, decay.filter(|_| !excepted)?);
    Some(
        Diagnostic::warning("W0914", format!("`weight_decay` acts on the angles of `{param}`, too"))
            .label(decay, "turns every unit towards its first input")
            .help("leave the angles out: `groups = [angles(weight_decay = 0)]` in `train`"),
    )
}

/// Does the body of an optimizer read `kind`?
fn reads_kind(optimizer: &Definition) -> bool {
    let mut found = false;
    walk::expressions(&optimizer.body, &mut |expr: &Expr| {
        found |= matches!(&expr.node, ExprKind::Path(path) if path.to_string() == "kind");
    });
    found
}

fn dropout(name: &str, arguments: &[Argument], definitions: &Definitions) -> Option<Diagnostic> {
    let (share, value) = share(arguments, "p", 0, definitions)?;
    let opposite = round(1.0 - share);
    let what = if name == "dropout" { "values" } else { "examples" };
    Some(
        Diagnostic::warning("W0911", format!("`{name}({share})` zeroes {} % of the {what}", round(100.0 * share)))
            .label(value.span, "more than half")
            .help(format!("if {share} is the share to keep, write `{name}({opposite})`")),
    )
}

/// A convolution of an input `[28, 28]`: most often an image whose channel was forgotten.
fn square_series(model: &Definition, definitions: &Definitions) -> Option<Diagnostic> {
    let shape = model.parameters.iter().find(|parameter| parameter.name.text == "input")?.annotation.as_ref()?;
    let names = BTreeMap::new();
    let value = evaluate(shape, &Scope::new(&names, definitions)).ok()?;
    let sizes = match &value {
        Value::List(items) => items.iter().map(number).collect::<Option<Vec<f64>>>()?,
        _ => return None,
    };
    let &[height, width] = &sizes[..] else { return None };
    let mut convolves = false;
    walk::expressions(&model.body, &mut |expr: &Expr| {
        convolves |= matches!(&expr.node, ExprKind::Call { callee, .. } if callee.to_string() == "conv");
    });
    (convolves && height > 1.0 && height - width == 0.0).then(|| {
        Diagnostic::warning(
            "W0917",
            format!("an input of two axes is a series: {height} channels of {width} positions"),
        )
        .label(shape.span, "read as `[channels, positions]`")
        .help(format!("an image with one channel is `input: [1, {height}, {width}]`"))
    })
}

fn momentum(callee: &Path, arguments: &[Argument], place: usize, definitions: &Definitions) -> Option<Diagnostic> {
    let (share, value) = share(arguments, "momentum", place, definitions)?;
    let old = round(1.0 - share);
    Some(
        Diagnostic::warning(
            "W0912",
            format!(
                "`momentum` of `{callee}` is the weight of the newest batch: {share} leaves {old} to all before it"
            ),
        )
        .label(value.span, "more than half")
        .help(format!("Keras counts the other way around: its {share} is `momentum = {old}` here; the default is 0.1")),
    )
}

/// Returns the argument if it is a number above [`USUAL`] and below 1. Impossible numbers are reported elsewhere.
fn share<'e>(
    arguments: &'e [Argument],
    name: &str,
    place: usize,
    definitions: &Definitions,
) -> Option<(f64, &'e Expr)> {
    let by_name = |argument: &&Argument| argument.name.as_ref().is_some_and(|given| given.text == name);
    let given = arguments.iter().find(by_name).or_else(|| arguments.get(place).filter(|a| a.name.is_none()))?;
    let names = BTreeMap::new();
    let value = evaluate(&given.value, &Scope::new(&names, definitions)).ok()?;
    number(&value).filter(|x| *x > USUAL && *x < 1.0).map(|x| (x, &given.value))
}

/// Removes the rounding error of 1 - 0.99.
fn round(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

/// A model that ends in an activation which no score passes unchanged, whatever stands behind it that leaves numbers as
/// they are.
fn cut_off(model: &Definition, definitions: &Definitions) -> Option<Diagnostic> {
    let (last, name) = end(model.body.result.as_ref()?, &model.body, definitions, 0)?;
    let lost = match name.as_str() {
        "relu" | "softplus" => "no score can be below 0",
        _ => "no score can leave -1 to 1",
    };
    Some(
        Diagnostic::warning("W0913", format!("the loss takes scores, but the network ends in `{name}`"))
            .label(last, lost)
            .help(format!("drop the `{name}`: a score may be any number")),
    )
}

/// Activations that cut scores off; a sigmoid is an error, which shapes come before.
const CUTTING: [&str; 3] = ["relu", "softplus", "tanh"];
/// Stages that change no number.
const PLAIN: [&str; 5] = ["flatten", "dropout", "identity", "stochastic_depth", "noise"];
/// Blocks in blocks that are looked into; a circle of them is told elsewhere.
const MOST_DEPTH: usize = 16;

/// The activation that an expression ends in, and where it stands: in the file's own text, or at the call of the block.
fn end(expr: &Expr, body: &Body, definitions: &Definitions, depth: usize) -> Option<(Span, String)> {
    if depth > MOST_DEPTH {
        return None;
    }
    let inner = |expr: &Expr| end(expr, body, definitions, depth + 1);
    let is = |expr: &Expr, wanted: f64| {
        let names = BTreeMap::new();
        let value = evaluate(expr, &Scope::new(&names, definitions)).ok();
        value.as_ref().and_then(number) == Some(wanted)
    };
    match &expr.node {
        ExprKind::Flow { source, stages } => {
            // Backwards past stages that change no number, to the first that does.
            for stage in stages.iter().rev() {
                let (ExprKind::Path(path) | ExprKind::Call { callee: path, .. }) = &stage.expr.node else {
                    return None;
                };
                let name = path.to_string();
                if CUTTING.contains(&name.as_str()) {
                    return Some((stage.expr.span, name));
                }
                if let Some(block) = definitions.get(&(Kind::Block, name.clone())) {
                    // The place is that of the call, because the block may be one of the library.
                    let (_, name) = end(block.body.result.as_ref()?, &block.body, definitions, depth + 1)?;
                    return Some((stage.expr.span, name));
                }
                if !PLAIN.contains(&name.as_str()) {
                    return None;
                }
            }
            inner(source)
        }
        // Of several bindings of a name the last one holds.
        ExprKind::Path(path) => body.statements.iter().rev().find_map(|statement| match statement {
            Statement::Bind(binding) if binding.name.text == path.to_string() => inner(&binding.value),
            _ => None,
        }),
        ExprKind::Binary(BinaryOp::Multiply, a, b) if is(b, 1.0) => inner(a),
        ExprKind::Binary(BinaryOp::Multiply, a, b) if is(a, 1.0) => inner(b),
        ExprKind::Binary(BinaryOp::Add | BinaryOp::Subtract, a, b) if is(b, 0.0) => inner(a),
        ExprKind::Binary(BinaryOp::Add, a, b) if is(a, 0.0) => inner(b),
        ExprKind::Call { callee, arguments } if callee.to_string() == "concat" => {
            // All parts must be cut off: one that is not may still give any number.
            let ends: Option<Vec<_>> = arguments.iter().filter(|a| a.name.is_none()).map(|a| inner(&a.value)).collect();
            ends?.into_iter().next()
        }
        _ => None,
    }
}
