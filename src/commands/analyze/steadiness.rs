//! How boundaries moved, and how those of the first layers lie over the data: one line a run and layer.

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Field, draw, number, thousands};
use gmpc_compiler::boundary::{Boundary, First};
use gmpc_compiler::experiment::Every;
use gmpc_runtime::analysis::stability::sides;
use gmpc_runtime::analysis::{Movement, Side, Stability, Subject, deep, sight, stability};
use serde_json::{Value, json};

/// What is known of one layer of one run.
#[derive(Clone)]
struct Line<'a> {
    subject: &'a Subject,
    first: First,
    stability: Option<Stability>,
    side: Option<Side>,
    /// Out of which rows, where not out of all of them.
    sample: Option<String>,
    /// Does it read the network's input?
    first_layer: bool,
}

/// The table, and a JSON line for each of its lines.
///
/// # Errors
/// Records that are damaged.
pub fn tell(subjects: &[Subject], output: &Output) -> Result<(), Failure> {
    let lines = subjects.iter().map(lines).collect::<Result<Vec<_>, Failure>>()?.concat();
    lines.iter().for_each(|line| output.line(&line.json()));
    let intervals: Vec<String> = subjects.iter().filter_map(|subject| Some(interval(subject)?.1)).collect();
    let interval = match intervals.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.as_str(),
        Some(_) => "record",
        None => "epoch",
    };
    let head = [
        "run",
        "layer",
        "records",
        "max |dphi|",
        "mean |dphi|",
        "max turn",
        "mean turn",
        "dead",
        "always on",
        "splitting",
        "cells",
    ];
    let rows: Vec<Vec<Field>> = lines.iter().map(Line::fields).collect();
    output.say(format_args!(
        "movement of the boundaries per {interval} (turns in radians), and how they lie over the training rows at the end\n\n{}",
        draw(&head, &rows)
    ));
    if lines.iter().any(|line| !line.first_layer) {
        output.note("* behind the first layer: movement in the space of the layer's own input");
    }
    let mut samples: Vec<String> = lines.iter().filter_map(|line| line.sample.clone()).collect();
    samples.sort();
    samples.dedup();
    samples.iter().for_each(|sample| output.note(sample));
    subjects.iter().for_each(|subject| missing(subject, output));
    Ok(())
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

fn lines(subject: &Subject) -> Result<Vec<Line<'_>>, Failure> {
    let mut lines: Vec<Line<'_>> = subject.first_layers().into_iter().map(|first| of_first(subject, first)).collect();
    let behind = |(first, stability): (First, Stability)| Line {
        subject,
        first,
        stability: Some(stability),
        side: None,
        sample: None,
        first_layer: false,
    };
    lines.extend(deep(subject)?.into_iter().map(behind));
    Ok(lines)
}

fn of_first(subject: &Subject, first: First) -> Line<'_> {
    let trajectory = subject.trajectories.iter().find(|trajectory| trajectory.first == first);
    let last: Option<Vec<Option<Boundary>>> = match (trajectory, subject.effective(first.layer)) {
        (Some(trajectory), _) => Some(trajectory.boundaries(trajectory.records().saturating_sub(1))),
        (None, Ok(units)) => Some((0..units.units()).map(|unit| units.boundary(unit)).collect()),
        (None, Err(_)) => None,
    };
    let seen = last.as_ref().and_then(|_| sight(subject, &first)).filter(|seen| seen.count > 0);
    let side = last.zip(seen.as_ref()).map(|(last, seen)| sides(&last, &seen.rows, first.fan_in));
    let sample = seen.and_then(|seen| Some((seen.count, seen.sample?))).map(|(count, sample)| {
        let of =
            if count == sample { "training rows".to_string() } else { format!("patches of {sample} training images") };
        format!("`{}`: what stands from `dead` to `cells` is over {} {of}", first.name, thousands(count as u64))
    });
    Line { subject, stability: trajectory.map(stability), side, sample, first, first_layer: true }
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

impl Line<'_> {
    fn fields(&self) -> Vec<Field> {
        let nothing = || Field::number("-");
        let movement = |of: fn(&Stability) -> Movement, part: fn(Movement) -> f64| {
            self.stability.as_ref().map_or_else(nothing, |found| Field::number(number(part(of(found)))))
        };
        let count = |of: fn(Side) -> usize| self.side.map_or_else(nothing, |side| Field::number(of(side).to_string()));
        vec![
            Field::text(self.subject.title()),
            Field::text(if self.first_layer { self.first.name.clone() } else { format!("{} *", self.first.name) }),
            self.stability.as_ref().map_or_else(nothing, |found| Field::number(found.records.to_string())),
            movement(|found| found.location, |of| of.max),
            movement(|found| found.location, |of| of.mean),
            movement(|found| found.direction, |of| of.max),
            movement(|found| found.direction, |of| of.mean),
            count(|side| side.dead),
            count(|side| side.always),
            count(|side| side.splitting),
            count(|side| side.cells),
        ]
    }

    fn json(&self) -> Value {
        let movement = |of: Movement| json!({ "max": of.max, "mean": of.mean });
        let found = self.stability.as_ref();
        let every = interval(self.subject).map(|(every, _)| match every {
            Every::Epochs(n) => json!({ "epochs": n }),
            Every::Steps(n) => json!({ "steps": n }),
        });
        json!({
            "event": "boundaries",
            "run": self.subject.folder.path.display().to_string(),
            "param": self.subject.about.param,
            "layer": self.first.name,
            "first": self.first_layer,
            "units": self.first.units,
            "inputs": self.first.fan_in,
            "every": every,
            "records": found.map(|found| found.records),
            "location": found.map(|found| movement(found.location)),
            "direction": found.map(|found| movement(found.direction)),
            "without_boundary": found.map(|found| found.lost),
            "dead": self.side.map(|side| side.dead),
            "always_active": self.side.map(|side| side.always),
            "splitting": self.side.map(|side| side.splitting),
            "cells": self.side.map(|side| side.cells),
        })
    }
}
