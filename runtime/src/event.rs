//! What a run tells while it goes on: a handful of events, each also one line of JSON. Keys are added, never renamed.
//! Epochs are counted from 1 wherever a person reads them.

use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::PathBuf;

/// A figure under its name: `valid.rmse`, 0.62.
pub type Figure = (String, f64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Before the first step.
    Start(Start),
    /// Now and then within an epoch that takes long; for people, it has no line of JSON.
    Steps(Steps),
    /// After each epoch.
    Epoch(Epoch),
    /// Told once, then work goes on.
    Warning {
        /// `W0901`, or a word where no diagnostic page exists.
        code: String,
        /// One sentence.
        message: String,
        /// One next step.
        help: Option<String>,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Steps done.
        step: u64,
    },
    /// After the last epoch.
    Done(Done),
}

/// What is known before the first step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Start {
    /// The model's name.
    pub model: String,
    /// The run's seed.
    pub seed: u64,
    /// `gmp + mn`
    pub param: String,
    /// `uci.yacht`
    pub data: String,
    /// `cpu`
    pub device: String,
    /// `f32`
    pub precision: String,
    /// Learned numbers.
    pub parameters: usize,
    /// Memory that states and the training program's buffers take.
    pub planned_bytes: usize,
    /// Of the resolved source, 64 hexadecimal digits.
    pub source_sha256: String,
    /// Rows trained, chosen and reported on.
    pub rows: [usize; 3],
    /// Epochs at most.
    pub epochs: u64,
    /// Epochs already done; above 0 in a resumed run.
    pub resumed_from: u64,
}

/// How far an epoch is.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Counted from 1.
    pub epoch: u64,
    /// Steps of this epoch that are done.
    pub done: u64,
    /// Steps of an epoch.
    pub total: u64,
    /// Rows a second since it was told last.
    pub rows_per_second: f64,
}

/// An epoch's result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// The learning rate it was trained with.
    pub lr: f64,
    /// `train.loss`, `train.rmse`, `valid.loss`, ….
    pub figures: Vec<Figure>,
    /// Is it the best so far?
    pub best: bool,
    /// Wall-clock time since the run began, stops not counted.
    pub seconds: f64,
    /// How far recorded boundaries moved, where somebody asked to follow them and one was recorded since the epoch before;
    /// no part of the JSON line, since `boundaries/` holds all of it.
    pub movement: Vec<Moved>,
}

/// The largest movement of a layer's boundaries from one record to the next, over an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// `hidden`
    pub layer: String,
    /// Of phi, in the units of the layer's input.
    pub location: f64,
    /// Of the direction, in radians.
    pub direction: f64,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// The last epoch was done.
    Epochs,
    /// `stop = early_stop(...)`
    EarlyStop,
    /// A signal; the run can be resumed.
    Signal,
}

impl StoppedBy {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            StoppedBy::Epochs => "epochs",
            StoppedBy::EarlyStop => "early_stop",
            StoppedBy::Signal => "signal",
        }
    }
}

/// A run's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Epochs done.
    pub epochs: u64,
    /// Counted from 1; 0 where none was better than nothing.
    pub best_epoch: u64,
    /// Why it ended.
    pub stopped_by: StoppedBy,
    /// `test.rmse`, … with the weights the run ends with; empty after a signal.
    pub figures: Vec<Figure>,
    /// The run folder, if there is one.
    pub run: Option<PathBuf>,
    /// Wall-clock time, stops not counted.
    pub seconds: f64,
}

/// Hears events.
pub trait Listener {
    /// Called between steps; time spent here is the run's.
    fn hear(&mut self, event: &Event);
}

impl<F: FnMut(&Event)> Listener for F {
    fn hear(&mut self, event: &Event) {
        self(event);
    }
}

impl Event {
    /// One JSON object. Numbers that are not finite become `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Event::Start(start) => start.to_json(),
            Event::Steps(steps) => {
                json!({
                    "event": "steps", "epoch": steps.epoch, "done": steps.done, "total": steps.total,
                    "rows_per_second": steps.rows_per_second,
                })
            }
            Event::Epoch(epoch) => epoch.to_json(),
            Event::Warning { code, message, help } => {
                json!({ "event": "warning", "code": code, "message": message, "help": help })
            }
            Event::Checkpoint { path, step } => {
                json!({ "event": "checkpoint", "path": path.display().to_string(), "step": step })
            }
            Event::Done(done) => done.to_json(),
        }
    }
}

impl Start {
    fn to_json(&self) -> Value {
        json!({
            "event": "start",
            "model": self.model,
            "seed": self.seed,
            "param": self.param,
            "data": self.data,
            "device": self.device,
            "precision": self.precision,
            "parameters": self.parameters,
            "planned_bytes": self.planned_bytes,
            "source_sha256": self.source_sha256,
            "rows": { "train": self.rows[0], "valid": self.rows[1], "test": self.rows[2] },
            "epochs": self.epochs,
            "resumed_from": self.resumed_from,
        })
    }
}

impl Epoch {
    /// As in `metrics.jsonl`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut line = Map::new();
        line.insert("event".into(), json!("epoch"));
        line.insert("epoch".into(), json!(self.epoch));
        line.insert("lr".into(), json!(self.lr));
        insert(&mut line, &self.figures);
        line.insert("best".into(), json!(self.best));
        line.insert("seconds".into(), json!(self.seconds));
        Value::Object(line)
    }

    /// The same as text, with its line end, straight to where it belongs: a small network has an epoch every few
    /// microseconds.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write_line(&self, to: &mut impl Write) -> std::io::Result<()> {
        let mut serializer = serde_json::Serializer::new(&mut *to);
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("event", "epoch")?;
        line.serialize_entry("epoch", &self.epoch)?;
        line.serialize_entry("lr", &self.lr)?;
        self.figures.iter().try_for_each(|(name, value)| line.serialize_entry(name, value))?;
        line.serialize_entry("best", &self.best)?;
        line.serialize_entry("seconds", &self.seconds)?;
        line.end()?;
        to.write_all(b"\n")
    }

    /// A figure by its name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl Done {
    fn to_json(&self) -> Value {
        let mut line = Map::new();
        line.insert("event".into(), json!("done"));
        line.insert("epochs".into(), json!(self.epochs));
        line.insert("best_epoch".into(), json!(self.best_epoch));
        line.insert("stopped_by".into(), json!(self.stopped_by.word()));
        insert(&mut line, &self.figures);
        line.insert("seconds".into(), json!(self.seconds));
        line.insert("run".into(), json!(self.run.as_ref().map(|run| run.display().to_string())));
        Value::Object(line)
    }

    /// A figure by its name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

fn insert(line: &mut Map<String, Value>, figures: &[Figure]) {
    for (name, value) in figures {
        line.insert(name.clone(), json!(value)); // serde_json writes null for what is not finite
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn every_event_is_one_line_of_json() {
        let start = Start { model: "levy".into(), param: "gmp".into(), seed: 3, ..Start::default() };
        assert_snapshot!(Event::Start(start).to_json(), @r#"{"event":"start","model":"levy","seed":3,"param":"gmp","data":"","device":"","precision":"","parameters":0,"planned_bytes":0,"source_sha256":"","rows":{"train":0,"valid":0,"test":0},"epochs":0,"resumed_from":0}"#);
        let figures = vec![("train.loss".to_string(), 0.5), ("valid.rmse".to_string(), f64::NAN)];
        let epoch = Epoch { epoch: 2, lr: 0.1, figures, best: true, seconds: 0.25, movement: vec![] };
        let mut line = Vec::new();
        epoch.write_line(&mut line).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            format!("{}\n", epoch.to_json()),
            "one object, written in two ways"
        );
        assert_snapshot!(Event::Epoch(epoch).to_json(), @r#"{"event":"epoch","epoch":2,"lr":0.1,"train.loss":0.5,"valid.rmse":null,"best":true,"seconds":0.25}"#);
        let figures = vec![("test.rmse".to_string(), 1.5)];
        let run = Some("runs/levy".into());
        let done = Done { epochs: 9, best_epoch: 7, stopped_by: StoppedBy::EarlyStop, figures, run, seconds: 1.0 };
        assert_snapshot!(Event::Done(done).to_json(), @r#"{"event":"done","epochs":9,"best_epoch":7,"stopped_by":"early_stop","test.rmse":1.5,"seconds":1.0,"run":"runs/levy"}"#);
        let warning = Event::Warning { code: "W0905".into(), message: "a b".into(), help: None };
        assert_snapshot!(warning.to_json(), @r#"{"event":"warning","code":"W0905","message":"a b","help":null}"#);
    }
}
