//! A run from its present state to its result: the events that it reports and the files that it writes.

use super::warnings::{
    MOST_LEFT, chosen_on_test, much_recorded, not_as_one_batch, slowest_statistic, unsettled_statistics,
};
use crate::diverge::{Divergence, Origin};
use crate::event::{Done, Event, Listener, Start, StoppedBy};
use crate::failure::Failure;
use crate::program::session::{Programs, Session};
use crate::run::folder::{About, RunFolder, RunWriter};
use crate::run::records::records_after;
use crate::run::result;
use crate::task::experiment::Prepared;
use crate::train::{CheckpointSink, NoCheckpoint, Progress, Trainer};
use gmpc_compiler::graphs::boundary::{First, first_layers};
use gmpc_compiler::ir::experiment::{Followed, Select};
use gmpc_compiler::ir::program::Goal;
use gmpc_data::Rows;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Records that need more bytes than this cause a warning (W0804).
const MUCH: u64 = 4 << 30;

/// A run that is ready to begin or to continue.
pub(in crate::task) struct Run<'a> {
    pub(in crate::task) prepared: &'a Prepared,
    pub(in crate::task) about: &'a About,
    /// `None` if no files are written.
    pub(in crate::task) folder: Option<&'a RunFolder>,
    pub(in crate::task) trainer: Trainer<'a>,
}

impl Run<'_> {
    /// Trains, and writes the result. `writer` writes the other files of the run.
    ///
    /// # Errors
    /// The errors of [`train`](super::train).
    pub(in crate::task) fn go(
        mut self,
        mut writer: Option<RunWriter>,
        listener: &mut dyn Listener,
        stop: &AtomicBool,
    ) -> Result<Done, Failure> {
        let start = self.start()?;
        let resumed = start.resumed_from > 0;
        listener.on_event(&Event::Start(start));
        // The notes of a resumed run are in its folder already, and its user has seen them.
        self.prepared.warnings.notes.iter().filter(|_| !resumed).for_each(|note| listener.on_event(&note.into()));
        if self.prepared.spec()?.select == Select::Test {
            listener.on_event(&chosen_on_test());
        }
        for message in writer.iter_mut().flat_map(RunWriter::remarks) {
            listener.on_event(&Event::Warning { code: "W0801".into(), message, help: None });
        }
        if let Some(bytes) = self.recorded_bytes()?.filter(|bytes| writer.is_some() && *bytes > MUCH) {
            listener.on_event(&much_recorded(bytes));
        }
        let network = &self.prepared.network;
        for warning in not_as_one_batch(&network.net, network.takes_statistics(), self.prepared.spec()?) {
            listener.on_event(&warning);
        }
        if let Some(warning) = self.unsettled_statistics()? {
            listener.on_event(&warning);
        }
        let mut sink: Box<dyn CheckpointSink> = match writer {
            Some(writer) => Box::new(writer),
            None => Box::new(NoCheckpoint),
        };
        // A run that had ended before is evaluated again, but its checkpoint is already saved.
        let ended_before = self.trainer.progress().ended.is_some();
        let stopped_by = self.trainer.run(sink.as_mut(), listener, stop)?;
        if stopped_by != StoppedBy::Signal && !ended_before {
            let path = sink.save(self.trainer.snapshot())?;
            if self.folder.is_some() {
                listener.on_event(&Event::Checkpoint { path, step: self.trainer.progress().step });
            }
        }
        let done = self.done(stopped_by)?;
        if let Some(folder) = self.folder.filter(|_| stopped_by != StoppedBy::Signal) {
            sink.check()?;
            result::write(folder, &done)?;
        }
        listener.on_event(&Event::Done(done.clone()));
        Ok(done)
    }

    /// A warning if running statistics will still depend on their initial values at the end of the run, because it has
    /// few steps.
    fn unsettled_statistics(&self) -> Result<Option<Event>, Failure> {
        let steps = self.prepared.spec()?.epochs.saturating_mul(self.trainer.steps_in_an_epoch());
        let Some(momentum) = slowest_statistic(&self.prepared.network.net) else { return Ok(None) };
        let left = libm::pow(1.0 - momentum, steps as f64);
        Ok((left > MOST_LEFT).then(|| unsettled_statistics(steps, left, momentum)))
    }

    /// Bytes that records will take on the disk after all epochs; `None` if nothing is recorded.
    fn recorded_bytes(&self) -> Result<Option<u64>, Failure> {
        let spec = self.prepared.spec()?;
        let Some(record) = spec.record else { return Ok(None) };
        let network = &self.prepared.network;
        let steps = spec.epochs.saturating_mul(self.trainer.steps_in_an_epoch());
        let layer = |first: &First| (first.fan_in + 1).saturating_mul(first.units).saturating_mul(4);
        let mut each: usize = first_layers(&network.net).iter().map(layer).sum();
        if record.followed == Followed::All {
            each = each.saturating_add(network.layout().parameters_and_statistics() * network.precision().bytes());
        }
        Ok(Some(records_after(record.every, spec.epochs, steps).saturating_mul(each as u64)))
    }

    fn start(&mut self) -> Result<Start, Failure> {
        let spec = self.prepared.spec()?;
        Ok(Start {
            model: self.about.model.clone(),
            seed: self.about.seed,
            param: self.about.param.clone(),
            data: self.about.data.clone(),
            device: self.about.device.clone(),
            precision: self.about.precision.clone(),
            parameters: self.prepared.network.parameters(),
            planned_bytes: planned_bytes(&self.trainer.session),
            source_sha256: self.about.source_sha256.clone(),
            rows: self.about.rows,
            features: self.prepared.described.feature_names.clone(),
            classes: {
                let described = &self.prepared.described;
                described.labels.iter().cloned().zip(described.class_rows.iter().copied()).collect()
            },
            epochs: spec.epochs,
            resumed_from: self.trainer.progress().epoch,
        })
    }

    /// Refuses final weights that predict what is no number, even if each weight is finite. `figures` are those of the rows.
    fn predicts_numbers(&mut self, rows: &Rows, figures: &[(String, f64)]) -> Result<(), Failure> {
        let Some((name, loss)) = figures.iter().find(|(name, _)| name.ends_with(".loss")) else { return Ok(()) };
        if self.trainer.session.predicts_numbers(rows, *loss)? {
            return Ok(());
        }
        let progress = self.trainer.progress();
        Err(Failure::Diverged(Box::new(Divergence {
            epoch: progress.epoch,
            batch: self.trainer.steps_in_an_epoch(),
            step: progress.step,
            origin: Origin { what: format!("{name} of the last weights"), ..Origin::default() },
        })))
    }

    pub(super) fn done(&mut self, stopped_by: StoppedBy) -> Result<Done, Failure> {
        let mut figures = vec![];
        if stopped_by != StoppedBy::Signal {
            // Of a run that pauses, too: the figures it would have if it ended now.
            self.trainer.end_with();
            let tables = &self.prepared.tables;
            let valid = tables.valid.as_ref().map(|rows| ("valid", rows));
            for (part, rows) in valid.into_iter().chain([("test", &tables.test)]) {
                let found = self.trainer.evaluate(part, rows)?;
                if stopped_by != StoppedBy::Pause {
                    self.predicts_numbers(rows, &found)?;
                }
                figures.extend(found);
            }
        }
        let progress: &Progress = self.trainer.progress();
        let best_epoch = progress.best.value.map_or(0, |_| progress.best.epoch + 1);
        let run = self.folder.map(|folder| folder.path.clone());
        let (epochs, seconds) = (progress.epoch, self.trainer.seconds());
        let chosen_on_test = self.prepared.spec()?.select == Select::Test;
        Ok(Done { epochs, best_epoch, stopped_by, figures, chosen_on_test, run, seconds })
    }
}

/// Bytes of the states and of the training programs' own memory.
#[must_use]
pub fn planned_bytes(session: &Session) -> usize {
    let states = session.states.layout.elements * session.precision().bytes();
    let training = session.loaded_programs().filter(|program| program.goal == Goal::Train);
    let own = |program: &Arc<gmpc_compiler::ir::program::Program>| {
        program.code.scratch_bytes + session.device().working_bytes(program)
    };
    states + training.map(own).sum::<usize>()
}
