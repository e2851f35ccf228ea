//! Nodes and constants of a graph, each under a name of its own.

use super::message::{Attribute, Node, Tensor, element, int, ints, whole};
use crate::names::Taken;
use crate::network::{Network, single};
use gmpc_compiler::ir::window::Window;

/// A graph that grows.
pub(super) struct Builder {
    pub nodes: Vec<Node>,
    pub constants: Vec<Tensor>,
    /// The name of each layer's value.
    layers: Vec<String>,
    taken: Taken,
}

impl Builder {
    /// An empty graph that keeps some names for its inputs and outputs, and the layers' names for their values.
    pub(super) fn new<const N: usize>(network: &Network, reserved: [&str; N]) -> Self {
        let mut taken = Taken::with(reserved);
        let layers = network.layers.iter().map(|layer| taken.free(layer.name.clone())).collect();
        Builder { nodes: vec![], constants: vec![], layers, taken }
    }

    /// A layer's name in the graph.
    pub(super) fn layer(&self, index: usize) -> &str {
        &self.layers[index]
    }

    /// Adds an operation; gives the name of its result, which is `name` or something like it.
    pub(super) fn node(&mut self, op: &str, name: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let name = self.taken.free(name);
        self.named(op, &name, inputs, attributes);
        name
    }

    /// Adds an operation whose result has a reserved name.
    pub(super) fn named(&mut self, op: &str, name: &str, inputs: &[&str], attributes: Vec<Attribute>) {
        self.nodes.push(Node {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![name.to_string()],
            name: name.to_string(),
            op_type: op.to_string(),
            attribute: attributes,
        });
    }

    /// Gives the result of the newest operation the layer's own name, if the layer has added one since there were `before`.
    pub(super) fn close(&mut self, index: usize, before: usize, value: String) -> String {
        match self.nodes.get_mut(before..).and_then(<[Node]>::last_mut) {
            Some(last) => {
                last.output = vec![self.layers[index].clone()];
                last.name.clone_from(&self.layers[index]);
                self.layers[index].clone()
            }
            None => value,
        }
    }

    /// To single precision.
    pub(super) fn cast(&mut self, name: &str, value: &str) -> String {
        self.node("Cast", name, &[value], vec![int("to", i64::from(element::FLOAT))])
    }

    /// A constant in single precision.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize], numbers: &[f64]) -> String {
        let bytes = numbers.iter().flat_map(|&number| single(number).to_le_bytes()).collect();
        self.constant(name, element::FLOAT, shape, bytes)
    }

    /// A row of constants in double precision.
    pub(super) fn doubles(&mut self, name: &str, numbers: &[f64]) -> String {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(name, element::DOUBLE, &[numbers.len()], bytes)
    }

    /// A row of whole numbers.
    pub(super) fn sizes(&mut self, name: &str, numbers: &[usize]) -> String {
        let bytes = numbers.iter().flat_map(|&number| whole(number).to_le_bytes()).collect();
        self.constant(name, element::INT64, &[numbers.len()], bytes)
    }

    fn constant(&mut self, name: &str, data_type: i32, shape: &[usize], raw_data: Vec<u8>) -> String {
        let name = self.taken.free(name);
        let dims = shape.iter().map(|&size| whole(size)).collect();
        self.constants.push(Tensor { dims, data_type, name: name.clone(), raw_data });
        name
    }
}

/// The shape of one number a feature or channel, for values of so many axes in an example.
pub(super) fn channels(count: usize, axes: usize) -> Vec<usize> {
    std::iter::once(count).chain(std::iter::repeat_n(1, axes.saturating_sub(1))).collect()
}

/// The attributes of a window.
pub(super) fn windowed(window: &Window, pads: [usize; 4]) -> Vec<Attribute> {
    vec![ints("kernel_shape", &window.kernel), ints("strides", &window.stride), ints("pads", &pads)]
}
