//! Reads `schedule = …` and `stop = …`.

use super::context::Context;
use super::monitor::{Judged, monitor};
use crate::front::arguments::{Bound, Slot, bind};
use crate::front::suggest::suggestion;
use crate::ir::experiment::{EarlyStop, Schedule};
use gmpc_grammar::ast::{Argument, Expr, ExprKind};
use gmpc_grammar::diagnostic::Diagnostic;

/// The parameters of each schedule.
#[rustfmt::skip] // one line a schedule
pub(crate) const SCHEDULES: [(&str, &[Slot<'static>]); 5] = [
    ("constant", &[]),
    ("reduce_on_plateau", &[Slot::required("monitor"), Slot::optional("factor"), Slot::optional("patience"),
        Slot::optional("min_delta"), Slot::optional("min_lr"), Slot::optional("rule")]),
    ("step", &[Slot::required("every"), Slot::optional("factor")]),
    ("cosine", &[Slot::optional("final")]),
    ("warm_up", &[Slot::required("epochs"), Slot::optional("then")]),
];

/// The parameters of each stop rule.
pub(crate) const STOPS: [(&str, &[Slot<'static>]); 1] = [(
    "early_stop",
    &[
        Slot::required("monitor"),
        Slot::optional("patience"),
        Slot::optional("min_delta"),
        Slot::optional("restore_best"),
    ],
)];

const DEFAULT_PATIENCE: u64 = 10;
const DEFAULT_FACTOR: f64 = 0.1;
const DEFAULT_STEP_FACTOR: f64 = 0.1;

/// Rules of `reduce_on_plateau`, with the epochs that each waits in addition to `patience`. Keras lowers the rate after
/// `patience` epochs without a better value, PyTorch's `ReduceLROnPlateau` after one more.
const RULES: [(&str, u64); 2] = [("keras", 0), ("pytorch", 1)];

/// Reads `reduce_on_plateau(valid.loss, factor = 0.1, patience = 10, min_delta = 0, min_lr = 0, rule = keras)`,
/// `step(every, factor = 0.1)`, `cosine(final = 0)`, `warm_up(epochs, then = constant)` or `constant`.
pub(crate) fn schedule(expr: &Expr, judged: &Judged<'_>, context: &mut Context<'_>) -> Option<Schedule> {
    let expr = context.branch(expr)?;
    let (name, given) = call(expr, "schedule", &SCHEDULES, context)?;
    let get = |key: &str| given.get(key).copied();
    match name {
        "reduce_on_plateau" => {
            // Every argument is read before the first `?`, so that all mistakes are reported together.
            let monitor = monitor(get("monitor")?, judged, context);
            let factor = or(get("factor"), DEFAULT_FACTOR, |e| {
                context.number("factor", e, " above 0 and below 1", |x| x > 0.0 && x < 1.0)
            });
            let later = or(get("rule"), 0, |e| context.word("rule", e, &RULES));
            // Together they are at least 1: waiting for no epoch at all would lower the rate after every epoch.
            let least = 1 - later.unwrap_or(0);
            let patience = or(get("patience"), DEFAULT_PATIENCE, |e| context.whole("patience", e, least));
            let min_delta = or(get("min_delta"), 0.0, |e| not_negative("min_delta", e, context));
            let min_lr = or(get("min_lr"), 0.0, |e| not_negative("min_lr", e, context));
            let (monitor, factor, patience) = (monitor?, factor?, patience?.saturating_add(later?));
            Some(Schedule::ReduceOnPlateau { monitor, factor, patience, min_delta: min_delta?, min_lr: min_lr? })
        }
        "step" => {
            let every = context.whole("every", get("every")?, 1);
            let factor =
                or(get("factor"), DEFAULT_STEP_FACTOR, |e| context.number("factor", e, " above 0", |x| x > 0.0));
            Some(Schedule::Step { every: every?, factor: factor? })
        }
        "cosine" => {
            let last =
                or(get("final"), 0.0, |e| context.number("final", e, " from 0 to 1", |x| (0.0..=1.0).contains(&x)));
            Some(Schedule::Cosine { last: last? })
        }
        // A schedule may contain another one. The reader limits how deep, so the recursion is limited.
        "warm_up" => {
            let epochs = context.whole("epochs", get("epochs")?, 1);
            let then = or(get("then"), Schedule::Constant, |e| schedule(e, judged, context));
            Some(Schedule::WarmUp { epochs: epochs?, then: Box::new(then?) })
        }
        _ => Some(Schedule::Constant),
    }
}

/// Reads `early_stop(valid.loss, patience = 10, min_delta = 0, restore_best = true)`.
pub(crate) fn early_stop(expr: &Expr, judged: &Judged<'_>, context: &mut Context<'_>) -> Option<EarlyStop> {
    let expr = context.branch(expr)?;
    let (_, given) = call(expr, "stop", &STOPS, context)?;
    let get = |key: &str| given.get(key).copied();
    let monitor = monitor(get("monitor")?, judged, context);
    let patience = or(get("patience"), DEFAULT_PATIENCE, |e| context.whole("patience", e, 1));
    let min_delta = or(get("min_delta"), 0.0, |e| not_negative("min_delta", e, context));
    let restore_best = or(get("restore_best"), true, |e| context.truth("restore_best", e));
    Some(EarlyStop { monitor: monitor?, patience: patience?, min_delta: min_delta?, restore_best: restore_best? })
}

fn or<T>(expr: Option<&Expr>, default: T, reader: impl FnOnce(&Expr) -> Option<T>) -> Option<T> {
    expr.map_or(Some(default), reader)
}

fn not_negative(what: &str, expr: &Expr, context: &mut Context<'_>) -> Option<f64> {
    context.number(what, expr, ", 0 or more", |x| x >= 0.0)
}

/// Reads a name or a call of one of `known`. Returns its name and its arguments.
pub(super) fn call<'e>(
    expr: &'e Expr,
    setting: &str,
    known: &[(&'static str, &'static [Slot<'static>])],
    context: &mut Context<'_>,
) -> Option<(&'static str, Bound<'e>)> {
    let none: &[Argument] = &[];
    let (path, arguments) = match &expr.node {
        ExprKind::Path(path) => (Some(path), none),
        ExprKind::Call { callee, arguments } => (Some(callee), arguments.as_slice()),
        _ => (None, none),
    };
    let said = path.map(ToString::to_string).unwrap_or_default();
    let Some((name, slots)) = known.iter().find(|(name, _)| *name == said) else {
        let help = suggestion(&said, &format!("what `{setting}` may be"), known.iter().map(|(name, _)| *name));
        return context.keep(Err(vec![
            Diagnostic::error("E0614", format!("there is no such `{setting}`"))
                .label(path.map_or(expr.span, gmpc_grammar::ast::Path::span), "unknown")
                .help(help),
        ]));
    };
    let bound = bind(name, expr.span, slots, slots.len(), arguments);
    context.keep(bound).map(|bound| (*name, bound))
}
