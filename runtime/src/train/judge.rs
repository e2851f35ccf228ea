//! The evaluation after each epoch: loss and metrics of the parts that the file asks for, and the best epoch.

use super::plan::{Plan, Tables};
use super::progress::Progress;
use crate::event::Figure;
use crate::failure::{Failure, Message};
use crate::program::metrics::Sums;
use crate::program::session::Session;
use crate::train::schedule;
use gmpc_compiler::ir::experiment::{Monitor, Part, Select, TrainSpec};

/// Which metrics are computed, and which of them decides.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    /// `train.loss`, `train.rmse`, ….
    train_names: Vec<String>,
    /// True if the validation rows are evaluated.
    valid: bool,
    /// True if the test rows are evaluated after each epoch, which the file must ask for.
    test: bool,
    /// Whether `valid.…` means the validation rows or the test rows.
    select: Select,
    /// The metric that decides which epoch is the best.
    best: Monitor,
    min_delta: f64,
}

impl Judge {
    pub(super) fn new(session: &Session, plan: &Plan, spec: &TrainSpec, tables: &Tables) -> Result<Self, Failure> {
        let names = session.measure_names(plan.full);
        // Metrics over all rows at once are not measured while training: their rows would be of different weights.
        let all: Vec<&String> = names.iter().chain(spec.metrics.iter().map(|metric| &metric.name)).collect();
        let valid = tables.valid.is_some() && spec.select == Select::Valid;
        let monitors = [spec.stop.as_ref().map(|stop| &stop.monitor), schedule::monitor(&spec.schedule)];
        let mut test = spec.select == Select::Test;
        for monitor in monitors.into_iter().flatten() {
            let measured = match monitor.part {
                Part::Train => names.contains(&monitor.quantity),
                Part::Valid | Part::Test => all.contains(&&monitor.quantity),
            };
            if !measured {
                return Err(unknown(&monitor.quantity, &names));
            }
            test |= monitor.part == Part::Test;
            if monitor.part == Part::Valid && spec.select == Select::Valid && !valid {
                return Err(no_validation_rows(&monitor.quantity));
            }
        }
        // Without a stop rule and a schedule that monitors a metric, the loss decides.
        let fallback = || {
            let part = if valid || test { Part::Valid } else { Part::Train };
            Monitor { part, quantity: "loss".into(), higher_is_better: false }
        };
        let best = monitors.into_iter().flatten().next().cloned().unwrap_or_else(fallback);
        let min_delta = spec.stop.as_ref().map_or(0.0, |stop| stop.min_delta);
        let train_names = names.iter().map(|name| format!("train.{name}")).collect();
        Ok(Judge { train_names, valid, test, select: spec.select, best, min_delta })
    }

    /// All metrics of an epoch. The flag is false if a loss is not finite.
    pub(super) fn figures(
        &self,
        session: &mut Session,
        plan: &Plan,
        tables: &Tables,
        sums: &Sums,
    ) -> Result<(Vec<Figure>, bool), Failure> {
        let trained = session.finish(plan.full, sums);
        let mut finite = trained.first().is_none_or(|loss| loss.is_finite());
        let mut figures: Vec<Figure> = self.train_names.iter().cloned().zip(trained).collect();
        let valid = tables.valid.as_ref().filter(|_| self.valid).map(|rows| ("valid", rows));
        let test = self.test.then_some(("test", &tables.test));
        for (part, rows) in valid.into_iter().chain(test) {
            let found = session.evaluate(rows)?;
            finite &= found.first().is_none_or(|(_, loss)| loss.is_finite());
            figures.extend(found.into_iter().map(|(name, value)| (format!("{part}.{name}"), value)));
        }
        Ok((figures, finite))
    }

    /// Updates the schedule and the best epoch. Returns true if this epoch is the best so far.
    pub(super) fn observe(&self, progress: &mut Progress, spec: &TrainSpec, epoch: u64, figures: &[Figure]) -> bool {
        progress.rate.observe(&spec.schedule, epoch, |monitor| self.value(monitor, figures));
        let value = self.value(&self.best, figures);
        progress.best.observe(value, epoch, self.best.higher_is_better, self.min_delta)
    }

    /// The value of a monitored metric; NaN if there is none.
    fn value(&self, monitor: &Monitor, figures: &[Figure]) -> f64 {
        let part = match monitor.part {
            Part::Train => "train",
            Part::Valid if self.select == Select::Valid => "valid",
            Part::Valid | Part::Test => "test",
        };
        let is_it = |name: &str| name.strip_prefix(part).and_then(|n| n.strip_prefix('.')) == Some(&monitor.quantity);
        figures.iter().find(|(name, _)| is_it(name)).map_or(f64::NAN, |(_, value)| *value)
    }
}

fn unknown(quantity: &str, names: &[String]) -> Failure {
    let message = Message::new(format!("`{quantity}` is monitored, but the run does not measure it"));
    Failure::Usage(message.help(format!("the measured quantities are {}; add it to `metrics`", names.join(", "))))
}

fn no_validation_rows(quantity: &str) -> Failure {
    let message = Message::new(format!("`valid.{quantity}` is monitored, but no rows are held out"));
    Failure::Data(message.help("set `validation` above 0 in `data`, or monitor `train.…`"))
}
