//! `gmp(scale = 2) + mn`: a parameterization and its modifiers.

use super::reference::instance;
use crate::front::constant::{Scope, branch};
use crate::ir::module::{Instance, ParamUse, Value};
use gmpc_grammar::ast::{BinaryOp, Expr, ExprKind, Kind};
use gmpc_grammar::diagnostic::Diagnostic;

/// Reads `param = …`.
///
/// # Errors
/// Unknown or misplaced names, arguments that do not fit, a modifier joined twice (E0217).
pub(crate) fn param_use(expr: &Expr, scope: &Scope<'_>) -> Result<ParamUse, Vec<Diagnostic>> {
    let expr = branch(expr, scope).map_err(|e| vec![e])?;
    match &expr.node {
        ExprKind::Binary(BinaryOp::Add, left, right) => {
            let mut joined = param_use(left, scope)?;
            let modifier = instance(Kind::Modifier, right, scope)?;
            if let Some(first) = joined.modifiers.iter().find(|m| m.name == modifier.name) {
                return Err(vec![joined_twice(first, &modifier)]);
            }
            joined.modifiers.push(modifier);
            Ok(joined)
        }
        _ => Ok(ParamUse { base: base(expr, scope)?, modifiers: Vec::new() }),
    }
}

/// Returns a parameterization by name, or one that a block got as an argument.
fn base(expr: &Expr, scope: &Scope<'_>) -> Result<Instance, Vec<Diagnostic>> {
    if let ExprKind::Path(path) = &expr.node
        && let Some(Value::Instance(given)) = scope.names.get(&path.to_string())
        && given.definition.kind == Kind::Parameterization
    {
        return Ok((**given).clone());
    }
    instance(Kind::Parameterization, expr, scope)
}

fn joined_twice(first: &Instance, second: &Instance) -> Diagnostic {
    Diagnostic::error("E0217", format!("`{}` is joined twice", second.name))
        .label(second.span, "again here")
        .label(first.span, "first here")
        .help("leave one of them out")
}
