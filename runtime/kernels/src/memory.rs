//! The workspace and its parts, pointers that several threads share, and work that is cut into parallel tasks.

use super::simd::{Simd, Work};
use super::workers::Workers;

/// Parts start at multiples of this many elements: a cache line of single-precision numbers.
const LINE: usize = 16;

/// Hands out parts of a workspace, one after the other.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts {
    used: usize,
}

impl Parts {
    /// The offset of the next part, of `count` elements.
    pub(super) fn take(&mut self, count: usize) -> usize {
        let at = self.used;
        self.used += count.next_multiple_of(LINE);
        at
    }

    /// The size of the workspace in elements, with room to align its start to a cache line.
    pub(super) fn elements(self) -> usize {
        self.used + LINE
    }
}

/// The first cache line in a workspace of [`Parts::elements`] elements.
pub(super) fn aligned<T>(workspace: *mut T) -> SharedPtr<T> {
    let offset = workspace.align_offset(64);
    SharedPtr(workspace.wrapping_add(if offset < LINE { offset } else { 0 }))
}

/// A pointer that tasks on several threads share. They write to elements that do not overlap.
pub(super) struct SharedPtr<T>(*mut T);

impl<T> Clone for SharedPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SharedPtr<T> {}

// SAFETY: sending an address accesses nothing. Every access through it is an `unsafe` block with its own reason.
unsafe impl<T> Send for SharedPtr<T> {}
// SAFETY: as for `Send`.
unsafe impl<T> Sync for SharedPtr<T> {}

impl<T> SharedPtr<T> {
    /// A pointer for reading only.
    pub(super) fn read(from: *const T) -> Self {
        Self(from.cast_mut())
    }

    /// A pointer for writing.
    pub(super) fn write(to: *mut T) -> Self {
        Self(to)
    }

    /// The pointer to an element.
    ///
    /// # Safety
    /// The element is inside the same allocation, or directly behind its end.
    #[inline(always)]
    pub(super) unsafe fn at(self, index: usize) -> *mut T {
        // SAFETY: the contract of this function is that of `add`.
        unsafe { self.0.add(index) }
    }
}

/// Work that is cut into tasks, which may run in any order and on any thread.
pub(super) trait Parallel<S: Simd>: Sync {
    /// The number of tasks. It depends only on the shape.
    fn tasks(&self) -> usize;

    /// Runs one task. Implementations are `#[inline(always)]`, so that [`Simd::enter`] compiles them with its instructions.
    ///
    /// # Safety
    /// The CPU has the features of `S`, and the pointers in `self` are valid. `task` is below [`Parallel::tasks`]. No other thread
    /// runs the same task, or any task with the same worker.
    unsafe fn task(&self, task: usize, worker: usize);
}

/// One task of some work.
struct Task<'a, P> {
    work: &'a P,
    task: usize,
    worker: usize,
}

impl<S: Simd, P: Parallel<S>> Work<S> for Task<'_, P> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: `run_all`, the only place that makes a `Task`, fulfils the contract of `Parallel::task`.
        unsafe { self.work.task(self.task, self.worker) }
    }
}

/// Runs all tasks of some work.
///
/// # Safety
/// The CPU has the features of `S`, and the pointers in `work` are valid.
pub(super) unsafe fn run_all<S: Simd, P: Parallel<S>>(work: &P, workers: &Workers) {
    // SAFETY: features and pointers are the contract of this function. `Workers::run` runs each task once, and never two
    // at the same time with one worker.
    workers.run(work.tasks(), |task, worker| unsafe { S::enter(Task { work, task, worker }) });
}
