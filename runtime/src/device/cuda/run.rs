//! A program on a GPU: its kernels, its memory, and the launches of a step, recorded once and replayed as one.

mod step;

use super::super::gather::Table;
use super::super::{DeviceError, Executable, Numbers, Slice, SliceMut, States};
use super::compile::compile;
use super::driver::{Function, Grid, Module, Recording};
use super::gather::{Maker, Tables};
use super::memory::{Memory, Pinned, Resident};
use super::shared::{How, Shared};
use gmpc_compiler::backend::cuda::finish::{self, Finish};
use gmpc_compiler::backend::cuda::{self, Work};
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::{Output, Random};
use gmpc_compiler::lower_cuda;
use gmpc_compiler::plan::Address;
use gmpc_compiler::program::Program;
use std::ffi::c_void;
use std::sync::{Arc, MutexGuard, PoisonError};
use step::{Called, Step};

/// Recordings that are kept: one for each set of inputs that change together, and of places that they come from.
const MOST_RECORDINGS: usize = 8;

/// A program with everything that it needs on the GPU. Nothing is allocated by `run`, except the states by the first one.
pub(super) struct Loaded {
    shared: Arc<Shared>,
    program: Arc<Program>,
    /// Dropped before the module that its kernels belong to.
    recorded: Vec<Recorded>,
    steps: Vec<Step>,
    _module: Box<dyn Module>,
    inputs: Vec<Input>,
    outputs: Vec<Returned>,
    scratch: Memory,
    workspace: Memory,
    /// Does the last input say where random numbers begin? Its seed and step, where the program draws some.
    draws: bool,
    writes_states: bool,
    /// Record the launches and replay them?
    graphs: bool,
    /// Has it run once, launch by launch? Libraries set themselves up then.
    is_warm: bool,
}

/// Numbers on their way to the GPU.
struct Input {
    here: Pinned,
    /// For the run after this one, once that was asked for.
    ahead: Option<Pinned>,
    /// Byte offset in scratch memory.
    place: usize,
    changed: bool,
    /// How the GPU makes it by itself, where it was asked to.
    maker: Option<Maker>,
    /// Is it made there this time?
    made: bool,
}

/// Numbers on their way back.
struct Returned {
    here: Pinned,
    /// Byte offset in scratch memory.
    place: usize,
}

/// How an input gets to where programs read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is there.
    Stays,
    /// Copied from here.
    Sent(usize),
    Made,
}

/// A step as one launch: copies of the inputs that changed, all kernels, copies of the outputs.
struct Recorded {
    /// Where the states lie.
    states: u64,
    /// What it does about each input.
    ways: Vec<Way>,
    recording: Box<dyn Recording>,
}

impl Loaded {
    pub(super) fn new(shared: &Arc<Shared>, program: &Arc<Program>, how: How) -> Result<Self, DeviceError> {
        let cuda = lower_cuda(program, None);
        let queue = &shared.queue;
        let _turn = lock(shared);
        queue.enter()?;
        let module = queue.module(&text(&cuda))?;
        let mut steps = Vec::with_capacity(cuda.launches.len());
        let mut workspace = 0;
        for launch in &cuda.launches {
            let step = Step::new(shared, module.as_ref(), launch, (cuda.precision, how.libraries))?;
            if let Step::Library(called) = &step {
                workspace = workspace.max(called.call.workspace());
            }
            steps.push(step);
        }
        let values = program.graph.outputs.iter().filter(|output| matches!(output, Output::Value { .. }));
        let outputs = values.zip(&cuda.outputs).map(|(output, &place)| {
            let count = program.graph.shape(output.id()).iter().product();
            Ok(Returned { here: Pinned::zeros(queue, cuda.precision, count)?, place })
        });
        let inputs = program.graph.inputs.iter().zip(&cuda.inputs);
        let inputs = inputs.map(|(input, &place)| (cuda.precision, input.shape.iter().product(), place));
        // Four words of 32 bits, in the room of four numbers.
        let inputs = inputs.chain(cuda.random.map(|place| (Precision::F32, 4, place)));
        let inputs = inputs.map(|(precision, count, place)| {
            Ok(Input {
                here: Pinned::zeros(queue, precision, count)?,
                place,
                changed: true,
                ahead: None,
                maker: None,
                made: false,
            })
        });
        Ok(Loaded {
            outputs: outputs.collect::<Result<_, DeviceError>>()?,
            inputs: inputs.collect::<Result<_, DeviceError>>()?,
            draws: cuda.random.is_some(),
            _module: module,
            scratch: Memory::new(queue, cuda.scratch_bytes)?,
            workspace: Memory::new(queue, workspace)?,
            writes_states: program.graph.outputs.iter().any(|output| matches!(output, Output::Write { .. })),
            shared: Arc::clone(shared),
            program: Arc::clone(program),
            steps,
            graphs: how.graphs,
            recorded: Vec::new(),
            is_warm: false,
        })
    }

    /// Where the states lie on the GPU; they are brought there unless they are there.
    fn states(&self, states: &mut States) -> Result<u64, DeviceError> {
        let (precision, elements) = (self.program.precision, states.layout.elements);
        let queue = &self.shared.queue;
        let start = match states.away::<Resident>() {
            Some((there, true)) if there.fits(queue, precision, elements) => return Ok(there.memory.start),
            Some((there, false)) if there.fits(queue, precision, elements) => there.memory.start,
            _ => {
                let there = Resident::new(queue, precision, elements)?;
                there.upload(states.data())?;
                let start = there.memory.start;
                states.settle(Box::new(there));
                return Ok(start);
            }
        };
        let numbers = states.data().clone();
        if let Some((there, _)) = states.away::<Resident>() {
            there.upload(&numbers)?;
        }
        states.away_is_equal();
        Ok(start)
    }

    /// Puts the inputs that have changed, all launches and the way back of the outputs on the stream.
    fn launch(&mut self, states: u64) -> Result<(), DeviceError> {
        let start = self.scratch.start;
        for input in &self.inputs {
            let to = start + input.place as u64;
            match (input.way(), &input.maker) {
                (Way::Made, Some(maker)) => maker.put(&self.shared.queue, to)?,
                // SAFETY: the plan gives every input its room in scratch memory; what is sent stays as it is until the
                // stream has been waited for, at the end of `run`.
                (Way::Sent(_), _) => unsafe { input.here.send(to)? },
                _ => {}
            }
        }
        for step in &self.steps {
            self.put(step, states)?;
        }
        for output in &mut self.outputs {
            // SAFETY: the plan gives every output its room; nobody reads the copy before the stream has been waited for.
            unsafe { output.here.fetch(start + output.place as u64)? };
        }
        Ok(())
    }

    /// Puts one launch on the stream.
    fn put(&self, step: &Step, states: u64) -> Result<(), DeviceError> {
        let at = |address: Address| match address {
            Address::States(byte) => states + byte as u64,
            Address::Scratch(byte) => self.scratch.start + byte as u64,
        };
        let queue = &self.shared.queue;
        match step {
            Step::Kernel(function, grid, arguments) | Step::Plain { kernel: (function, grid, arguments), .. } => {
                let mut places: Vec<u64> = arguments.iter().map(|&address| at(address)).collect();
                let mut given: Vec<*mut c_void> = places.iter_mut().map(|place| (&raw mut *place).cast()).collect();
                // SAFETY: the compiler wrote the kernel for these arguments, in this order, and the plan gives each its
                // room; the emulator's tests run every kernel with bounds checked.
                unsafe { queue.launch(*function, *grid, &mut given) }
            }
            Step::Library(called) => {
                let Called { name, call, operands, bias, finish } = called.as_ref();
                let ([a, b, c], bias) = (operands.map(at), bias.map(at));
                // SAFETY: the plan gives the operands their room, states and scratch memory live; `workspace` has what the
                // largest of the calls asked for.
                let told = unsafe { queue.call(call.as_ref(), [a, b, c], bias, self.workspace.start) };
                told.map_err(|error| DeviceError { message: format!("{name}: {}", error.message), ..error })?;
                finish.map_or(Ok(()), |finish| self.finish(finish, c, bias))
            }
        }
    }

    /// Bias and rectifier after a library's product at `c`.
    fn finish(&self, (finish, function): (Finish, Function), c: u64, bias: Option<u64>) -> Result<(), DeviceError> {
        let Finish { rows, columns, step, .. } = finish;
        let (blocks, [along, across]) = finish.grid();
        let grid = Grid { blocks: [blocks, 1, 1], threads: [along, across, 1], shared_bytes: 0 };
        let mut relu = u32::from(finish.relu);
        let mut numbers = [c, bias.unwrap_or(0), rows, columns, step];
        let [a, b, c, d, e] = &mut numbers;
        let mut given: [*mut c_void; 6] = [
            (&raw mut *a).cast(),
            (&raw mut *b).cast(),
            (&raw mut *c).cast(),
            (&raw mut *d).cast(),
            (&raw mut *e).cast(),
            (&raw mut relu).cast(),
        ];
        // SAFETY: the arguments are those of `finish::source`; `c` has `rows` rows `step` apart, `bias` is null or a row.
        unsafe { self.shared.queue.launch(function, grid, &mut given) }
    }

    /// Runs as one launch, which is recorded when there is none for these states and inputs.
    fn replay(&mut self, states: u64) -> Result<(), DeviceError> {
        let ways: Vec<Way> = self.inputs.iter().map(Input::way).collect();
        self.recorded.retain(|recorded| recorded.states == states);
        let known = self.recorded.iter().position(|recorded| recorded.ways == ways);
        let place = match known {
            Some(place) => place,
            None if self.recorded.len() == MOST_RECORDINGS => return self.launch(states),
            None => {
                let shared = Arc::clone(&self.shared);
                let recording = match shared.queue.record(|| self.launch(states)) {
                    Ok(Some(recording)) => recording,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        // Nothing was done yet. What is broken says so again here; what cannot be recorded goes one by one.
                        self.launch(states)?;
                        self.graphs = false;
                        shared.queue.remark(&format!("a step is launched kernel by kernel, for {}", error.message));
                        return Ok(());
                    }
                };
                self.recorded.push(Recorded { states, ways, recording });
                self.recorded.len() - 1
            }
        };
        self.shared.queue.replay(self.recorded[place].recording.as_ref())
    }
}

impl Executable for Loaded {
    fn input(&mut self, index: usize) -> SliceMut<'_> {
        let input = &mut self.inputs[index];
        (input.changed, input.made) = (true, false);
        input.here.as_mut()
    }

    fn held(&mut self, index: usize) -> Result<Numbers, DeviceError> {
        let shared = Arc::clone(&self.shared);
        let _turn = lock(&shared);
        shared.queue.enter()?;
        let to = self.scratch.start + self.inputs[index].place as u64;
        let input = &mut self.inputs[index];
        if let (true, Some(maker)) = (input.made, &input.maker) {
            maker.put(&shared.queue, to)?;
            // SAFETY: the plan gives every input its room; it is waited for before anybody looks.
            unsafe { input.here.fetch(to)? };
            shared.queue.wait()?;
        }
        Ok(input.here.as_mut().to_numbers())
    }

    fn gather(
        &mut self,
        index: usize,
        table: &Table<'_>,
        ask: &mut dyn FnMut(&mut [u32]),
    ) -> Result<bool, DeviceError> {
        let input = &mut self.inputs[index];
        if input.maker.as_ref().is_none_or(|maker| !maker.is_for(table)) {
            let shared = Arc::clone(&self.shared);
            let mut tables = lock(&shared);
            shared.queue.enter()?;
            let batch = self.program.graph.inputs[index].shape.first().copied().unwrap_or(1);
            if input.maker.as_ref().is_some_and(Maker::is_ready) {
                self.recorded.clear(); // what was recorded asks another table
            }
            input.maker = Some(Maker::new(&shared.queue, &mut tables, table, self.program.precision, batch)?);
        }
        let Some(words) = input.maker.as_mut().and_then(Maker::words) else { return Ok(false) };
        ask(words);
        (input.changed, input.made) = (true, true);
        Ok(true)
    }

    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        self.start(states, random)?;
        self.finish()
    }

    fn start(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        let shared = Arc::clone(&self.shared);
        let _turn = lock(&shared);
        shared.queue.enter()?;
        let place = self.states(states)?;
        if let Some(input) = self.inputs.last_mut().filter(|_| self.draws) {
            let words = [random.seed.to_le_bytes(), random.step.to_le_bytes()].concat();
            input.here.as_bytes_mut().copy_from_slice(&words);
            input.changed = true;
        }
        if self.graphs && self.is_warm {
            self.replay(place)?;
        } else {
            self.launch(place)?;
        }
        self.is_warm = true;
        if self.writes_states {
            states.away_has_changed();
        }
        self.inputs.iter_mut().for_each(|input| input.changed = false);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DeviceError> {
        self.shared.queue.enter()?;
        self.shared.queue.wait()
    }

    fn ahead(&mut self, index: usize) -> Option<SliceMut<'_>> {
        let precision = self.program.precision;
        let input = &mut self.inputs[index];
        if input.made {
            return None;
        }
        if input.ahead.is_none() {
            let count = self.program.graph.inputs[index].shape.iter().product();
            input.ahead = Pinned::zeros(&self.shared.queue, precision, count).ok();
        }
        input.ahead.as_mut().map(Pinned::as_mut)
    }

    fn turn(&mut self, index: usize) {
        let input = &mut self.inputs[index];
        if let Some(ahead) = &mut input.ahead {
            std::mem::swap(&mut input.here, ahead);
            (input.changed, input.made) = (true, false);
        }
    }

    fn output(&self, index: usize) -> Slice<'_> {
        self.outputs[index].here.as_slice()
    }
}

impl Input {
    fn way(&self) -> Way {
        match (self.changed, self.made) {
            (false, _) => Way::Stays,
            (true, false) => Way::Sent(self.here.address()),
            (true, true) => Way::Made,
        }
    }
}

/// A program's source, with what may have to follow libraries' calls.
fn text(cuda: &cuda::Program) -> String {
    let half = cuda.launches.iter().any(|launch| matches!(&launch.work, Work::Product(product) if product.half));
    cuda.source.clone() + &finish::source(cuda.precision, half)
}

/// Compiles a program for GPUs of this compute capability, `(9, 0)`, none of which has to be there; whoever loads it later finds the
/// code in the user's cache folder.
///
/// # Errors
/// No compiler here, or it refuses the source, with its words.
pub fn ahead(program: &Program, capability: (i32, i32)) -> Result<(), DeviceError> {
    compile(&text(&lower_cuda(program, None)), capability).map(drop)
}

/// The GPU is this thread's until the guard goes.
fn lock(shared: &Shared) -> MutexGuard<'_, Tables> {
    // A thread that panicked left a GPU behind that is as good as before, or tells what it has at the next call.
    shared.turn.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
