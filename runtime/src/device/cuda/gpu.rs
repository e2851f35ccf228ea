//! A GPU that has been opened: its context, its stream, the libraries' handles.

use super::super::{Device, DeviceError, Executable};
use super::convolution::Convolutions;
use super::memory::Memory;
use super::probe::{Needs, probe};
use super::product::Products;
use super::run::Loaded;
use cudarc::driver::{CudaContext, CudaStream};
use gmpc_compiler::program::Program;
use std::sync::{Arc, Mutex};

/// One GPU. Programs of several threads take turns on it.
#[derive(Debug, Clone)]
pub struct Gpu {
    shared: Arc<Shared>,
    /// Is a whole program one launch? Otherwise each kernel is launched by itself, to be compared with.
    pub graphs: bool,
}

/// What all programs of a GPU have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) stream: Arc<CudaStream>,
    /// Compute capability, `(9, 0)`.
    pub(super) capability: (i32, i32),
    /// `NVIDIA H100 80GB HBM3`
    pub(super) name: String,
    /// Held while a program runs or is loaded: stream and handles belong to it then.
    pub(super) libraries: Mutex<Libraries>,
}

/// Handles of NVIDIA's libraries; each works on the GPU's one stream.
#[derive(Debug)]
pub(super) struct Libraries {
    pub(super) products: Products,
    /// Opened by the first program that has a convolution.
    pub(super) convolutions: Option<Convolutions>,
}

impl Gpu {
    /// The GPU of this number, from 0.
    ///
    /// # Errors
    /// No driver, no such GPU, no library: which, and what to do.
    pub fn open(number: usize) -> Result<Self, DeviceError> {
        probe(Needs::Device)?;
        let context = CudaContext::new(number).map_err(|error| DeviceError {
            message: format!("there is no GPU that can be used ({error})"),
            help: Some("`nvidia-smi` shows what the driver sees; `--device cpu` needs no GPU".into()),
        })?;
        // SAFETY: everything here runs on one stream, so that no event has to say what waits for what; and nothing has been
        // allocated yet.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(|error| failed("no stream", &error))?;
        let capability = context.compute_capability().map_err(|error| failed("no compute capability", &error))?;
        let name = context.name().map_err(|error| failed("no name", &error))?;
        let products = Products::new(&stream)?;
        let libraries = Mutex::new(Libraries { products, convolutions: None });
        Ok(Gpu { shared: Arc::new(Shared { stream, capability, name, libraries }), graphs: true })
    }

    /// What the driver calls it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.shared.name
    }
}

impl Shared {
    /// Memory on this GPU.
    pub(super) fn memory(&self, bytes: usize) -> Result<Memory, DeviceError> {
        Memory::new(self.stream.context(), bytes)
    }
}

impl Device for Gpu {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(Loaded::new(&self.shared, program, self.graphs)?))
    }
}

/// What the driver said about something that did not work.
pub(super) fn failed(what: &str, error: &dyn std::fmt::Debug) -> DeviceError {
    DeviceError { message: format!("{what} ({error:?})"), help: None }
}
