//! `docs/reference.md`: everything that the language has, with one line each, from the lists and definitions that the compiler reads.
//!
//! A test compares the page with what [`reference()`] writes, and demands a line for every name. `GMPC_WRITE_REFERENCE=1` makes the test write
//! the page.

mod words;

use crate::front::arguments::Slot;
use crate::front::functions::{Dialect, FUNCTIONS, Function, Over};
use crate::front::instance::is_supplied;
use crate::front::resolve::listed;
use crate::front::stages::SIGNATURES;
use crate::front::stdlib::library;
use crate::graphs::define::over;
use crate::ir::axes::ParameterKind;
use crate::ir::module::Definitions;
use gmpc_grammar::ast::{Definition, Kind};
use std::fmt::Write;

/// A named thing with what it takes and one line about it.
struct Row {
    signature: String,
    about: String,
}

/// Returns the page.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Reference\n\n\
         Everything the language has, with one line each. This page is written by a test from the compiler and the standard library;\n\
         [language.md](language.md) explains it with examples, [syntax.md](syntax.md) says how a text is read.\n",
    );
    table(&mut page, "Settings of a file", "setting", "says", named(&listed::FILE_SETTINGS, words::FILE));
    table(&mut page, "Settings of `train`", "setting", "says", named(&listed::TRAIN_SETTINGS, words::TRAIN));
    table(&mut page, "Built-in schedules", "schedule", "does", called(&listed::SCHEDULES, words::SCHEDULES));
    table(&mut page, "Stop rules", "rule", "does", called(&listed::STOPS, words::SCHEDULES));
    table(&mut page, "Averages of weights", "average", "is", called(&listed::AVERAGES, words::SCHEDULES));
    table(&mut page, "First weights", "start", "is", called(&listed::STARTS, words::SCHEDULES));
    table(&mut page, "Seeds", "seed", "says", called(&listed::SEEDS, words::SCHEDULES));
    table(&mut page, "Records", "record", "keeps", called(&listed::RECORDS, words::SCHEDULES));
    table(&mut page, "Settings of a data set", "setting", "says", named(&listed::DATA_SETTINGS, words::DATA));
    table(&mut page, "Sources of data", "source", "reads", called(&listed::SOURCES, words::SOURCES));
    table(
        &mut page,
        "Steps on images, of `transform` and `augment`",
        "step",
        "does",
        called(&listed::STEPS, words::STEPS),
    );
    let built_in = SIGNATURES.iter().map(|(_, signature, about)| row(signature, about)).collect();
    table(&mut page, "Built-in stages", "stage", "does", built_in);
    for (kind, title) in [
        (Kind::Activation, "Activations"),
        (Kind::Stage, "Stages that are definitions"),
        (Kind::Parameterization, "Parameterizations"),
        (Kind::Modifier, "Modifiers"),
        (Kind::Initializer, "Initializers"),
        (Kind::Optimizer, "Optimizers"),
        (Kind::Loss, "Losses"),
        (Kind::Metric, "Metrics"),
        (Kind::Schedule, "Schedules"),
        (Kind::Dataset, "Data sets"),
    ] {
        table(&mut page, title, kind.keyword(), "is", definitions(kind, &library().prelude));
    }
    // What only `use` brings has a table for each module, so that nobody calls it without.
    for (module, known) in &library().modules {
        let all = [Kind::Block, Kind::Parameterization].into_iter().flat_map(|kind| definitions(kind, known)).collect();
        table(&mut page, &format!("`use {module}`"), "definition", "is", all);
    }
    let kinds = ParameterKind::WORDS.iter().map(|(word, _)| row(&format!("`name: {word} = …`"), words::kind(word)));
    // `WORDS` lacks two rows: a shape is written by its axes, and `state` is a kind of optimizers alone.
    let shape =
        row("`name: [units, rank] = …`", "one or two axes, each of `units`, `inputs`, `features` or an argument");
    let first = row(
        "`name: unit = first_batch(…)`",
        "first values from the rows of the first step; of a `unit` or an `offset`",
    );
    let state = row("`name: state = …`", "of an optimizer: one number for each number of the parameter");
    table(&mut page, "Kinds of parameters", "declaration", "values", kinds.chain([shape, state, first]).collect());
    let axes = over::WORDS.iter().map(|(word, _, about)| row(&format!("`over = {word}`"), about)).collect();
    table(&mut page, "Axes", "axis", "is", axes);
    functions(&mut page);
    page
}

/// Returns the names that have no line, for the test.
#[must_use]
pub fn without_a_line() -> Vec<String> {
    let page = reference();
    let empty = page.lines().filter(|line| line.starts_with("| `") && line.ends_with("|  |"));
    empty.map(str::to_string).collect()
}

fn row(signature: &str, about: &str) -> Row {
    let quoted = if signature.contains('`') { signature.to_string() } else { format!("`{signature}`") };
    Row { signature: quoted, about: about.to_string() }
}

fn table(page: &mut String, title: &str, what: &str, does: &str, rows: Vec<Row>) {
    if rows.is_empty() {
        return;
    }
    // Writing to a text cannot fail.
    let _ = write!(page, "\n## {title}\n\n| {what} | {does} |\n| --- | --- |\n");
    for Row { signature, about } in rows {
        let _ = writeln!(page, "| {signature} | {about} |");
    }
}

fn line(name: &str, lines: &[(&str, &'static str)]) -> &'static str {
    lines.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about)
}

/// Settings, which take no arguments.
fn named(names: &[&str], lines: &[(&str, &'static str)]) -> Vec<Row> {
    names.iter().map(|name| row(name, line(name, lines))).collect()
}

/// What is called with arguments: those in brackets have defaults.
fn called(all: &[(&str, &[Slot<'static>])], lines: &[(&str, &'static str)]) -> Vec<Row> {
    let one = |(name, slots): &(&str, &[Slot<'static>])| {
        let slots: Vec<String> =
            slots.iter().map(|s| if s.required { s.name.to_string() } else { format!("{} = …", s.name) }).collect();
        let arguments = if slots.is_empty() { String::new() } else { format!("({})", slots.join(", ")) };
        row(&format!("{name}{arguments}"), line(name, lines))
    };
    all.iter().map(one).collect()
}

/// Definitions of the library, with the first sentence of their documentation.
fn definitions(kind: Kind, known: &Definitions) -> Vec<Row> {
    let of_kind = known.iter().filter(|((of, _), _)| *of == kind);
    of_kind.map(|((_, name), definition)| row(&signature(name, definition), &first_sentence(definition))).collect()
}

/// `leaky_relu(slope = 0.01)`: defaults as they are written.
fn signature(name: &str, definition: &Definition) -> String {
    let sources = crate::front::stdlib::sources();
    let own = definition.parameters.iter().filter(|parameter| !is_supplied(definition, parameter));
    let own: Vec<String> = own
        .map(|parameter| match &parameter.default {
            Some(default) => format!("{} = {}", parameter.name.text, sources.slice(default.span)),
            None => parameter.name.text.clone(),
        })
        .collect();
    if own.is_empty() { name.to_string() } else { format!("{name}({})", own.join(", ")) }
}

fn first_sentence(definition: &Definition) -> String {
    let text = definition.docs.join(" ");
    let text = text.trim();
    let end = text.find(". ").map_or(text.len(), |end| end + 1);
    text[..end].replace('|', "\\|")
}

/// One line a function: where it can be called and over which axes.
fn functions(page: &mut String) {
    page.push_str("\n## Functions\n\n| function | where | over | gives |\n| --- | --- | --- | --- |\n");
    for function in &FUNCTIONS {
        let places: Vec<&str> = function.meanings.iter().map(|(dialect, _)| place(*dialect)).collect();
        let mut axes: Vec<&str> = function.meanings.iter().map(|(_, over)| axis(*over)).collect();
        axes.dedup();
        let axes = if axes.len() == places.len() && axes.len() > 1 {
            places.iter().zip(&axes).map(|(place, axis)| format!("{place}: {axis}")).collect::<Vec<_>>().join("; ")
        } else {
            axes.join(", ")
        };
        let _ = writeln!(page, "| {} | {} | {axes} | {} |", spelled(function), places.join(", "), function.about);
    }
    page.push_str(
        "\n`mean`, `var`, `sum` and `norm`, and `max` and `min` of one value, reduce the axes that `over` names. Operators: `+ - * / ^`,\n\
         `== != < <= > >=`, `and or not`.\n",
    );
}

fn spelled(function: &Function) -> String {
    let names = ["a", "b", "c"];
    let one = |count: &usize| format!("`{}({})`", function.name, names[..(*count).min(names.len())].join(", "));
    function.arguments.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn place(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Constants => "values known at compile time",
        Dialect::Formulas => "formulas of data sets",
        Dialect::Definitions => "definitions",
        Dialect::Parameterizations => "parameterizations",
        Dialect::Stages => "stages",
        Dialect::Initializers => "first values",
        Dialect::Measures => "losses and metrics",
        Dialect::Schedules => "schedules",
    }
}

fn axis(over: Over) -> &'static str {
    match over {
        Over::Each => "",
        Over::Inputs => "inputs",
        Over::Batch => "batch",
        Over::Row => "features",
    }
}
