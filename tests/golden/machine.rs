//! The machines that run a case: they set states, run a goal, and return outputs and states.

use super::case::Tensors;
use crate::networks::{compile, messages};
use gmpc_compiler::graphs::convert::{from_file, to_file};
use gmpc_compiler::ir::graph::{Graph, Output, Random, Tensor, evaluate};
use gmpc_compiler::ir::module::Module;
use gmpc_compiler::ir::net::Net;
use gmpc_compiler::ir::program::Goal;
use gmpc_compiler::{Options, initialization, step_graph};

/// Runs one network.
pub trait Machine {
    /// Sets states by name, in the layout of files. Other states keep their values.
    fn set(&mut self, states: &Tensors);
    /// All states by name, in the layout of files.
    fn states(&self) -> Tensors;
    /// Runs a goal on `x`, `target`, and a clock of learning rate and step. Returns the outputs by name.
    fn run(&mut self, goal: Goal, x: &Tensor, target: &Tensor, clock: (f64, u64)) -> Tensors;
    /// Runs a graph without states, such as a single operation, on its inputs.
    fn compute(&self, graph: &Graph, inputs: &[Tensor]) -> Vec<Tensor>;
}

/// The compiler's own evaluator, in f64.
pub struct Evaluator {
    module: Module,
    net: Net,
    initialization: Graph,
    states: Vec<Tensor>,
}

impl Evaluator {
    /// Compiles a network.
    pub fn new(source: &str) -> Result<Self, String> {
        let (module, net) = compile(source)?;
        let initialization = initialization(&module, &net).map_err(|errors| messages(&errors))?;
        let states = gmpc_compiler::gradcheck::first_states(&initialization, 0);
        Ok(Evaluator { module, net, initialization, states })
    }
}

impl Machine for Evaluator {
    fn set(&mut self, states: &Tensors) {
        // Cases have tensors for parameters and running statistics only. States of optimizers keep their first values.
        for (state, value) in self.initialization.states.iter().zip(&mut self.states) {
            if let Some(tensor) = states.get(&state.name) {
                let shape = &tensor.shape;
                *value = from_file(state, tensor).unwrap_or_else(|| panic!("{} is {shape:?}", state.name));
            }
        }
    }

    fn states(&self) -> Tensors {
        let named = self.initialization.states.iter().zip(&self.states);
        named.map(|(state, value)| (state.name.clone(), to_file(state, value))).collect()
    }

    fn run(&mut self, goal: Goal, x: &Tensor, target: &Tensor, (lr, step): (f64, u64)) -> Tensors {
        let (graph, _) = step_graph(&self.module, &self.net, goal, x.shape[0], &Options::default())
            .unwrap_or_else(|errors| panic!("{}", messages(&errors)));
        // A graph has only the inputs that its goal needs. What is not named here says that a batch is a step by itself.
        let inputs: Vec<Tensor> = graph
            .inputs
            .iter()
            .map(|input| match input.name.as_str() {
                "x" => x.clone(),
                "target" => Tensor { shape: input.shape.clone(), data: target.data.clone() },
                "lr" => Tensor::full(&[], lr),
                "step" => Tensor::full(&[], step as f64),
                _ => Tensor::full(&[], 1.0),
            })
            .collect();
        let values = evaluate(&graph, &inputs, &self.states, Random { seed: 0, step });
        // All outputs have been computed from the old states before the first state is overwritten.
        let mut outputs = Tensors::new();
        for (output, value) in graph.outputs.iter().zip(values) {
            match output {
                Output::Write { state, .. } => self.states[*state] = value,
                Output::Value { name, .. } => {
                    // A gradient has the layout of its parameter, so it is converted in the same way.
                    let parameter = name.strip_prefix("grad.").and_then(|n| graph.states.iter().find(|s| s.name == n));
                    outputs.insert(name.clone(), parameter.map_or(value.clone(), |state| to_file(state, &value)));
                }
            }
        }
        outputs
    }

    fn compute(&self, graph: &Graph, inputs: &[Tensor]) -> Vec<Tensor> {
        evaluate(graph, inputs, &[], Random::default())
    }
}
