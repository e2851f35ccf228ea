//! Reads monitored quantities: `train.loss`, `valid.rmse`.

use super::context::Context;
use super::settings::Settings;
use crate::front::constant::branch;
use crate::front::suggest::suggestion;
use crate::ir::experiment::{DataSpec, MetricSpec, Monitor, Part, Select};
use crate::ir::module::Definitions;
use gmpc_grammar::ast::{Argument, Expr, ExprKind, Ident, Kind, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;

/// The quantities that can be monitored besides the loss.
pub(crate) struct Judged<'a> {
    /// The metrics of the `train` block.
    pub metrics: &'a [MetricSpec],
}

const PARTS: [(&str, Part); 3] = [("train", Part::Train), ("valid", Part::Valid), ("test", Part::Test)];

/// Reads `valid.rmse`.
pub(crate) fn monitor(expr: &Expr, judged: &Judged<'_>, context: &mut Context<'_>) -> Option<Monitor> {
    let ExprKind::Path(path) = &expr.node else {
        return context.keep(Err(vec![not_monitored(expr)]));
    };
    let [part, quantity] = path.parts.as_slice() else {
        return context.keep(Err(vec![not_monitored(expr)]));
    };
    // Each half of the name has its own error: the list of parts is fixed, the list of quantities is that of the file.
    let Some((_, part)) = PARTS.iter().find(|(name, _)| *name == part.text) else {
        let help = suggestion(&part.text, "parts of the data", PARTS.iter().map(|(name, _)| *name));
        return context.keep(Err(vec![
            Diagnostic::error("E0611", format!("the data have no part `{}`", part.text))
                .label(part.span, "unknown")
                .help(help),
        ]));
    };
    // A loss is always minimized. A metric must say itself which direction is better.
    if quantity.text == "loss" {
        return Some(Monitor { part: *part, quantity: "loss".to_string(), higher_is_better: false });
    }
    if let Some(metric) = judged.metrics.iter().find(|m| m.name == quantity.text) {
        if let Some(error) = no_direction(&metric.name, quantity, context.definitions) {
            return context.keep(Err(vec![error]));
        }
        let higher_is_better = metric.higher_is_better;
        return Some(Monitor { part: *part, quantity: metric.name.clone(), higher_is_better });
    }
    let known = || std::iter::once("loss").chain(judged.metrics.iter().map(|m| m.name.as_str()));
    let is_metric = context.definitions.contains_key(&(Kind::Metric, quantity.text.clone()));
    let help = match is_metric {
        true => format!("add it to the metrics: `metrics = [{}]`", quantity.text),
        false => suggestion(&quantity.text, "what is measured", known()),
    };
    context.keep(Err(vec![
        Diagnostic::error("E0612", format!("`{}` is not measured", quantity.text))
            .label(quantity.span, "neither the loss nor one of the metrics")
            .help(help),
    ]))
}

/// Returns E0641 for a metric of the file that does not say whether higher or lower is better. With a wrong guess, a run would
/// stop at its best epoch and keep its worst.
fn no_direction(name: &str, asked: &Ident, definitions: &Definitions) -> Option<Diagnostic> {
    let metric = definitions.get(&(Kind::Metric, name.to_string()))?;
    let says = |s: &Statement| matches!(s, Statement::Bind(binding) if binding.name.text == "better");
    let own = metric.span.source.0 as usize >= crate::front::stdlib::FILES;
    if !own || metric.body.statements.iter().any(says) {
        return None;
    }
    let defined = metric.name.as_ref().map_or(metric.span, Path::span);
    Some(
        Diagnostic::error(
            "E0641",
            format!("`{name}` is monitored, but does not say whether higher or lower is better"),
        )
        .label(asked.span, "monitored here")
        .label(defined, "no `better` in it")
        .help("write `better = higher` or `better = lower` as the first line of the metric"),
    )
}

fn not_monitored(expr: &Expr) -> Diagnostic {
    Diagnostic::error("E0610", "a monitored value is a part of the data and a quantity")
        .label(expr.span, "not such a name")
        .help("write `valid.loss`, `train.loss`, or `valid.rmse` with `rmse` among the metrics")
}

/// Checks what `schedule` and `stop` monitor. E0613: a quantity of the held-out rows, but no rows are held out. W0904: a
/// quantity of the test rows.
pub(crate) fn held_out(set: &Settings<'_>, select: Select, data: Option<&DataSpec>, context: &mut Context<'_>) {
    for name in ["schedule", "stop"] {
        let Some((_, expr)) = set.get(name) else { continue };
        // A wrong `if` or `match` is reported already by the reader of the setting.
        let Ok(expr) = branch(expr, &context.scope()) else { continue };
        let Some(path) = monitored(expr) else { continue };
        let part = path.parts.first().map_or("", |p| p.text.as_str());
        // With `select = test`, the test rows take the role of the held-out rows. The user asked for that and is warned (W0903).
        if part == "valid" && select == Select::Valid && data.is_some_and(|d| d.validation == 0.0) {
            let data_span = data.map_or(expr.span, |d| d.span);
            context.errors.push(
                Diagnostic::error("E0613", format!("`{path}` is monitored, but no rows are held out to measure it on"))
                    .label(path.span(), "monitored here")
                    .label(data_span, "`validation = 0`")
                    .help("monitor `train.loss`, or hold out rows: `validation = 0.2`"),
            );
        }
        if part == "test" && select == Select::Valid {
            context.warnings.push(
                Diagnostic::warning("W0904", format!("`{path}` makes the test rows part of the training"))
                    .label(path.span(), "monitored here")
                    .help("monitor `valid`, and see the test rows only at the end"),
            );
        }
    }
}

/// Returns the monitored name inside a schedule or a stop rule: the first path with two parts among the arguments.
fn monitored(expr: &Expr) -> Option<&Path> {
    match &expr.node {
        ExprKind::Call { arguments, .. } => arguments.iter().find_map(|Argument { value, .. }| match &value.node {
            ExprKind::Path(path) if path.parts.len() == 2 => Some(path),
            _ => monitored(value),
        }),
        _ => None,
    }
}
