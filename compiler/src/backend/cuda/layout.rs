//! Which memory the buffers of a program have, and what their numbers are: what launches are made of.

use super::launch::Region;
use crate::experiment::{Contractions, Precision};
use crate::kernels::{BufferId, Kernels};
use crate::plan::{Address, Plan};

/// Buffers and their places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) kernels: &'a Kernels,
    pub(super) plan: &'a Plan,
    /// Of all numbers that are not bfloat16.
    pub(super) precision: Precision,
    /// How libraries are to multiply.
    pub(super) contractions: Contractions,
}

impl Layout<'_> {
    /// What a buffer is called.
    pub(super) fn name(&self, id: BufferId) -> &str {
        &self.kernels.buffers[id.index()].name
    }

    /// Are a buffer's numbers bfloat16?
    pub(super) fn is_half(&self, id: BufferId) -> bool {
        self.kernels.buffers[id.index()].half
    }

    /// The memory of a buffer.
    pub(super) fn region(&self, id: BufferId, read: bool, written: bool) -> Region {
        let bytes = self.kernels.buffers[id.index()].bytes(self.precision);
        Region { address: self.plan.address(self.kernels, id), bytes, read, written }
    }

    /// Where the key of the random numbers lies.
    pub(super) fn random(&self) -> Option<Region> {
        let address = Address::Scratch(self.plan.random?);
        Some(Region { address, bytes: 16, read: true, written: false })
    }

    /// Do two buffers have memory in common?
    pub(super) fn meet(&self, a: BufferId, b: BufferId) -> bool {
        let (a, b) = (self.region(a, false, false), self.region(b, false, false));
        let apart = |x: usize, y: usize| x + a.bytes <= y || y + b.bytes <= x;
        match (a.address, b.address) {
            (Address::States(x), Address::States(y)) | (Address::Scratch(x), Address::Scratch(y)) => !apart(x, y),
            _ => false,
        }
    }
}
