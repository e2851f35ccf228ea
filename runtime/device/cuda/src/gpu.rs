//! An open GPU as a device.

use super::driver::Queue;
use super::nvidia::Nvidia;
use super::run::Loaded;
use super::shared::{How, Shared};
use gmpc_compiler::ir::program::Program;
use gmpc_device::{Activity, Device, DeviceError, Executable};
use std::sync::{Arc, Mutex};

/// One GPU. Programs of several threads take turns on it.
#[derive(Debug, Clone)]
pub struct Gpu {
    shared: Arc<Shared>,
    model: String,
    driver: String,
    how: How,
}

impl Gpu {
    /// Opens the GPU with this number, counted from 0.
    ///
    /// # Errors
    /// The driver, the GPU or a library is missing. The error names it and a next step.
    pub fn open(number: usize) -> Result<Self, DeviceError> {
        let nvidia = Nvidia::open(number)?;
        let (model, driver) = (nvidia.name().to_string(), nvidia.driver());
        let shared = Shared { queue: Queue::new(Box::new(nvidia)), turn: Mutex::default() };
        Ok(Gpu { shared: Arc::new(shared), model, driver, how: How { graphs: true, libraries: true } })
    }

    /// The same GPU, which launches a whole step as one recorded graph or each kernel alone; for comparisons.
    #[must_use]
    pub fn with_graphs(&self, graphs: bool) -> Self {
        Gpu { how: How { graphs, ..self.how }, ..self.clone() }
    }

    /// The same GPU, which computes matmuls and convolutions with libraries or with slow plain kernels; for comparisons.
    #[must_use]
    pub fn with_libraries(&self, libraries: bool) -> Self {
        Gpu { how: How { libraries, ..self.how }, ..self.clone() }
    }

    /// The name that the driver gives the GPU.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The newest CUDA version that its driver supports: `13.0`.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }
}

impl Device for Gpu {
    fn name(&self) -> &'static str {
        "cuda"
    }

    fn load(&self, program: &Arc<Program>) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(Loaded::new(&self.shared, program, self.how)?))
    }

    fn activity(&self) -> Option<Activity> {
        Some(self.shared.queue.activity())
    }

    fn remarks(&self) -> Vec<String> {
        self.shared.queue.remarks()
    }
}
