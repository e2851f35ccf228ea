//! What a GPU can be told, and the one way to tell it: every call goes through a [`Queue`], which counts it.
//!
//! The trait has two implementations: NVIDIA's driver and libraries (`nvidia.rs`), and one for tests that computes nothing
//! and notes what it is told (`fake.rs`). Nothing else here knows which it talks to.

use super::super::{Activity, DeviceError};
use gmpc_compiler::backend::cuda::{Convolution, Product};
use gmpc_compiler::experiment::Precision;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A kernel that has been loaded; it lives as long as its [`Module`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Function(pub(super) usize);

/// Blocks, threads of a block, bytes of dynamic shared memory.
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

/// Launches that were recorded.
pub(super) trait Recording: Send {
    /// Starts all of them at once.
    fn launch(&self) -> Result<(), DeviceError>;
}

/// A product or convolution that a library is ready to compute.
pub(super) trait Call: Send {
    /// Bytes of working memory that it needs.
    fn workspace(&self) -> usize;

    /// Does the library add the bias and rectify, too?
    fn finishes(&self) -> bool;

    /// Puts it on the stream.
    ///
    /// # Safety
    /// The operands that it was prepared for, and the bias where it finishes with one, lie there; `workspace` has its bytes.
    unsafe fn run(&self, operands: [u64; 3], bias: Option<u64>, workspace: u64) -> Result<(), DeviceError>;
}

/// A GPU with one stream, on which everything happens in order.
pub(super) trait Driver: Send + Sync + std::fmt::Debug {
    /// Later calls of this thread are meant for this GPU.
    fn enter(&self) -> Result<(), DeviceError>;
    /// Unset memory on the GPU, aligned to 256 bytes.
    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError>;
    /// Memory on the GPU that nobody has.
    fn free_bytes(&self) -> Result<usize, DeviceError>;
    /// Gives memory back; nothing uses it any more.
    fn free(&self, start: u64);
    /// Unset memory of this machine that the GPU copies from and to by itself.
    fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError>;
    /// Gives it back; nothing uses it any more.
    fn free_here(&self, start: *mut u8);
    /// Puts a copy to the GPU on the stream.
    ///
    /// # Safety
    /// Both ends have the bytes, and stay until the stream has been waited for.
    unsafe fn send(&self, to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError>;
    /// Puts a copy from the GPU on the stream.
    ///
    /// # Safety
    /// As for [`Self::send`]; nobody reads `to` before.
    unsafe fn fetch(&self, to: *mut u8, from: u64, bytes: usize) -> Result<(), DeviceError>;
    /// Returns when everything on the stream is done.
    fn wait(&self) -> Result<(), DeviceError>;
    /// Compiles a source and loads it.
    fn module(&self, source: &str) -> Result<Box<dyn Module>, DeviceError>;
    /// Puts a kernel on the stream.
    ///
    /// # Safety
    /// `arguments` point to what the kernel takes, and the memory behind them is the kernel's until it is done.
    unsafe fn launch(&self, function: Function, grid: Grid, arguments: &mut [*mut c_void]) -> Result<(), DeviceError>;
    /// From now on launches and copies of this thread are recorded and not done.
    fn begin(&self) -> Result<(), DeviceError>;
    /// What was recorded; `None` where that was nothing.
    fn end(&self) -> Result<Option<Box<dyn Recording>>, DeviceError>;
    /// Makes a matrix product ready; `queue` is this driver's, for memory and trials. `None` where the library has no algorithm
    /// for it.
    fn product(
        &self,
        queue: &Arc<Queue>,
        product: &Product,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError>;
    /// Makes a convolution ready; `queue` and `None` as above.
    fn convolution(
        &self,
        queue: &Arc<Queue>,
        convolution: &Convolution,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError>;
}

/// A GPU's driver with a count of everything that it is told.
#[derive(Debug)]
pub(super) struct Queue {
    driver: Box<dyn Driver>,
    /// Held while something is recorded: a wait would spoil it.
    recording: Mutex<()>,
    /// What a person should know about how programs run here, once each.
    remarks: Mutex<Vec<String>>,
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
    /// Nothing counted yet.
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

    /// Everything so far.
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

    /// Keeps something that a person should know.
    pub(super) fn remark(&self, text: &str) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if remarks.iter().all(|known| known != text) {
            remarks.push(text.to_string());
        }
    }

    /// What there is to know.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts something that is put on the stream: as done, or as recorded.
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

    /// See [`Driver::free`]; waits for what may still use the memory.
    pub(super) fn free(&self, start: u64) {
        // An error here has been told by whatever caused it.
        if self.enter().and_then(|()| self.wait()).is_ok() {
            self.driver.free(start);
        }
    }

    /// See [`Driver::allocate_here`].
    pub(super) fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError> {
        add(&self.allocations, 1);
        self.driver.allocate_here(bytes)
    }

    /// See [`Driver::free_here`]; waits for copies that may be under way.
    pub(super) fn free_here(&self, start: *mut u8) {
        if self.enter().and_then(|()| self.wait()).is_ok() {
            self.driver.free_here(start);
        }
    }

    /// See [`Driver::send`].
    ///
    /// # Safety
    /// The same.
    pub(super) unsafe fn send(&self, to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError> {
        self.copy(bytes);
        // SAFETY: the caller's promise.
        unsafe { self.driver.send(to, from, bytes) }
    }

    /// See [`Driver::fetch`].
    ///
    /// # Safety
    /// The same.
    pub(super) unsafe fn fetch(&self, to: *mut u8, from: u64, bytes: usize) -> Result<(), DeviceError> {
        self.copy(bytes);
        // SAFETY: the caller's promise.
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
    /// The same.
    pub(super) unsafe fn launch(
        &self,
        function: Function,
        grid: Grid,
        arguments: &mut [*mut c_void],
    ) -> Result<(), DeviceError> {
        self.put(&self.launches);
        // SAFETY: the caller's promise.
        unsafe { self.driver.launch(function, grid, arguments) }
    }

    /// Puts a library's work on the stream.
    ///
    /// # Safety
    /// As for [`Call::run`].
    pub(super) unsafe fn call(
        &self,
        call: &dyn Call,
        operands: [u64; 3],
        bias: Option<u64>,
        workspace: u64,
    ) -> Result<(), DeviceError> {
        self.put(&self.to_libraries);
        // SAFETY: the caller's promise.
        unsafe { call.run(operands, bias, workspace) }
    }

    /// Records what `work` puts on the stream, which may not wait or free anything; the recording ends in any case, for a stream that goes on recording is of no
    /// use.
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

    /// Starts a recording.
    pub(super) fn replay(&self, recording: &dyn Recording) -> Result<(), DeviceError> {
        self.put(&self.replays);
        recording.launch()
    }

    /// See [`Driver::product`].
    pub(super) fn product(
        self: &Arc<Self>,
        product: &Product,
        precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        self.driver.product(self, product, precision)
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
