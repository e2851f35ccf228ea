//! A device without a GPU: the emulator runs the launches that the CUDA backend plans, and computes library calls as
//! plain sums.
//!
//! Compiling hundreds of texts one by one would take too long. Therefore a test runs twice: first on a [`Collector`],
//! which only collects the texts of all programs, and then, after all texts were compiled in a few large files, on
//! [`Emulated`].

use crate::emulator::build::{Build, Unit, program};
use crate::emulator::process::{Argument, Convolution, Launch, MatMul, Matrix, Multiplied, Process, Region};
use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::graph::{Output, Random};
use gmpc_compiler::ir::kernels::Dtype;
use gmpc_compiler::ir::kernels::Pass;
use gmpc_compiler::ir::layout::StateLayout;
use gmpc_compiler::ir::program::Program;
use gmpc_cuda::lower_cuda;
use gmpc_device::{Device, DeviceError, Executable, Numbers, Slice, SliceMut, States};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Texts per file of C++. Every file costs the time to read the headers, so files are large, but small enough that there
/// is work for two compilers at the same time.
const UNITS: usize = 24;

/// A device that collects the text of every program that is loaded, and runs none.
#[derive(Debug, Default)]
pub struct Collector {
    texts: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

/// The compiled programs of all collected texts.
#[derive(Debug)]
pub struct Library {
    /// For each text the file of the program that holds it, and the name of the text there.
    places: HashMap<String, (PathBuf, String)>,
}

/// The names of the kernels that a program launches.
fn kernels(program: &gmpc_cuda::Program) -> BTreeSet<String> {
    let name = |launch: &gmpc_cuda::Launch| match &launch.work {
        gmpc_cuda::Work::Kernel(kernel) => Some(kernel.name.clone()),
        gmpc_cuda::Work::MatMul(_) | gmpc_cuda::Work::Convolution(_) => None,
    };
    program.launches.iter().filter_map(name).collect()
}

impl Collector {
    /// Every text that was collected so far, with a name.
    pub fn units(&self) -> Vec<Unit> {
        let texts = self.texts.lock().expect("no test has failed here");
        let unit = |(index, (text, kernels)): (usize, (&String, &BTreeSet<String>))| Unit {
            name: format!("program{index}"),
            text: text.clone(),
            kernels: kernels.iter().cloned().collect(),
        };
        texts.iter().enumerate().map(unit).collect()
    }

    /// Compiles every text that was collected so far.
    ///
    /// # Errors
    /// The messages of the compiler.
    pub fn build(&self, build: Build) -> Result<Library, String> {
        let units = self.units();
        let chunks: Vec<&[Unit]> = units.chunks(UNITS).collect();
        // Compile times of chunks differ a lot. Each thread takes the next chunk when it is free, instead of a fixed half.
        let next = std::sync::atomic::AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, PathBuf)>, String> {
            let mut built = Vec::new();
            loop {
                let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(chunk) = chunks.get(index) else { return Ok(built) };
                built.push((index, program(chunk, build)?));
            }
        };
        let built = std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| scope.spawn(work));
            threads.map(|thread| thread.join().expect("a compiler is only waited for"))
        });
        // The text itself is the key: a program that is lowered again later must find its compiled text.
        let mut places = HashMap::new();
        for part in built {
            for (index, path) in part? {
                chunks[index]
                    .iter()
                    .for_each(|unit| drop(places.insert(unit.text.clone(), (path.clone(), unit.name.clone()))));
            }
        }
        Ok(Library { places })
    }
}

impl Device for Collector {
    fn name(&self) -> &'static str {
        "collector"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        let cuda = lower_cuda(program, None);
        let names = kernels(&cuda);
        self.texts.lock().expect("no test has failed here").entry(cuda.source).or_default().extend(names);
        Ok(Box::new(Memory::new(program)))
    }
}

/// Inputs and outputs of a program in the memory of the host.
struct Memory {
    inputs: Vec<Numbers>,
    outputs: Vec<Numbers>,
}

impl Memory {
    fn new(program: &Program) -> Self {
        let zeros = |shape: &[usize]| Numbers::zeros(program.precision, shape.iter().product());
        let graph = &program.graph;
        let value = |output: &Output| match output {
            Output::Value { id, .. } => Some(zeros(graph.shape(*id))),
            Output::Write { .. } => None,
        };
        let inputs = graph.inputs.iter().map(|input| zeros(&input.shape)).collect();
        Memory { inputs, outputs: graph.outputs.iter().filter_map(value).collect() }
    }
}

impl Executable for Memory {
    fn input(&mut self, index: usize) -> SliceMut<'_> {
        self.inputs[index].as_mut()
    }

    fn run(&mut self, _states: &mut States, _random: Random) -> Result<(), DeviceError> {
        Ok(())
    }

    fn output(&self, index: usize) -> Slice<'_> {
        self.outputs[index].as_slice()
    }
}

/// The emulator as a device, with the programs that were compiled for it.
#[derive(Debug, Clone)]
pub struct Emulated {
    /// Every text that will be loaded.
    pub compiled: Arc<Library>,
    /// Determines the order of threads and blocks, and the content of memory before the first store.
    pub seed: u64,
}

impl Device for Emulated {
    fn name(&self) -> &'static str {
        "emulator"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        let cuda = lower_cuda(program, None);
        let place = self.compiled.places.get(&cuda.source);
        let (path, unit) = place.ok_or_else(|| failed("the first pass did not collect this program".to_string()))?;
        let mut process = Process::start(path, self.seed).map_err(failed)?;
        let elements = StateLayout::new(&program.graph.states).elements;
        process.memory(elements * program.precision.bytes());
        process.memory(cuda.scratch_bytes);
        Ok(Box::new(Loaded { memory: Memory::new(program), cuda, unit: unit.clone(), process }))
    }
}

/// Copies numbers into an input, in the precision of the input.
pub fn fill(to: SliceMut<'_>, from: &[f64]) {
    match to {
        SliceMut::F32(to) => to.iter_mut().zip(from).for_each(|(to, &x)| *to = x as f32),
        SliceMut::F64(to) => to.copy_from_slice(from),
    }
}

fn failed(message: String) -> DeviceError {
    DeviceError { message, help: None }
}

/// The numbers of the two memories of a program, in the order in which `load` allocates them.
const STATES: usize = 0;
const SCRATCH: usize = 1;

/// A program that runs on the emulator.
struct Loaded {
    memory: Memory,
    cuda: gmpc_cuda::Program,
    unit: String,
    process: Process,
}

impl Executable for Loaded {
    fn input(&mut self, index: usize) -> SliceMut<'_> {
        self.memory.input(index)
    }

    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        self.process.write(STATES, 0, &to_bytes(states.data()));
        for (input, &offset) in self.memory.inputs.iter().zip(&self.cuda.inputs) {
            self.process.write(SCRATCH, offset, &to_bytes(input));
        }
        if let Some(offset) = self.cuda.random {
            let words = [random.seed, random.step].map(u64::to_le_bytes);
            self.process.write(SCRATCH, offset, &words.concat());
        }
        self.cuda.launches.iter().for_each(|launch| run(&mut self.process, &self.unit, launch));
        read(&mut self.process, STATES, 0, states.data_mut())?;
        for (output, &offset) in self.memory.outputs.iter_mut().zip(&self.cuda.outputs) {
            read(&mut self.process, SCRATCH, offset, output)?;
        }
        Ok(())
    }

    fn output(&self, index: usize) -> Slice<'_> {
        self.memory.output(index)
    }
}

fn to_bytes(numbers: &Numbers) -> Vec<u8> {
    match numbers {
        Numbers::F32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Numbers::F64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

fn read(process: &mut Process, memory: usize, offset: usize, to: &mut Numbers) -> Result<(), DeviceError> {
    match to {
        Numbers::F32(data) => {
            let found = process.read(memory, offset, data.len() * 4).map_err(failed)?;
            let numbers = found.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word));
            data.iter_mut().zip(numbers).for_each(|(to, x)| *to = x);
        }
        Numbers::F64(data) => {
            let found = process.read(memory, offset, data.len() * 8).map_err(failed)?;
            let numbers = found.as_chunks::<8>().0.iter().map(|word| f64::from_le_bytes(*word));
            data.iter_mut().zip(numbers).for_each(|(to, x)| *to = x);
        }
    }
    Ok(())
}

/// A region of a plan as a region of the emulator.
fn region(from: gmpc_cuda::Region) -> Region {
    let (memory, offset) = match from.address {
        Address::States(offset) => (STATES, offset),
        Address::Scratch(offset) => (SCRATCH, offset),
    };
    Region { memory, offset, bytes: from.bytes, read: from.read, written: from.written }
}

fn matrix(from: gmpc_cuda::Operand) -> Matrix {
    Matrix { region: region(from.region), offset: from.offset, rows: from.rows, columns: from.columns }
}

/// Runs a launch as a GPU would. A library's call becomes plain sums.
pub fn run(process: &mut Process, unit: &str, launch: &gmpc_cuda::Launch) {
    let multiplied = |from: gmpc_cuda::Region, to: gmpc_cuda::Region| match (from.dtype, to.dtype) {
        (Dtype::Bf16, Dtype::Bf16) => Multiplied::AllBf16,
        (Dtype::Bf16, _) => Multiplied::Bf16Operands,
        (Dtype::F64, _) => Multiplied::Double,
        _ => Multiplied::Single,
    };
    match &launch.work {
        gmpc_cuda::Work::Kernel(kernel) => launched(process, unit, kernel),
        gmpc_cuda::Work::MatMul(product) => {
            process.matmul(&library_matmul(product), multiplied(product.a.region, product.c.region));
        }
        gmpc_cuda::Work::Convolution(product) => {
            process.convolve(&library_convolution(product), multiplied(product.a, product.c));
        }
    }
}

/// Runs a kernel of a unit.
pub fn launched(process: &mut Process, unit: &str, kernel: &gmpc_cuda::Kernel) {
    process.launch(&Launch {
        kernel: &format!("{unit}.{}", kernel.name),
        grid: kernel.grid,
        block: kernel.block,
        shared: kernel.shared_bytes,
        arguments: kernel.arguments.iter().map(|argument| Argument::At(region(*argument))).collect(),
    });
}

fn library_matmul(product: &gmpc_cuda::MatMul) -> MatMul {
    MatMul {
        sizes: [product.m, product.n, product.k],
        operands: [product.a, product.b, product.c].map(matrix),
        bias: product.bias.map(matrix),
        relu: product.relu,
    }
}

fn library_convolution(product: &gmpc_cuda::Convolution) -> Convolution {
    let ([batch, height, width, channels], [out_height, out_width, units]) = (product.images, product.result);
    let ([kh, kw], [sh, sw], [ph, pw]) = (product.window.kernel, product.window.stride, product.window.before);
    let pass = match product.pass {
        Pass::Forward => 0,
        Pass::BackwardData => 1,
        Pass::BackwardFilter => 2,
    };
    let sizes = [batch, height, width, channels, out_height, out_width, units, kh, kw, sh, sw, ph, pw];
    let (operands, bias) = ([product.a, product.b, product.c].map(region), product.bias.map(region));
    Convolution { pass, sizes, operands, bias, relu: product.relu }
}
