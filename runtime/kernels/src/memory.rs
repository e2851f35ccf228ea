//! Working memory, cut into parts, and pointers that jobs on several threads may share.

use super::simd::{Simd, Work};
use super::workers::Workers;

/// Parts start at multiples of this many elements from an aligned start: a cache line of single-precision numbers.
const LINE: usize = 16;

/// Hands out parts of a working memory, one after the other.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts {
    used: usize,
}

impl Parts {
    /// Where the next part of `count` elements starts.
    pub(super) fn take(&mut self, count: usize) -> usize {
        let at = self.used;
        self.used += count.next_multiple_of(LINE);
        at
    }

    /// Elements to ask for, with room to begin at a cache line.
    pub(super) fn elements(self) -> usize {
        self.used + LINE
    }
}

/// The first cache line of a working memory that has room as [`Parts::elements`] says.
pub(super) fn aligned<T>(workspace: *mut T) -> At<T> {
    let offset = workspace.align_offset(64);
    At(workspace.wrapping_add(if offset < LINE { offset } else { 0 }))
}

/// An address that jobs share. They write to parts that do not overlap.
pub(super) struct At<T>(*mut T);

impl<T> Clone for At<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for At<T> {}

// SAFETY: an address by itself does nothing; whoever reads or writes through it gives a reason there.
unsafe impl<T> Send for At<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for At<T> {}

impl<T> At<T> {
    /// An address that is read only.
    pub(super) fn read(from: *const T) -> Self {
        Self(from.cast_mut())
    }

    /// An address that is written to.
    pub(super) fn write(to: *mut T) -> Self {
        Self(to)
    }

    /// The address of an element.
    ///
    /// # Safety
    /// The element lies inside the same memory, or one behind its end.
    #[inline(always)]
    pub(super) unsafe fn at(self, index: usize) -> *mut T {
        // SAFETY: the caller vouches for the element.
        unsafe { self.0.add(index) }
    }
}

/// Work that is cut into jobs, done in any order and on any thread.
pub(super) trait Phase<S: Simd>: Sync {
    /// How many jobs; depends on the shape alone.
    fn jobs(&self) -> usize;

    /// Does one job. Implementations are `#[inline(always)]`: they become part of [`Simd::enter`].
    ///
    /// # Safety
    /// The processor has the features of `S`; `job` is below [`Phase::jobs`]; no other thread does the same job, or another
    /// one as the same worker.
    unsafe fn job(&self, job: usize, worker: usize);
}

/// One job of a phase.
struct Job<'a, P> {
    phase: &'a P,
    job: usize,
    worker: usize,
}

impl<S: Simd, P: Phase<S>> Work<S> for Job<'_, P> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: [`all`] vouches for the job and the worker, the caller for the features.
        unsafe { self.phase.job(self.job, self.worker) }
    }
}

/// Does all jobs of a phase.
///
/// # Safety
/// The processor has the features of `S`; the addresses in the phase are valid.
pub(super) unsafe fn all<S: Simd, P: Phase<S>>(phase: &P, workers: &Workers) {
    // SAFETY: the caller vouches for the features; `run` does each job once, and no two as one worker at the same time.
    workers.run(phase.jobs(), |job, worker| unsafe { S::enter(Job { phase, job, worker }) });
}
