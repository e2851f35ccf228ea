//! A network bound to a device: its states, and its programs, which are compiled and loaded when they are first needed.
//!
//! The batch size is part of a program, so a session keeps one program for each pair of goal and batch size: in
//! training for full batches and for the last partial one, in evaluation for a chunk and the remainder. A step
//! allocates nothing.

mod loaded;

use crate::failure::Failure;
use crate::program::metrics::Sums;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Graph, Output, Random, Tensor, independent, pieces};
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::net::Layer;
use gmpc_compiler::ir::program::{Goal, Program};
use gmpc_compiler::stage::{Harness, Observer, Part, Silent};
use gmpc_data::images::Draw;
use gmpc_data::{Pick, Rows};
use gmpc_device::{Device, Executable, Numbers, States};
use loaded::Loaded;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Number of rows in one chunk of evaluation and prediction. It is large enough to fill the CPU's vectors and small
/// enough to keep the values of a layer in the cache.
const CHUNK: usize = 256;
/// Approximate number of input elements in one chunk: 27 photographs of 224x224. Their layers already fill the caches.
const CHUNK_NUMBERS: usize = 1 << 22;

/// Makes the programs of one network. The result depends on the arguments alone.
pub trait Programs: Send + Sync {
    /// One compiled computation.
    ///
    /// # Errors
    /// The network cannot be compiled for this goal or batch size.
    fn program(&self, goal: Goal, batch: usize) -> Result<Program, Failure>;

    /// Receives the begin and end of each stage of compilation.
    fn observer(&self) -> &dyn Observer {
        &Silent
    }

    /// The graph that computes the first value of every state from the seed, as `Write` outputs.
    fn initialization(&self) -> &Graph;

    /// Every state, in the order that all programs share.
    fn layout(&self) -> &Arc<StateLayout>;

    /// The precision of all programs.
    fn precision(&self) -> Precision;

    /// The network's layers, to name the layer in which a number was not finite.
    fn layers(&self) -> &[Layer];
}

/// A loaded program of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(usize);

/// Learning rate, step and seed of one optimizer step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// The learning rate that the schedule gives.
    pub lr: f64,
    /// Number of the step, counted from 1.
    pub step: u64,
    /// The run's seed.
    pub seed: u64,
}

/// What a batch is within its optimizer step, for the scalars of [`gmpc_compiler::ir::program::CLOCK`] besides rate and number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// The first batch of its step.
    pub first: bool,
    /// The last batch of its step: parameters change.
    pub last: bool,
    /// The batch's part of the rows of its step, above 0 and at most 1.
    pub share: f64,
    /// Weight of the new values in the average of the weights, 0 to 1.
    pub average: f64,
    /// Number of the optimizer's step where that is not the number of the batch, from 1.
    pub update: Option<u64>,
}

impl Default for Turn {
    /// A batch that is a step by itself.
    fn default() -> Self {
        Turn { first: true, last: true, share: 1.0, average: 1.0, update: None }
    }
}

/// A network on a device.
pub struct Session {
    device: Arc<dyn Device>,
    programs: Arc<dyn Programs>,
    loaded: Vec<Loaded>,
    /// Parameters, statistics, optimizer state.
    pub states: States,
    /// What the next batch is within its step.
    pub turn: Turn,
}

impl Session {
    /// All states are zero. Call [`Session::initialize`] or set them.
    #[must_use]
    pub fn new(device: Arc<dyn Device>, programs: Arc<dyn Programs>) -> Self {
        let states = States::zeros(programs.layout(), programs.precision());
        Session { device, programs, loaded: vec![], states, turn: Turn::default() }
    }

    /// Draws the first value of every state. The evaluator computes it in f64 and rounds it once, so it is the same on
    /// every device.
    ///
    /// # Errors
    /// [`Failure::Bug`]: the initialization graph does not fit the states.
    pub fn initialize(&mut self, seed: u64) -> Result<(), Failure> {
        let graph = self.programs.initialization();
        // The graph's independent parts are shared out among threads. A part draws the same numbers on any thread.
        let parts = independent(graph).iter().flat_map(|part| pieces(graph, part)).collect::<Vec<_>>();
        let next = AtomicUsize::new(0);
        let states = Mutex::new((&mut self.states, Ok(())));
        let set = |output: usize, first: usize, value: &Tensor| {
            let mut guard = states.lock().unwrap_or_else(PoisonError::into_inner);
            let (states, result): &mut (&mut States, Result<(), Failure>) = &mut guard;
            if let (Output::Write { state, .. }, Ok(())) = (&graph.outputs[output], &*result) {
                *result = states.set_columns(*state, first, value).map_err(Failure::Bug);
            }
        };
        let share = || {
            while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                part.evaluate(graph, Random { seed, step: 0 }, set);
            }
        };
        std::thread::scope(|scope| {
            // A thread that the system refuses is no error: this thread then does its share of the work.
            let helper = |_| drop(std::thread::Builder::new().spawn_scoped(scope, share));
            (1..self.device.threads()).for_each(helper);
            share();
        });
        states.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    /// The network's programs.
    #[must_use]
    pub fn programs(&self) -> &Arc<dyn Programs> {
        &self.programs
    }

    /// The precision of all numbers.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.programs.precision()
    }

    /// The device that the programs run on.
    #[must_use]
    pub fn device(&self) -> &Arc<dyn Device> {
        &self.device
    }

    /// Compiles and loads a program, unless it is loaded already.
    ///
    /// # Errors
    /// The program cannot be compiled, or the device refuses it.
    pub fn load(&mut self, goal: Goal, batch: usize) -> Result<Handle, Failure> {
        if let Some(index) = self.loaded.iter().position(|l| l.program.goal == goal && l.program.batch == batch) {
            return Ok(Handle(index));
        }
        let program = Arc::new(self.programs.program(goal, batch)?);
        let harness = Harness::new(self.programs.observer(), None);
        let executable = harness.timed("load", Part::Pass, || self.device.load(&program))?;
        self.loaded.push(Loaded::new(program, executable)?);
        Ok(Handle(self.loaded.len() - 1))
    }

    /// The program of a handle.
    #[must_use]
    pub fn program(&self, handle: Handle) -> &Arc<Program> {
        &self.loaded[handle.0].program
    }

    /// All programs that were loaded so far.
    pub fn loaded_programs(&self) -> impl Iterator<Item = &Arc<Program>> {
        self.loaded.iter().map(|loaded| &loaded.program)
    }

    /// The sums before the first batch, for [`Session::step`] with this program.
    #[must_use]
    pub fn empty_sums(&self, handle: Handle) -> Sums {
        self.loaded[handle.0].measures.empty()
    }

    /// The names of the measures: `loss`, then the metrics.
    #[must_use]
    pub fn measure_names(&self, handle: Handle) -> Vec<String> {
        self.loaded[handle.0].measures.names().map(str::to_string).collect()
    }

    /// Turns the sums of this program's measures into values, in the order of [`Session::measure_names`].
    pub fn finish(&mut self, handle: Handle, sums: &Sums) -> Vec<f64> {
        self.loaded[handle.0].measures.finish(sums)
    }

    /// One optimizer step on as many rows as the program takes. Adds the program's measures to `sums`. Returns false if
    /// the loss is not finite; the states are then unusable.
    ///
    /// # Errors
    /// The device failed.
    pub fn step(
        &mut self,
        handle: Handle,
        rows: &Rows,
        pick: &Pick<'_>,
        clock: Clock,
        sums: &mut Sums,
    ) -> Result<bool, Failure> {
        self.step_before(handle, rows, [pick, &Pick::Range(0..0)], clock, sums)
    }

    /// As [`Session::step`]. A device with memory of its own computes asynchronously; meanwhile this function prepares
    /// the inputs of the next step of the same program, on the rows of the second pick. An empty range means that there
    /// is no next step.
    ///
    /// # Errors
    /// The errors of [`Session::step`]; an image cannot be read or decoded.
    pub fn step_before(
        &mut self,
        handle: Handle,
        rows: &Rows,
        [pick, next]: [&Pick<'_>; 2],
        clock: Clock,
        sums: &mut Sums,
    ) -> Result<bool, Failure> {
        let loaded = &mut self.loaded[handle.0];
        loaded.fill(rows, pick, Draw::Training)?;
        loaded.set_clock(clock, self.turn);
        loaded.executable.start(&mut self.states, Random { seed: clock.seed, step: clock.step })?;
        let filled = if next.is_empty() { Ok(()) } else { loaded.fill_ahead(rows, next) };
        loaded.executable.finish()?;
        filled?;
        Ok(loaded.add_measures(sums))
    }

    /// Sets the parameters whose first values come from the first batch. `pick` are its rows.
    ///
    /// # Errors
    /// The program cannot be compiled, or the device failed.
    pub fn set_by_first_batch(&mut self, rows: &Rows, pick: &Pick<'_>, seed: u64) -> Result<(), Failure> {
        let handle = self.load(Goal::Start, pick.len())?;
        let loaded = &mut self.loaded[handle.0];
        loaded.fill(rows, pick, Draw::Training)?;
        loaded.executable.run(&mut self.states, Random { seed, step: 0 })?;
        Ok(())
    }

    /// Loss and metrics over a part of the data with the present states: pairs of name and value.
    ///
    /// # Errors
    /// A program cannot be compiled, or the device failed.
    pub fn evaluate(&mut self, rows: &Rows) -> Result<Vec<(String, f64)>, Failure> {
        let mut sums: Option<Sums> = None;
        let mut last = None;
        rows.begin_plain();
        for range in chunks(rows.count(), rows.width()) {
            let handle = self.load(Goal::Evaluate, range.len())?;
            let loaded = &mut self.loaded[handle.0];
            let sums = sums.get_or_insert_with(|| loaded.measures.empty());
            loaded.fill(rows, &Pick::Range(range), Draw::Nothing)?;
            loaded.executable.run(&mut self.states, Random::default())?;
            loaded.add_measures(sums);
            last = Some(handle);
        }
        let (Some(sums), Some(handle)) = (sums, last) else { return Ok(vec![]) };
        let figures = self.finish(handle, &sums);
        Ok(self.measure_names(handle).into_iter().zip(figures).collect())
    }

    /// Are the predictions behind these figures of the rows finite? A loss that is too large for the precision says nothing
    /// about them, so they are computed once more.
    ///
    /// # Errors
    /// A program cannot be compiled, or the device failed.
    pub fn predicts_numbers(&mut self, rows: &Rows, loss: f64) -> Result<bool, Failure> {
        if loss.is_finite() || loss.is_nan() {
            return Ok(loss.is_finite());
        }
        Ok(self.predict(rows)?.iter().all(|value| value.is_finite()))
    }

    /// Predictions for every row, `[rows, outputs]` in row-major order, widened to f64.
    ///
    /// # Errors
    /// A program cannot be compiled, or the device failed.
    pub fn predict(&mut self, rows: &Rows) -> Result<Vec<f64>, Failure> {
        let mut predictions = Vec::new();
        rows.begin_plain();
        for range in chunks(rows.count(), rows.width()) {
            let handle = self.load(Goal::Predict, range.len())?;
            let loaded = &mut self.loaded[handle.0];
            let output = loaded.named("prediction")?;
            loaded.fill(rows, &Pick::Range(range), Draw::Nothing)?;
            loaded.executable.run(&mut self.states, Random::default())?;
            predictions.extend(loaded.executable.output(output).to_f64());
        }
        Ok(predictions)
    }

    /// Runs a program on the inputs that it already has, and returns its named outputs. For golden cases and
    /// `gradcheck`.
    ///
    /// # Errors
    /// The device failed.
    pub fn outputs(&mut self, handle: Handle, random: Random) -> Result<Vec<(String, Tensor)>, Failure> {
        let loaded = &mut self.loaded[handle.0];
        loaded.executable.run(&mut self.states, random)?;
        Ok(loaded.outputs())
    }

    /// Fills the inputs of a program from rows and a clock without running it.
    ///
    /// # Errors
    /// An image cannot be read or decoded.
    pub fn fill(&mut self, handle: Handle, rows: &Rows, pick: &Pick<'_>, clock: Clock) -> Result<(), Failure> {
        let loaded = &mut self.loaded[handle.0];
        loaded.fill(rows, pick, Draw::Training)?;
        loaded.set_clock(clock, self.turn);
        Ok(())
    }

    /// The present inputs of a program.
    ///
    /// # Errors
    /// The device failed.
    pub fn inputs(&mut self, handle: Handle) -> Result<Vec<Numbers>, Failure> {
        let loaded = &mut self.loaded[handle.0];
        let count = loaded.program.graph.inputs.len();
        (0..count).map(|index| loaded.executable.read_input(index).map_err(Failure::from)).collect()
    }

    /// The program's executable and the states, for benchmarks that time the program alone.
    pub fn executable(&mut self, handle: Handle) -> (&mut dyn Executable, &mut States) {
        (self.loaded[handle.0].executable.as_mut(), &mut self.states)
    }
}

/// Chunks of fixed size and a remainder: `0..256`, `256..512`, `512..600`. `width` is the number of elements of a row;
/// wide rows make smaller chunks, of 8 rows at least.
fn chunks(count: usize, width: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let chunk = (CHUNK_NUMBERS / width.max(1)).clamp(8, CHUNK);
    (0..count).step_by(chunk).map(move |start| start..(start + chunk).min(count))
}

#[cfg(test)]
mod tests;
