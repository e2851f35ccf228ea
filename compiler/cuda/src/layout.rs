//! The address and the dtype of every buffer, from which launches are made.

use super::launch::Region;
use gmpc_compiler::ir::code::Address;
use gmpc_compiler::ir::experiment::{Contractions, Precision};
use gmpc_compiler::ir::kernels::{BufferId, Dtype, Kernels};
use gmpc_compiler::lower::plan::Plan;

/// Buffers and their addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) kernels: &'a Kernels,
    pub(super) plan: &'a Plan,
    /// The precision of all numbers that are not bfloat16.
    pub(super) precision: Precision,
    /// The number format in which libraries multiply.
    pub(super) contractions: Contractions,
}

impl Layout<'_> {
    /// The name of a buffer.
    pub(super) fn name(&self, id: BufferId) -> &str {
        &self.kernels.buffers[id.index()].name
    }

    /// The memory of a buffer, for a launch that reads or writes it.
    pub(super) fn region(&self, id: BufferId, read: bool, written: bool) -> Region {
        let buffer = &self.kernels.buffers[id.index()];
        let (dtype, bytes) = (buffer.dtype, buffer.bytes());
        Region { address: self.plan.address(self.kernels, id), dtype, bytes, read, written }
    }

    /// The seed and the step from which random numbers are drawn: four `u32`. `None` if the program draws none.
    pub(super) fn random(&self) -> Option<Region> {
        let address = Address::Scratch(self.plan.random?);
        Some(Region { address, dtype: Dtype::U32, bytes: Dtype::U32.room(4), read: true, written: false })
    }

    /// Does the memory of two buffers overlap?
    pub(super) fn interferes(&self, a: BufferId, b: BufferId) -> bool {
        let (a, b) = (self.region(a, false, false), self.region(b, false, false));
        let apart = |x: usize, y: usize| x + a.bytes <= y || y + b.bytes <= x;
        match (a.address, b.address) {
            (Address::States(x), Address::States(y)) | (Address::Scratch(x), Address::Scratch(y)) => !apart(x, y),
            _ => false,
        }
    }
}
