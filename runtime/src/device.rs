//! Where programs run. A device loads a program and gives an [`Executable`]; states live on the host in one flat buffer.

pub mod candle;
pub mod cpu;
pub mod cuda;
pub mod gather;
mod states;

pub use states::{Away, States};

use gmpc_compiler::experiment::{Contractions, Precision};
use gmpc_compiler::graph::Random;
use gmpc_compiler::program::Program;
use std::sync::Arc;

/// Numbers of either precision.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Single.
    F32(Vec<f32>),
    /// Double.
    F64(Vec<f64>),
}

impl Numbers {
    /// Zeros.
    #[must_use]
    pub fn zeros(precision: Precision, len: usize) -> Self {
        match precision {
            Precision::F32 => Numbers::F32(vec![0.0; len]),
            Precision::F64 => Numbers::F64(vec![0.0; len]),
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(data) => data.len(),
            Numbers::F64(data) => data.len(),
        }
    }

    /// None at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of each.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match self {
            Numbers::F32(_) => Precision::F32,
            Numbers::F64(_) => Precision::F64,
        }
    }

    /// One number, widened.
    ///
    /// # Panics
    /// Beyond the end.
    #[must_use]
    pub fn get(&self, index: usize) -> f64 {
        match self {
            Numbers::F32(data) => f64::from(data[index]),
            Numbers::F64(data) => data[index],
        }
    }

    /// All of them, to be read.
    #[must_use]
    pub fn as_slice(&self) -> Slice<'_> {
        match self {
            Numbers::F32(data) => Slice::F32(data),
            Numbers::F64(data) => Slice::F64(data),
        }
    }

    /// All of them, to be filled.
    #[must_use]
    pub fn as_mut(&mut self) -> SliceMut<'_> {
        match self {
            Numbers::F32(data) => SliceMut::F32(data),
            Numbers::F64(data) => SliceMut::F64(data),
        }
    }
}

/// Why a device could not do its work; exit code 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceError {
    /// One sentence.
    pub message: String,
    /// A next step.
    pub help: Option<String>,
}

impl std::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeviceError {}

/// Calls of a device's driver, counted where they are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// Memory asked for, on the device or of this machine for its copies.
    pub allocations: u64,
    /// Waits of this processor for the device.
    pub synchronizations: u64,
    /// Kernels launched one by one.
    pub launches: u64,
    /// Products and convolutions of libraries, called one by one.
    pub to_libraries: u64,
    /// Recordings launched, each in one call.
    pub graph_launches: u64,
    /// Kernels, library calls and copies that went into recordings.
    pub recorded: u64,
    /// Copies to or from the device, one by one.
    pub copies: u64,
    /// Their bytes.
    pub copied_bytes: u64,
}

impl Activity {
    /// What came after an earlier count.
    #[must_use]
    pub fn since(self, earlier: Activity) -> Activity {
        Activity {
            allocations: self.allocations - earlier.allocations,
            synchronizations: self.synchronizations - earlier.synchronizations,
            launches: self.launches - earlier.launches,
            to_libraries: self.to_libraries - earlier.to_libraries,
            graph_launches: self.graph_launches - earlier.graph_launches,
            recorded: self.recorded - earlier.recorded,
            copies: self.copies - earlier.copies,
            copied_bytes: self.copied_bytes - earlier.copied_bytes,
        }
    }
}

/// A kind of processor that can run programs.
pub trait Device: Send + Sync {
    /// `cpu`, `candle`
    fn name(&self) -> &'static str;

    /// How many threads share the work of one program.
    fn threads(&self) -> usize {
        1
    }

    /// Memory that a program needs on this device beside what its plan says.
    fn working_bytes(&self, _program: &Program) -> usize {
        0
    }

    /// What this device has been told so far, by every program together; `None` where it is not told anything: it is this
    /// processor.
    fn activity(&self) -> Option<Activity> {
        None
    }

    /// What a person should know about how the programs loaded so far run: what is slower than one would expect, and why.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes a program ready to run.
    ///
    /// # Errors
    /// The device cannot run it, with the reason.
    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError>;
}

/// Devices that multiply whole numbers only refuse programs that are to round them.
///
/// # Errors
/// `precision` is `tf32` or `bf16`.
pub(crate) fn whole_numbers(program: &Program, device: &str) -> Result<(), DeviceError> {
    let word = match program.contractions {
        Contractions::Full => return Ok(()),
        Contractions::Tf32 => "tf32",
        Contractions::Bf16 => "bf16",
    };
    Err(DeviceError {
        message: format!("`precision = {word}` is for tensor cores: `--device {device}` has none"),
        help: Some("take `--device cuda`, or `--set precision=f32`".into()),
    })
}

/// A program on its device with its own buffers. Nothing is allocated by `run`.
pub trait Executable: Send {
    /// The numbers of an input (index into `program.graph.inputs`), row-major, to be filled before `run`.
    fn input(&mut self, index: usize) -> SliceMut<'_>;

    /// What an input holds, wherever it was made.
    ///
    /// # Errors
    /// The device failed.
    fn held(&mut self, index: usize) -> Result<Numbers, DeviceError> {
        Ok(self.input(index).to_numbers())
    }

    /// Lets an input be made from a table that the device keeps, instead of by [`Executable::input`]: `ask` is handed the words
    /// to be set, a row (of images: its number in the store) for each example, then seed low, seed high and epoch low. False
    /// where this device does not do that, or has no room for the table.
    ///
    /// # Errors
    /// The device failed.
    fn gather(
        &mut self,
        _index: usize,
        _table: &gather::Table<'_>,
        _ask: &mut dyn FnMut(&mut [u32]),
    ) -> Result<bool, DeviceError> {
        Ok(false)
    }

    /// Runs once: reads inputs and states, writes states and outputs.
    ///
    /// # Errors
    /// The device failed; states may be half written.
    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError>;

    /// Begins what [`Executable::run`] does, on a device that works beside this processor; [`Executable::finish`] waits for it.
    /// In between, only [`Executable::ahead`] may be called.
    ///
    /// # Errors
    /// As `run`.
    fn start(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        self.run(states, random)
    }

    /// Returns when what was started is done.
    ///
    /// # Errors
    /// As `run`.
    fn finish(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Room for the numbers that an input is to have in the run after the one that has been started, all of them to be filled;
    /// [`Executable::turn`] takes them. `None` where nothing is won by it.
    fn ahead(&mut self, _index: usize) -> Option<SliceMut<'_>> {
        None
    }

    /// The numbers that were filled in ahead are those of the next run.
    fn turn(&mut self, _index: usize) {}

    /// The numbers of a named output (index among the `Value` outputs of `program.graph`) after `run`.
    fn output(&self, index: usize) -> Slice<'_>;
}

/// Borrowed numbers.
#[derive(Debug, Clone, Copy)]
pub enum Slice<'a> {
    /// Single.
    F32(&'a [f32]),
    /// Double.
    F64(&'a [f64]),
}

/// Numbers to be filled.
#[derive(Debug)]
pub enum SliceMut<'a> {
    /// Single.
    F32(&'a mut [f32]),
    /// Double.
    F64(&'a mut [f64]),
}

impl Slice<'_> {
    /// A copy, widened.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Slice::F32(data) => data.iter().copied().map(f64::from).collect(),
            Slice::F64(data) => data.to_vec(),
        }
    }
}

impl Slice<'_> {
    /// The first number, widened; NaN where there is none.
    #[must_use]
    pub fn first(&self) -> f64 {
        match self {
            Slice::F32(data) => data.first().map_or(f64::NAN, |&number| f64::from(number)),
            Slice::F64(data) => data.first().copied().unwrap_or(f64::NAN),
        }
    }
}

impl SliceMut<'_> {
    /// A copy.
    #[must_use]
    pub fn to_numbers(&self) -> Numbers {
        match self {
            SliceMut::F32(data) => Numbers::F32(data.to_vec()),
            SliceMut::F64(data) => Numbers::F64(data.to_vec()),
        }
    }
}

impl SliceMut<'_> {
    /// Copies numbers of the same precision and count; of another precision, nothing.
    pub fn copy_from(&mut self, from: &Slice<'_>) {
        match (self, from) {
            (SliceMut::F32(to), Slice::F32(from)) => to.copy_from_slice(from),
            (SliceMut::F64(to), Slice::F64(from)) => to.copy_from_slice(from),
            (SliceMut::F32(_), Slice::F64(_)) | (SliceMut::F64(_), Slice::F32(_)) => debug_assert!(false),
        }
    }
}
