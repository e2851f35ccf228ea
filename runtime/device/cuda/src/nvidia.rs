//! NVIDIA's driver as a [`Driver`]. Only this file, `compile`, `matmul`, `convolution` and `probe` call NVIDIA's code.

use super::compile::compile;
use super::convolution::Convolutions;
use super::driver::{Call, Driver, Function, Grid, Module, Queue, Recording};
use super::failed::failed;
use super::matmul::MatMuls;
use super::probe::{Needs, probe};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUmodule, CUstreamCaptureMode};
use cudarc::driver::{CudaContext, CudaGraph, CudaStream, DriverError, result};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_cuda::{Convolution, MatMul};
use gmpc_device::DeviceError;
use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, PoisonError};

/// One GPU.
#[derive(Debug)]
pub(super) struct Nvidia {
    stream: Arc<CudaStream>,
    /// Compute capability, `(9, 0)`.
    capability: (i32, i32),
    name: String,
    /// The newest CUDA version that the driver supports, `13000`.
    version: i32,
    matmuls: MatMuls,
    /// cuDNN, opened by the first program that has a convolution.
    convolutions: Mutex<Option<Convolutions>>,
}

impl Nvidia {
    /// Opens the GPU with this number, counted from 0.
    ///
    /// # Errors
    /// The driver, the GPU or a library is missing. The error names it and a next step.
    pub(super) fn open(number: usize) -> Result<Self, DeviceError> {
        probe(Needs::Device)?;
        let context = CudaContext::new(number).map_err(|error| DeviceError {
            message: format!("there is no GPU that can be used ({error})"),
            help: Some("`nvidia-smi` shows what the driver sees; `--device cpu` needs no GPU".into()),
        })?;
        // SAFETY: events order work on different streams. All work of this context runs on the one stream created below, and
        // nothing has been allocated yet.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(|error| failed("no stream", &error))?;
        let capability = context.compute_capability().map_err(|error| failed("no compute capability", &error))?;
        let name = context.name().map_err(|error| failed("no name", &error))?;
        let mut version = 0;
        // SAFETY: the pointer is to a live local variable, which the call writes.
        let status = unsafe { cudarc::driver::sys::cuDriverGetVersion(&raw mut version) };
        status.result().map_err(|error| failed("no version", &error))?;
        let matmuls = MatMuls::new(&stream, &name)?;
        Ok(Nvidia { stream, capability, name, version, matmuls, convolutions: Mutex::new(None) })
    }

    /// The name that the driver gives the GPU: `NVIDIA H100 80GB HBM3`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The newest CUDA version that the driver supports: `13.0`.
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
        // SAFETY: the call only allocates. Its result is an address on the GPU, which the host never dereferences.
        unsafe { result::malloc_sync(bytes) }.map_err(|error| DeviceError {
            message: format!("the GPU has no room for another {:.1} MiB ({error})", mebibytes(bytes)),
            help: Some("take a smaller batch, or stop what else runs there".into()),
        })
    }

    fn free_bytes(&self) -> Result<usize, DeviceError> {
        result::mem_get_info().map(|(free, _)| free).map_err(|error| failed("the GPU does not tell its memory", &error))
    }

    fn free(&self, start: u64) {
        // SAFETY: `Memory::drop` passes the address of `allocate` once, and `Queue::free` has waited for the stream.
        let _ = unsafe { result::free_sync(start) };
    }

    fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError> {
        // SAFETY: the call only allocates. `Pinned::zeros`, the only caller, asks for at least one byte and sets them all.
        unsafe { result::malloc_host(bytes, 0) }
            .map(<*mut c_void>::cast)
            .map_err(|error| failed(&format!("no room for {bytes} bytes of page-locked memory"), &error))
    }

    fn free_here(&self, start: *mut u8) {
        // SAFETY: `Pinned::drop` passes the address of `allocate_here` once, and `Queue::free_here` has waited for the
        // stream.
        let _ = unsafe { result::free_host(start.cast()) };
    }

    unsafe fn send(&self, to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: the contract of `Driver::send`: both ends have `bytes` bytes and stay until the stream has been waited
        // for.
        let status = unsafe {
            let from = std::slice::from_raw_parts(from, bytes);
            result::memcpy_htod_async(to, from, self.stream.cu_stream())
        };
        status.map_err(|error| failed("cannot copy to the GPU", &error))
    }

    unsafe fn fetch(&self, to: *mut u8, from: u64, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: the contract of `Driver::fetch`: both ends have `bytes` bytes and stay, and nobody uses `to` until the
        // stream has been waited for.
        let status = unsafe {
            let to = std::slice::from_raw_parts_mut(to, bytes);
            result::memcpy_dtoh_async(to, from, self.stream.cu_stream())
        };
        status.map_err(|error| failed("cannot copy from the GPU", &error))
    }

    fn wait(&self) -> Result<(), DeviceError> {
        self.stream.synchronize().map_err(|error| failed("the GPU failed", &error))
    }

    fn module(&self, source: &str) -> Result<Box<dyn Module>, DeviceError> {
        let code = compile(source, self.capability)?.code;
        self.enter()?;
        // SAFETY: `code` is the complete output of NVIDIA's compiler: `compile` returns it directly, or from the cache,
        // which checks its checksum.
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
        // SAFETY: the contract of `Driver::launch`. A `Function` comes from `Loaded::function`, and the owner of a
        // function keeps its module.
        let status = unsafe {
            let stream = self.stream.cu_stream();
            result::launch_kernel(function, (x, y, z), (a, b, c), grid.shared_bytes, stream, arguments)
        };
        status.map_err(|error| failed("a kernel does not start", &error))
    }

    fn begin(&self) -> Result<(), DeviceError> {
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(unrecorded)
    }

    fn end(&self) -> Result<Option<Box<dyn Recording>>, DeviceError> {
        let graph = self.stream.end_capture(CUgraphInstantiate_flags(0)).map_err(unrecorded)?;
        Ok(graph.map(|graph| Box::new(Recorded(graph)) as Box<dyn Recording>))
    }

    fn matmul(
        &self,
        queue: &Arc<Queue>,
        matmul: &MatMul,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        self.enter()?;
        self.matmuls.prepare(queue, matmul, precision)
    }

    fn convolution(
        &self,
        queue: &Arc<Queue>,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        self.enter()?;
        // A thread that panicked has left no handle half made, so a poisoned lock is safe to use.
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

/// A loaded module, unloaded when this is dropped.
struct Loaded {
    module: CUmodule,
    context: Arc<CudaContext>,
}

// SAFETY: the driver allows calls on a module from any thread.
unsafe impl Send for Loaded {}

impl Module for Loaded {
    fn function(&self, name: &str) -> Result<Function, DeviceError> {
        let text = CString::new(name).map_err(|error| failed("a name with a zero in it", &error))?;
        // SAFETY: only `drop` unloads the module.
        let function = unsafe { result::module::get_function(self.module, text) };
        function
            .map(|function| Function(function as usize))
            .map_err(|error| failed(&format!("no kernel `{name}`"), &error))
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // Work on the stream may still use the code. After an error the module stays loaded; the call that failed has
        // reported it.
        if self.context.synchronize().is_ok() {
            // SAFETY: `Nvidia::module` loaded the module, and `drop` runs once. The owner of its functions keeps `self`,
            // so nobody launches them any more.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}

/// A graph recorded by the driver.
struct Recorded(CudaGraph);

// SAFETY: the driver allows a graph to move between threads if one thread at a time uses it. `Recorded` is not `Sync`, so
// only its owner can.
unsafe impl Send for Recorded {}

impl Recording for Recorded {
    fn launch(&self) -> Result<(), DeviceError> {
        self.0.launch().map_err(|error| failed("the step does not start", &error))
    }
}

fn unrecorded(error: DriverError) -> DeviceError {
    failed("cannot record the step", &error)
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
