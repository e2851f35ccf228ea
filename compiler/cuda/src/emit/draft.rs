//! A generated kernel before it goes into the source: its parameters, its body, the size of its launch.

use super::context::Names;
use super::source::Features;
use super::text::{Text, float};
use super::threads::BLOCK;
use gmpc_compiler::ir::experiment::Precision;
use gmpc_compiler::ir::kernels::BufferId;

/// A buffer that a kernel gets a pointer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) buffer: BufferId,
    pub(crate) read: bool,
    pub(crate) written: bool,
}

/// A kernel without its name.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The form of the kernel, with which its name begins: `map`, `rows`, `columns`.
    pub(crate) kind: &'static str,
    /// How the work is cut into threads, for the comment above the kernel.
    pub(crate) comment: String,
    pub(crate) parameters: Vec<Parameter>,
    /// A last parameter that is not a buffer.
    pub(crate) extra: Option<&'static str>,
    /// Statements, indented once.
    pub(crate) body: String,
    /// Bytes of shared memory that the body declares.
    pub(crate) shared: usize,
    pub(crate) blocks: u64,
    pub(crate) threads: u32,
    pub(crate) features: Features,
}

/// Each buffer once, in the order of the first read or write.
pub(crate) fn parameters(reads: &[BufferId], writes: &[BufferId]) -> Vec<Parameter> {
    let mut all: Vec<Parameter> = Vec::new();
    for &buffer in reads.iter().chain(writes) {
        if all.iter().all(|known| known.buffer != buffer) {
            let (read, written) = (reads.contains(&buffer), writes.contains(&buffer));
            all.push(Parameter { buffer, read, written });
        }
    }
    all
}

impl Draft {
    /// A draft with a body and the functions it calls. The caller fills in the rest.
    #[expect(clippy::cast_possible_truncation, reason = "a block has at most 1024 threads")]
    pub(crate) fn new(text: Text, features: Features) -> Self {
        Draft {
            kind: "",
            comment: String::new(),
            parameters: Vec::new(),
            extra: None,
            body: text.finish(),
            shared: 0,
            blocks: 1,
            threads: BLOCK as u32,
            features,
        }
    }

    /// The parameters as text; `shared`: does the memory of this buffer overlap another parameter?
    pub(crate) fn signature(
        &self,
        names: &Names,
        precision: Precision,
        shared: impl Fn(BufferId) -> bool,
    ) -> Vec<String> {
        let one =
            |parameter: &Parameter| declare(parameter, precision, &names[&parameter.buffer], shared(parameter.buffer));
        self.parameters.iter().map(one).chain(self.extra.map(str::to_string)).collect()
    }

    /// The text of a kernel that is launched alone.
    pub(crate) fn kernel(&self, name: &str, signature: &[String]) -> String {
        let (Draft { threads, body, .. }, signature) = (self, list(signature));
        let head = head(*threads);
        // A kernel of one block does not ask which it is.
        let block = if body.contains("block") { "    const unsigned block = blockIdx.x;\n" } else { "" };
        format!("{head}\n{name}({signature})\n{{\n{block}{body}}}\n")
    }

    /// The text of a function for one part of a grouped kernel. It gets the number of the block inside its part.
    pub(crate) fn part(&self, name: &str, signature: &[String]) -> String {
        let all: Vec<String> =
            ["const unsigned block".to_string()].into_iter().chain(signature.iter().cloned()).collect();
        format!("__device__ __forceinline__ void {name}({})\n{{\n{}}}\n", list(&all), self.body)
    }
}

/// The head of a kernel. The second launch bound, blocks for each multiprocessor, allows 128 registers for each thread. Without
/// it the compiler spills registers to make room for more blocks than are needed. Blocks occupy whole warps of 32 threads.
pub(crate) fn head(threads: u32) -> String {
    format!("extern \"C\" __global__ void __launch_bounds__({threads}, {})", (512 / threads.max(32)).max(1))
}

/// The text of a parameter; `shared`: its memory overlaps another parameter, so it may not be `__restrict__`.
pub(crate) fn declare(parameter: &Parameter, precision: Precision, name: &str, shared: bool) -> String {
    let constant = if parameter.written { "" } else { "const " };
    let alone = if shared { "" } else { "__restrict__ " };
    format!("{constant}{}* {alone}{name}", float(precision))
}

/// A list of parameters: on one line if short, else on a line each.
pub(crate) fn list(parameters: &[String]) -> String {
    let joined = parameters.join(", ");
    if joined.len() < 70 { joined } else { format!("\n    {}", parameters.join(",\n    ")) }
}
