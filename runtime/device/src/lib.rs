//! The interface of devices. A device loads a program and returns an [`Executable`]. The states of a network are one flat
//! buffer on the host, of which a device may keep a copy.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::disallowed_methods,
        reason = "numbers of tests are small, and their inputs need no last digit"
    )
)]

pub mod numbers;
pub mod states;
pub mod table;

pub use numbers::{Numbers, Slice, SliceMut};
pub use states::{DeviceCopy, States};

use gmpc_compiler::ir::experiment::Contractions;
use gmpc_compiler::ir::graph::Random;
use gmpc_compiler::ir::program::Program;
use std::sync::Arc;

/// Why a device failed. The program ends with exit code 5.
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

/// Counts of the calls to a device's driver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// Allocations of device memory, or of host memory for copies.
    pub allocations: u64,
    /// How often the host waited for the device.
    pub synchronizations: u64,
    /// Kernels that were launched one by one.
    pub launches: u64,
    /// Library calls (matmuls and convolutions) that were made one by one.
    pub to_libraries: u64,
    /// Launches of recorded graphs. Each is one call.
    pub graph_launches: u64,
    /// Kernels, library calls and copies that were recorded into graphs.
    pub recorded: u64,
    /// Copies to or from the device that were made one by one.
    pub copies: u64,
    /// Bytes of these copies.
    pub copied_bytes: u64,
}

impl Activity {
    /// The difference to an earlier count of the same device.
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

/// A machine that can run programs: the CPU, a GPU, or the reference implementation.
pub trait Device: Send + Sync {
    /// `cpu`, `candle`
    fn name(&self) -> &'static str;

    /// The number of threads that share the work of one program.
    fn threads(&self) -> usize {
        1
    }

    /// Bytes of memory that a program needs on this device in addition to its plan.
    fn working_bytes(&self, _program: &Program) -> usize {
        0
    }

    /// Counts of the driver calls so far, over all programs. `None` for a device without a driver, such as the CPU.
    fn activity(&self) -> Option<Activity> {
        None
    }

    /// Remarks for the user about the programs loaded so far: what runs slower than expected, and why.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes a program ready to run.
    ///
    /// # Errors
    /// The device cannot run the program; the error gives the reason.
    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError>;
}

/// Checks that a program multiplies numbers without rounding them first. Devices without tensor cores call this.
///
/// # Errors
/// The program's `precision` is `tf32` or `bf16`.
pub fn whole_numbers(program: &Program, device: &str) -> Result<(), DeviceError> {
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

/// A program on its device with its own buffers. [`Executable::run`] allocates nothing.
pub trait Executable: Send {
    /// The numbers of an input (index into `program.graph.inputs`), row-major. The caller fills them before `run`.
    fn input(&mut self, index: usize) -> SliceMut<'_>;

    /// A copy of an input, whether the host filled it or the device gathered it.
    ///
    /// # Errors
    /// The device failed.
    fn read_input(&mut self, index: usize) -> Result<Numbers, DeviceError> {
        Ok(self.input(index).to_numbers())
    }

    /// Lets the device gather an input from a table in its own memory, instead of [`Executable::input`]. `ask` fills the
    /// words that select the batch: a row of the table for each example (for images the index in the store), then seed
    /// low, seed high and epoch low. Returns false if this device cannot gather, or has no room for the table.
    ///
    /// # Errors
    /// The device failed.
    fn gather(
        &mut self,
        _index: usize,
        _table: &table::Table<'_>,
        _ask: &mut dyn FnMut(&mut [u32]),
    ) -> Result<bool, DeviceError> {
        Ok(false)
    }

    /// Runs the program once: reads inputs and states, writes states and outputs.
    ///
    /// # Errors
    /// The device failed. Some states may have been written.
    fn run(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError>;

    /// Starts a run and may return before its end. [`Executable::finish`] waits for the end. In between, only
    /// [`Executable::staging`] may be called.
    ///
    /// # Errors
    /// As `run`.
    fn start(&mut self, states: &mut States, random: Random) -> Result<(), DeviceError> {
        self.run(states, random)
    }

    /// Waits for the end of the run that was started.
    ///
    /// # Errors
    /// As `run`.
    fn finish(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// A second buffer for an input, which the host fills while the device runs. The caller must fill all of it.
    /// [`Executable::swap_buffers`] then makes it the input of the next run. `None` if the device gains nothing from it.
    fn staging(&mut self, _index: usize) -> Option<SliceMut<'_>> {
        None
    }

    /// Swaps the buffers of an input, so that the next run reads the staging buffer.
    fn swap_buffers(&mut self, _index: usize) {}

    /// The numbers of a named output after `run`. `index` counts the `Value` outputs of `program.graph`.
    fn output(&self, index: usize) -> Slice<'_>;
}
