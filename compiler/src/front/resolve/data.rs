//! Reads `data = …`: a declared data set with its arguments, or a file named directly.
//!
//! The settings of a data set can also be given as named arguments: `uci.yacht(split = random(train = 0.9))`.
//!
//! | setting | default |
//! | --- | --- |
//! | `split` | `random(train = 0.8)`; `given` for a formula |
//! | `validation` | 0.2 of the training rows |
//! | `standardize` | `features`; `none` for a formula |
//! | `task` | `classification` if `classes` is stated, otherwise `regression` |
//! | `sample` | all rows |
//! | `shape` | images only: `[3, 32, 32]` for `batches`, `[1, 28, 28]` for `idx` (the MNIST family) |
//! | `transform` | images only: `[]` |
//! | `normalize` | images only: `channels` |

mod file;
mod formula;
pub(crate) mod images;
mod named_file;
mod split;
pub(crate) mod steps;

/// The names of the kinds of sources, and their parameters.
pub(crate) use file::KINDS as FILE_KINDS;

use super::context::Context;
use super::settings::{Settings, add, unknown_setting};
use crate::front::arguments::{Slot, bind};
use crate::front::constant::evaluate;
use crate::front::names::reference::find;
use crate::ir::experiment::{DataSource, DataSpec, ImageSource, Images, Split, Standardize, Task};
use crate::ir::module::Value;
use gmpc_grammar::ast::{Argument, Binding, Definition, Expr, ExprKind, Ident, Kind, Path, Statement};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Span;
use std::collections::BTreeMap;

/// The settings of a data set. Its declaration may make them, and every use may replace them.
pub(crate) const SETTINGS: [&str; 15] = [
    "url",
    "sha256",
    "file",
    "target",
    "columns",
    "features",
    "classes",
    "task",
    "split",
    "validation",
    "standardize",
    "sample",
    "shape",
    "transform",
    "normalize",
];

/// Fraction of the training rows that is held out if the file does not say it.
const DEFAULT_VALIDATION: f64 = 0.2;

/// All that the text states about one data set: its declaration, and the arguments that replace settings of it.
pub(super) struct Said<'e> {
    /// Its name.
    pub name: String,
    /// Documentation of the declaration.
    pub docs: Vec<String>,
    /// Settings of the declaration. They may use its parameters.
    pub declared: Settings<'e>,
    /// Settings given where the data set is used. They may use no names.
    pub given: BTreeMap<String, &'e Argument>,
    /// The values of the declaration's parameters.
    pub parameters: BTreeMap<String, Value>,
    /// Bindings that are not settings: the steps of a formula.
    pub steps: Vec<&'e Binding>,
    /// The call of a source such as `table`, if the `data` line itself contains it.
    pub direct: Option<&'e Expr>,
    /// The span of the `data` line's value.
    pub span: Span,
}

impl<'e> Said<'e> {
    /// Reads a setting. A given one replaces a declared one. Only a declared one may use the declaration's parameters.
    /// `Some(None)` if it is not set, `None` if it is wrong.
    pub(super) fn read<T>(
        &self,
        name: &str,
        context: &mut Context<'_>,
        reader: impl FnOnce(&'e Expr, &mut Context<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        let Some(expr) = self.expr(name) else { return Some(None) };
        context.names = if self.given.contains_key(name) { BTreeMap::new() } else { self.parameters.clone() };
        let read = reader(expr, context);
        context.names.clear();
        read.map(Some)
    }

    /// Returns the expression of a setting.
    pub(super) fn expr(&self, name: &str) -> Option<&'e Expr> {
        let given = self.given.get(name).map(|a| &a.value);
        given.or_else(|| self.declared.get(name).map(|(_, expr)| *expr))
    }
}

/// Reads the `data` setting. `None` if something is wrong; then the context has the errors.
pub(crate) fn data(expr: &Expr, context: &mut Context<'_>) -> Option<DataSpec> {
    let expr = context.branch(expr)?;
    let none: &[Argument] = &[];
    let (path, arguments) = match &expr.node {
        ExprKind::Path(path) => (path, none),
        ExprKind::Call { callee, arguments } => (callee, arguments.as_slice()),
        _ => return context.keep(Err(vec![no_data_set(expr.span)])),
    };
    let name = path.to_string();
    if file::is_kind(&name) {
        let said = direct(&name, expr, arguments, context);
        return spec(&said, context);
    }
    let definition = find(Kind::Dataset, path, context.definitions).map_err(|e| vec![e]);
    let definition = context.keep(definition)?;
    let said = declared(definition, path, arguments, expr.span, context)?;
    spec(&said, context)
}

fn no_data_set(span: Span) -> Diagnostic {
    Diagnostic::error("E0701", "`data` names a data set or a file")
        .label(span, "neither of them")
        .help("write `data = uci.yacht` or `data = table(\"my.csv\", target = \"price\")`")
}

/// Reads `table("my.csv", target = "price", split = …)`: arguments of `table`, and settings.
fn direct<'e>(kind: &str, expr: &'e Expr, arguments: &'e [Argument], context: &mut Context<'_>) -> Said<'e> {
    let mut given = BTreeMap::new();
    for argument in arguments {
        let Some(name) = &argument.name else { continue };
        if SETTINGS.contains(&name.text.as_str()) && !file::takes(kind, &name.text) {
            given.insert(name.text.clone(), argument);
        }
    }
    let name = file::shown_name(arguments, context).unwrap_or_else(|| kind.to_string());
    Said {
        name,
        docs: Vec::new(),
        declared: Settings::new(),
        given,
        parameters: BTreeMap::new(),
        steps: Vec::new(),
        direct: Some(expr),
        span: expr.span,
    }
}

/// Reads `uci.yacht(split = …)`: arguments for the declaration's parameters, and settings.
fn declared<'e>(
    definition: &'e Definition,
    path: &Path,
    arguments: &'e [Argument],
    span: Span,
    context: &mut Context<'_>,
) -> Option<Said<'e>> {
    // A parameter of the declaration hides a setting of the same name: the declaration decides what it means.
    let own = &definition.parameters;
    let is_own = |name: &Ident| own.iter().any(|p| p.name.text == name.text);
    let mut slots: Vec<Slot<'_>> =
        own.iter().map(|p| Slot { name: &p.name.text, required: p.default.is_none() }).collect();
    slots.extend(SETTINGS.iter().filter(|s| !own.iter().any(|p| p.name.text == **s)).map(|s| Slot::optional(s)));
    let bound = bind(&path.to_string(), span, &slots, own.len(), arguments);
    let bound = context.keep(bound)?;
    let mut parameters = BTreeMap::new();
    // In the order of the declaration, because a default may use the parameters before it.
    for parameter in own {
        let value = match (bound.get(&parameter.name.text), &parameter.default) {
            (Some(given), _) => context.value(given),
            (None, Some(default)) => {
                let value = evaluate(default, &crate::front::constant::Scope { names: &parameters, ..context.scope() });
                context.keep(value.map_err(|e| vec![e]))
            }
            (None, None) => None,
        };
        parameters.insert(parameter.name.text.clone(), value?);
    }
    let given =
        arguments.iter().filter_map(|a| a.name.as_ref().filter(|n| !is_own(n)).map(|n| (n.text.clone(), a))).collect();
    let mut said = Said {
        name: path.to_string(),
        docs: definition.docs.clone(),
        declared: Settings::new(),
        given,
        parameters,
        steps: Vec::new(),
        direct: None,
        span,
    };
    read_body(definition, &mut said, context);
    Some(said)
}

fn read_body<'e>(definition: &'e Definition, said: &mut Said<'e>, context: &mut Context<'_>) {
    for statement in &definition.body.statements {
        match statement {
            Statement::Bind(b) if SETTINGS.contains(&b.name.text.as_str()) => {
                add(&mut said.declared, b);
            }
            Statement::Bind(b) => said.steps.push(b),
            // The reader rejects declarations and `from` in a data set.
            Statement::Declare(_) | Statement::From(_) => {}
        }
    }
    let is_formula = said.expr("file").is_some_and(file::is_formula);
    if let Some(step) = said.steps.first().filter(|_| !is_formula) {
        context.errors.push(unknown_setting(&step.name, "a data set", &SETTINGS));
    }
}

/// Reads all settings of a data set.
fn spec(said: &Said<'_>, context: &mut Context<'_>) -> Option<DataSpec> {
    // Every setting is read before the first `?`, so that all mistakes are reported together.
    let source = file::source(said, context);
    let classes = said.read("classes", context, classes);
    let features = said.read("features", context, |e, c| c.count("features", e, 1));
    let task = task(said, context);
    let split = said.read("split", context, split::split);
    let validation = said.read("validation", context, |e, c| {
        c.number("validation", e, ", 0 or more and below 1", |x| (0.0..1.0).contains(&x))
    });
    let standardize = said.read("standardize", context, |e, c| {
        let choices = [("none", Standardize::None), ("features", Standardize::Features), ("all", Standardize::All)];
        c.word("standardize", e, &choices)
    });
    let sample = said.read("sample", context, |e, c| c.count("sample", e, 2));
    // The checks and defaults from here on depend on the source.
    let source = source?;
    one_label(&source, said, task, context)?;
    let is_formula = matches!(source, DataSource::Formula(_));
    let is_images = matches!(source, DataSource::Images(_));
    let split = split::fitting(split?, &source, said, context)?;
    // A formula is scaled as its author wrote it. Images have a setting of their own, `normalize`.
    let unscaled = if is_formula || is_images { Standardize::None } else { Standardize::Features };
    let task = if is_images { image_task(said, task, context)? } else { task? };
    Some(DataSpec {
        name: said.name.clone(),
        docs: said.docs.clone(),
        classes: classes?.or(rendered_classes(&source)),
        source,
        task,
        features: if is_formula { Some(1) } else { features? },
        split,
        validation: validation?.unwrap_or(DEFAULT_VALIDATION),
        standardize: standardize?.unwrap_or(unscaled),
        sample: sample?,
        span: said.span,
    })
}

/// The most classes that a declaration may state. A number with some digits too many would need gigabytes of memory.
const MOST_CLASSES: usize = 1 << 20;

fn classes(expr: &Expr, context: &mut Context<'_>) -> Option<usize> {
    let count = context.count("classes", expr, 2)?;
    if count <= MOST_CLASSES {
        return Some(count);
    }
    let value = Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
    context.unfit("classes", &format!("a whole number from 2 to {MOST_CLASSES}"), expr, &value)
}

/// Checks that an example has a single class. `task` is `None` if the setting was wrong; that is reported already.
fn one_label(source: &DataSource, said: &Said<'_>, task: Option<Task>, context: &mut Context<'_>) -> Option<()> {
    let several = matches!(source, DataSource::Table(table) if table.target.len() > 1);
    if !several || task != Some(Task::Classification) {
        return Some(());
    }
    let span = said.expr("target").map_or(said.span, |target| target.span);
    context.keep(Err(vec![
        Diagnostic::error("E0702", "class labels are in one column; only a regression has several targets")
            .label(span, "several columns")
            .help("name one target column, or write `task = regression`"),
    ]))
}

fn task(said: &Said<'_>, context: &mut Context<'_>) -> Option<Task> {
    let choices = [("regression", Task::Regression), ("classification", Task::Classification)];
    let task = said.read("task", context, |e, c| c.word("task", e, &choices))?;
    match (task, said.expr("classes"), said.expr("task")) {
        (Some(Task::Regression), Some(classes), Some(task)) => context.keep(Err(vec![
            Diagnostic::error("E0702", "a regression has no classes")
                .label(classes.span, "classes are counted here")
                .label(task.span, "a regression here")
                .help("write `task = classification`, or leave `classes` out"),
        ])),
        (None, Some(_), _) => Some(Task::Classification),
        (task, ..) => Some(task.unwrap_or(Task::Regression)),
    }
}

/// Returns the task of images: always classification. `read` is `None` if the setting was wrong; that is reported already.
fn image_task(said: &Said<'_>, read: Option<Task>, context: &mut Context<'_>) -> Option<Task> {
    match (read?, said.expr("task")) {
        (Task::Regression, Some(expr)) => context.keep(Err(vec![
            Diagnostic::error("E0702", "images have classes, so this is no regression")
                .label(expr.span, "a regression here")
                .label(said.span, "images")
                .help("leave `task` out"),
        ])),
        _ => Some(Task::Classification),
    }
}

/// Returns the number of classes of [`ImageSource::Shapes`].
fn rendered_classes(source: &DataSource) -> Option<usize> {
    match source {
        DataSource::Images(Images { source: ImageSource::Shapes { .. }, .. }) => Some(ImageSource::SHAPES_CLASSES),
        _ => None,
    }
}

/// The split of data without test rows, if the file does not say it.
const DEFAULT_SPLIT: Split = Split::Random { train: 0.8 };
