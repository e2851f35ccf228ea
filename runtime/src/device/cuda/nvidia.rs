//! NVIDIA's driver and libraries behind [`Driver`]: the only place that calls them, with the two files below it.

use super::super::DeviceError;
use super::compile::compile;
use super::convolution::Convolutions;
use super::driver::{Call, Driver, Function, Grid, Module, Queue, Recording};
use super::failed::failed;
use super::probe::{Needs, probe};
use super::product::Products;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUmodule, CUstreamCaptureMode};
use cudarc::driver::{CudaContext, CudaGraph, CudaStream, DriverError, result};
use gmpc_compiler::backend::cuda::{Convolution, Product};
use gmpc_compiler::experiment::Precision;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

/// One GPU.
#[derive(Debug)]
pub(super) struct Nvidia {
    stream: Arc<CudaStream>,
    /// Compute capability, `(9, 0)`.
    capability: (i32, i32),
    name: String,
    /// The newest CUDA that the driver knows, `13000`.
    version: i32,
    products: Products,
    /// Opened by the first program that has a convolution.
    convolutions: Mutex<Option<Convolutions>>,
}

impl Nvidia {
    /// The GPU of this number, from 0.
    ///
    /// # Errors
    /// No driver, no such GPU, no library: which, and what to do.
    pub(super) fn open(number: usize) -> Result<Self, DeviceError> {
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
        let mut version = 0;
        // SAFETY: writes one number.
        let told = unsafe { cudarc::driver::sys::cuDriverGetVersion(&raw mut version) };
        told.result().map_err(|error| failed("no version", &error))?;
        let products = Products::new(&stream, &name)?;
        Ok(Nvidia { stream, capability, name, version, products, convolutions: Mutex::new(None) })
    }

    /// What the driver calls the GPU: `NVIDIA H100 80GB HBM3`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The newest CUDA that the driver knows: `13.0`.
    pub(super) fn driver(&self) -> String {
        format!("{}.{}", self.version / 1000, self.version % 1000 / 10)
    }

    fn context(&self) -> &Arc<CudaContext> {
        self.stream.context()
    }
}

impl Driver for Nvidia {
    fn enter(&self) -> Result<(), DeviceError> {
        self.context().bind_to_thread().map_err(|error| failed("the GPU is not there", &error))
    }

    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        // SAFETY: the memory is unset; nothing reads it before something was written there.
        unsafe { result::malloc_sync(bytes) }.map_err(|error| DeviceError {
            message: format!("the GPU has no room for another {:.1} MiB ({error})", mebibytes(bytes)),
            help: Some("take a smaller batch, or stop what else runs there".into()),
        })
    }

    fn free_bytes(&self) -> Result<usize, DeviceError> {
        result::mem_get_info().map(|(free, _)| free).map_err(|error| failed("the GPU does not tell its memory", &error))
    }

    fn free(&self, start: u64) {
        // SAFETY: from `allocate`, freed once by its owner, and nothing runs any more.
        let _ = unsafe { result::free_sync(start) };
    }

    fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError> {
        // SAFETY: page-locked memory, at least one byte; its owner sets it before anybody reads it.
        unsafe { result::malloc_host(bytes, 0) }
            .map(<*mut c_void>::cast)
            .map_err(|error| failed(&format!("no room for {bytes} bytes of page-locked memory"), &error))
    }

    fn free_here(&self, start: *mut u8) {
        // SAFETY: from `allocate_here`, freed once by its owner, and nothing copies any more.
        let _ = unsafe { result::free_host(start.cast()) };
    }

    unsafe fn send(&self, to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        let told = unsafe {
            let from = std::slice::from_raw_parts(from, bytes);
            result::memcpy_htod_async(to, from, self.stream.cu_stream())
        };
        told.map_err(|error| failed("cannot copy to the GPU", &error))
    }

    unsafe fn fetch(&self, to: *mut u8, from: u64, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise.
        let told = unsafe {
            let to = std::slice::from_raw_parts_mut(to, bytes);
            result::memcpy_dtoh_async(to, from, self.stream.cu_stream())
        };
        told.map_err(|error| failed("cannot copy from the GPU", &error))
    }

    fn wait(&self) -> Result<(), DeviceError> {
        self.stream.synchronize().map_err(|error| failed("the GPU failed", &error))
    }

    fn module(&self, source: &str) -> Result<Box<dyn Module>, DeviceError> {
        let code = compile(source, self.capability)?.code;
        self.enter()?;
        // SAFETY: machine code from NVIDIA's compiler, whole: the cache checks that.
        let module = unsafe { result::module::load_data(code.as_ptr().cast()) };
        let module = module.map_err(|error| DeviceError {
            message: format!("the GPU refuses the code ({error})"),
            help: Some(format!("its driver knows CUDA {}; the code is of CUDA 13.0", self.driver())),
        })?;
        Ok(Box::new(Loaded { module, context: Arc::clone(self.context()) }))
    }

    unsafe fn launch(&self, function: Function, grid: Grid, arguments: &mut [*mut c_void]) -> Result<(), DeviceError> {
        let ([x, y, z], [a, b, c]) = (grid.blocks, grid.threads);
        let function = function.0 as cudarc::driver::sys::CUfunction;
        // SAFETY: the caller's promise; the function is one of a module that is still loaded.
        let told = unsafe {
            let stream = self.stream.cu_stream();
            result::launch_kernel(function, (x, y, z), (a, b, c), grid.shared_bytes, stream, arguments)
        };
        told.map_err(|error| failed("a kernel does not start", &error))
    }

    fn begin(&self) -> Result<(), DeviceError> {
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(unrecorded)
    }

    fn end(&self) -> Result<Option<Box<dyn Recording>>, DeviceError> {
        let graph = self.stream.end_capture(CUgraphInstantiate_flags(0)).map_err(unrecorded)?;
        Ok(graph.map(|graph| Box::new(Recorded(graph)) as Box<dyn Recording>))
    }

    fn product(
        &self,
        queue: &Arc<Queue>,
        product: &Product,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        self.enter()?;
        self.products.prepare(queue, product, precision)
    }

    fn convolution(
        &self,
        queue: &Arc<Queue>,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        self.enter()?;
        // A thread that panicked left handles behind that are as good as before.
        let mut opened = self.convolutions.lock().unwrap_or_else(PoisonError::into_inner);
        let library = match opened.take() {
            Some(library) => library,
            None => {
                probe(Needs::Convolutions)?;
                Convolutions::new(&self.stream, &self.name)?
            }
        };
        opened.insert(library).prepare(queue, convolution, precision)
    }
}

/// A module of the driver's, unloaded with this.
struct Loaded {
    module: CUmodule,
    context: Arc<CudaContext>,
}

// SAFETY: the driver's functions on modules may be called from any thread.
unsafe impl Send for Loaded {}

impl Module for Loaded {
    fn function(&self, name: &str) -> Result<Function, DeviceError> {
        let text = CString::new(name).map_err(|error| failed("a name with a zero in it", &error))?;
        // SAFETY: the module is loaded as long as `self` lives.
        let function = unsafe { result::module::get_function(self.module, text) };
        function
            .map(|function| Function(function as usize))
            .map_err(|error| failed(&format!("no kernel `{name}`"), &error))
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // What still runs uses the code. An error has been told by whatever caused it.
        if self.context.synchronize().is_ok() {
            // SAFETY: loaded by `module`, and nobody launches its functions any more: they live no longer than this.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}

/// A recording of the driver's.
struct Recorded(CudaGraph);

// SAFETY: the driver lets a graph go from thread to thread as long as one at a time uses it: `Recording`s are not `Sync`.
unsafe impl Send for Recorded {}

impl Recording for Recorded {
    fn launch(&self) -> Result<(), DeviceError> {
        self.0.launch().map_err(|error| failed("the step does not start", &error))
    }
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn unrecorded(error: DriverError) -> DeviceError {
    failed("cannot record the step", &error)
}

#[allow(clippy::cast_precision_loss)] // for people
fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
