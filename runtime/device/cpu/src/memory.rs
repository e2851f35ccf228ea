//! Scratch memory of a program: zeroed, aligned to cache lines, and accessible as numbers.

use gmpc_compiler::ir::graph::Random;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A piece of memory that begins on a cache line.
pub(super) struct Scratch {
    lines: Vec<Line>,
}

/// Types for which every bit pattern is a valid value.
pub(super) trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u32 {}

impl Scratch {
    /// Zeroed memory. `None` if the system has not enough.
    pub(super) fn new(bytes: usize) -> Option<Self> {
        let mut lines = Vec::new();
        let count = bytes.div_ceil(64);
        lines.try_reserve_exact(count).ok()?;
        lines.resize(count, Line([0; 64]));
        Some(Scratch { lines })
    }

    /// The address of the first byte.
    pub(super) fn address(&mut self) -> *mut u8 {
        self.lines.as_mut_ptr().cast()
    }

    /// `len` numbers from byte `at` on.
    ///
    /// # Panics
    /// The numbers are outside or not aligned: a bug in the plan.
    pub(super) fn numbers<T: Plain>(&self, at: usize, len: usize) -> &[T] {
        self.check::<T>(at, len);
        // SAFETY: `check` has found the range inside `lines`, and `at` a multiple of the size of `T`; lines are aligned
        // to 64 bytes. Every bit pattern is a `Plain` value. The slice borrows `self`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<u8>().add(at).cast(), len) }
    }

    /// The same numbers, for writing.
    ///
    /// # Panics
    /// As [`Self::numbers`].
    pub(super) fn numbers_mut<T: Plain>(&mut self, at: usize, len: usize) -> &mut [T] {
        self.check::<T>(at, len);
        // SAFETY: as in `numbers`. The slice borrows `self` mutably, so it is the only one.
        unsafe { std::slice::from_raw_parts_mut(self.address().add(at).cast(), len) }
    }

    fn check<T>(&self, at: usize, len: usize) {
        let size = size_of::<T>();
        assert!(at.is_multiple_of(size) && at + len * size <= self.lines.len() * 64, "{len} numbers at byte {at}");
    }

    /// Writes seed and step of the random numbers as four words.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of each")]
    pub(super) fn set_random(&mut self, at: usize, random: Random) {
        let words = [random.seed as u32, (random.seed >> 32) as u32, random.step as u32, (random.step >> 32) as u32];
        self.numbers_mut::<u32>(at, 4).copy_from_slice(&words);
    }
}
