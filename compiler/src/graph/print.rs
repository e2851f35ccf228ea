//! A graph as text: what snapshots hold and what `gmpc emit --stage graph` shows.

use super::{Graph, Id, Op, Output};
use gmpc_grammar::source::Sources;
use std::fmt::Write;

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl Graph {
    /// One line a node, with the line of the model it came from where `sources` knows it.
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
                Output::Write { state, id } => writeln!(text, "write {} = {id}", self.states[*state].name),
            };
        }
        text
    }

    fn operation(&self, id: Id) -> String {
        let node = &self[id];
        let mut text = node.op.name().to_string();
        for input in &node.inputs {
            let _ = write!(text, " {input}");
        }
        let _ = match &node.op {
            Op::Input(i) => write!(text, " {}", self.inputs[*i].name),
            Op::State(i) => write!(text, " {}", self.states[*i].name),
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
            _ => Ok(()),
        };
        text
    }

    fn place(&self, id: Id, sources: &Sources) -> Option<String> {
        let span = self[id].span?;
        let (line, column) = sources.line_column(span);
        Some(format!("{}:{line}:{column}", sources.get(span.source)?.name))
    }
}
