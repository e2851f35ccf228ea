//! How the first layers' boundaries moved, and how they lie over the data: one line a run and layer.

use crate::output::Output;
use crate::output::table::{Field, draw, number};
use gmpc_compiler::boundary::{Boundary, First};
use gmpc_compiler::experiment::Every;
use gmpc_runtime::analysis::stability::sides;
use gmpc_runtime::analysis::subject::inputs;
use gmpc_runtime::analysis::{Movement, Side, Stability, Subject, stability};
use serde_json::{Value, json};

/// What is known of one layer of one run.
struct Line<'a> {
    subject: &'a Subject,
    first: First,
    stability: Option<Stability>,
    side: Option<Side>,
}

/// The table, and a JSON line for each of its lines.
pub fn tell(subjects: &[Subject], output: &Output) {
    let lines: Vec<Line<'_>> = subjects.iter().flat_map(lines).collect();
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
    for subject in subjects {
        if subject.first_layers().is_empty() {
            output.note(format_args!("{}: no dense layer of ReLU units reads the input", subject.title()));
        } else if subject.trajectories.is_empty() {
            let title = subject.title();
            output.note(format_args!(
                "{title} recorded no boundaries: train with `--record boundaries` to see them move"
            ));
        }
        if subject.tables.is_none() {
            output.note(format_args!(
                "{} was trained on {}, which is not here as it was",
                subject.title(),
                subject.about.data
            ));
        }
    }
}

fn lines(subject: &Subject) -> Vec<Line<'_>> {
    let rows = subject.tables.as_ref().and_then(|tables| inputs(&tables.train, &subject.network));
    let line = |first: First| {
        let trajectory = subject.trajectories.iter().find(|trajectory| trajectory.first == first);
        let last = match (trajectory, subject.effective(first.layer)) {
            (Some(trajectory), _) => Some(trajectory.boundaries(trajectory.records().saturating_sub(1))),
            (None, Ok(units)) => Some((0..units.units()).map(|unit| units.boundary(unit)).collect()),
            (None, Err(_)) => None,
        };
        let side = |last: Vec<Option<Boundary>>| rows.as_ref().map(|rows| sides(&last, rows, first.fan_in));
        let side = last.and_then(side);
        Line { subject, stability: trajectory.map(stability), side, first }
    };
    subject.first_layers().into_iter().map(line).collect()
}

/// Of a run's records: how far they are apart, in words.
fn interval(subject: &Subject) -> Option<(Every, String)> {
    let every = subject.trajectories.first()?.every;
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
            Field::text(&self.first.name),
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
