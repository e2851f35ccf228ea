//! The events that a run reports while it goes on. Each of them is also one line of JSON. Later versions may add keys
//! and never rename one. Epochs are counted from 1 wherever a person reads them.

use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::PathBuf;

/// A metric's name and value, such as `valid.rmse` and 0.62.
pub type Figure = (String, f64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Before the first step.
    Start(Start),
    /// Progress within a long epoch. It is shown to people, and `--json` leaves it out.
    Steps(Steps),
    /// After each epoch.
    Epoch(Epoch),
    /// A warning. It is reported once, and the run goes on.
    Warning {
        /// The code of a page, such as `W0901`, or a word if the warning has no page.
        code: String,
        /// One sentence that says what happened.
        message: String,
        /// One next step, if there is one.
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
    /// Number of learned scalars.
    pub parameters: usize,
    /// Bytes of memory for the states and for the buffers of the training program.
    pub planned_bytes: usize,
    /// SHA-256 of the resolved source as 64 hexadecimal digits.
    pub source_sha256: String,
    /// Number of rows in the training, validation and test part.
    pub rows: [usize; 3],
    /// Names of the input columns; empty if the data file has none.
    pub features: Vec<String>,
    /// The name of each class, and its number of rows in the training, validation and test part.
    pub classes: Vec<(String, [usize; 3])>,
    /// Largest number of epochs.
    pub epochs: u64,
    /// Number of epochs that were done before this process began; above 0 only in a resumed run.
    pub resumed_from: u64,
}

/// How far an epoch has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Counted from 1.
    pub epoch: u64,
    /// Number of steps of this epoch that are done.
    pub done: u64,
    /// Number of steps in an epoch.
    pub total: u64,
    /// Training rows per second since the last event of this kind.
    pub rows_per_second: f64,
}

/// An epoch's result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// The learning rate it was trained with.
    pub lr: f64,
    /// Metrics of the training and validation part: `train.loss`, `train.rmse`, `valid.loss`, ….
    pub figures: Vec<Figure>,
    /// True if it is the best epoch so far.
    pub best: bool,
    /// Wall-clock seconds since the run began. Time between a stop and a resumption does not count.
    pub seconds: f64,
    /// How far the recorded boundaries moved in this epoch. Empty unless the caller asked for it and boundaries were
    /// recorded. The JSON line leaves it out, because `boundaries/` holds the full records.
    pub drift: Vec<Moved>,
}

/// The largest distance that boundaries of a layer moved from one record to the next within an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The layer's name, such as `hidden`.
    pub layer: String,
    /// Largest change of the boundary's distance from the origin (phi), in the units of the layer's input.
    pub location: f64,
    /// Largest change of the boundary's direction, in radians.
    pub direction: f64,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// All epochs were done.
    Epochs,
    /// The rule `stop = early_stop(...)` of the file ended it.
    EarlyStop,
    /// A signal stopped it. The run can be resumed.
    Signal,
    /// The epoch that it was to pause after; the run can be resumed.
    Pause,
}

impl StoppedBy {
    /// The word for it in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            StoppedBy::Epochs => "epochs",
            StoppedBy::EarlyStop => "early_stop",
            StoppedBy::Signal => "signal",
            StoppedBy::Pause => "pause",
        }
    }
}

/// A run's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Number of epochs that were done.
    pub epochs: u64,
    /// The best epoch, counted from 1; 0 if there is none.
    pub best_epoch: u64,
    /// Why the run ended.
    pub stopped_by: StoppedBy,
    /// Metrics on the test rows (`test.rmse`, …) with the final weights; empty after a signal.
    pub figures: Vec<Figure>,
    /// True if epochs were chosen by their results on the test rows. The test metrics are then better than on new data.
    pub chosen_on_test: bool,
    /// The run folder, if there is one.
    pub run: Option<PathBuf>,
    /// Wall-clock seconds. Time between a stop and a resumption does not count.
    pub seconds: f64,
}

/// Receives events as they happen.
pub trait Listener {
    /// Called between two steps. The time that it takes is part of the run's time.
    fn on_event(&mut self, event: &Event);
}

impl<F: FnMut(&Event)> Listener for F {
    fn on_event(&mut self, event: &Event) {
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
            "features": self.features,
            "classes": self.classes,
            "epochs": self.epochs,
            "resumed_from": self.resumed_from,
        })
    }
}

impl Epoch {
    /// The line of `metrics.jsonl` as a JSON value.
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

    /// Writes the same line, with its line end, directly to `to`. It builds no JSON value first, because a small
    /// network ends an epoch every few microseconds.
    ///
    /// # Errors
    /// Writing to `to` failed.
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

    /// The value of a metric, found by its name.
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
        if self.chosen_on_test {
            line.insert("chosen_on".into(), json!("test"));
        }
        line.insert("seconds".into(), json!(self.seconds));
        line.insert("run".into(), json!(self.run.as_ref().map(|run| run.display().to_string())));
        Value::Object(line)
    }

    /// The value of a metric, found by its name.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

fn insert(line: &mut Map<String, Value>, figures: &[Figure]) {
    for (name, value) in figures {
        line.insert(name.clone(), json!(value)); // serde_json writes null for NaN and infinities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn every_event_is_one_line_of_json() {
        let start = Start { model: "levy".into(), param: "gmp".into(), seed: 3, ..Start::default() };
        assert_snapshot!(Event::Start(start).to_json(), @r#"{"event":"start","model":"levy","seed":3,"param":"gmp","data":"","device":"","precision":"","parameters":0,"planned_bytes":0,"source_sha256":"","rows":{"train":0,"valid":0,"test":0},"features":[],"classes":[],"epochs":0,"resumed_from":0}"#);
        let figures = vec![("train.loss".to_string(), 0.5), ("valid.rmse".to_string(), f64::NAN)];
        let epoch = Epoch { epoch: 2, lr: 0.1, figures, best: true, seconds: 0.25, drift: vec![] };
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
        let stopped_by = StoppedBy::EarlyStop;
        let mut done = Done { epochs: 9, best_epoch: 7, stopped_by, figures, chosen_on_test: false, run, seconds: 1.0 };
        assert_snapshot!(Event::Done(done.clone()).to_json(), @r#"{"event":"done","epochs":9,"best_epoch":7,"stopped_by":"early_stop","test.rmse":1.5,"seconds":1.0,"run":"runs/levy"}"#);
        done.chosen_on_test = true;
        assert_eq!(Event::Done(done).to_json()["chosen_on"], "test");
        let warning = Event::Warning { code: "W0905".into(), message: "a b".into(), help: None };
        assert_snapshot!(warning.to_json(), @r#"{"event":"warning","code":"W0905","message":"a b","help":null}"#);
    }
}
