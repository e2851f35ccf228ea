//! Makes a program of its own from each kernel of a program, so that each can be timed alone.

use crate::backend::cpu;
use crate::ir::code::Code;
use crate::ir::kernels::{self, Kernel, Kernels, Work};
use crate::ir::program::Program;
use crate::lower::cost::{kernel_bytes, kernel_flops};
use crate::lower::plan::Plan;
use gmpc_grammar::source::Sources;

/// A kernel of a program as a program of its own, to be timed alone.
#[derive(Debug, Clone)]
pub struct SingleKernel {
    /// Description of what the kernel computes.
    pub name: String,
    /// The line of the model from which the kernel came, such as `vgg6.gmpnet:12`, where it is known.
    pub line: Option<String>,
    /// Floating-point operations of the kernel.
    pub flops: u64,
    /// Bytes that the kernel reads and writes, each once.
    pub bytes: u64,
    /// The kernel as a program with the memory of the whole program. Run alone, it computes no meaningful numbers.
    pub program: Program,
}

/// All kernels of a program, in order, each made when it is asked for: together their programs would be as large as the
/// square of the network's depth. `sources` holds the text of the model.
pub fn separate(
    program: &Program,
    kernels: Kernels,
    plan: Plan,
    sources: &Sources,
) -> impl ExactSizeIterator<Item = SingleKernel> {
    let bare = Program { code: Code::default(), ..program.clone() };
    let (all, mut one) = (kernels.kernels, Kernels { kernels: vec![], ..kernels });
    all.into_iter().map(move |kernel: Kernel| {
        one.kernels = vec![kernel];
        let kernel = &one.kernels[0];
        let line = kernel
            .span
            .and_then(|span| Some(format!("{}:{}", sources.get(span.source)?.name, sources.line_column(span).0)));
        let program = Program { code: cpu::emit(&one, &plan), ..bare.clone() };
        let (flops, bytes) = (kernel_flops(kernel), kernel_bytes(&one, kernel));
        SingleKernel { name: name(&one, &kernel.work), line, flops, bytes, program }
    })
}

/// The description of a kernel: results and sizes of a nest, or the kernel's line in the listing of kernels.
fn name(kernels: &Kernels, work: &Work) -> String {
    let Work::Nest(nest) = work else {
        let text = kernels::print(kernels, None);
        return text.lines().find(|line| !line.starts_with("buffer")).unwrap_or_default().trim().to_string();
    };
    let sizes: Vec<String> = nest.space.iter().map(usize::to_string).collect();
    let mut results: Vec<&str> = work.writes().iter().map(|id| kernels.buffers[id.index()].name.as_str()).collect();
    results.dedup();
    let sizes = if sizes.is_empty() { "one point".to_string() } else { sizes.join(" x ") };
    format!("{} = loop over {sizes}", results.join(", "))
}
