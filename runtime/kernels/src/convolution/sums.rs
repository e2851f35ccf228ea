//! Sums of the results over all pixels, one a column, taken while the results are still in registers.
//!
//! Every part of the work adds up its own, vector after vector a [`Total`]; then the parts are added in their order, so that the bits depend on the shape and
//! the algorithm alone.

use crate::finish::Finish;
use crate::memory::{At, Parts, Phase, all};
use crate::simd::{Arithmetic, Simd};
use crate::total::Total;
use crate::workers::Workers;

/// Where the parts of the work put their sums.
#[derive(Clone, Copy)]
pub(super) struct Room {
    parts: usize,
    columns: usize,
    at: usize,
}

impl Room {
    /// Room for so many parts, in the working memory.
    pub(super) fn take<S: Simd>(parts: usize, columns: usize, memory: &mut Parts) -> Self {
        Self { parts, columns, at: memory.take(parts * 2 * columns.next_multiple_of(S::LANES)) }
    }
}

impl Room {
    /// Where a part's total of the columns from `first` on lies.
    #[inline(always)]
    fn total<S: Simd>(&self, part: usize, first: usize) -> usize {
        2 * (part * self.columns.next_multiple_of(S::LANES) + first)
    }
}

/// The sums of all parts, if anybody wants them.
pub(super) struct Sums<S: Arithmetic> {
    room: Room,
    partial: At<S::Element>,
    to: At<S::Element>,
}

impl<S: Arithmetic> Clone for Sums<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Arithmetic> Copy for Sums<S> {}

impl<S: Arithmetic> Sums<S> {
    /// Sums at `to`, which may be null.
    ///
    /// # Safety
    /// `memory` is the working memory that the room was taken of.
    pub(super) unsafe fn new(room: Room, memory: At<S::Element>, to: *mut S::Element) -> Self {
        // SAFETY: the caller vouches for the room.
        Self { room, partial: At::write(unsafe { memory.at(room.at) }), to: At::write(to) }
    }

    /// The sums of a finish, and those of its gate.
    ///
    /// # Safety
    /// As [`Self::new`], for both rooms.
    pub(super) unsafe fn both(rooms: [Room; 2], memory: At<S::Element>, finish: &Finish<S::Element>) -> [Self; 2] {
        // SAFETY: passed on from the caller.
        unsafe { [Self::new(rooms[0], memory, finish.sums), Self::new(rooms[1], memory, finish.gate.weighted)] }
    }

    /// Where a part adds up its columns from `first` on, of which it has `count`, now 0; null if nobody wants the sums.
    /// Totals of whole vectors fit there: that of column `c` begins `2 c` numbers behind.
    ///
    /// # Safety
    /// The part and its columns exist; no other thread works on them; the processor has the features of `S`.
    #[inline(always)]
    pub(super) unsafe fn begin(&self, part: usize, first: usize, count: usize) -> *mut S::Element {
        // SAFETY: the parts have room for whole vectors; `first` is a multiple of one.
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

    /// Adds the parts up.
    ///
    /// # Safety
    /// All of them are done; the processor has the features of `S`; there is room for a number a column.
    pub(super) unsafe fn finish(&self, workers: &Workers) {
        // SAFETY: as the caller says.
        unsafe {
            if !self.to.at(0).is_null() {
                all::<S, _>(self, workers);
            }
        }
    }
}

// SAFETY: addresses, which jobs use apart from each other, and plain numbers.
unsafe impl<S: Arithmetic> Sync for Sums<S> {}

impl<S: Arithmetic> Phase<S> for Sums<S> {
    fn jobs(&self) -> usize {
        self.room.columns.div_ceil(S::LANES)
    }

    #[inline(always)]
    unsafe fn job(&self, job: usize, _worker: usize) {
        let first = job * S::LANES;
        // SAFETY: the vector lies inside every part; of the result only what exists is written.
        unsafe {
            let mut sum = Total::<S>::new();
            for part in 0..self.room.parts {
                sum.join(Total::load(self.partial.at(self.room.total::<S>(part, first))));
            }
            sum.value().store_first(self.to.at(first), S::LANES.min(self.room.columns - first));
        }
    }
}
