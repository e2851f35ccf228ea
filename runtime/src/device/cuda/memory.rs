//! Memory of a GPU, memory of this machine that a GPU reaches directly, and the states that a GPU keeps.

use super::super::{Away, DeviceError, Numbers, Slice, SliceMut};
use super::driver::Queue;
use gmpc_compiler::experiment::Precision;
use std::any::Any;
use std::sync::Arc;

/// Bytes on the GPU, freed with this.
#[derive(Debug)]
pub(super) struct Memory {
    queue: Arc<Queue>,
    /// The first byte; 256-byte aligned.
    pub(super) start: u64,
    bytes: usize,
}

impl Memory {
    /// Unset bytes, at least one.
    pub(super) fn new(queue: &Arc<Queue>, bytes: usize) -> Result<Self, DeviceError> {
        queue.enter()?;
        let start = queue.allocate(bytes.max(1))?;
        Ok(Memory { queue: Arc::clone(queue), start, bytes: bytes.max(1) })
    }

    /// Copies bytes to its beginning, and returns when they are there.
    pub(super) fn fill(&self, bytes: &[u8]) -> Result<(), DeviceError> {
        if bytes.len() > self.bytes {
            return Err(DeviceError { message: "more bytes than there is room for on the GPU".into(), help: None });
        }
        self.queue.enter()?;
        // SAFETY: there is room, and the copy is done before `bytes` go.
        unsafe { self.queue.send(self.start, bytes.as_ptr(), bytes.len())? };
        self.queue.wait()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.queue.free(self.start);
    }
}

/// Numbers of this machine that the GPU copies from and to without the processor's help.
#[derive(Debug)]
pub(super) struct Pinned {
    queue: Arc<Queue>,
    start: *mut u8,
    bytes: usize,
    precision: Precision,
}

// SAFETY: plain memory of this process, which only `self` knows.
unsafe impl Send for Pinned {}

impl Pinned {
    /// Zeros.
    pub(super) fn zeros(queue: &Arc<Queue>, precision: Precision, count: usize) -> Result<Self, DeviceError> {
        queue.enter()?;
        let bytes = count * precision.bytes();
        let start = queue.allocate_here(bytes.max(1))?;
        // SAFETY: `start` has just been given `bytes` bytes.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Pinned { queue: Arc::clone(queue), start, bytes, precision })
    }

    /// Where it lies.
    pub(super) fn address(&self) -> usize {
        self.start as usize
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

    /// Its bytes, to be filled.
    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `bytes` bytes lie at `start`, all of them set, and nobody else can reach them while this is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }

    /// Words of 32 bits, of numbers in single precision.
    pub(super) fn as_words_mut(&mut self) -> &mut [u32] {
        // SAFETY: all bits are set, page-locked memory is page-aligned, and nobody else can reach it while this is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.bytes / 4) }
    }

    /// Puts a copy of all of it to the GPU on the stream.
    ///
    /// # Safety
    /// There is room for it at `to`, and nobody changes it here before the stream has been waited for.
    pub(super) unsafe fn send(&self, to: u64) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise; dropping waits.
        unsafe { self.queue.send(to, self.start, self.bytes) }
    }

    /// Puts a copy of as much from the GPU on the stream.
    ///
    /// # Safety
    /// There is as much at `from`, and nobody looks here before the stream has been waited for.
    pub(super) unsafe fn fetch(&mut self, from: u64) -> Result<(), DeviceError> {
        // SAFETY: the caller's promise; dropping waits.
        unsafe { self.queue.fetch(self.start, from, self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.queue.free_here(self.start);
    }
}

/// The states of a network in the GPU's memory.
#[derive(Debug)]
pub(super) struct Resident {
    queue: Arc<Queue>,
    pub(super) memory: Memory,
    precision: Precision,
    elements: usize,
}

impl Resident {
    /// Room for so many numbers.
    pub(super) fn new(queue: &Arc<Queue>, precision: Precision, elements: usize) -> Result<Self, DeviceError> {
        let memory = Memory::new(queue, elements * precision.bytes())?;
        Ok(Resident { queue: Arc::clone(queue), memory, precision, elements })
    }

    /// Are these on the same GPU, of this size and precision?
    pub(super) fn fits(&self, queue: &Arc<Queue>, precision: Precision, elements: usize) -> bool {
        Arc::ptr_eq(&self.queue, queue) && (self.precision, self.elements) == (precision, elements)
    }

    /// Copies numbers there, and returns when they are there.
    pub(super) fn upload(&self, numbers: &Numbers) -> Result<(), DeviceError> {
        let (start, bytes) = match numbers {
            Numbers::F32(from) => (from.as_ptr().cast::<u8>(), size_of_val(from.as_slice())),
            Numbers::F64(from) => (from.as_ptr().cast::<u8>(), size_of_val(from.as_slice())),
        };
        let fits = self.precision == numbers.precision() && numbers.len() <= self.elements;
        if !fits {
            let message = "states of another precision or size than the program's".into();
            return Err(DeviceError { message, help: None });
        }
        self.queue.enter()?;
        // SAFETY: the memory holds `elements` numbers of this precision, no fewer than there are here, and the copy is done
        // before `numbers` goes.
        unsafe { self.queue.send(self.memory.start, start, bytes)? };
        self.queue.wait()
    }
}

impl Away for Resident {
    fn fetch(&self) -> Result<Numbers, DeviceError> {
        self.queue.enter()?;
        let mut numbers = Numbers::zeros(self.precision, self.elements);
        let (start, bytes) = match &mut numbers {
            Numbers::F32(to) => (to.as_mut_ptr().cast::<u8>(), size_of_val(to.as_slice())),
            Numbers::F64(to) => (to.as_mut_ptr().cast::<u8>(), size_of_val(to.as_slice())),
        };
        // SAFETY: the memory holds as many numbers of this precision as there is room for here, and the copy is done before
        // anybody looks.
        unsafe { self.queue.fetch(start, self.memory.start, bytes)? };
        self.queue.wait()?;
        Ok(numbers)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
