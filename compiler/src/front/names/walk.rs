//! Visits every expression and every name in an expression or a body.

use gmpc_grammar::ast::{Body, Expr, ExprKind, Initial, Path, Statement};

/// Calls `see` with every path of a body, also with those of its `from` sections.
pub(crate) fn paths(body: &Body, see: &mut dyn FnMut(&Path)) {
    expressions(body, &mut |expr| path_of(expr).into_iter().for_each(&mut *see));
}

/// Calls `see` with every path of an expression: names, callees, patterns.
pub(crate) fn in_expr(expr: &Expr, see: &mut dyn FnMut(&Path)) {
    each(expr, &mut |expr| path_of(expr).into_iter().for_each(&mut *see));
}

fn path_of(expr: &Expr) -> Option<&Path> {
    match &expr.node {
        ExprKind::Path(path) | ExprKind::Call { callee: path, .. } => Some(path),
        _ => None,
    }
}

/// Calls `see` with every expression of a body, also with those of its `from` sections.
pub(crate) fn expressions<'e>(body: &'e Body, see: &mut dyn FnMut(&'e Expr)) {
    for statement in &body.statements {
        match statement {
            Statement::Bind(binding) => each(&binding.value, see),
            Statement::Declare(declaration) => match &declaration.initial {
                Initial::Draw(expr) | Initial::Compute(expr) => each(expr, see),
            },
            Statement::From(from) => expressions(&from.body, see),
        }
    }
    if let Some(result) = &body.result {
        each(result, see);
    }
}

/// Calls `see` with an expression and every expression inside it.
pub(crate) fn each<'e>(expr: &'e Expr, see: &mut dyn FnMut(&'e Expr)) {
    see(expr);
    match &expr.node {
        ExprKind::Integer(_) | ExprKind::Float(_) | ExprKind::String(_) | ExprKind::Bool(_) | ExprKind::Path(_) => {}
        ExprKind::List(items) => items.iter().for_each(|item| each(item, see)),
        ExprKind::Unary(_, operand) => each(operand, see),
        ExprKind::Binary(_, left, right) => {
            each(left, see);
            each(right, see);
        }
        ExprKind::Call { arguments, .. } => arguments.iter().for_each(|argument| each(&argument.value, see)),
        ExprKind::If { condition, yes, no } => [condition, yes, no].into_iter().for_each(|part| each(part, see)),
        ExprKind::Match { subject, arms } => {
            each(subject, see);
            for arm in arms {
                arm.pattern.iter().chain([&arm.value]).for_each(|part| each(part, see));
            }
        }
        ExprKind::Flow { source, stages } => {
            each(source, see);
            stages.iter().for_each(|stage| each(&stage.expr, see));
        }
    }
}
