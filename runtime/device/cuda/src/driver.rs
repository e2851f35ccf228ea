//! The interface to a GPU's driver, and the [`Queue`] through which every call goes and is counted.
//!
//! The trait [`Driver`] has two implementations. `nvidia.rs` calls NVIDIA's driver and libraries. `fake.rs`, for tests,
//! computes nothing and records the calls. The rest of the crate does not know which one it uses.

use gmpc_compiler::ir::experiment::Precision;
use gmpc_cuda::{Convolution, MatMul};
use gmpc_device::{Activity, DeviceError};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A loaded kernel. It is valid as long as its [`Module`] lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Function(pub(super) usize);

/// The size of a launch: blocks, threads of a block, bytes of dynamic shared memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) blocks: [u32; 3],
    pub(super) threads: [u32; 3],
    pub(super) shared_bytes: u32,
}

/// Compiled and loaded kernels.
pub(super) trait Module: Send {
    /// The kernel of this name.
    fn function(&self, name: &str) -> Result<Function, DeviceError>;
}

/// A recorded graph of launches.
pub(super) trait Recording: Send {
    /// Starts all launches with one call.
    fn launch(&self) -> Result<(), DeviceError>;
}

/// A matmul or convolution that a library is ready to compute.
pub(super) trait Call: Send {
    /// Bytes of workspace that the call needs.
    fn workspace(&self) -> usize;

    /// Does the call include the epilogue: bias and ReLU?
    fn includes_epilogue(&self) -> bool;

    /// Puts the call on the stream.
    ///
    /// # Safety
    /// `operands`, and `bias` if the call adds one, point to memory of the sizes that the call was prepared for. `workspace` points
    /// to [`Self::workspace`] bytes. All of it stays allocated until the stream has been waited for.
    unsafe fn run(&self, operands: [u64; 3], bias: Option<u64>, workspace: u64) -> Result<(), DeviceError>;
}

/// A GPU with one stream, on which all work runs in order.
pub(super) trait Driver: Send + Sync + std::fmt::Debug {
    /// Makes this GPU the one to which later calls of this thread apply.
    fn enter(&self) -> Result<(), DeviceError>;
    /// Allocates unset memory on the GPU, aligned to 256 bytes.
    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError>;
    /// Free memory of the GPU in bytes.
    fn free_bytes(&self) -> Result<usize, DeviceError>;
    /// Frees memory of [`Self::allocate`] that nothing uses any more.
    fn free(&self, start: u64);
    /// Allocates unset page-locked memory on the host, which the GPU reads and writes without the CPU.
    fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError>;
    /// Frees memory of [`Self::allocate_here`] that nothing uses any more.
    fn free_here(&self, start: *mut u8);
    /// Puts a copy to the GPU on the stream.
    ///
    /// # Safety
    /// `from` and `to` point to `bytes` bytes. They stay allocated, and `from` unchanged, until the stream has been waited for.
    unsafe fn send(&self, to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError>;
    /// Puts a copy from the GPU on the stream.
    ///
    /// # Safety
    /// As for [`Self::send`]. Nobody reads or writes `to` before the stream has been waited for.
    unsafe fn fetch(&self, to: *mut u8, from: u64, bytes: usize) -> Result<(), DeviceError>;
    /// Waits until everything on the stream is done.
    fn wait(&self) -> Result<(), DeviceError>;
    /// Compiles a source and loads it.
    fn module(&self, source: &str) -> Result<Box<dyn Module>, DeviceError>;
    /// Puts a kernel on the stream.
    ///
    /// # Safety
    /// Each of `arguments` points to a value of the type of the kernel's parameter. GPU memory behind these values is as large as
    /// the kernel needs, and nothing else uses it until the kernel is done.
    unsafe fn launch(&self, function: Function, grid: Grid, arguments: &mut [*mut c_void]) -> Result<(), DeviceError>;
    /// Starts a recording: from now on launches and copies of this thread are recorded instead of done.
    fn begin(&self) -> Result<(), DeviceError>;
    /// Ends the recording and returns it. `None` if nothing was recorded.
    fn end(&self) -> Result<Option<Box<dyn Recording>>, DeviceError>;
    /// Prepares a matmul. `queue` is the queue of this driver, for memory and timed trials. `None` if the library has no
    /// algorithm for it.
    fn matmul(
        &self,
        queue: &Arc<Queue>,
        product: &MatMul,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError>;
    /// Prepares a convolution; `queue` and `None` as for [`Self::matmul`].
    fn convolution(
        &self,
        queue: &Arc<Queue>,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError>;
}

/// A driver, with a count of all calls.
#[derive(Debug)]
pub(super) struct Queue {
    driver: Box<dyn Driver>,
    /// Locked during a recording: a wait of another thread would invalidate it.
    recording: Mutex<()>,
    /// Remarks for the user about how programs run, each once.
    remarks: Mutex<Vec<String>>,
    /// Is a recording under way?
    records: AtomicBool,
    allocations: AtomicU64,
    synchronizations: AtomicU64,
    launches: AtomicU64,
    to_libraries: AtomicU64,
    replays: AtomicU64,
    recorded: AtomicU64,
    copies: AtomicU64,
    copied_bytes: AtomicU64,
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

impl Queue {
    /// A queue with all counts at 0.
    pub(super) fn new(driver: Box<dyn Driver>) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        Arc::new(Queue {
            driver,
            recording: Mutex::new(()),
            remarks: Mutex::default(),
            records: AtomicBool::new(false),
            allocations: zero(),
            synchronizations: zero(),
            launches: zero(),
            to_libraries: zero(),
            replays: zero(),
            recorded: zero(),
            copies: zero(),
            copied_bytes: zero(),
        })
    }

    /// The counts so far.
    pub(super) fn activity(&self) -> Activity {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Activity {
            allocations: of(&self.allocations),
            synchronizations: of(&self.synchronizations),
            launches: of(&self.launches),
            to_libraries: of(&self.to_libraries),
            graph_launches: of(&self.replays),
            recorded: of(&self.recorded),
            copies: of(&self.copies),
            copied_bytes: of(&self.copied_bytes),
        }
    }

    /// Adds a remark for the user, unless it is there already.
    pub(super) fn remark(&self, text: &str) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if remarks.iter().all(|known| known != text) {
            remarks.push(text.to_string());
        }
    }

    /// All remarks so far.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts one piece of work on the stream: with `counter`, or as recorded during a recording.
    fn put(&self, counter: &AtomicU64) {
        add(if self.records.load(Ordering::Relaxed) { &self.recorded } else { counter }, 1);
    }

    fn copy(&self, bytes: usize) {
        self.put(&self.copies);
        if !self.records.load(Ordering::Relaxed) {
            add(&self.copied_bytes, bytes);
        }
    }

    /// See [`Driver::enter`].
    pub(super) fn enter(&self) -> Result<(), DeviceError> {
        self.driver.enter()
    }

    /// See [`Driver::allocate`].
    pub(super) fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        add(&self.allocations, 1);
        self.driver.allocate(bytes)
    }

    /// See [`Driver::free_bytes`].
    pub(super) fn free_bytes(&self) -> Result<usize, DeviceError> {
        self.driver.free_bytes()
    }

    /// See [`Driver::free`]. Waits first, because work on the stream may still use the memory.
    pub(super) fn free(&self, start: u64) {
        // After an error the memory leaks: the GPU may still use it. The call that failed has reported the error.
        if self.enter().and_then(|()| self.wait()).is_ok() {
            self.driver.free(start);
        }
    }

    /// See [`Driver::allocate_here`].
    pub(super) fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError> {
        add(&self.allocations, 1);
        self.driver.allocate_here(bytes)
    }

    /// See [`Driver::free_here`]. Waits first, because a copy may be under way.
    pub(super) fn free_here(&self, start: *mut u8) {
        if self.enter().and_then(|()| self.wait()).is_ok() {
            self.driver.free_here(start);
        }
    }

    /// See [`Driver::send`].
    ///
    /// # Safety
    /// The contract of [`Driver::send`].
    pub(super) unsafe fn send(&self, to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError> {
        self.copy(bytes);
        // SAFETY: this function has the contract of `Driver::send`.
        unsafe { self.driver.send(to, from, bytes) }
    }

    /// See [`Driver::fetch`].
    ///
    /// # Safety
    /// The contract of [`Driver::fetch`].
    pub(super) unsafe fn fetch(&self, to: *mut u8, from: u64, bytes: usize) -> Result<(), DeviceError> {
        self.copy(bytes);
        // SAFETY: this function has the contract of `Driver::fetch`.
        unsafe { self.driver.fetch(to, from, bytes) }
    }

    /// See [`Driver::wait`].
    pub(super) fn wait(&self) -> Result<(), DeviceError> {
        let _others = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        add(&self.synchronizations, 1);
        self.driver.wait()
    }

    /// See [`Driver::module`].
    pub(super) fn module(&self, source: &str) -> Result<Box<dyn Module>, DeviceError> {
        self.driver.module(source)
    }

    /// See [`Driver::launch`].
    ///
    /// # Safety
    /// The contract of [`Driver::launch`].
    pub(super) unsafe fn launch(
        &self,
        function: Function,
        grid: Grid,
        arguments: &mut [*mut c_void],
    ) -> Result<(), DeviceError> {
        self.put(&self.launches);
        // SAFETY: this function has the contract of `Driver::launch`.
        unsafe { self.driver.launch(function, grid, arguments) }
    }

    /// Puts a library call on the stream.
    ///
    /// # Safety
    /// The contract of [`Call::run`].
    pub(super) unsafe fn call(
        &self,
        call: &dyn Call,
        operands: [u64; 3],
        bias: Option<u64>,
        workspace: u64,
    ) -> Result<(), DeviceError> {
        self.put(&self.to_libraries);
        // SAFETY: this function has the contract of `Call::run`.
        unsafe { call.run(operands, bias, workspace) }
    }

    /// Records what `work` puts on the stream. `work` may not wait or free memory. The recording ends even if `work`
    /// fails: a stream that keeps recording could do nothing else.
    pub(super) fn record(
        &self,
        work: impl FnOnce() -> Result<(), DeviceError>,
    ) -> Result<Option<Box<dyn Recording>>, DeviceError> {
        let _mine = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        self.driver.begin()?;
        self.records.store(true, Ordering::Relaxed);
        let worked = work();
        self.records.store(false, Ordering::Relaxed);
        let recorded = self.driver.end();
        worked?;
        recorded
    }

    /// Launches a recorded graph.
    pub(super) fn replay(&self, recording: &dyn Recording) -> Result<(), DeviceError> {
        self.put(&self.replays);
        recording.launch()
    }

    /// See [`Driver::matmul`].
    pub(super) fn matmul(
        self: &Arc<Self>,
        product: &MatMul,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        self.driver.matmul(self, product, precision)
    }

    /// See [`Driver::convolution`].
    pub(super) fn convolution(
        self: &Arc<Self>,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        self.driver.convolution(self, convolution, precision)
    }
}
