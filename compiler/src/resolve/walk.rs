//! Every name an expression or a body mentions.

use gmpc_grammar::ast::{Body, Expr, ExprKind, Initial, Path, Statement};

/// Calls `see` with every path of a body, `from` parts included.
pub(crate) fn paths(body: &Body, see: &mut dyn FnMut(&Path)) {
    for statement in &body.statements {
        match statement {
            Statement::Bind(binding) => in_expr(&binding.value, see),
            Statement::Declare(declaration) => match &declaration.initial {
                Initial::Draw(expr) | Initial::Compute(expr) => in_expr(expr, see),
            },
            Statement::From(from) => paths(&from.body, see),
        }
    }
    if let Some(result) = &body.result {
        in_expr(result, see);
    }
}

/// Calls `see` with every path of an expression: names, callees, patterns.
pub(crate) fn in_expr(expr: &Expr, see: &mut dyn FnMut(&Path)) {
    match &expr.node {
        ExprKind::Integer(_) | ExprKind::Float(_) | ExprKind::String(_) | ExprKind::Bool(_) => {}
        ExprKind::Path(path) => see(path),
        ExprKind::List(items) => items.iter().for_each(|item| in_expr(item, see)),
        ExprKind::Unary(_, operand) => in_expr(operand, see),
        ExprKind::Binary(_, left, right) => {
            in_expr(left, see);
            in_expr(right, see);
        }
        ExprKind::Call { callee, arguments } => {
            see(callee);
            arguments.iter().for_each(|argument| in_expr(&argument.value, see));
        }
        ExprKind::If { condition, yes, no } => [condition, yes, no].into_iter().for_each(|part| in_expr(part, see)),
        ExprKind::Match { subject, arms } => {
            in_expr(subject, see);
            for arm in arms {
                arm.pattern.iter().chain([&arm.value]).for_each(|part| in_expr(part, see));
            }
        }
        ExprKind::Flow { source, stages } => {
            in_expr(source, see);
            stages.iter().for_each(|stage| in_expr(&stage.expr, see));
        }
    }
}
