//! A program on a GPU: its kernels, its memory, and the launches of a step, recorded once and replayed as one.

use super::super::{DeviceError, Executable, Slice, SliceMut, States};
use super::compile::compile;
use super::convolution::{self, Convolutions};
use super::finish;
use super::gpu::{Libraries, Shared, failed};
use super::memory::{Memory, Pinned, Resident};
use super::probe::{Needs, probe};
use super::product;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{CudaFunction, CudaGraph, LaunchConfig, PushKernelArg, result};
use cudarc::nvrtc::Ptx;
use gmpc_compiler::backend::cuda::{Kernel, Operand, Region, Work};
use gmpc_compiler::experiment::Precision;
use gmpc_compiler::graph::{Output, Random};
use gmpc_compiler::lower_cuda;
use gmpc_compiler::plan::Address;
use gmpc_compiler::program::Program;
use std::sync::{Arc, MutexGuard, PoisonError};

/// A program with everything that it needs on the GPU. Nothing is allocated by `run`, except the states by the first one.
pub(super) struct Loaded {
    shared: Arc<Shared>,
    program: Arc<Program>,
    steps: Vec<Step>,
    finish: CudaFunction,
    scratch: Memory,
    workspace: Memory,
    inputs: Vec<Input>,
    /// Seed and step, where the program draws numbers.
    random: Option<Input>,
    outputs: Vec<Returned>,
    writes_states: bool,
    /// Record the launches and replay them?
    graphs: bool,
    recorded: Option<Recorded>,
    /// Has it run once, launch by launch? Libraries set themselves up then.
    is_warm: bool,
}

/// Numbers on their way to the GPU.
struct Input {
    here: Pinned,
    /// Byte offset in scratch memory.
    place: usize,
    changed: bool,
}

/// Numbers on their way back.
struct Returned {
    here: Pinned,
    /// Byte offset in scratch memory.
    place: usize,
}

/// The launches of a step as one, for states at one place.
struct Recorded {
    states: u64,
    graph: CudaGraph,
}

// SAFETY: the driver lets a graph go from thread to thread as long as one at a time uses it, and `Loaded` is not `Sync`.
unsafe impl Send for Recorded {}

/// A launch, ready.
enum Step {
    Kernel { function: CudaFunction, config: LaunchConfig, arguments: Vec<Address> },
    Product { call: product::Call, operands: [Address; 3], finish: Option<Finish> },
    Convolution { call: Box<convolution::Call>, operands: [Address; 3], finish: Option<Finish> },
}

/// What is done to the result of a library.
#[derive(Debug, Clone, Copy)]
struct Finish {
    bias: Option<Address>,
    rows: u64,
    columns: u64,
    step: u64,
    relu: bool,
}

impl Loaded {
    pub(super) fn new(shared: &Arc<Shared>, program: &Arc<Program>, graphs: bool) -> Result<Self, DeviceError> {
        let cuda = lower_cuda(program, None);
        let source = cuda.source.clone() + &finish::source(cuda.precision);
        let code = compile(&source, shared.capability)?.code;
        let context = shared.stream.context();
        context.bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let module = context.load_module(Ptx::from_binary(code)).map_err(|e| failed("the GPU refuses the code", &e))?;
        let find =
            |name: &str| module.load_function(name).map_err(|error| failed(&format!("no kernel `{name}`"), &error));
        let mut steps = Vec::with_capacity(cuda.launches.len());
        let mut workspace = 0;
        for launch in &cuda.launches {
            let step = match &launch.work {
                Work::Kernel(kernel) => Step::of_kernel(find(&kernel.name)?, kernel),
                Work::Product(p) => Step::Product {
                    call: product::Call::new(p)?,
                    operands: [&p.a, &p.b, &p.c].map(|operand| first(operand, cuda.precision)),
                    finish: Finish::new(
                        p.bias.as_ref().map(|b| first(b, cuda.precision)),
                        p.relu,
                        [p.m, p.n, p.c.rows],
                    ),
                },
                Work::Convolution(c) => {
                    let call = with_convolutions(shared, |library| library.prepare(c, cuda.precision))?;
                    workspace = workspace.max(call.workspace());
                    let [height, width, units] = c.result;
                    let rows = c.images[0] * height * width;
                    let operands = [c.a, c.b, c.c].map(|region| region.address);
                    let finish = Finish::new(c.bias.map(|region| region.address), c.relu, [rows, units, units]);
                    Step::Convolution { call: Box::new(call), operands, finish }
                }
            };
            steps.push(step);
        }
        let values = program.graph.outputs.iter().filter(|output| matches!(output, Output::Value { .. }));
        let outputs = values.zip(&cuda.outputs).map(|(output, &place)| {
            let count = program.graph.shape(output.id()).iter().product();
            Ok(Returned { here: Pinned::zeros(context, cuda.precision, count)?, place })
        });
        let inputs = program.graph.inputs.iter().zip(&cuda.inputs).map(|(input, &place)| {
            let count = input.shape.iter().product();
            Ok(Input { here: Pinned::zeros(context, cuda.precision, count)?, place, changed: true })
        });
        let random = cuda.random.map(|place| {
            // Four words of 32 bits, in the room of four numbers.
            Ok(Input { here: Pinned::zeros(context, Precision::F32, 4)?, place, changed: true })
        });
        Ok(Loaded {
            outputs: outputs.collect::<Result<_, DeviceError>>()?,
            inputs: inputs.collect::<Result<_, DeviceError>>()?,
            random: random.transpose()?,
            finish: find(finish::NAME)?,
            scratch: shared.memory(cuda.scratch_bytes)?,
            workspace: shared.memory(workspace)?,
            writes_states: program.graph.outputs.iter().any(|output| matches!(output, Output::Write { .. })),
            shared: Arc::clone(shared),
            program: Arc::clone(program),
            steps,
            graphs,
            recorded: None,
            is_warm: false,
        })
    }

    /// Where the states lie on the GPU; they are brought there unless they are there.
    fn states(&self, states: &mut States) -> Result<u64, DeviceError> {
        let (precision, elements) = (self.program.precision, states.layout.elements);
        let stream = &self.shared.stream;
        let start = match states.away::<Resident>() {
            Some((there, true)) if there.fits(stream, precision, elements) => return Ok(there.memory.start),
            Some((there, false)) if there.fits(stream, precision, elements) => there.memory.start,
            _ => {
                let there = Resident::new(stream, precision, elements)?;
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

    /// Sends the inputs that have changed.
    fn send(&mut self) -> Result<(), DeviceError> {
        let (start, stream) = (self.scratch.start, self.shared.stream.cu_stream());
        for input in self.inputs.iter_mut().chain(&mut self.random).filter(|input| input.changed) {
            // SAFETY: the plan gives every input its room in scratch memory; what is sent stays where it is until the
            // stream has been waited for, at the end of `run`.
            unsafe { result::memcpy_htod_async(start + input.place as u64, input.here.as_bytes(), stream) }
                .map_err(|error| failed("cannot send an input to the GPU", &error))?;
            input.changed = false;
        }
        Ok(())
    }

    /// Puts all launches, and the way back of the outputs, on the stream.
    fn launch(&mut self, libraries: &Libraries, states: u64) -> Result<(), DeviceError> {
        let at = |address: Address| match address {
            Address::States(byte) => states + byte as u64,
            Address::Scratch(byte) => self.scratch.start + byte as u64,
        };
        for step in &self.steps {
            match step {
                Step::Kernel { function, config, arguments } => {
                    let places: Vec<u64> = arguments.iter().map(|&address| at(address)).collect();
                    let mut launch = self.shared.stream.launch_builder(function);
                    for place in &places {
                        launch.arg(place);
                    }
                    // SAFETY: the compiler wrote the kernel for these arguments, in this order, and the plan gives each its
                    // room; the emulator's tests run every kernel with bounds checked.
                    unsafe { launch.launch(*config) }.map_err(|error| failed("a kernel does not start", &error))?;
                }
                Step::Product { call, operands, finish } => {
                    let [a, b, c] = operands.map(at);
                    // SAFETY: the plan gives the operands their room, states and scratch memory live.
                    unsafe { libraries.products.run(call, self.program.precision, [a, b, c])? };
                    finish.map_or(Ok(()), |finish| self.finish(finish, c, finish.bias.map(at)))?;
                }
                Step::Convolution { call, operands, finish } => {
                    let [a, b, c] = operands.map(at);
                    let Some(convolutions) = &libraries.convolutions else { continue }; // opened when this was loaded
                    // SAFETY: as above; `workspace` has what the largest of the calls asked for.
                    unsafe { convolutions.run(call, [a, b, c], self.workspace.start)? };
                    finish.map_or(Ok(()), |finish| self.finish(finish, c, finish.bias.map(at)))?;
                }
            }
        }
        let (start, stream) = (self.scratch.start, self.shared.stream.cu_stream());
        for output in &mut self.outputs {
            // SAFETY: the plan gives every output its room; nobody reads the copy before the stream has been waited for.
            unsafe { result::memcpy_dtoh_async(output.here.as_bytes_mut(), start + output.place as u64, stream) }
                .map_err(|error| failed("cannot bring an output back", &error))?;
        }
        Ok(())
    }

    /// Bias and rectifier after a library's product at `c`.
    fn finish(&self, finish: Finish, c: u64, bias: Option<u64>) -> Result<(), DeviceError> {
        let Finish { rows, columns, step, relu, .. } = finish;
        let (bias, relu) = (bias.unwrap_or(0), u32::from(relu));
        let config = LaunchConfig {
            grid_dim: (finish::blocks(rows * columns), 1, 1),
            block_dim: (finish::THREADS, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = self.shared.stream.launch_builder(&self.finish);
        launch.arg(&c).arg(&bias).arg(&rows).arg(&columns).arg(&step).arg(&relu);
        // SAFETY: the arguments are those of `finish::source`; `c` has `rows` rows `step` apart, `bias` is null or a row.
        unsafe { launch.launch(config) }.map_err(|error| failed("a kernel does not start", &error)).map(drop)
    }

    /// Runs as one launch, which is recorded when there is none for these states.
    fn replay(&mut self, libraries: &Libraries, states: u64) -> Result<(), DeviceError> {
        if self.recorded.as_ref().is_none_or(|recorded| recorded.states != states) {
            self.recorded = None;
            let stream = Arc::clone(&self.shared.stream);
            let broken = |error| failed("cannot record the step", &error);
            stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).map_err(broken)?;
            let launched = self.launch(libraries, states);
            // Ends in any case: a stream that goes on recording is of no use.
            let graph = stream.end_capture(CUgraphInstantiate_flags(0)).map_err(broken);
            launched?;
            self.recorded = graph?.map(|graph| Recorded { states, graph });
        }
        let Some(recorded) = &self.recorded else { return self.launch(libraries, states) };
        recorded.graph.launch().map_err(|error| failed("the step does not start", &error))
    }
}

impl Executable for Loaded {
    fn input(&mut self, index: usize) -> SliceMut<'_> {
        let input = &mut self.inputs[index];
        input.changed = true;
        input.here.as_mut()
    }

    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        let shared = Arc::clone(&self.shared);
        let libraries = lock(&shared);
        shared.stream.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let place = self.states(states)?;
        if let Some(input) = &mut self.random {
            let words = [random.seed.to_le_bytes(), random.step.to_le_bytes()].concat();
            input.here.as_bytes_mut().copy_from_slice(&words);
            input.changed = true;
        }
        self.send()?;
        if self.graphs && self.is_warm {
            self.replay(&libraries, place)?;
        } else {
            self.launch(&libraries, place)?;
        }
        self.is_warm = true;
        if self.writes_states {
            states.away_has_changed();
        }
        shared.stream.synchronize().map_err(|error| failed("the GPU failed", &error))
    }

    fn output(&self, index: usize) -> Slice<'_> {
        self.outputs[index].here.as_slice()
    }
}

impl Step {
    fn of_kernel(function: CudaFunction, kernel: &Kernel) -> Self {
        let config = LaunchConfig {
            grid_dim: kernel.grid.into(),
            block_dim: kernel.block.into(),
            shared_mem_bytes: kernel.shared_bytes,
        };
        let arguments = kernel.arguments.iter().map(|region: &Region| region.address).collect();
        Step::Kernel { function, config, arguments }
    }
}

impl Finish {
    /// `None` where nothing follows.
    fn new(bias: Option<Address>, relu: bool, [rows, columns, step]: [usize; 3]) -> Option<Self> {
        (bias.is_some() || relu).then_some(Finish {
            bias,
            rows: rows as u64,
            columns: columns as u64,
            step: step as u64,
            relu,
        })
    }
}

/// Where an operand's first element lies.
fn first(operand: &Operand, precision: Precision) -> Address {
    let skipped = operand.offset * precision.bytes();
    match operand.region.address {
        Address::States(byte) => Address::States(byte + skipped),
        Address::Scratch(byte) => Address::Scratch(byte + skipped),
    }
}

/// Opens cuDNN unless that has been done.
fn with_convolutions<T>(
    shared: &Shared,
    work: impl FnOnce(&mut Convolutions) -> Result<T, DeviceError>,
) -> Result<T, DeviceError> {
    let mut libraries = lock(shared);
    let opened = match libraries.convolutions.take() {
        Some(opened) => opened,
        None => {
            probe(Needs::Convolutions)?;
            Convolutions::new(&shared.stream, &shared.name)?
        }
    };
    work(libraries.convolutions.insert(opened))
}

fn lock(shared: &Shared) -> MutexGuard<'_, Libraries> {
    // A thread that panicked left handles behind that are as good as before.
    shared.libraries.lock().unwrap_or_else(PoisonError::into_inner)
}
