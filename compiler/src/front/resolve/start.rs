//! Reads `start = run("runs/a")` and `seed = seeds(data = 0, weights = 1, order = 2)`: what a run begins with.

use super::context::Context;
use super::schedule::call;
use crate::front::arguments::Slot;
use crate::ir::experiment::{Seeds, Start};
use gmpc_grammar::ast::{Expr, ExprKind};

/// Where the first weights come from, with the parameters.
pub(crate) const STARTS: [(&str, &[Slot<'static>]); 1] =
    [("run", &[Slot::required("folder"), Slot::optional("except"), Slot::optional("whole")])];

/// Several seeds at once.
pub(crate) const SEEDS: [(&str, &[Slot<'static>]); 1] =
    [("seeds", &[Slot::optional("data"), Slot::optional("weights"), Slot::optional("order")])];

/// Reads `run("runs/a", except = [head], whole = false)`.
pub(crate) fn start(expr: &Expr, context: &mut Context<'_>) -> Option<Start> {
    let chosen = context.branch(expr)?;
    let (_, given) = call(chosen, "start", &STARTS, context)?;
    let folder = context.text("folder", given.get("folder").copied()?);
    let except = given.get("except").map_or(Some(vec![]), |expr| super::groups::layers("except", expr, context));
    let whole = given.get("whole").map_or(Some(false), |expr| context.truth("whole", expr));
    Some(Start { folder: folder?, except: except?, whole: whole?, span: expr.span })
}

/// Reads a whole number, or `seeds(…)`. A part that is not stated is 0.
pub(crate) fn seeds(expr: &Expr, context: &mut Context<'_>) -> Option<Seeds> {
    let chosen = context.branch(expr)?;
    if !matches!(&chosen.node, ExprKind::Call { .. }) {
        return context.whole("seed", chosen, 0).map(Seeds::all);
    }
    let (_, given) = call(chosen, "seed", &SEEDS, context)?;
    let mut part = |name: &str| given.get(name).map_or(Some(0), |expr| context.whole(name, expr, 0));
    let (data, weights, order) = (part("data"), part("weights"), part("order"));
    Some(Seeds { data: data?, weights: weights?, order: order? })
}
