//! A GPU for tests of the calls that a program makes: it computes nothing and records every call in order.

use super::driver::{Call, Driver, Function, Grid, Module, Queue, Recording};
use gmpc_compiler::ir::experiment::Precision;
use gmpc_cuda::{Convolution, MatMul};
use gmpc_device::DeviceError;
use std::alloc::Layout;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// The names of calls in order: `allocate`, `send`, `launch`, `matmul`, `replay`, `wait`, …
pub(super) type Notes = Arc<Mutex<Vec<&'static str>>>;

/// A GPU without hardware. Its flags choose how it behaves.
#[derive(Debug, Default)]
pub(super) struct Fake {
    pub(super) notes: Notes,
    /// The first word of every copy to the GPU.
    pub(super) sent: Arc<Mutex<Vec<u32>>>,
    /// Has it no memory left for data?
    is_full: bool,
    /// Do library calls include bias and ReLU?
    includes_epilogue: bool,
    /// Do libraries have no algorithm for anything?
    refuses: bool,
    /// Do library calls fail although they were prepared?
    breaks: bool,
    /// Do recordings fail?
    cannot_record: bool,
    /// Allocated host memory: bytes by address.
    here: Mutex<HashMap<usize, usize>>,
}

struct Kernels(String);

struct Done(&'static str, Notes);

/// A library call, by name.
struct Called {
    what: &'static str,
    includes_epilogue: bool,
    breaks: bool,
    notes: Notes,
}

fn note(notes: &Notes, what: &'static str) {
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}

impl Fake {
    /// A GPU without memory for data.
    pub(super) fn full() -> Self {
        Fake { is_full: true, ..Fake::default() }
    }

    /// A GPU whose library calls include bias and ReLU.
    pub(super) fn with_epilogues() -> Self {
        Fake { includes_epilogue: true, ..Fake::default() }
    }

    /// A GPU whose libraries have no algorithm for anything.
    pub(super) fn without_algorithms() -> Self {
        Fake { refuses: true, ..Fake::default() }
    }

    /// A GPU that cannot record.
    pub(super) fn without_recording() -> Self {
        Fake { cannot_record: true, ..Fake::default() }
    }

    /// A GPU whose library calls fail.
    pub(super) fn breaking() -> Self {
        Fake { breaks: true, ..Fake::default() }
    }

    fn called(&self, what: [&'static str; 3], bias: bool, relu: bool) -> Option<Box<dyn Call>> {
        if self.refuses {
            return None;
        }
        let includes_epilogue = self.includes_epilogue && bias;
        let what = what[if includes_epilogue { 1 + usize::from(relu) } else { 0 }];
        Some(Box::new(Called { what, includes_epilogue, breaks: self.breaks, notes: Arc::clone(&self.notes) }))
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 64).expect("tests ask for little")
}

impl Driver for Fake {
    fn enter(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn allocate(&self, _bytes: usize) -> Result<u64, DeviceError> {
        note(&self.notes, "allocate");
        Ok(256 * self.notes.lock().unwrap_or_else(PoisonError::into_inner).len() as u64) // a new address each time
    }

    fn free_bytes(&self) -> Result<usize, DeviceError> {
        Ok(if self.is_full { 0 } else { 1 << 40 })
    }

    fn free(&self, _start: u64) {
        note(&self.notes, "free");
    }

    fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError> {
        note(&self.notes, "allocate");
        // SAFETY: the layout has at least one byte.
        let start = unsafe { std::alloc::alloc(layout(bytes.max(1))) };
        self.here.lock().unwrap_or_else(PoisonError::into_inner).insert(start as usize, bytes.max(1));
        Ok(start)
    }

    fn free_here(&self, start: *mut u8) {
        note(&self.notes, "free");
        if let Some(bytes) = self.here.lock().unwrap_or_else(PoisonError::into_inner).remove(&(start as usize)) {
            // SAFETY: `here` holds only addresses of `allocate_here` with their sizes, and `remove` returns each once.
            unsafe { std::alloc::dealloc(start, layout(bytes)) };
        }
    }

    unsafe fn send(&self, _to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError> {
        note(&self.notes, "send");
        if bytes >= 4 {
            // SAFETY: the contract of `Driver::send`: `from` points to `bytes` bytes, at least 4 here.
            let word = unsafe { from.cast::<u32>().read_unaligned() };
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(word);
        }
        Ok(())
    }

    unsafe fn fetch(&self, _to: *mut u8, _from: u64, _bytes: usize) -> Result<(), DeviceError> {
        note(&self.notes, "fetch");
        Ok(())
    }

    fn wait(&self) -> Result<(), DeviceError> {
        note(&self.notes, "wait");
        Ok(())
    }

    fn module(&self, source: &str) -> Result<Box<dyn Module>, DeviceError> {
        Ok(Box::new(Kernels(source.to_string())))
    }

    unsafe fn launch(&self, _function: Function, grid: Grid, arguments: &mut [*mut c_void]) -> Result<(), DeviceError> {
        assert!(!arguments.is_empty() && grid.blocks.iter().chain(&grid.threads).all(|&size| size > 0));
        note(&self.notes, "launch");
        Ok(())
    }

    fn begin(&self) -> Result<(), DeviceError> {
        note(&self.notes, "begin");
        Ok(())
    }

    fn end(&self) -> Result<Option<Box<dyn Recording>>, DeviceError> {
        note(&self.notes, "end");
        if self.cannot_record {
            return Err(DeviceError { message: "cannot record the step (INVALIDATED)".into(), help: None });
        }
        Ok(Some(Box::new(Done("replay", Arc::clone(&self.notes)))))
    }

    fn matmul(
        &self,
        _queue: &Arc<Queue>,
        product: &MatMul,
        _precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let what = ["matmul", "matmul, bias", "matmul, bias, ReLU"];
        Ok(self.called(what, product.bias.is_some(), product.relu))
    }

    fn convolution(
        &self,
        _queue: &Arc<Queue>,
        convolution: &Convolution,
        _precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let what = ["convolution", "convolution, bias", "convolution, bias, ReLU"];
        Ok(self.called(what, convolution.bias.is_some(), convolution.relu))
    }
}

impl Module for Kernels {
    fn function(&self, name: &str) -> Result<Function, DeviceError> {
        let place = self.0.find(&format!("\n{name}("));
        place.map(Function).ok_or_else(|| DeviceError { message: format!("no kernel `{name}`"), help: None })
    }
}

impl Recording for Done {
    fn launch(&self) -> Result<(), DeviceError> {
        note(&self.1, self.0);
        Ok(())
    }
}

impl Call for Called {
    fn workspace(&self) -> usize {
        64
    }

    fn includes_epilogue(&self) -> bool {
        self.includes_epilogue
    }

    unsafe fn run(&self, _operands: [u64; 3], bias: Option<u64>, _workspace: u64) -> Result<(), DeviceError> {
        assert!(!self.includes_epilogue || bias.is_some(), "a call that adds a bias gets one");
        if self.breaks {
            return Err(DeviceError { message: "the library refuses (NOT_SUPPORTED)".into(), help: None });
        }
        note(&self.notes, self.what);
        Ok(())
    }
}
