//! How boundaries moved, and how they lie over the training rows: one line a run and layer.

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw, number, thousands};
use gmpc_compiler::experiment::Every;
use gmpc_runtime::analysis::{Activity, Layer, Layers, Movement, Stability, Subject, layers};
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

/// The table, and a JSON line for each of its lines.
///
/// # Errors
/// Records that are damaged; the device failed.
pub fn tell(subjects: &[Subject], output: &Output) -> Result<(), Failure> {
    let found = subjects.iter().map(|subject| Ok(layers(subject)?)).collect::<Result<Vec<Layers>, Failure>>()?;
    let lines: Vec<(&Subject, &Layers, &Layer)> =
        subjects.iter().zip(&found).flat_map(|(s, f)| f.layers.iter().map(move |layer| (s, f, layer))).collect();
    lines.iter().for_each(|(subject, found, layer)| output.line(&json(subject, found, layer)));
    let intervals: Vec<String> = subjects.iter().filter_map(|subject| Some(interval(subject)?.1)).collect();
    let interval = match intervals.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.as_str(),
        Some(_) => "record",
        None => "epoch",
    };
    let rows: Vec<Vec<Field>> = lines.iter().map(|(subject, _, layer)| fields(subject, layer)).collect();
    output.say(format_args!(
        "movement of the boundaries per {interval} (turns in radians), and how they lie over the training rows at the end\n\n{}",
        draw(&HEAD, &rows)
    ));
    if lines.iter().any(|(.., layer)| !layer.reads_input && layer.stability.is_some()) {
        output.note("* behind the first layer: movement in the space of the layer's own input");
    }
    samples(&lines).iter().for_each(|sample| output.note(sample));
    subjects.iter().for_each(|subject| missing(subject, output));
    Ok(())
}

/// Sentences about columns that are not over all training rows, each once.
fn samples(lines: &[(&Subject, &Layers, &Layer)]) -> Vec<String> {
    let mut found = Vec::new();
    for (subject, layers, layer) in lines {
        if let Some([rows, of]) = layers.rows.filter(|[rows, of]| rows < of) {
            let [rows, of] = [rows, of].map(|count| thousands(count as u64));
            found.push(format!("{}: `dead` to `splitting` are over {rows} of {of} training rows", subject.title()));
        }
        if let Some((cells, sample)) = layer.cells.and_then(|cells| Some((cells, cells.sample?))) {
            let all = cells.rows == sample;
            let of = if all { "training rows".to_string() } else { format!("patches of {sample} training images") };
            found.push(format!("`{}`: `cells` are of {} {of}", layer.first.name, thousands(cells.rows as u64)));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What a run does not have, and how to get it.
fn missing(subject: &Subject, output: &Output) {
    let title = subject.title();
    if subject.first_layers().is_empty() && subject.states.is_none() {
        output.note(format_args!("{title}: no layer of ReLU units reads the input"));
    } else if subject.every().is_none() {
        output.note(format_args!("{title} recorded no boundaries: train with `--record boundaries` to see them move"));
    }
    if subject.tables.is_none() {
        output.note(format_args!("{title} was trained on {}, which is not here as it was", subject.about.data));
    }
}

/// Of a run's records: how far they are apart, in words.
fn interval(subject: &Subject) -> Option<(Every, String)> {
    let every = subject.every()?;
    let text = match every {
        Every::Epochs(1) => "epoch".to_string(),
        Every::Epochs(n) => format!("{n} epochs"),
        Every::Steps(1) => "step".to_string(),
        Every::Steps(n) => format!("{n} steps"),
    };
    Some((every, text))
}

fn fields(subject: &Subject, layer: &Layer) -> Vec<Field> {
    let nothing = || Field::number("-");
    let movement = |of: fn(&Stability) -> Movement, part: fn(Movement) -> f64| {
        layer.stability.as_ref().map_or_else(nothing, |found| Field::number(number(part(of(found)))))
    };
    let count =
        |of: fn(Activity) -> usize| layer.activity.map_or_else(nothing, |found| Field::number(of(found).to_string()));
    let part = |of: fn(Activity) -> usize| {
        layer.activity.map_or_else(nothing, |found| Field::number(counted(of(found), found.share(of(found)))))
    };
    let starred = !layer.reads_input && layer.stability.is_some();
    vec![
        Field::text(subject.title()),
        Field::text(if starred { format!("{} *", layer.first.name) } else { layer.first.name.clone() }),
        layer.stability.as_ref().map_or_else(nothing, |found| Field::number(found.records.to_string())),
        movement(|found| found.location, |of| of.max),
        movement(|found| found.location, |of| of.mean),
        movement(|found| found.direction, |of| of.max),
        movement(|found| found.direction, |of| of.mean),
        Field::number(layer.first.units.to_string()),
        part(|found| found.dead),
        part(|found| found.always),
        count(Activity::splitting),
        layer.cells.map_or_else(nothing, |cells| Field::number(cells.count.to_string())),
    ]
}

/// `3 (4.7 %)`; nothing is `0`.
fn counted(count: usize, share: f64) -> String {
    let percent = format!("{:.1}", 100.0 * share);
    if count == 0 { "0".into() } else { format!("{count} ({} %)", percent.trim_end_matches(".0")) }
}

fn json(subject: &Subject, found: &Layers, layer: &Layer) -> Value {
    let movement = |of: Movement| json!({ "max": of.max, "mean": of.mean });
    let (stability, activity) = (layer.stability.as_ref(), layer.activity);
    let every = interval(subject).map(|(every, _)| match every {
        Every::Epochs(n) => json!({ "epochs": n }),
        Every::Steps(n) => json!({ "steps": n }),
    });
    json!({
        "event": "boundaries",
        "run": subject.folder.path.display().to_string(),
        "param": subject.about.param,
        "layer": layer.first.name,
        "first": layer.reads_input,
        "units": layer.first.units,
        "inputs": layer.first.fan_in,
        "every": every,
        "records": stability.map(|found| found.records),
        "location": stability.map(|found| movement(found.location)),
        "direction": stability.map(|found| movement(found.direction)),
        "without_boundary": stability.map(|found| found.lost),
        "dead": activity.map(|found| found.dead),
        "dead_share": activity.map(|found| found.share(found.dead)),
        "always_active": activity.map(|found| found.always),
        "always_active_share": activity.map(|found| found.share(found.always)),
        "splitting": activity.map(Activity::splitting),
        "rows": found.rows.map(|[rows, _]| rows),
        "cells": layer.cells.map(|cells| cells.count),
    })
}
