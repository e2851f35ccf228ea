//! Passes over kernels for a device that runs hundreds of blocks and has libraries. [`lower`](crate::lower) gives their order.

pub(crate) mod bf16_operands;
pub(crate) mod bf16_results;
pub(crate) mod defer_updates;
pub(crate) mod group;
pub(crate) mod inline;
pub(crate) mod library;
pub(crate) mod pad;
pub(crate) mod split;

use crate::emit::draft::Draft;
use crate::emit::kernel::neutral;
use crate::prepared::Prepared;
use gmpc_compiler::ir::experiment::Contractions;
use gmpc_compiler::ir::kernels::{self, Kernels};
use gmpc_compiler::stage::Made;
use gmpc_grammar::source::Sources;
use inline::Inlined;

/// Puts small kernels that do not depend on each other into one step.
pub(crate) fn grouped(inlined: Inlined, contractions: Contractions) -> Prepared {
    let Inlined { kernels, marks: inlined } = inlined;
    let precision = kernels.precision;
    // A draft says how many threads and how much shared memory a kernel takes. Kernels share a launch only if these fit.
    let drafts: Vec<Option<Draft>> =
        kernels.kernels.iter().map(|kernel| neutral(&kernels, &kernel.work, &[], precision)).collect();
    let order = group::group(&kernels, &drafts, &inlined);
    let place = |&index: &usize| kernels.kernels[index].clone();
    let steps = order.iter().enumerate().flat_map(|(step, all)| vec![step; all.len()]).collect();
    let sorted = order.iter().flatten().map(place).collect();
    let inlined = order.iter().flatten().map(|&index| inlined[index]).collect();
    Prepared { kernels: Kernels { kernels: sorted, ..kernels }, steps, inlined, contractions }
}

/// Verified and printed like plain kernels; each kernel also needs a mark.
impl Made for Inlined {
    fn verify(&self) -> Result<(), String> {
        kernels::verify(&self.kernels)?;
        if self.kernels.kernels.len() == self.marks.len() { Ok(()) } else { Err("a mark for each kernel".to_string()) }
    }

    fn print(&self, sources: Option<&Sources>) -> String {
        kernels::print(&self.kernels, sources)
    }
}
