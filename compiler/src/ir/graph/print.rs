//! A graph as text, for snapshots, for `gmpc emit`, and for internal errors. An internal error prints a broken graph, so
//! references to inputs and states that do not exist are printed as `?`.

use super::groups::{elementwise, scan};
use super::{Graph, Id, Op, Output};
use gmpc_grammar::source::Sources;
use std::fmt::Write;

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl Graph {
    /// Prints one line for each node, with the line of the model that it comes from if `sources` are given.
    #[must_use]
    pub fn print(&self, sources: Option<&Sources>) -> String {
        let mut text = String::new();
        for id in self.ids() {
            let line = format!("{id} = {}", self.operation(id));
            let place = sources.and_then(|s| self.place(id, s)).map(|p| format!("  # {p}")).unwrap_or_default();
            let _ = writeln!(text, "{line:<40} : {:?}{place}", self.shape(id));
        }
        for output in &self.outputs {
            let _ = match output {
                Output::Value { name, id } => writeln!(text, "output {name} = {id}"),
                Output::Write { state, id } => {
                    writeln!(text, "write {} = {id}", self.states.get(*state).map_or("?", |state| &state.name))
                }
            };
        }
        text
    }

    /// Prints the operation, its operands, and the fields of the operation: everything that the shape does not say.
    fn operation(&self, id: Id) -> String {
        let node = &self[id];
        let mut text = node.op.name().to_string();
        for input in &node.inputs {
            let _ = write!(text, " {input}");
        }
        // A match without `_`: a new operation with fields must be printed with them, or two different nodes would look alike.
        let _ = match &node.op {
            // A broken graph is printed too, in the error of `verify`, so an index without an entry must not panic.
            Op::Input(i) => write!(text, " {}", self.inputs.get(*i).map_or("?", |input| &input.name)),
            Op::State(i) => write!(text, " {}", self.states.get(*i).map_or("?", |state| &state.name)),
            Op::Const(value) => write!(text, " {value}"),
            Op::Iota(axis) | Op::Concat { axis } => write!(text, " axis {axis}"),
            Op::Uniform { stream } => write!(text, " stream {stream}"),
            Op::Transpose(axes) | Op::Sum(axes) | Op::MaxOver(axes) => write!(text, " {axes:?}"),
            Op::Slice { axis, start } => write!(text, " axis {axis} from {start}"),
            Op::Pad { axis, before } => write!(text, " axis {axis} before {before}"),
            Op::MatMul { transpose_a, transpose_b } => match (transpose_a, transpose_b) {
                (false, false) => Ok(()),
                (true, false) => write!(text, " (a transposed)"),
                (false, true) => write!(text, " (b transposed)"),
                (true, true) => write!(text, " (both transposed)"),
            },
            Op::Convolve(window) | Op::ConvolveInput(window) | Op::ConvolveWeight(window) => write!(text, " {window}"),
            Op::MaxPool(window) | Op::MaxPoolGrad(window) => write!(text, " {window}"),
            Op::SumPool(window) | Op::SumPoolGrad(window) => write!(text, " {window}"),
            elementwise!() | Op::Reshape | Op::Broadcast | scan!() => Ok(()),
        };
        text
    }

    fn place(&self, id: Id, sources: &Sources) -> Option<String> {
        let span = self[id].span?;
        let (line, column) = sources.line_column(span);
        Some(format!("{}:{line}:{column}", sources.get(span.source)?.name))
    }
}
