//! A generated kernel on its way into the source: its parameters, its body, how it is launched.

use super::source::Features;
use super::text::float;
use crate::experiment::Precision;
use crate::kernels::BufferId;
use std::collections::HashMap;

/// What buffers are called in a kernel.
pub(super) type Names = HashMap<BufferId, String>;

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
    /// The function; `shared`: does the memory of a parameter lie in another's?
    pub(super) fn function(
        &self,
        name: &str,
        names: &Names,
        precision: Precision,
        shared: impl Fn(BufferId) -> bool,
    ) -> String {
        let float = float(precision);
        let one = |parameter: &Parameter| {
            let constant = if parameter.written { "" } else { "const " };
            let alone = if shared(parameter.buffer) { "" } else { "__restrict__ " };
            format!("{constant}{float}* {alone}{}", names[&parameter.buffer])
        };
        let extra = self.extra.map(str::to_string);
        let parameters: Vec<String> = self.parameters.iter().map(one).chain(extra).collect();
        let joined = parameters.join(", ");
        let list = if joined.len() < 90 { joined } else { format!("\n    {}", parameters.join(",\n    ")) };
        let threads = self.threads;
        format!("extern \"C\" __global__ void __launch_bounds__({threads})\n{name}({list})\n{{\n{}}}\n", self.body)
    }
}
