//! A GPU for tests of what programs tell theirs: it computes nothing, and notes every call in order.

use super::super::DeviceError;
use super::driver::{Call, Driver, Function, Grid, Module, Queue, Recording};
use gmpc_compiler::backend::cuda::{Convolution, Product};
use gmpc_compiler::experiment::Precision;
use std::alloc::Layout;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// Calls by name, in order: `allocate`, `send`, `launch`, `product`, `replay`, `wait`, …
pub(super) type Notes = Arc<Mutex<Vec<&'static str>>>;

/// Nothing behind it.
#[derive(Debug, Default)]
pub(super) struct Fake {
    pub(super) notes: Notes,
    /// The first word of everything that was sent.
    pub(super) sent: Arc<Mutex<Vec<u32>>>,
    /// Has it no room for data?
    is_full: bool,
    /// Do its libraries add biases and rectify in their calls?
    finishes: bool,
    /// Have they no algorithm for anything?
    refuses: bool,
    /// Do their calls fail although they were prepared?
    breaks: bool,
    /// Can nothing be recorded?
    forgets: bool,
    /// Memory of this machine: bytes by address.
    here: Mutex<HashMap<usize, usize>>,
}

struct Kernels(String);

struct Done(&'static str, Notes);

/// A library's call, by what it does.
struct Called {
    what: &'static str,
    finishes: bool,
    breaks: bool,
    notes: Notes,
}

fn note(notes: &Notes, what: &'static str) {
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}

impl Fake {
    /// Without room for data.
    pub(super) fn full() -> Self {
        Fake { is_full: true, ..Fake::default() }
    }

    /// With libraries that add biases and rectify in their calls.
    pub(super) fn finishing() -> Self {
        Fake { finishes: true, ..Fake::default() }
    }

    /// With libraries that have no algorithm for anything.
    pub(super) fn refusing() -> Self {
        Fake { refuses: true, ..Fake::default() }
    }

    /// That cannot record what it is told.
    pub(super) fn forgetting() -> Self {
        Fake { forgets: true, ..Fake::default() }
    }

    /// With libraries whose calls fail.
    pub(super) fn breaking() -> Self {
        Fake { breaks: true, ..Fake::default() }
    }

    fn called(&self, what: [&'static str; 3], bias: bool, relu: bool) -> Option<Box<dyn Call>> {
        if self.refuses {
            return None;
        }
        let finishes = self.finishes && bias;
        let what = what[if finishes { 1 + usize::from(relu) } else { 0 }];
        Some(Box::new(Called { what, finishes, breaks: self.breaks, notes: Arc::clone(&self.notes) }))
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
        Ok(256 * self.notes.lock().unwrap_or_else(PoisonError::into_inner).len() as u64) // never the same twice
    }

    fn free_bytes(&self) -> Result<usize, DeviceError> {
        Ok(if self.is_full { 0 } else { 1 << 40 })
    }

    fn free(&self, _start: u64) {
        note(&self.notes, "free");
    }

    fn allocate_here(&self, bytes: usize) -> Result<*mut u8, DeviceError> {
        note(&self.notes, "allocate");
        // SAFETY: a layout of more than no bytes.
        let start = unsafe { std::alloc::alloc(layout(bytes.max(1))) };
        self.here.lock().unwrap_or_else(PoisonError::into_inner).insert(start as usize, bytes.max(1));
        Ok(start)
    }

    fn free_here(&self, start: *mut u8) {
        note(&self.notes, "free");
        if let Some(bytes) = self.here.lock().unwrap_or_else(PoisonError::into_inner).remove(&(start as usize)) {
            // SAFETY: from `allocate_here` with this layout, and only once: it is not in the list any more.
            unsafe { std::alloc::dealloc(start, layout(bytes)) };
        }
    }

    unsafe fn send(&self, _to: u64, from: *const u8, bytes: usize) -> Result<(), DeviceError> {
        note(&self.notes, "send");
        if bytes >= 4 {
            // SAFETY: the caller's promise: `bytes` bytes lie there.
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
        if self.forgets {
            return Err(DeviceError { message: "cannot record the step (INVALIDATED)".into(), help: None });
        }
        Ok(Some(Box::new(Done("replay", Arc::clone(&self.notes)))))
    }

    fn product(
        &self,
        _queue: &Arc<Queue>,
        product: &Product,
        _precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let what = ["product", "product, bias", "product, bias, rectifier"];
        Ok(self.called(what, product.bias.is_some(), product.relu))
    }

    fn convolution(
        &self,
        _queue: &Arc<Queue>,
        convolution: &Convolution,
        _precision: Precision,
    ) -> Result<Option<Box<dyn Call>>, DeviceError> {
        let what = ["convolution", "convolution, bias", "convolution, bias, rectifier"];
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

    fn finishes(&self) -> bool {
        self.finishes
    }

    unsafe fn run(&self, _operands: [u64; 3], bias: Option<u64>, _workspace: u64) -> Result<(), DeviceError> {
        assert!(!self.finishes || bias.is_some(), "a call that adds a bias gets one");
        if self.breaks {
            return Err(DeviceError { message: "the library refuses (NOT_SUPPORTED)".into(), help: None });
        }
        note(&self.notes, self.what);
        Ok(())
    }
}
