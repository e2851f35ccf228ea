//! Each layer of a network as ONNX operators.

use super::build::{Builder, channels, windowed};
use super::formula::{formula, operator};
use super::message::{Attribute, float, int};
use crate::network::{Activation, Layer, Network, Op, Unit, after, single};
use gmpc_compiler::ir::net::{Arithmetic, Connection, Standard};
use gmpc_compiler::ir::window::Window;

/// Adds a layer; `values` are the names of the values of all layers before. Gives the name of its own.
pub(super) fn layer(builder: &mut Builder, network: &Network, index: usize, values: &[String]) -> String {
    let layer = &network.layers[index];
    let operands: Vec<&str> = layer.inputs.iter().map(|&input| values[input].as_str()).collect();
    let input = layer.inputs.first().map_or(&[][..], |&input| &network.layers[input].shape);
    let name = builder.layer(index).to_string();
    let before = builder.nodes.len();
    let mut to = Adding { builder, name: &name, axes: layer.shape.len() };
    let value = to.layer(layer, &operands, input);
    builder.close(index, before, value)
}

/// What a layer's operations have in common.
struct Adding<'a> {
    builder: &'a mut Builder,
    /// The layer's.
    name: &'a str,
    /// Number of axes of an example of its result.
    axes: usize,
}

impl Adding<'_> {
    fn layer(&mut self, layer: &Layer, operands: &[&str], input: &[usize]) -> String {
        let x = operands.first().copied().unwrap_or(super::INPUT);
        match &layer.op {
            Op::Input | Op::Dropout { .. } => x.to_string(),
            Op::Unit(unit) => self.unit(unit, x, input, &layer.shape),
            Op::Activation(activation) => self.activation(activation, x),
            Op::Defined(defined) => formula(self.builder, self.name, &defined.closed, x),
            Op::Arithmetic(operation) => self.node(arithmetic(*operation), "sum", operands, vec![]),
            Op::Scaled { operation, number, number_first } => {
                let number = self.constant("number", &[], &[*number]);
                let operands = if *number_first { [number.as_str(), x] } else { [x, number.as_str()] };
                self.node(arithmetic(*operation), "scaled", &operands, vec![])
            }
            Op::Concat => self.node("Concat", "joined", operands, vec![int("axis", 1)]),
            Op::Flatten => self.node("Flatten", "flat", &[x], vec![int("axis", 1)]),
            Op::MaxPool(window) => {
                let attributes = windowed(window, before_and_after(window, input, &layer.shape));
                self.node("MaxPool", "pool", &[x], attributes)
            }
            Op::AvgPool(window) => self.average(window, x, input, &layer.shape),
            Op::GlobalAvgPool => {
                // The operator keeps height and width as axes of size 1; here a row of features goes on.
                let mean = self.node("GlobalAveragePool", "mean", &[x], vec![]);
                self.node("Flatten", "flat", &[&mean], vec![int("axis", 1)])
            }
            Op::MeanNorm { mean, .. } => self.by_channel("Sub", "mean", x, mean),
        }
    }

    fn unit(&mut self, unit: &Unit, x: &str, input: &[usize], result: &[usize]) -> String {
        let plain = &unit.plain;
        let mut x = x.to_string();
        // Before the product: the zeros of a padded convolution stand around `x - centre`.
        if !plain.centre.is_empty() {
            let shape = channels(plain.centre.len(), input.len());
            let centre = self.constant("centre", &shape, &plain.centre);
            x = self.node("Sub", "centred", &[&x, &centre], vec![]);
        }
        let weight = self.constant("weight", &plain.weight.shape, &plain.weight.data);
        let bias = self.constant("bias", &[plain.offset.len()], &plain.offset);
        let operands = [x.as_str(), &weight, &bias];
        // `Gemm` transposes, because the weight is `[units, fan_in]`.
        let mut value = match &unit.product {
            Connection::Dense { .. } => self.node("Gemm", "product", &operands, vec![int("transB", 1)]),
            Connection::Convolution(of) => {
                let attributes = windowed(&of.window, before_and_after(&of.window, input, result));
                self.node("Conv", "product", &operands, attributes)
            }
        };
        value = self.activation(&unit.activation, &value);
        if !plain.scale.is_empty() {
            value = self.by_channel("Mul", "scale", &value, &plain.scale);
        }
        if !plain.shift.is_empty() {
            value = self.by_channel("Add", "shift", &value, &plain.shift);
        }
        value
    }

    fn activation(&mut self, activation: &Activation, x: &str) -> String {
        match activation {
            Activation::Standard(standard) => self.standard(*standard, x),
            Activation::Defined(defined) => match operator(defined) {
                Some((op, attributes)) => self.node(op, "act", &[x], attributes),
                None => formula(self.builder, &format!("{}/act", self.name), &defined.closed, x),
            },
        }
    }

    fn standard(&mut self, activation: Standard, x: &str) -> String {
        match activation {
            Standard::Identity => x.to_string(),
            Standard::Relu => self.node("Relu", "act", &[x], vec![]),
            Standard::LeakyRelu(slope) => self.node("LeakyRelu", "act", &[x], vec![float("alpha", single(slope))]),
            Standard::Tanh => self.node("Tanh", "act", &[x], vec![]),
            Standard::Sigmoid => self.node("Sigmoid", "act", &[x], vec![]),
            Standard::Softplus => self.node("Softplus", "act", &[x], vec![]),
            Standard::Gelu => self.gelu(x),
        }
    }

    /// x (1 + erf(x / sqrt 2)) / 2: the operator `Gelu` is younger than this set.
    fn gelu(&mut self, x: &str) -> String {
        let [root, one, half] = [("root", std::f64::consts::FRAC_1_SQRT_2), ("one", 1.0), ("half", 0.5)]
            .map(|(name, number)| self.constant(name, &[], &[number]));
        let scaled = self.node("Mul", "over_root", &[x, &root], vec![]);
        let erf = self.node("Erf", "erf", &[&scaled], vec![]);
        let sum = self.node("Add", "one_more", &[&erf, &one], vec![]);
        let half = self.node("Mul", "halved", &[x, &half], vec![]);
        self.node("Mul", "act", &[&half, &sum], vec![])
    }

    fn average(&mut self, window: &Window, x: &str, input: &[usize], result: &[usize]) -> String {
        let [top, left, bottom, right] = before_and_after(window, input, result);
        let mut x = x.to_string();
        if [top, left, bottom, right] != [0; 4] {
            let pads = [0, 0, top, left, 0, 0, bottom, right];
            let pads = self.builder.sizes(&format!("{}.pads", self.name), &pads);
            x = self.node("Pad", "padded", &[&x, &pads], vec![]);
        }
        self.node("AveragePool", "pool", &[&x], windowed(window, [0; 4]))
    }

    /// An operation with one number for each feature or channel.
    fn by_channel(&mut self, op: &str, name: &str, x: &str, numbers: &[f64]) -> String {
        let shape = channels(numbers.len(), self.axes);
        let numbers = self.constant(name, &shape, numbers);
        self.node(op, name, &[x, &numbers], vec![])
    }

    fn node(&mut self, op: &str, name: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        self.builder.node(op, &format!("{}/{name}", self.name), inputs, attributes)
    }

    fn constant(&mut self, name: &str, shape: &[usize], numbers: &[f64]) -> String {
        self.builder.floats(&format!("{}.{name}", self.name), shape, numbers)
    }
}

fn arithmetic(operation: Arithmetic) -> &'static str {
    match operation {
        Arithmetic::Add => "Add",
        Arithmetic::Subtract => "Sub",
        Arithmetic::Multiply => "Mul",
        Arithmetic::Divide => "Div",
    }
}

/// Rows and columns of padding: top, left, bottom, right.
fn before_and_after(window: &Window, input: &[usize], result: &[usize]) -> [usize; 4] {
    let ([top, left], [bottom, right]) = (window.before, after(window, input, result));
    [top, left, bottom, right]
}
