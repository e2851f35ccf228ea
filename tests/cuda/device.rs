//! A device without a GPU: the launches of the CUDA backend's plan on the emulator, library calls as plain sums.
//!
//! Texts are compiled by the hundred in one go, not one by one: a first pass over the tests' work with a [`Gatherer`], which
//! runs nothing, tells which programs there are.

use crate::emulator::build::{Build, Unit, program};
use crate::emulator::process::{Argument, Convolution, Launch, Matrix, Multiplied, Process, Product, Region};
use gmpc_compiler::backend::cuda;
use gmpc_compiler::experiment::{Contractions, Precision};
use gmpc_compiler::graph::{Output, Random};
use gmpc_compiler::kernels::Pass;
use gmpc_compiler::layout::StateLayout;
use gmpc_compiler::lower_cuda;
use gmpc_compiler::plan::{Address, bytes};
use gmpc_compiler::program::Program;
use gmpc_runtime::device::{Device, DeviceError, Executable, Numbers, Slice, SliceMut, States};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Texts in one file of C++: enough to share what every file costs, few enough for two compilers to work side by side.
const UNITS: usize = 24;

/// Notes the text of every program that is loaded, and runs none.
#[derive(Debug, Default)]
pub struct Gatherer {
    texts: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

/// Programs for texts.
#[derive(Debug)]
pub struct Library {
    /// Where each text is: the program's file, the text's name in it.
    places: HashMap<String, (PathBuf, String)>,
}

fn kernels(program: &cuda::Program) -> BTreeSet<String> {
    let name = |launch: &cuda::Launch| match &launch.work {
        cuda::Work::Kernel(kernel) => Some(kernel.name.clone()),
        cuda::Work::Product(_) | cuda::Work::Convolution(_) => None,
    };
    program.launches.iter().filter_map(name).collect()
}

impl Gatherer {
    /// Every text so far, with a name.
    pub fn units(&self) -> Vec<Unit> {
        let texts = self.texts.lock().expect("no test has failed here");
        let unit = |(index, (text, kernels)): (usize, (&String, &BTreeSet<String>))| Unit {
            name: format!("program{index}"),
            text: text.clone(),
            kernels: kernels.iter().cloned().collect(),
        };
        texts.iter().enumerate().map(unit).collect()
    }

    /// Compiles every text so far.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn build(&self, build: Build) -> Result<Library, String> {
        let units = self.units();
        let chunks: Vec<&[Unit]> = units.chunks(UNITS).collect();
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

impl Device for Gatherer {
    fn name(&self) -> &'static str {
        "gatherer"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        let cuda = lower_cuda(program, None);
        let names = kernels(&cuda);
        self.texts.lock().expect("no test has failed here").entry(cuda.source).or_default().extend(names);
        Ok(Box::new(Memory::new(program)))
    }
}

/// Inputs and outputs on the host.
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

/// The emulator with what was gathered for it.
#[derive(Debug, Clone)]
pub struct Emulated {
    /// Every text that will be loaded.
    pub compiled: Arc<Library>,
    /// The order of threads and blocks, and what memory holds before anything is stored there.
    pub seed: u64,
}

impl Device for Emulated {
    fn name(&self) -> &'static str {
        "emulator"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        let cuda = lower_cuda(program, None);
        let place = self.compiled.places.get(&cuda.source);
        let (path, unit) = place.ok_or_else(|| failed("the first pass did not gather this program".to_string()))?;
        let mut process = Process::start(path, self.seed).map_err(failed)?;
        let elements = StateLayout::new(&program.graph.states).elements;
        process.memory(elements * bytes(program.precision));
        process.memory(cuda.scratch_bytes);
        Ok(Box::new(Loaded { memory: Memory::new(program), cuda, unit: unit.clone(), process }))
    }
}

/// Numbers in the precision of an input.
pub fn fill(to: SliceMut<'_>, from: &[f64]) {
    match to {
        SliceMut::F32(to) => to.iter_mut().zip(from).for_each(|(to, &x)| *to = x as f32),
        SliceMut::F64(to) => to.copy_from_slice(from),
    }
}

fn failed(message: String) -> DeviceError {
    DeviceError { message, help: None }
}

/// The two memories of a program.
const STATES: usize = 0;
const SCRATCH: usize = 1;

/// A program on the emulator.
struct Loaded {
    memory: Memory,
    cuda: cuda::Program,
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
        self.cuda.launches.iter().for_each(|launch| run(&mut self.process, &self.unit, launch, self.cuda.precision));
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

/// The same bytes for the emulator.
fn region(from: cuda::Region) -> Region {
    let (memory, offset) = match from.address {
        Address::States(offset) => (STATES, offset),
        Address::Scratch(offset) => (SCRATCH, offset),
    };
    Region { memory, offset, bytes: from.bytes, read: from.read, written: from.written }
}

fn matrix(from: cuda::Operand) -> Matrix {
    Matrix { region: region(from.region), offset: from.offset, rows: from.rows, columns: from.columns }
}

/// Runs a launch as the device would, a library's call as plain sums.
pub fn run(process: &mut Process, unit: &str, launch: &cuda::Launch, precision: Precision) {
    let multiplied = |contractions, half| match (contractions, precision) {
        (Contractions::Bf16, _) if half => Multiplied::Halves,
        (Contractions::Bf16, _) => Multiplied::Half,
        (_, Precision::F64) => Multiplied::Double,
        (_, Precision::F32) => Multiplied::Single,
    };
    match &launch.work {
        cuda::Work::Kernel(kernel) => launched(process, unit, kernel),
        cuda::Work::Product(product) => {
            process.product(&library_product(product), multiplied(product.contractions, product.half));
        }
        cuda::Work::Convolution(product) => {
            process.convolve(&library_convolution(product), multiplied(product.contractions, true));
        }
    }
}

/// Runs a kernel of a unit.
pub fn launched(process: &mut Process, unit: &str, kernel: &cuda::Kernel) {
    process.launch(&Launch {
        kernel: &format!("{unit}.{}", kernel.name),
        grid: kernel.grid,
        block: kernel.block,
        shared: kernel.shared_bytes,
        arguments: kernel.arguments.iter().map(|argument| Argument::At(region(*argument))).collect(),
    });
}

fn library_product(product: &cuda::Product) -> Product {
    Product {
        sizes: [product.m, product.n, product.k],
        operands: [product.a, product.b, product.c].map(matrix),
        bias: product.bias.map(matrix),
        relu: product.relu,
    }
}

fn library_convolution(product: &cuda::Convolution) -> Convolution {
    let ([batch, height, width, channels], [out_height, out_width, units]) = (product.images, product.result);
    let ([kh, kw], [sh, sw], [ph, pw]) = (product.window.kernel, product.window.stride, product.window.before);
    let pass = match product.pass {
        Pass::Forward => 0,
        Pass::Input => 1,
        Pass::Weight => 2,
    };
    let sizes = [batch, height, width, channels, out_height, out_width, units, kh, kw, sh, sw, ph, pw];
    let (operands, bias) = ([product.a, product.b, product.c].map(region), product.bias.map(region));
    Convolution { pass, sizes, operands, bias, relu: product.relu }
}
