//! Memory of a GPU, memory of this machine that a GPU reaches directly, and the states that a GPU keeps.

use super::super::{Away, DeviceError, Numbers, Slice, SliceMut};
use super::gpu::failed;
use cudarc::driver::sys::CUdeviceptr;
use cudarc::driver::{CudaContext, CudaStream, result};
use gmpc_compiler::experiment::Precision;
use std::any::Any;
use std::sync::Arc;

/// Bytes on the GPU, freed with this.
#[derive(Debug)]
pub(super) struct Memory {
    context: Arc<CudaContext>,
    /// The first byte; 256-byte aligned.
    pub(super) start: CUdeviceptr,
    bytes: usize,
}

impl Memory {
    /// Unset bytes, at least one.
    pub(super) fn new(context: &Arc<CudaContext>, bytes: usize) -> Result<Self, DeviceError> {
        context.bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let bytes = bytes.max(1);
        // SAFETY: the memory is unset; nothing reads it before something was written there.
        let start = unsafe { result::malloc_sync(bytes) }.map_err(|error| DeviceError {
            message: format!("the GPU has no room for another {:.1} MiB ({error})", mebibytes(bytes)),
            help: Some("take a smaller batch, or stop what else runs there".into()),
        })?;
        Ok(Memory { context: Arc::clone(context), start, bytes })
    }

    /// How much there is.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Nothing may be left that still uses the memory; an error here has been told by whatever caused it.
        let _ = self.context.bind_to_thread().and_then(|()| self.context.synchronize());
        // SAFETY: from `malloc_sync`, freed once, and nothing runs any more.
        let _ = unsafe { result::free_sync(self.start) };
    }
}

#[allow(clippy::cast_precision_loss)] // for people
fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Numbers of this machine that the GPU copies from and to without the processor's help.
#[derive(Debug)]
pub(super) struct Pinned {
    context: Arc<CudaContext>,
    start: *mut u8,
    bytes: usize,
    precision: Precision,
}

// SAFETY: plain memory of this process, which only `self` knows.
unsafe impl Send for Pinned {}

impl Pinned {
    /// Zeros.
    pub(super) fn zeros(context: &Arc<CudaContext>, precision: Precision, count: usize) -> Result<Self, DeviceError> {
        context.bind_to_thread().map_err(|error| failed("the GPU is not there", &error))?;
        let bytes = count * precision.bytes();
        // SAFETY: page-locked memory, at least one byte; it is set before anybody reads it, in the next line.
        let start = unsafe { result::malloc_host(bytes.max(1), 0) }
            .map_err(|error| failed(&format!("no room for {bytes} bytes of page-locked memory"), &error))?
            .cast::<u8>();
        // SAFETY: `start` has just been given `bytes` bytes.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Pinned { context: Arc::clone(context), start, bytes, precision })
    }

    /// To be read.
    pub(super) fn as_slice(&self) -> Slice<'_> {
        let count = self.bytes / self.precision.bytes();
        // SAFETY: `count` numbers of this precision lie at `start`, all bits set; page-locked memory is page-aligned.
        unsafe {
            match self.precision {
                Precision::F32 => Slice::F32(std::slice::from_raw_parts(self.start.cast(), count)),
                Precision::F64 => Slice::F64(std::slice::from_raw_parts(self.start.cast(), count)),
            }
        }
    }

    /// To be filled.
    pub(super) fn as_mut(&mut self) -> SliceMut<'_> {
        let count = self.bytes / self.precision.bytes();
        // SAFETY: as in `as_slice`, and nobody else can reach them while this is borrowed.
        unsafe {
            match self.precision {
                Precision::F32 => SliceMut::F32(std::slice::from_raw_parts_mut(self.start.cast(), count)),
                Precision::F64 => SliceMut::F64(std::slice::from_raw_parts_mut(self.start.cast(), count)),
            }
        }
    }

    /// Its bytes, to be read.
    pub(super) fn as_bytes(&self) -> &[u8] {
        // SAFETY: `bytes` bytes lie at `start`, all of them set.
        unsafe { std::slice::from_raw_parts(self.start, self.bytes) }
    }

    /// Its bytes, to be filled.
    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_bytes`, and nobody else can reach them while this is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // A copy may still be under way; an error here has been told by whatever caused it.
        let _ = self.context.bind_to_thread().and_then(|()| self.context.synchronize());
        // SAFETY: from `malloc_host`, freed once, and nothing copies any more.
        let _ = unsafe { result::free_host(self.start.cast()) };
    }
}

/// The states of a network in the GPU's memory.
#[derive(Debug)]
pub(super) struct Resident {
    stream: Arc<CudaStream>,
    pub(super) memory: Memory,
    precision: Precision,
    elements: usize,
}

impl Resident {
    /// Room for so many numbers.
    pub(super) fn new(stream: &Arc<CudaStream>, precision: Precision, elements: usize) -> Result<Self, DeviceError> {
        let memory = Memory::new(stream.context(), elements * precision.bytes())?;
        Ok(Resident { stream: Arc::clone(stream), memory, precision, elements })
    }

    /// Are these on the same GPU, of this size and precision?
    pub(super) fn fits(&self, stream: &Arc<CudaStream>, precision: Precision, elements: usize) -> bool {
        let same = self.stream.context() == stream.context();
        same && (self.precision, self.elements) == (precision, elements)
    }

    /// Copies numbers there, and returns when they are there.
    pub(super) fn upload(&self, numbers: &Numbers) -> Result<(), DeviceError> {
        let start = self.memory.start;
        let told = match (numbers, self.precision) {
            // SAFETY: the memory holds `elements` numbers of this precision, no fewer than there are here.
            (Numbers::F32(from), Precision::F32) if from.len() <= self.elements => unsafe {
                result::memcpy_htod_sync(start, from)
            },
            // SAFETY: as above.
            (Numbers::F64(from), Precision::F64) if from.len() <= self.elements => unsafe {
                result::memcpy_htod_sync(start, from)
            },
            _ => {
                let message = "states of another precision or size than the program's".into();
                return Err(DeviceError { message, help: None });
            }
        };
        told.map_err(|error| failed("cannot copy the states to the GPU", &error))
    }
}

impl Away for Resident {
    fn fetch(&self) -> Result<Numbers, DeviceError> {
        let lost = |error| failed("cannot copy the states from the GPU", &error);
        self.stream.context().bind_to_thread().map_err(lost)?;
        self.stream.synchronize().map_err(lost)?;
        let mut numbers = Numbers::zeros(self.precision, self.elements);
        let told = match &mut numbers {
            // SAFETY: the memory holds as many numbers of this precision as there is room for here.
            Numbers::F32(to) => unsafe { result::memcpy_dtoh_sync(to, self.memory.start) },
            // SAFETY: as above.
            Numbers::F64(to) => unsafe { result::memcpy_dtoh_sync(to, self.memory.start) },
        };
        told.map_err(lost)?;
        Ok(numbers)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
