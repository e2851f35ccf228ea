//! Reads `average = ema(0.999)` and `average = swa(start = 75)`.

use super::context::Context;
use super::schedule::call;
use crate::front::arguments::Slot;
use crate::ir::experiment::Average;
use gmpc_grammar::ast::Expr;

/// The averages of weights, with their parameters.
pub(crate) const AVERAGES: [(&str, &[Slot<'static>]); 2] =
    [("ema", &[Slot::required("decay")]), ("swa", &[Slot::required("start"), Slot::optional("every")])];

/// Reads `ema(decay)`, an average that forgets, or `swa(start, every = 1)`, the mean of the weights at the ends of epochs.
pub(crate) fn average(expr: &Expr, context: &mut Context<'_>) -> Option<Average> {
    let expr = context.branch(expr)?;
    let (name, given) = call(expr, "average", &AVERAGES, context)?;
    if name == "ema" {
        let decay = given.get("decay").copied()?;
        let decay = context.number("decay", decay, " from 0 to below 1", |x| (0.0..1.0).contains(&x))?;
        return Some(Average::Exponential { decay });
    }
    let from = context.whole("start", given.get("start").copied()?, 1);
    let every = given.get("every").map_or(Some(1), |expr| context.whole("every", expr, 1));
    Some(Average::Epochs { from: from?, every: every? })
}
