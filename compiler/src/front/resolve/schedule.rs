//! Reads `schedule = …` and `stop = …`.

use super::context::Context;
use super::curve::curve;
use super::monitor::{Judged, monitor};
use crate::front::arguments::{Bound, Slot, bind};
use crate::front::names::reference::instance;
use crate::front::suggest::suggestion;
use crate::ir::experiment::{EarlyStop, Schedule};
use gmpc_grammar::ast::{Argument, Expr, ExprKind, Kind};
use gmpc_grammar::diagnostic::Diagnostic;

/// The parameters of the schedules that are built in. All others are definitions.
#[rustfmt::skip] // one line a schedule
pub(crate) const SCHEDULES: [(&str, &[Slot<'static>]); 2] = [
    ("reduce_on_plateau", &[Slot::required("monitor"), Slot::optional("factor"), Slot::optional("patience"),
        Slot::optional("min_delta"), Slot::optional("min_lr"), Slot::optional("rule")]),
    ("warm_up", &[Slot::required("epochs"), Slot::optional("then"), Slot::optional("per")]),
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

/// Rules of `reduce_on_plateau`, with the epochs that each waits in addition to `patience`. Keras lowers the rate after
/// `patience` epochs without a better value, PyTorch's `ReduceLROnPlateau` after one more.
const RULES: [(&str, u64); 2] = [("keras", 0), ("pytorch", 1)];

/// What `per` may be, and whether the rate then changes with each step.
const PER: [(&str, bool); 2] = [("epoch", false), ("step", true)];

/// Reads `reduce_on_plateau(valid.loss, factor = 0.1, patience = 10, min_delta = 0, min_lr = 0, rule = keras)`,
/// `warm_up(epochs, then = constant, per = epoch)`, or a use of a `schedule` definition.
pub(crate) fn schedule(expr: &Expr, judged: &Judged<'_>, context: &mut Context<'_>) -> Option<Schedule> {
    let expr = context.branch(expr)?;
    if let Some(defined) = defined(expr, context) {
        return defined;
    }
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
        // A schedule may contain another one. The reader limits how deep, so the recursion is limited.
        _ => {
            let epochs = context.whole("epochs", get("epochs")?, 1);
            let then = or(get("then"), Schedule::Constant, |e| schedule(e, judged, context));
            let every_step = or(get("per"), false, |e| context.word("per", e, &PER));
            Some(Schedule::WarmUp { epochs: epochs?, every_step: every_step?, then: Box::new(then?) })
        }
    }
}

/// Reads a use of a `schedule` definition. `None` if the expression names none.
fn defined(expr: &Expr, context: &mut Context<'_>) -> Option<Option<Schedule>> {
    let name = match &expr.node {
        ExprKind::Path(path) => path.to_string(),
        ExprKind::Call { callee, .. } => callee.to_string(),
        _ => return None,
    };
    context.definitions.get(&(Kind::Schedule, name))?;
    let made = instance(Kind::Schedule, expr, &context.scope());
    let made = context.keep(made);
    Some(made.and_then(|instance| {
        let curve = curve(&instance).map_err(|error| vec![error]);
        context.keep(curve).map(Schedule::Curve)
    }))
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
        // Definitions of the file are proposed, too: a misspelt name may mean one of them.
        let defined = context.definitions.keys().filter(|(kind, _)| setting == "schedule" && *kind == Kind::Schedule);
        let names = known.iter().map(|(name, _)| *name).chain(defined.map(|(_, name)| name.as_str()));
        let help = suggestion(&said, &format!("what `{setting}` may be"), names);
        return context.keep(Err(vec![
            Diagnostic::error("E0614", format!("there is no such `{setting}`"))
                .label(path.map_or(expr.span, gmpc_grammar::ast::Path::span), "unknown")
                .help(help),
        ]));
    };
    let bound = bind(name, expr.span, slots, slots.len(), arguments);
    context.keep(bound).map(|bound| (*name, bound))
}
