//! How boundaries moved over training, and how they lie over the training rows: one line for each run and layer.

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw, number, thousands};
use gmpc_compiler::ir::experiment::Every;
use gmpc_study::analysis::{Activity, Drift, Extent, Layer, Layers, Run, layers};
use serde_json::{Value, json};

const HEAD: [&str; 12] = [
    "run",
    "layer",
    "records",
    "max |dphi|",
    "mean |dphi|",
    "max turn",
    "mean turn",
    "units",
    "dead",
    "always on",
    "splitting",
    "cells",
];

/// Prints the table, and a JSON line for each of its lines.
///
/// # Errors
/// Records are damaged; the device failed.
pub fn report(runs: &[Run], output: &Output) -> Result<(), Failure> {
    let found = runs.iter().map(|run| Ok(layers(run)?)).collect::<Result<Vec<Layers>, Failure>>()?;
    let lines: Vec<(&Run, &Layers, &Layer)> =
        runs.iter().zip(&found).flat_map(|(s, f)| f.layers.iter().map(move |layer| (s, f, layer))).collect();
    lines.iter().for_each(|(run, found, layer)| output.line(&json(run, found, layer)));
    let intervals: Vec<String> = runs.iter().filter_map(|run| Some(interval(run)?.1)).collect();
    let interval = match intervals.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.as_str(),
        Some(_) => "record",
        None => "epoch",
    };
    let rows: Vec<Vec<Field>> = lines.iter().map(|(run, _, layer)| fields(run, layer)).collect();
    output.say(format_args!(
        "drift of the boundaries per {interval} (turns in radians), and their activity over the training rows at the end\n\n{}",
        draw(&HEAD, &rows)
    ));
    if lines.iter().any(|(.., layer)| !layer.reads_input && layer.drift.is_some()) {
        output.note("* after the first layers: drift in the space of the layer's own input");
    }
    samples(&lines).iter().for_each(|sample| output.note(sample));
    runs.iter().for_each(|run| missing(run, output));
    Ok(())
}

/// Sentences about columns that do not count all training rows, each once.
fn samples(lines: &[(&Run, &Layers, &Layer)]) -> Vec<String> {
    let mut found = Vec::new();
    for (run, layers, layer) in lines {
        if let Some([rows, of]) = layers.rows.filter(|[rows, of]| rows < of) {
            let [rows, of] = [rows, of].map(|count| thousands(count as u64));
            found.push(format!("{}: `dead` to `splitting` are over {rows} of {of} training rows", run.title()));
        }
        if let Some((cells, sample)) = layer.cells.and_then(|cells| Some((cells, cells.sample?))) {
            let all = cells.rows == sample;
            let of = if all { "training rows".to_string() } else { format!("patches of {sample} training images") };
            found.push(format!(
                "`{}`: `cells` are counted over {} {of}",
                layer.first.name,
                thousands(cells.rows as u64)
            ));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Says what a run lacks, and how to get it.
fn missing(run: &Run, output: &Output) {
    let title = run.title();
    if run.first_layers().is_empty() && run.states.is_none() {
        output.note(format_args!("{title}: no layer of ReLU units reads the input"));
    } else if run.every().is_none() {
        output.note(format_args!(
            "{title} recorded no boundaries: train with `--record boundaries` to measure their drift"
        ));
    }
    if run.tables.is_none() {
        output.note(format_args!(
            "{title}: training data {} is missing or has changed; dead-unit columns are left out",
            run.about.data
        ));
    }
}

/// The interval between two records of a run, and its name.
fn interval(run: &Run) -> Option<(Every, String)> {
    let every = run.every()?;
    let text = match every {
        Every::Epochs(1) => "epoch".to_string(),
        Every::Epochs(n) => format!("{n} epochs"),
        Every::Steps(1) => "step".to_string(),
        Every::Steps(n) => format!("{n} steps"),
    };
    Some((every, text))
}

fn fields(run: &Run, layer: &Layer) -> Vec<Field> {
    let nothing = || Field::number("-");
    let drift = |of: fn(&Drift) -> Extent, part: fn(Extent) -> f64| {
        layer.drift.as_ref().map_or_else(nothing, |found| Field::number(number(part(of(found)))))
    };
    let count =
        |of: fn(Activity) -> usize| layer.activity.map_or_else(nothing, |found| Field::number(of(found).to_string()));
    let part = |of: fn(Activity) -> usize| {
        layer.activity.map_or_else(nothing, |found| Field::number(counted(of(found), found.share(of(found)))))
    };
    // Drift behind the first layer is measured in the space of its own input, which moves as well: `*` says so.
    let starred = !layer.reads_input && layer.drift.is_some();
    vec![
        Field::text(run.title()),
        Field::text(if starred { format!("{} *", layer.first.name) } else { layer.first.name.clone() }),
        layer.drift.as_ref().map_or_else(nothing, |found| Field::number(found.records.to_string())),
        drift(|found| found.location, |of| of.max),
        drift(|found| found.location, |of| of.mean),
        drift(|found| found.direction, |of| of.max),
        drift(|found| found.direction, |of| of.mean),
        Field::number(layer.units.to_string()),
        part(|found| found.dead),
        part(|found| found.always),
        count(Activity::splitting),
        layer.cells.map_or_else(nothing, |cells| Field::number(cells.count.to_string())),
    ]
}

/// A count and its percentage: `3 (4.7 %)`; a count of zero is `0`.
fn counted(count: usize, share: f64) -> String {
    let percent = format!("{:.1}", 100.0 * share);
    if count == 0 { "0".into() } else { format!("{count} ({} %)", percent.trim_end_matches(".0")) }
}

fn json(run: &Run, found: &Layers, layer: &Layer) -> Value {
    let extent = |of: Extent| json!({ "max": of.max, "mean": of.mean });
    let (drift, activity) = (layer.drift.as_ref(), layer.activity);
    // Drift depends on how often boundaries were recorded, so a line says it.
    let every = interval(run).map(|(every, _)| match every {
        Every::Epochs(n) => json!({ "epochs": n }),
        Every::Steps(n) => json!({ "steps": n }),
    });
    json!({
        "event": "boundaries",
        "run": run.folder.path.display().to_string(),
        "param": run.about.param,
        "layer": layer.first.name,
        "first": layer.reads_input,
        "units": layer.units,
        "inputs": layer.first.fan_in,
        "every": every,
        "records": drift.map(|found| found.records),
        "location": drift.map(|found| extent(found.location)),
        "direction": drift.map(|found| extent(found.direction)),
        "without_boundary": drift.map(|found| found.lost),
        "dead": activity.map(|found| found.dead),
        "dead_share": activity.map(|found| found.share(found.dead)),
        "always_active": activity.map(|found| found.always),
        "always_active_share": activity.map(|found| found.share(found.always)),
        "splitting": activity.map(Activity::splitting),
        "rows": found.rows.map(|[rows, _]| rows),
        "cells": layer.cells.map(|cells| cells.count),
    })
}
