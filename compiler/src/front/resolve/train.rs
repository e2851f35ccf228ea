//! Reads the `train` block: loss, optimizer, metrics, and the settings of training.
//!
//! | setting | default |
//! | --- | --- |
//! | `loss` | none: it must be stated |
//! | `optimizer` | none: the file can be checked and evaluated, but not trained |
//! | `groups` | `[]` |
//! | `freeze` | `[]` |
//! | `clip_norm` | none: gradients keep their length |
//! | `accumulate` | 1 |
//! | `average` | none: the weights themselves are evaluated |
//! | `start` | none: the weights are drawn |
//! | `metrics` | `[]` |
//! | `batch` | 32 |
//! | `epochs` | 100 |
//! | `schedule` | `constant` |
//! | `stop` | none: training ends with the last epoch |
//! | `select` | `valid` |
//! | `shuffle` | `true` |
//! | `last_batch` | `keep` |
//! | `augment` | `[]`; images only |
//! | `record` | none; the only choice is `boundaries` |

use super::average::average;
use super::context::Context;
use super::groups::{groups, layers};
use super::monitor::{Judged, held_out};
use super::record::record;
use super::schedule::{early_stop, schedule};
use super::settings::{Settings, settings};
use super::start::start;
use crate::front::constant::number;
use crate::front::names::reference::instance;
use crate::ir::experiment::{Batch, DataSpec, ImageStep, MetricSpec, Schedule, Select, TrainSpec};
use crate::ir::module::{Instance, Training, Value};
use gmpc_grammar::ast::{Definition, Expr, ExprKind, Kind, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;

/// The settings of a `train` block.
pub(crate) const SETTINGS: [&str; 18] = [
    "loss",
    "optimizer",
    "groups",
    "freeze",
    "clip_norm",
    "accumulate",
    "average",
    "start",
    "metrics",
    "batch",
    "epochs",
    "schedule",
    "stop",
    "select",
    "shuffle",
    "last_batch",
    "augment",
    "record",
];

/// Rows in a step if the file does not say it.
const DEFAULT_BATCH: usize = 32;
/// Passes over the training rows if the file does not say it.
const DEFAULT_EPOCHS: u64 = 100;

/// Reads the block. `None` if something in it is wrong; then the context has the errors.
pub(crate) fn train(
    block: &Definition,
    data: Option<&DataSpec>,
    context: &mut Context<'_>,
) -> Option<(Training, TrainSpec)> {
    let set = settings(&block.body, "`train`", &SETTINGS, &mut context.errors);
    let get = |name: &str| set.get(name).map(|(_, expr)| *expr);
    // Every setting is read before the first `?`, so that all mistakes are reported together.
    let loss = match get("loss") {
        Some(expr) => named(Kind::Loss, expr, context),
        None => context.keep(Err(vec![no_loss(block)])),
    };
    let optimizer = get("optimizer").map(|expr| named(Kind::Optimizer, expr, context));
    optimizer.iter().flatten().for_each(|o| context.errors.extend(no_momentum(o)));
    let lr = optimizer.as_ref().and_then(Option::as_ref).map(|o| learning_rate(o, context));
    let groups = read(get("groups"), Vec::new(), |e| groups(e, (get("optimizer"), &optimizer), context));
    let freeze = read(get("freeze"), Vec::new(), |e| layers("freeze", e, context));
    let clip_norm = get("clip_norm").map(|e| context.number("clip_norm", e, " above 0", |x| x > 0.0));
    let accumulate = read(get("accumulate"), 1, |e| context.whole("accumulate", e, 1));
    let average = get("average").map(|e| average(e, context));
    let start = get("start").map(|e| start(e, context));
    let (metrics, specs): (Vec<Instance>, Vec<MetricSpec>) =
        get("metrics").map_or(Vec::new(), |expr| metrics(expr, context)).into_iter().unzip();
    let select = read(get("select"), Select::Valid, |e| {
        context.word("select", e, &[("valid", Select::Valid), ("test", Select::Test)])
    });
    // `stop` and `schedule` may monitor the metrics, so these are read before them.
    let judged = Judged { metrics: &specs };
    let stop = get("stop").map(|e| early_stop(e, &judged, context));
    let schedule = read(get("schedule"), Schedule::Constant, |e| schedule(e, &judged, context));
    let batch = read(get("batch"), Batch::Size(DEFAULT_BATCH), |e| batch(e, context));
    let epochs = read(get("epochs"), DEFAULT_EPOCHS, |e| context.whole("epochs", e, 1));
    let shuffle = read(get("shuffle"), true, |e| context.truth("shuffle", e));
    let keep = read(get("last_batch"), true, |e| context.word("last_batch", e, &[("keep", true), ("drop", false)]));
    let augment = read(get("augment"), Vec::new(), |e| augment(e, data, context));
    let record = get("record").map(|e| record(e, context));
    // The rows that select the best epoch must not be the test rows by accident, and must exist.
    if let Some(select) = select {
        held_out(&set, select, data, context);
        warn_selection(&set, select, context);
    }
    // Without an optimizer there is no learning rate. The 0 is never used: such a file cannot be trained.
    let loss = loss?;
    let optimizer = flat(optimizer)?;
    let spec = TrainSpec {
        loss: loss.name.clone(),
        optimizer: optimizer.as_ref().map(|o| o.name.clone()).unwrap_or_default(),
        lr: flat(lr)?.unwrap_or(0.0),
        metrics: specs,
        batch: batch?,
        epochs: epochs?,
        schedule: schedule?,
        stop: flat(stop)?,
        select: select?,
        shuffle: shuffle?,
        keep_last_batch: keep?,
        augment: augment?,
        clip_norm: flat(clip_norm)?,
        accumulate: accumulate?,
        average: flat(average)?,
        start: flat(start)?,
        record: flat(record)?,
        span: block.span,
    };
    Some((Training { loss, optimizer, metrics, groups: groups?, freeze: freeze? }, spec))
}

/// Returns the value of a setting, or its default if it is not set. `None` if it is wrong.
fn read<T>(expr: Option<&Expr>, default: T, reader: impl FnOnce(&Expr) -> Option<T>) -> Option<T> {
    expr.map_or(Some(default), reader)
}

/// Turns a setting that is not set into `Some(None)`, and one that is wrong into `None`.
fn flat<T>(setting: Option<Option<T>>) -> Option<Option<T>> {
    setting.map_or(Some(None), |read| read.map(Some))
}

fn named(kind: Kind, expr: &Expr, context: &mut Context<'_>) -> Option<Instance> {
    let found = instance(kind, expr, &context.scope());
    context.keep(found)
}

fn learning_rate(optimizer: &Instance, context: &mut Context<'_>) -> Option<f64> {
    match optimizer.arguments.get("lr").map(number) {
        Some(Some(lr)) if lr > 0.0 => Some(lr),
        Some(_) => context.keep(Err(vec![
            Diagnostic::error("E0606", "a learning rate is a number above 0")
                .label(optimizer.span, "its `lr` is not")
                .help(format!("write `{}(lr = 0.01)`", optimizer.name)),
        ])),
        None => {
            let defined = optimizer.definition.name.as_ref().map_or(optimizer.definition.span, Path::span);
            context.keep(Err(vec![
                Diagnostic::error("E0607", format!("the optimizer `{}` has no learning rate", optimizer.name))
                    .label(defined, "no parameter `lr`")
                    .label(optimizer.span, "used here")
                    .help(format!("write `optimizer {}(lr, …)`; schedules change it", optimizer.name)),
            ]))
        }
    }
}

/// Returns E0640 for `nesterov = true` without momentum. Nesterov's step looks ahead along the momentum; without it, the
/// setting changes nothing.
fn no_momentum(optimizer: &Instance) -> Option<Diagnostic> {
    let asked = matches!(optimizer.arguments.get("nesterov"), Some(Value::Bool(true)));
    let momentum = optimizer.arguments.get("momentum").and_then(number)?;
    (asked && momentum == 0.0).then(|| {
        Diagnostic::error("E0640", "`nesterov` changes nothing without a momentum")
            .label(optimizer.span, "`momentum` is 0 here")
            .help(format!(
                "write `{}(lr = …, momentum = 0.9, nesterov = true)`, or leave `nesterov` out",
                optimizer.name
            ))
    })
}

/// Reads `[rmse, mae]`, or a single metric without brackets.
fn metrics(expr: &Expr, context: &mut Context<'_>) -> Vec<(Instance, MetricSpec)> {
    let items = match &expr.node {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(expr),
    };
    let mut found: Vec<(Instance, MetricSpec)> = Vec::new();
    for item in items {
        let Some(metric) = named(Kind::Metric, item, context) else { continue };
        if let Some((first, _)) = found.iter().find(|(m, _)| m.name == metric.name) {
            context.errors.push(
                Diagnostic::error("E0608", format!("the metric `{}` is listed twice", metric.name))
                    .label(metric.span, "again here")
                    .label(first.span, "first here")
                    .help("leave one of them out"),
            );
            continue;
        }
        let spec = MetricSpec { name: metric.name.clone(), higher_is_better: higher_is_better(&metric.definition) };
        found.push((metric, spec));
    }
    found
}

/// Does the definition state `better = higher`?
fn higher_is_better(metric: &Definition) -> bool {
    metric.body.statements.iter().any(|statement| match statement {
        Statement::Bind(binding) if binding.name.text == "better" => {
            matches!(&binding.value.node, ExprKind::Path(path) if path.to_string() == "higher")
        }
        _ => false,
    })
}

fn batch(expr: &Expr, context: &mut Context<'_>) -> Option<Batch> {
    match &expr.node {
        ExprKind::Path(path) if path.to_string() == "all" => Some(Batch::All),
        _ => context.count("batch", expr, 1).map(Batch::Size),
    }
}

/// Reads `[horizontal_flip, random_crop(32, pad = 4)]`. Without data nothing is trained, so the steps are not compared with
/// the data then.
fn augment(expr: &Expr, data: Option<&DataSpec>, context: &mut Context<'_>) -> Option<Vec<ImageStep>> {
    let steps = super::data::steps::steps("augment", expr, context)?;
    match (data, data.and_then(DataSpec::images)) {
        (_, Some(images)) => super::data::images::augmented(images, &steps, expr, context)?,
        (Some(data), None) if !steps.is_empty() => {
            return context.keep(Err(vec![
                Diagnostic::error("E0716", "`augment` is a setting of images")
                    .label(expr.span, "stated here")
                    .label(data.span, format!("`{}` is no set of images", data.name))
                    .help("leave it out"),
            ]));
        }
        _ => {}
    }
    Some(steps)
}

fn no_loss(block: &Definition) -> Diagnostic {
    Diagnostic::error("E0609", "`train` names no loss")
        .label(block.span, "no loss to minimize")
        .help("add a line such as `loss = mse`")
}

fn warn_selection(set: &Settings<'_>, select: Select, context: &mut Context<'_>) {
    if let (Select::Test, Some((name, expr))) = (select, set.get("select")) {
        context.warnings.push(
            Diagnostic::warning("W0903", "the test rows select the weights, so the reported result is too good")
                .label(name.span.to(expr.span), "asked for here")
                .help("leave it out to select on held-out rows; keep it to repeat a protocol that does this"),
        );
    }
}
