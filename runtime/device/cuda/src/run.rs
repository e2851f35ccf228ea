//! A program on a GPU: its kernels, its memory, and its launches, which are recorded once and then replayed as one launch.

mod step;

use super::compile::compile;
use super::driver::{Function, Grid, Module, Recording};
use super::gather::{Maker, Tables};
use super::memory::{Memory, Pinned, Resident};
use super::shared::{How, Shared};
use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::graph::{Output, Random};
use gmpc_compiler::ir::kernels::Dtype;
use gmpc_compiler::ir::program::Program;
use gmpc_cuda::emit::epilogue::{self, Epilogue};
use gmpc_cuda::{self, Work};
use gmpc_device::table::Table;
use gmpc_device::{DeviceError, Executable, Numbers, Slice, SliceMut, States};
use std::ffi::c_void;
use std::sync::{Arc, MutexGuard, PoisonError};
use step::{Called, Launched};

/// Limit on the recordings of a program. There is one for each combination of changed inputs and of their source addresses.
const MOST_RECORDINGS: usize = 8;

/// A program with everything that it needs on the GPU. `run` allocates nothing, except memory for the states at the first
/// call.
pub(super) struct Loaded {
    shared: Arc<Shared>,
    program: Arc<Program>,
    /// Declared, and so dropped, before the module to which its kernels belong.
    recorded: Vec<Recorded>,
    steps: Vec<Launched>,
    _module: Box<dyn Module>,
    inputs: Vec<Input>,
    outputs: Vec<Returned>,
    scratch: Memory,
    workspace: Memory,
    /// Does the program draw random numbers? The last input then holds seed and step.
    draws: bool,
    writes_states: bool,
    /// Are launches recorded and replayed?
    graphs: bool,
    /// Has the program run once, launch by launch? Libraries initialize themselves in that run, which a recording would
    /// not allow.
    is_warm: bool,
}

/// An input of the program.
struct Input {
    /// The numbers on the host.
    here: Pinned,
    /// The numbers of the next run, allocated at the first call of `staging`.
    staging: Option<Pinned>,
    /// Byte offset in scratch memory.
    place: usize,
    changed: bool,
    /// How the GPU gathers the input, once `gather` was called.
    maker: Option<Maker>,
    /// Does the GPU gather it in the next run?
    made: bool,
}

/// An output of the program.
struct Returned {
    /// The numbers on the host.
    here: Pinned,
    /// Byte offset in scratch memory.
    place: usize,
}

/// How an input gets into scratch memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It has not changed since the last run.
    Stays,
    /// It is copied from this address on the host.
    Sent(usize),
    /// The GPU gathers it.
    Made,
}

/// A step as one launch: copies of the inputs that changed, all kernels, copies of the outputs.
struct Recorded {
    /// The address of the states.
    states: u64,
    /// How it treats each input. A recording fits a run only if these are equal.
    ways: Vec<Way>,
    recording: Box<dyn Recording>,
}

impl Loaded {
    pub(super) fn new(shared: &Arc<Shared>, program: &Arc<Program>, how: How) -> Result<Self, DeviceError> {
        let cuda = gmpc_cuda::lower_cuda(program, None);
        let queue = &shared.queue;
        // Loading times library algorithms, so no other program may use the GPU meanwhile.
        let _turn = lock(shared);
        queue.enter()?;
        let module = queue.module(&text(&cuda))?;
        let mut steps = Vec::with_capacity(cuda.launches.len());
        // Library calls run one after the other, so one workspace is enough for all.
        let mut workspace = 0;
        for launch in &cuda.launches {
            let step = Launched::new(shared, module.as_ref(), launch, (cuda.precision, how.libraries))?;
            if let Launched::Library(called) = &step {
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
        // Seed and step are an input too: four words of 32 bits, as large as four numbers in single precision.
        let inputs = inputs.chain(cuda.random.map(|place| (Precision::F32, 4, place)));
        let inputs = inputs.map(|(precision, count, place)| {
            Ok(Input {
                here: Pinned::zeros(queue, precision, count)?,
                place,
                changed: true,
                staging: None,
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

    /// The address of the states on the GPU. They are copied there if the GPU has no copy, or an outdated one.
    fn states(&self, states: &mut States) -> Result<u64, DeviceError> {
        let (precision, elements) = (self.program.precision, states.layout.elements);
        let queue = &self.shared.queue;
        let start = match states.device_copy::<Resident>() {
            Some((there, true)) if there.fits(queue, precision, elements) => return Ok(there.memory.start),
            Some((there, false)) if there.fits(queue, precision, elements) => there.memory.start,
            _ => {
                let there = Resident::new(queue, precision, elements)?;
                there.upload(states.data())?;
                let start = there.memory.start;
                states.attach(Box::new(there));
                return Ok(start);
            }
        };
        let numbers = states.data().clone();
        if let Some((there, _)) = states.device_copy::<Resident>() {
            there.upload(&numbers)?;
        }
        states.device_is_equal();
        Ok(start)
    }

    /// Puts the copies of changed inputs, all launches and the copies of the outputs on the stream.
    fn launch(&mut self, states: u64) -> Result<(), DeviceError> {
        let start = self.scratch.start;
        for input in &self.inputs {
            let to = start + input.place as u64;
            match (input.way(), &input.maker) {
                (Way::Made, Some(maker)) => maker.put(&self.shared.queue, to)?,
                // SAFETY: the plan gives every input its room in scratch memory at `place`. `Executable` forbids changes
                // of `here` until `finish` has waited for the stream.
                (Way::Sent(_), _) => unsafe { input.here.send(to)? },
                _ => {}
            }
        }
        for step in &self.steps {
            self.put(step, states)?;
        }
        for output in &mut self.outputs {
            // SAFETY: the plan gives every output its room in scratch memory at `place`. `Executable` forbids reads of
            // `here` until `finish` has waited for the stream.
            unsafe { output.here.fetch(start + output.place as u64)? };
        }
        Ok(())
    }

    /// Puts one launch on the stream.
    fn put(&self, step: &Launched, states: u64) -> Result<(), DeviceError> {
        let at = |address: Address| match address {
            Address::States(byte) => states + byte as u64,
            Address::Scratch(byte) => self.scratch.start + byte as u64,
        };
        let queue = &self.shared.queue;
        match step {
            Launched::Kernel(function, grid, arguments)
            | Launched::Plain { kernel: (function, grid, arguments), .. } => {
                let mut places: Vec<u64> = arguments.iter().map(|&address| at(address)).collect();
                let mut given: Vec<*mut c_void> = places.iter_mut().map(|place| (&raw mut *place).cast()).collect();
                // SAFETY: `Kernel::arguments` lists the kernel's parameters in order, and all are pointers. The plan
                // gives each buffer its room. The tests of the emulator run generated kernels with bounds checks.
                unsafe { queue.launch(*function, *grid, &mut given) }
            }
            Launched::Library(called) => {
                let Called { name, call, operands, bias, epilogue } = called.as_ref();
                let ([a, b, c], bias) = (operands.map(at), bias.map(at));
                // SAFETY: the plan gives the operands their room, and `self` keeps scratch memory and workspace. `new`
                // made the workspace as large as the largest call needs.
                let status = unsafe { queue.call(call.as_ref(), [a, b, c], bias, self.workspace.start) };
                status.map_err(|error| DeviceError { message: format!("{name}: {}", error.message), ..error })?;
                epilogue.map_or(Ok(()), |epilogue| self.epilogue(epilogue, c, bias))
            }
        }
    }

    /// Puts the kernel for bias and ReLU, after a library call with the result `c`, on the stream.
    fn epilogue(
        &self,
        (epilogue, function): (Epilogue, Function),
        c: u64,
        bias: Option<u64>,
    ) -> Result<(), DeviceError> {
        let Epilogue { rows, columns, step, .. } = epilogue;
        let (blocks, [along, across]) = epilogue.grid();
        let grid = Grid { blocks: [blocks, 1, 1], threads: [along, across, 1], shared_bytes: 0 };
        let mut relu = u32::from(epilogue.relu);
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
        // SAFETY: these are the parameters of the kernels of `epilogue::source`, see `Epilogue::name`. `c` has `rows`
        // rows with stride `step`, and `bias` is null or points to `columns` numbers.
        unsafe { self.shared.queue.launch(function, grid, &mut given) }
    }

    /// Runs the step as one launch. Records it first if no recording fits these states and inputs.
    fn replay(&mut self, states: u64) -> Result<(), DeviceError> {
        let ways: Vec<Way> = self.inputs.iter().map(Input::way).collect();
        // A recording contains addresses. Those with an old address of the states can never fit again.
        self.recorded.retain(|recorded| recorded.states == states);
        let known = self.recorded.iter().position(|recorded| recorded.ways == ways);
        let place = match known {
            Some(place) => place,
            // Many combinations of inputs are unusual; recording each would cost more than it saves.
            None if self.recorded.len() == MOST_RECORDINGS => return self.launch(states),
            None => {
                let shared = Arc::clone(&self.shared);
                let recording = match shared.queue.record(|| self.launch(states)) {
                    Ok(Some(recording)) => recording,
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        // Recording has run nothing yet. If the GPU is broken, the launches below fail too. If only the
                        // recording is not possible, they work, and later steps do not try again.
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

    fn read_input(&mut self, index: usize) -> Result<Numbers, DeviceError> {
        let shared = Arc::clone(&self.shared);
        let _turn = lock(&shared);
        shared.queue.enter()?;
        let to = self.scratch.start + self.inputs[index].place as u64;
        let input = &mut self.inputs[index];
        if let (true, Some(maker)) = (input.made, &input.maker) {
            maker.put(&shared.queue, to)?;
            // SAFETY: the plan gives every input its room in scratch memory, and `wait` below comes before the read.
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
                self.recorded.clear(); // these recordings gather from the old table
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
            states.device_has_changed();
        }
        self.inputs.iter_mut().for_each(|input| input.changed = false);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DeviceError> {
        self.shared.queue.enter()?;
        self.shared.queue.wait()
    }

    fn staging(&mut self, index: usize) -> Option<SliceMut<'_>> {
        let precision = self.program.precision;
        let input = &mut self.inputs[index];
        if input.made {
            return None;
        }
        if input.staging.is_none() {
            let count = self.program.graph.inputs[index].shape.iter().product();
            input.staging = Pinned::zeros(&self.shared.queue, precision, count).ok();
        }
        input.staging.as_mut().map(Pinned::as_mut)
    }

    fn swap_buffers(&mut self, index: usize) {
        let input = &mut self.inputs[index];
        if let Some(staging) = &mut input.staging {
            std::mem::swap(&mut input.here, staging);
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

/// The source of a program, with the epilogues that may follow library calls.
fn text(cuda: &gmpc_cuda::Program) -> String {
    let narrow = |work: &Work| matches!(work, Work::MatMul(product) if product.c.region.dtype == Dtype::Bf16);
    let bf16 = cuda.launches.iter().any(|launch| narrow(&launch.work));
    cuda.source.clone() + &epilogue::source(cuda.precision, bf16)
}

/// Compiles a program for GPUs of this compute capability, such as `(9, 0)`, without a GPU. A later load finds the code
/// in the user's cache folder.
///
/// # Errors
/// There is no compiler, or it refuses the source; the error contains its log.
pub fn compile_for(program: &Program, capability: (i32, i32)) -> Result<(), DeviceError> {
    compile(&text(&gmpc_cuda::lower_cuda(program, None)), capability).map(drop)
}

/// Reserves the GPU for this thread until the guard is dropped.
fn lock(shared: &Shared) -> MutexGuard<'_, Tables> {
    // A thread that panicked has not changed the GPU, or has broken it; then the next call reports an error.
    shared.turn.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
