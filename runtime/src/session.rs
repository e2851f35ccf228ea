//! A network bound to a device: its states, and its programs, compiled and loaded when they are first needed.
//!
//! The batch size is part of a program, so a session keeps one for each (goal, batch) it has met: the full batch and the
//! last partial one in training, a chunk and its remainder in evaluation. Nothing is allocated while a step runs.

mod loaded;

use crate::data::images::Draw;
use crate::device::{Device, Executable, Numbers, States};
use crate::failure::Failure;
use crate::metrics::Sums;
use crate::rows::{Pick, Rows};
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::{Graph, Output, Random, Tensor, evaluate_each, independent};
use gmpc_compiler::layout::StateLayout;
use gmpc_compiler::net::Layer;
use gmpc_compiler::program::{Goal, Program};
use loaded::Loaded;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows that evaluation and prediction take at once; parts that are no larger are taken whole. Large enough that the
/// vectors of the processor are full, small enough that a layer's values stay in its cache.
const CHUNK: usize = 256;
/// Numbers of the inputs that are taken at once, about: 27 photographs of 224x224, whose layers already fill the caches.
const CHUNK_NUMBERS: usize = 1 << 22;

/// Makes the programs of one network; pure, so that the same question always has the same answer.
pub trait Programs: Send + Sync {
    /// One compiled computation.
    ///
    /// # Errors
    /// The network cannot be compiled for this goal or batch size.
    fn program(&self, goal: Goal, batch: usize) -> Result<Program, Failure>;

    /// From nothing to the first value of every state (`Write` outputs), drawing on the seed.
    fn initialization(&self) -> &Graph;

    /// Every state, in the order of all the programs.
    fn layout(&self) -> &Arc<StateLayout>;

    /// Of all programs.
    fn precision(&self) -> Precision;

    /// The network's layers, to say where in the file a number went wrong.
    fn layers(&self) -> &[Layer];
}

/// Which loaded program, within one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(usize);

/// Learning rate, step and seed of one optimizer step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// The schedule's rate.
    pub lr: f64,
    /// From 1 up.
    pub step: u64,
    /// The run's seed.
    pub seed: u64,
}

/// A network on a device.
pub struct Session {
    device: Arc<dyn Device>,
    programs: Arc<dyn Programs>,
    loaded: Vec<Loaded>,
    /// Parameters, statistics, optimizer state.
    pub states: States,
}

impl Session {
    /// Every state zero; call [`Session::initialize`] or set them.
    #[must_use]
    pub fn new(device: Arc<dyn Device>, programs: Arc<dyn Programs>) -> Self {
        let states = States::zeros(programs.layout(), programs.precision());
        Session { device, programs, loaded: vec![], states }
    }

    /// Draws the first value of every state: computed in f64 by the evaluator, rounded once, so that it is the same on
    /// every device.
    ///
    /// # Errors
    /// [`Failure::Bug`]: the initialization graph does not fit the states.
    pub fn initialize(&mut self, seed: u64) -> Result<(), Failure> {
        let graph = self.programs.initialization();
        let zeros = |state: usize| Tensor::full(&graph.states[state].shape, 0.0);
        let (parts, next) = (independent(graph), AtomicUsize::new(0));
        let states = Mutex::new((&mut self.states, Ok(())));
        let set = |output: usize, value: &Tensor| {
            let mut guard = states.lock().unwrap_or_else(PoisonError::into_inner);
            let (states, result): &mut (&mut States, Result<(), Failure>) = &mut guard;
            if let (Output::Write { state, .. }, Ok(())) = (&graph.outputs[output], &*result) {
                *result = states.set_tensor(*state, value).map_err(Failure::Bug);
            }
        };
        let share = || {
            while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                evaluate_each(graph, part, &[], zeros, Random { seed, step: 0 }, set);
            }
        };
        std::thread::scope(|scope| {
            (1..self.device.threads()).for_each(|_| drop(scope.spawn(share)));
            share();
        });
        states.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    /// The network's programs.
    #[must_use]
    pub fn programs(&self) -> &Arc<dyn Programs> {
        &self.programs
    }

    /// Of all numbers.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.programs.precision()
    }

    /// Where it runs.
    #[must_use]
    pub fn device(&self) -> &Arc<dyn Device> {
        &self.device
    }

    /// Compiles and loads a program unless that has been done.
    ///
    /// # Errors
    /// It cannot be compiled, or the device refuses it.
    pub fn load(&mut self, goal: Goal, batch: usize) -> Result<Handle, Failure> {
        if let Some(place) = self.loaded.iter().position(|l| l.program.goal == goal && l.program.batch == batch) {
            return Ok(Handle(place));
        }
        let program = Arc::new(self.programs.program(goal, batch)?);
        let executable = self.device.load(&program)?;
        self.loaded.push(Loaded::new(program, executable)?);
        Ok(Handle(self.loaded.len() - 1))
    }

    /// What a handle stands for.
    #[must_use]
    pub fn program(&self, handle: Handle) -> &Arc<Program> {
        &self.loaded[handle.0].program
    }

    /// Every program loaded so far.
    pub fn loaded_programs(&self) -> impl Iterator<Item = &Arc<Program>> {
        self.loaded.iter().map(|loaded| &loaded.program)
    }

    /// Nothing gathered yet, for [`Session::step`] with this program.
    #[must_use]
    pub fn empty_sums(&self, handle: Handle) -> Sums {
        self.loaded[handle.0].measures.empty()
    }

    /// `loss`, then the metrics' names.
    #[must_use]
    pub fn measure_names(&self, handle: Handle) -> Vec<String> {
        self.loaded[handle.0].measures.names().map(str::to_string).collect()
    }

    /// Turns sums of this program's measures into figures, in the order of [`Session::measure_names`].
    pub fn finish(&mut self, handle: Handle, sums: &Sums) -> Vec<f64> {
        self.loaded[handle.0].measures.finish(sums)
    }

    /// One optimizer step on as many rows as the program takes; adds its measures to `sums`. False where the loss is not
    /// finite: the states are then of no use any more.
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

    /// The same, and while a device with memory of its own is at work, the inputs of the step on the second pick, the next one
    /// of the same program, are made. None: an empty range.
    ///
    /// # Errors
    /// As [`Session::step`]; an image that cannot be read or decoded.
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
        loaded.set_clock(clock);
        loaded.executable.start(&mut self.states, Random { seed: clock.seed, step: clock.step })?;
        let filled = if next.is_empty() { Ok(()) } else { loaded.fill_ahead(rows, next) };
        loaded.executable.finish()?;
        filled?;
        Ok(loaded.gather(sums))
    }

    /// Loss and metrics over a part of the data, with the states as they are: the names, and a figure each.
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
            loaded.gather(sums);
            last = Some(handle);
        }
        let (Some(sums), Some(handle)) = (sums, last) else { return Ok(vec![]) };
        let figures = self.finish(handle, &sums);
        Ok(self.measure_names(handle).into_iter().zip(figures).collect())
    }

    /// Predictions for every row, `[rows, outputs]`, widened.
    ///
    /// # Errors
    /// A program cannot be compiled, or the device failed.
    pub fn predict(&mut self, rows: &Rows) -> Result<Vec<f64>, Failure> {
        let mut predictions = Vec::new();
        rows.begin_plain();
        for range in chunks(rows.count(), rows.width()) {
            let handle = self.load(Goal::Predict, range.len())?;
            let loaded = &mut self.loaded[handle.0];
            let place = loaded.named("prediction")?;
            loaded.fill(rows, &Pick::Range(range), Draw::Nothing)?;
            loaded.executable.run(&mut self.states, Random::default())?;
            predictions.extend(loaded.executable.output(place).to_f64());
        }
        Ok(predictions)
    }

    /// Runs a program on inputs already filled in and hands out its named outputs: for golden cases and `gradcheck`.
    ///
    /// # Errors
    /// The device failed.
    pub fn outputs(&mut self, handle: Handle, random: Random) -> Result<Vec<(String, Tensor)>, Failure> {
        let loaded = &mut self.loaded[handle.0];
        loaded.executable.run(&mut self.states, random)?;
        Ok(loaded.outputs())
    }

    /// Fills a program's inputs from rows and a clock, without running it.
    ///
    /// # Errors
    /// An image that cannot be read or decoded.
    pub fn fill(&mut self, handle: Handle, rows: &Rows, pick: &Pick<'_>, clock: Clock) -> Result<(), Failure> {
        let loaded = &mut self.loaded[handle.0];
        loaded.fill(rows, pick, Draw::Training)?;
        loaded.set_clock(clock);
        Ok(())
    }

    /// What a program's inputs hold now.
    ///
    /// # Errors
    /// The device failed.
    pub fn inputs(&mut self, handle: Handle) -> Result<Vec<Numbers>, Failure> {
        let loaded = &mut self.loaded[handle.0];
        let count = loaded.program.graph.inputs.len();
        (0..count).map(|index| loaded.executable.held(index).map_err(Failure::from)).collect()
    }

    /// The program's executable, for benchmarks that time it alone.
    pub fn executable(&mut self, handle: Handle) -> (&mut dyn Executable, &mut States) {
        (self.loaded[handle.0].executable.as_mut(), &mut self.states)
    }
}

/// Fixed chunks and a remainder: `0..256`, `256..512`, `512..600`; of large images fewer at once.
fn chunks(count: usize, width: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let chunk = (CHUNK_NUMBERS / width.max(1)).clamp(8, CHUNK);
    (0..count).step_by(chunk).map(move |start| start..(start + chunk).min(count))
}

#[cfg(test)]
mod tests;
