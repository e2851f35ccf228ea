//! Kernels ready for emission, and which of them share a launch.

use gmpc_compiler::ir::experiment::Contractions;
use gmpc_compiler::ir::kernels::{self, Kernels};
use gmpc_compiler::stage::Made;
use gmpc_grammar::source::Sources;

/// The kernels after all CUDA passes, and which of them share a launch.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// All kernels, in the order of their steps.
    pub kernels: Kernels,
    /// For each kernel the number of its step. Kernels of one step share a launch.
    pub steps: Vec<usize>,
    /// For each kernel: true if it is inlined into the next kernel that is not inlined. Its result then needs no memory.
    pub inlined: Vec<bool>,
    /// The number format in which libraries multiply.
    pub contractions: Contractions,
}

impl Prepared {
    /// The kernels for the memory planner: the results of inlined kernels have 0 elements.
    #[must_use]
    pub fn laid_out(&self) -> Kernels {
        let mut kernels = self.kernels.clone();
        for (kernel, _) in self.kernels.kernels.iter().zip(&self.inlined).filter(|(_, inlined)| **inlined) {
            kernel.work.writes().iter().for_each(|id| kernels.buffers[id.index()].elements = 0);
        }
        kernels
    }
}

impl Made for Prepared {
    fn verify(&self) -> Result<(), String> {
        kernels::verify(&self.kernels)?;
        let count = self.kernels.kernels.len();
        if self.steps.len() != count || self.inlined.len() != count {
            return Err("a step and a mark for each kernel".to_string());
        }
        if self.steps.is_sorted() { Ok(()) } else { Err("steps do not ascend".to_string()) }
    }

    fn print(&self, sources: Option<&Sources>) -> String {
        kernels::print(&self.kernels, sources)
    }
}
