//! Sums of the results over all pixels, one for each column, taken while the results are still in registers.
//!
//! Every part of the work adds up its own results, in one [`Total`] for each vector of columns. Then the parts are added
//! in order. So the bits depend only on the shape and the algorithm.

use crate::epilogue::Epilogue;
use crate::memory::{Parallel, Parts, SharedPtr, run_all};
use crate::simd::{Arithmetic, Simd};
use crate::total::Total;
use crate::workers::Workers;

/// The room in the workspace for the sums of all parts of the work.
#[derive(Clone, Copy)]
pub(super) struct Room {
    parts: usize,
    columns: usize,
    at: usize,
}

impl Room {
    /// Reserves memory for the sums of this many parts.
    pub(super) fn take<S: Simd>(parts: usize, columns: usize, memory: &mut Parts) -> Self {
        Self { parts, columns, at: memory.take(parts * 2 * columns.next_multiple_of(S::LANES)) }
    }
}

impl Room {
    /// The offset of a part's total of the columns from `first` on.
    #[inline(always)]
    fn total<S: Simd>(&self, part: usize, first: usize) -> usize {
        2 * (part * self.columns.next_multiple_of(S::LANES) + first)
    }
}

/// The sums of all parts. If `to` is null, nobody wants them.
pub(super) struct Sums<S: Arithmetic> {
    room: Room,
    partial: SharedPtr<S::Element>,
    to: SharedPtr<S::Element>,
}

impl<S: Arithmetic> Clone for Sums<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Arithmetic> Copy for Sums<S> {}

impl<S: Arithmetic> Sums<S> {
    /// Sums that go to `to`, which may be null.
    ///
    /// # Safety
    /// `memory` is the workspace from which the room was taken.
    pub(super) unsafe fn new(room: Room, memory: SharedPtr<S::Element>, to: *mut S::Element) -> Self {
        // SAFETY: the room is inside the workspace, by the contract of this function.
        Self { room, partial: SharedPtr::write(unsafe { memory.at(room.at) }), to: SharedPtr::write(to) }
    }

    /// The sums of an epilogue, and those of its ReLU mask.
    ///
    /// # Safety
    /// As for [`Self::new`], for both rooms.
    pub(super) unsafe fn both(
        rooms: [Room; 2],
        memory: SharedPtr<S::Element>,
        epilogue: &Epilogue<S::Element>,
    ) -> [Self; 2] {
        // SAFETY: the contract of this function is that of the call.
        unsafe {
            [Self::new(rooms[0], memory, epilogue.sums), Self::new(rooms[1], memory, epilogue.relu_mask.weighted)]
        }
    }

    /// Sets the totals of `count` columns from `first` on of a part to 0, and returns a pointer to them; null if nobody
    /// wants the sums. There is room for totals of whole vectors. The total of column `c` begins `2 c` numbers after the
    /// pointer.
    ///
    /// # Safety
    /// The part and its columns exist, and no other thread works on them. The CPU has the features of `S`.
    #[inline(always)]
    pub(super) unsafe fn begin(&self, part: usize, first: usize, count: usize) -> *mut S::Element {
        // SAFETY: every part has room for totals of whole vectors, and `first` is a multiple of a vector.
        unsafe {
            if self.to.at(0).is_null() {
                return std::ptr::null_mut();
            }
            let own = self.partial.at(self.room.total::<S>(part, first));
            for at in (0..count).step_by(S::LANES) {
                Total::<S>::new().store(own.add(2 * at));
            }
            own
        }
    }

    /// Adds the parts up and stores the sums.
    ///
    /// # Safety
    /// All parts are done. `to` has room for one number for each column. The CPU has the features of `S`.
    pub(super) unsafe fn finish(&self, workers: &Workers) {
        // SAFETY: the contract of this function.
        unsafe {
            if !self.to.at(0).is_null() {
                run_all::<S, _>(self, workers);
            }
        }
    }
}

// SAFETY: plain numbers and pointers. Every task accesses columns of its own.
unsafe impl<S: Arithmetic> Sync for Sums<S> {}

impl<S: Arithmetic> Parallel<S> for Sums<S> {
    fn tasks(&self) -> usize {
        self.room.columns.div_ceil(S::LANES)
    }

    #[inline(always)]
    unsafe fn task(&self, task: usize, _worker: usize) {
        let first = task * S::LANES;
        // SAFETY: the totals of this vector are inside every part. The partial store writes only columns that exist.
        unsafe {
            let mut sum = Total::<S>::new();
            for part in 0..self.room.parts {
                sum.join(Total::load(self.partial.at(self.room.total::<S>(part, first))));
            }
            sum.value().store_first(self.to.at(first), S::LANES.min(self.room.columns - first));
        }
    }
}
