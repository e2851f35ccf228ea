//! A GPU that has been opened, as a device.

use super::super::{Activity, Device, DeviceError, Executable};
use super::driver::Queue;
use super::nvidia::Nvidia;
use super::run::Loaded;
use super::shared::{How, Shared};
use gmpc_compiler::program::Program;
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
    /// The GPU of this number, from 0.
    ///
    /// # Errors
    /// No driver, no such GPU, no library: which, and what to do.
    pub fn open(number: usize) -> Result<Self, DeviceError> {
        let nvidia = Nvidia::open(number)?;
        let (model, driver) = (nvidia.name().to_string(), nvidia.driver());
        let shared = Shared { queue: Queue::new(Box::new(nvidia)), turn: Mutex::default() };
        Ok(Gpu { shared: Arc::new(shared), model, driver, how: How { graphs: true, libraries: true } })
    }

    /// The same GPU with a whole step as one launch, or each kernel launched by itself, to be compared with.
    #[must_use]
    pub fn with_graphs(&self, graphs: bool) -> Self {
        Gpu { how: How { graphs, ..self.how }, ..self.clone() }
    }

    /// The same GPU with products and convolutions by libraries, or by plain kernels, slowly, to be compared with.
    #[must_use]
    pub fn with_libraries(&self, libraries: bool) -> Self {
        Gpu { how: How { libraries, ..self.how }, ..self.clone() }
    }

    /// What the driver calls it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The newest CUDA that its driver knows: `13.0`.
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
