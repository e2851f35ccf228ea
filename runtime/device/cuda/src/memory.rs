//! Memory of a GPU, page-locked memory of the host, and the states that a GPU keeps.

use super::driver::Queue;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_device::{DeviceCopy, DeviceError, Numbers, Slice, SliceMut};
use std::any::Any;
use std::sync::Arc;

/// An allocation on the GPU, freed when this is dropped.
#[derive(Debug)]
pub(super) struct Memory {
    queue: Arc<Queue>,
    /// The address of the first byte, aligned to 256 bytes.
    pub(super) start: u64,
    bytes: usize,
}

impl Memory {
    /// Allocates unset memory, at least one byte.
    pub(super) fn new(queue: &Arc<Queue>, bytes: usize) -> Result<Self, DeviceError> {
        queue.enter()?;
        let start = queue.allocate(bytes.max(1))?;
        Ok(Memory { queue: Arc::clone(queue), start, bytes: bytes.max(1) })
    }

    /// Copies bytes to the beginning of the memory, and waits for the copy.
    pub(super) fn fill(&self, bytes: &[u8]) -> Result<(), DeviceError> {
        if bytes.len() > self.bytes {
            return Err(DeviceError { message: "more bytes than there is room for on the GPU".into(), help: None });
        }
        self.queue.enter()?;
        // SAFETY: `bytes` fits, checked above; `wait` below ends the copy while `bytes` is still borrowed.
        unsafe { self.queue.send(self.start, bytes.as_ptr(), bytes.len())? };
        self.queue.wait()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.queue.free(self.start);
    }
}

/// Numbers in page-locked memory of the host, which the GPU copies without the CPU.
#[derive(Debug)]
pub(super) struct Pinned {
    queue: Arc<Queue>,
    start: *mut u8,
    bytes: usize,
    precision: Precision,
}

// SAFETY: the memory belongs to this process, not to a thread, and `self` has the only pointer to it.
unsafe impl Send for Pinned {}

impl Pinned {
    /// `count` zeros.
    pub(super) fn zeros(queue: &Arc<Queue>, precision: Precision, count: usize) -> Result<Self, DeviceError> {
        queue.enter()?;
        let bytes = count * precision.bytes();
        let start = queue.allocate_here(bytes.max(1))?;
        // SAFETY: `start` points to at least `bytes` bytes, allocated above.
        unsafe { start.write_bytes(0, bytes) };
        Ok(Pinned { queue: Arc::clone(queue), start, bytes, precision })
    }

    /// The address of the first number.
    pub(super) fn address(&self) -> usize {
        self.start as usize
    }

    /// The numbers, for reading.
    pub(super) fn as_slice(&self) -> Slice<'_> {
        let count = self.bytes / self.precision.bytes();
        // SAFETY: `zeros` allocated and set `count` numbers of this precision at `start`. Page-locked memory is
        // page-aligned. The slice borrows `self`.
        unsafe {
            match self.precision {
                Precision::F32 => Slice::F32(std::slice::from_raw_parts(self.start.cast(), count)),
                Precision::F64 => Slice::F64(std::slice::from_raw_parts(self.start.cast(), count)),
            }
        }
    }

    /// The numbers, for writing.
    pub(super) fn as_mut(&mut self) -> SliceMut<'_> {
        let count = self.bytes / self.precision.bytes();
        // SAFETY: as in `as_slice`. The slice borrows `self` mutably, so it is the only one.
        unsafe {
            match self.precision {
                Precision::F32 => SliceMut::F32(std::slice::from_raw_parts_mut(self.start.cast(), count)),
                Precision::F64 => SliceMut::F64(std::slice::from_raw_parts_mut(self.start.cast(), count)),
            }
        }
    }

    /// The bytes of the numbers, for writing.
    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `zeros` allocated and set `bytes` bytes at `start`. The slice borrows `self` mutably, so it is the only
        // one.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.bytes) }
    }

    /// The memory as words of 32 bits, for writing.
    pub(super) fn as_words_mut(&mut self) -> &mut [u32] {
        // SAFETY: `zeros` allocated and set `bytes` bytes at `start`, which is page-aligned; every bit pattern is a
        // `u32`. The slice borrows `self` mutably, so it is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast(), self.bytes / 4) }
    }

    /// Puts a copy of all of it to the GPU on the stream.
    ///
    /// # Safety
    /// `to` has room for all of it, and nobody changes the numbers before the stream has been waited for.
    pub(super) unsafe fn send(&self, to: u64) -> Result<(), DeviceError> {
        // SAFETY: the contract of this function. The source stays allocated: `drop` waits before it frees.
        unsafe { self.queue.send(to, self.start, self.bytes) }
    }

    /// Puts a copy of as much from the GPU on the stream.
    ///
    /// # Safety
    /// `from` points to as many bytes, and nobody reads the numbers before the stream has been waited for.
    pub(super) unsafe fn fetch(&mut self, from: u64) -> Result<(), DeviceError> {
        // SAFETY: the contract of this function. The target stays allocated: `drop` waits before it frees.
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
    /// Allocates room for `elements` numbers.
    pub(super) fn new(queue: &Arc<Queue>, precision: Precision, elements: usize) -> Result<Self, DeviceError> {
        let memory = Memory::new(queue, elements * precision.bytes())?;
        Ok(Resident { queue: Arc::clone(queue), memory, precision, elements })
    }

    /// Is this on the GPU of `queue`, with this size and precision?
    pub(super) fn fits(&self, queue: &Arc<Queue>, precision: Precision, elements: usize) -> bool {
        Arc::ptr_eq(&self.queue, queue) && (self.precision, self.elements) == (precision, elements)
    }

    /// Copies numbers to the GPU, and waits for the copy.
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
        // SAFETY: the memory has room for `elements` numbers of this precision, which is enough, checked above. `wait`
        // below ends the copy while `numbers` is still borrowed.
        unsafe { self.queue.send(self.memory.start, start, bytes)? };
        self.queue.wait()
    }
}

impl DeviceCopy for Resident {
    fn fetch(&self) -> Result<Numbers, DeviceError> {
        self.queue.enter()?;
        let mut numbers = Numbers::zeros(self.precision, self.elements);
        let (start, bytes) = match &mut numbers {
            Numbers::F32(to) => (to.as_mut_ptr().cast::<u8>(), size_of_val(to.as_slice())),
            Numbers::F64(to) => (to.as_mut_ptr().cast::<u8>(), size_of_val(to.as_slice())),
        };
        // SAFETY: `numbers` and the memory both hold `elements` numbers of this precision. `wait` below ends the copy before
        // `numbers` is read.
        unsafe { self.queue.fetch(start, self.memory.start, bytes)? };
        self.queue.wait()?;
        Ok(numbers)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
