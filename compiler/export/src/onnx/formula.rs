//! A formula as ONNX operators.

use super::build::{Builder, windowed};
use super::message::{Attribute, element, float, int, ints};
use crate::formula::{Formula, Function, Step, Work};
use crate::network::{Defined, after, single};
use std::collections::BTreeMap;

/// Adds a closed formula of the value `x`; `prefix` begins the names of its values. Gives the name of its own.
pub(super) fn formula(builder: &mut Builder, prefix: &str, formula: &Formula, x: &str) -> String {
    let mut adding = Adding { builder, prefix, formula, x, values: vec![], truths: BTreeMap::new(), numbers: vec![] };
    for step in 0..formula.steps.len() {
        let value = adding.step(step);
        adding.values.push(value);
    }
    adding.number(formula.result)
}

/// An activation of the library that has an operator, or several, of its own; `None` for any other.
pub(super) fn operator(activation: &Defined) -> Option<(&'static str, Vec<Attribute>)> {
    let attribute = |name: &'static str, argument: &str| {
        activation.arguments.get(argument).map(|&number| vec![float(name, single(number))])
    };
    match activation.name.as_str() {
        _ if !activation.is_standard => None,
        "elu" => Some(("Elu", attribute("alpha", "alpha")?)),
        // Its numbers are the operator's own.
        "selu" => Some(("Selu", vec![])),
        "hard_sigmoid" => Some(("HardSigmoid", vec![float("alpha", single(1.0 / 6.0)), float("beta", 0.5)])),
        "hard_swish" => Some(("HardSwish", vec![])),
        _ => None,
    }
}

struct Adding<'a> {
    builder: &'a mut Builder,
    prefix: &'a str,
    formula: &'a Formula,
    x: &'a str,
    /// The name of each step's value.
    values: Vec<String>,
    /// Comparisons as truth values, and as numbers where somebody computes with them.
    truths: BTreeMap<usize, Option<String>>,
    /// Numbers that were written before.
    numbers: Vec<(f64, String)>,
}

impl Adding<'_> {
    fn step(&mut self, index: usize) -> String {
        let formula = self.formula;
        let step = &formula.steps[index];
        match &step.work {
            Work::X => self.x.to_string(),
            Work::Number(number) => self.constant_number(*number),
            Work::Known(tensor) => {
                let filters = formula.filters(index);
                let tensor = filters.as_ref().unwrap_or(tensor);
                self.constant(index, &tensor.shape, &tensor.data)
            }
            Work::Function(function) => self.function(index, *function, &step.inputs),
            Work::Stop => self.number(step.inputs[0]),
            Work::Reshape => self.shaped("Reshape", index, step, 0),
            Work::Expand => self.shaped("Expand", index, step, 1),
            Work::Sum(axes) => {
                let x = self.number(step.inputs[0]);
                let axes = self.builder.sizes(&format!("{}.axes{index}", self.prefix), axes);
                self.node("ReduceSum", index, &[&x, &axes], vec![int("keepdims", 1)])
            }
            Work::Largest(axes) => {
                let x = self.number(step.inputs[0]);
                self.node("ReduceMax", index, &[&x], vec![ints("axes", axes), int("keepdims", 1)])
            }
            Work::Product { .. } => {
                let operands = self.operands(&step.inputs);
                self.node("MatMul", index, &[&operands[0], &operands[1]], vec![])
            }
            Work::Convolve(window) => {
                let operands = self.operands(&step.inputs);
                let (input, result) = (&formula.steps[step.inputs[0]].shape[1..], &step.shape[1..]);
                let ([top, left], [bottom, right]) = (window.before, after(window, input, result));
                let attributes = windowed(window, [top, left, bottom, right]);
                self.node("Conv", index, &[&operands[0], &operands[1]], attributes)
            }
            // Closed formulas have neither; the steps that read them were numbers before.
            Work::State(_) | Work::Spherical => self.x.to_string(),
        }
    }

    /// `first` stands for the rows, whatever their number.
    fn shaped(&mut self, op: &str, index: usize, step: &Step, first: usize) -> String {
        let x = self.number(step.inputs[0]);
        let sizes: Vec<usize> = std::iter::once(first).chain(step.shape.iter().skip(1).copied()).collect();
        let sizes = self.builder.sizes(&format!("{}.shape{index}", self.prefix), &sizes);
        self.node(op, index, &[&x, &sizes], vec![])
    }

    fn function(&mut self, index: usize, function: Function, inputs: &[usize]) -> String {
        let op = match function {
            Function::Neg => "Neg",
            Function::Abs => "Abs",
            Function::Exp => "Exp",
            Function::Log => "Log",
            Function::Log1p => return self.log1p(index, inputs),
            Function::Sqrt => "Sqrt",
            Function::Sin => "Sin",
            Function::Cos => "Cos",
            Function::Tanh => "Tanh",
            Function::Erf => "Erf",
            Function::Sigmoid => "Sigmoid",
            Function::Softplus => "Softplus",
            Function::Add => "Add",
            Function::Sub => "Sub",
            Function::Mul => "Mul",
            Function::Div => "Div",
            Function::Max => "Max",
            Function::Min => "Min",
            Function::Pow => "Pow",
            Function::Less => return self.comparison("Less", index, inputs),
            Function::LessEqual => return self.comparison("LessOrEqual", index, inputs),
            Function::Equal => return self.comparison("Equal", index, inputs),
            Function::Select => {
                let truth = self.truth(index, inputs[0]);
                let (yes, no) = (self.number(inputs[1]), self.number(inputs[2]));
                return self.node("Where", index, &[&truth, &yes, &no], vec![]);
            }
        };
        let operands = self.operands(inputs);
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        self.node(op, index, &operands, vec![])
    }

    /// `log(1 + a)` has no operator: `u = 1 + a`, `log(u) a / (u - 1)` is as accurate as `log`; where u is 1, the value is a.
    fn log1p(&mut self, index: usize, inputs: &[usize]) -> String {
        let (a, one) = (self.number(inputs[0]), self.constant_number(1.0));
        let u = self.node("Add", index, &[&a, &one], vec![]);
        let rest = self.node("Sub", index, &[&u, &one], vec![]);
        let small = self.node("Equal", index, &[&u, &one], vec![]);
        let logarithm = self.node("Log", index, &[&u], vec![]);
        let product = self.node("Mul", index, &[&logarithm, &a], vec![]);
        let quotient = self.node("Div", index, &[&product, &rest], vec![]);
        self.node("Where", index, &[&small, &a, &quotient], vec![])
    }

    fn comparison(&mut self, op: &str, index: usize, inputs: &[usize]) -> String {
        let operands = self.operands(inputs);
        self.truths.insert(index, None);
        self.node(op, index, &[&operands[0], &operands[1]], vec![])
    }

    /// The value of a step as a number: of a comparison 1 or 0.
    fn number(&mut self, step: usize) -> String {
        match self.truths.get(&step) {
            None => self.values[step].clone(),
            Some(Some(number)) => number.clone(),
            Some(None) => {
                let truth = self.values[step].clone();
                let number = self.builder.cast(&format!("{}/number{step}", self.prefix), &truth);
                self.truths.insert(step, Some(number.clone()));
                number
            }
        }
    }

    /// The value of a step as a truth value: is it other than 0?
    fn truth(&mut self, index: usize, step: usize) -> String {
        if self.truths.contains_key(&step) {
            return self.values[step].clone();
        }
        let number = self.values[step].clone();
        self.node("Cast", index, &[&number], vec![int("to", i64::from(element::BOOL))])
    }

    fn operands(&mut self, inputs: &[usize]) -> Vec<String> {
        inputs.iter().map(|&input| self.number(input)).collect()
    }

    fn constant_number(&mut self, number: f64) -> String {
        if let Some((_, name)) = self.numbers.iter().find(|(known, _)| known.to_bits() == number.to_bits()) {
            return name.clone();
        }
        let name = self.builder.floats(&format!("{}.number{}", self.prefix, self.numbers.len()), &[], &[number]);
        self.numbers.push((number, name.clone()));
        name
    }

    fn constant(&mut self, index: usize, shape: &[usize], numbers: &[f64]) -> String {
        self.builder.floats(&format!("{}.known{index}", self.prefix), shape, numbers)
    }

    fn node(&mut self, op: &str, index: usize, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        let name = format!("{}/{}{index}", self.prefix, op.to_ascii_lowercase());
        self.builder.node(op, &name, inputs, attributes)
    }
}
