//! A generated kernel on its way into the source: its parameters, its body, how it is launched.

use super::context::Names;
use super::source::Features;
use super::text::{Text, float};
use super::threads::BLOCK;
use crate::experiment::Precision;
use crate::kernels::BufferId;

/// A buffer that a kernel gets a pointer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) buffer: BufferId,
    pub(super) read: bool,
    pub(super) written: bool,
}

/// A kernel without its name.
#[derive(Debug)]
pub(super) struct Draft {
    /// What it is: `map`, `rows`, `columns`.
    pub(super) kind: &'static str,
    /// How the work is cut, in words.
    pub(super) comment: String,
    pub(super) parameters: Vec<Parameter>,
    /// A last parameter that is no buffer.
    pub(super) extra: Option<&'static str>,
    /// Statements, indented once.
    pub(super) body: String,
    /// Bytes of shared memory that the body declares.
    pub(super) shared: usize,
    pub(super) blocks: u64,
    pub(super) threads: u32,
    pub(super) features: Features,
}

/// Each buffer once, in the order in which they are first read or written.
pub(super) fn parameters(reads: &[BufferId], writes: &[BufferId]) -> Vec<Parameter> {
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
    /// A body and what it needs; everything else is to be filled in.
    pub(super) fn new(text: Text, features: Features) -> Self {
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

    /// Its parameters; `shared`: does the memory of a parameter lie in another's?
    pub(super) fn signature(
        &self,
        names: &Names,
        precision: Precision,
        shared: impl Fn(BufferId) -> bool,
    ) -> Vec<String> {
        let one =
            |parameter: &Parameter| declare(parameter, precision, &names[&parameter.buffer], shared(parameter.buffer));
        self.parameters.iter().map(one).chain(self.extra.map(str::to_string)).collect()
    }

    /// A kernel of its own.
    pub(super) fn kernel(&self, name: &str, signature: &[String]) -> String {
        let (Draft { threads, body, .. }, signature) = (self, list(signature));
        let head = head(*threads);
        // A kernel of one block does not ask which it is.
        let block = if body.contains("block") { "    const unsigned block = blockIdx.x;\n" } else { "" };
        format!("{head}\n{name}({signature})\n{{\n{block}{body}}}\n")
    }

    /// A part of a kernel that does several things at once.
    pub(super) fn part(&self, name: &str, signature: &[String]) -> String {
        let all: Vec<String> =
            ["const unsigned block".to_string()].into_iter().chain(signature.iter().cloned()).collect();
        format!("__device__ __forceinline__ void {name}({})\n{{\n{}}}\n", list(&all), self.body)
    }
}

/// What a kernel begins with. The least number of blocks says how many registers a thread may have (128); without one, the
/// compiler spills for the sake of blocks that nobody asked for.
pub(super) fn head(threads: u32) -> String {
    format!("extern \"C\" __global__ void __launch_bounds__({threads}, {})", (512 / threads).max(1))
}

/// A parameter; `shared`: other parameters see its memory too.
pub(super) fn declare(parameter: &Parameter, precision: Precision, name: &str, shared: bool) -> String {
    let constant = if parameter.written { "" } else { "const " };
    let alone = if shared { "" } else { "__restrict__ " };
    format!("{constant}{}* {alone}{name}", float(precision))
}

/// A list of parameters, on lines of their own where they are many.
pub(super) fn list(parameters: &[String]) -> String {
    let joined = parameters.join(", ");
    if joined.len() < 70 { joined } else { format!("\n    {}", parameters.join(",\n    ")) }
}
