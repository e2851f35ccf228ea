//! What runs a case: sets states, runs a goal, gives back outputs and states.

use super::case::Tensors;
use gmpc_compiler::convert::{from_file, to_file};
use gmpc_compiler::graph::{Graph, Output, Random, Tensor, evaluate};
use gmpc_compiler::infer::infer;
use gmpc_compiler::module::Module;
use gmpc_compiler::net::Net;
use gmpc_compiler::program::Goal;
use gmpc_compiler::resolve::{Overrides, read};
use gmpc_compiler::{Options, initialization, step_graph};
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Source;

/// Runs one network.
pub trait Machine {
    /// Sets states by name, in the files' layout; others keep their values.
    fn set(&mut self, states: &Tensors);
    /// All states by name, in the files' layout.
    fn states(&self) -> Tensors;
    /// Runs a goal on `x`, `target`, a rate and a step; named outputs.
    fn run(&mut self, goal: Goal, x: &Tensor, target: &Tensor, clock: (f64, u64)) -> Tensors;
    /// Runs a graph without states, such as a single operation, on its inputs.
    fn compute(&self, graph: &Graph, inputs: &[Tensor]) -> Vec<Tensor>;
}

/// From text to network; all diagnostics as one text.
pub fn compile(source: &str) -> Result<(Module, Net), String> {
    let source = Source { name: "golden.gmpnet".to_string(), text: source.to_string() };
    let (module, _) = read(source, &Overrides::default()).map_err(|failure| told(&failure.diagnostics))?;
    let net = infer(&module, None).map_err(|errors| told(&errors))?;
    Ok((module, net))
}

fn told(errors: &[Diagnostic]) -> String {
    let one = |e: &Diagnostic| format!("{} {} {:?}", e.code, e.message, e.help);
    errors.iter().map(one).collect::<Vec<_>>().join("; ")
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
        let initialization = initialization(&module, &net).map_err(|errors| told(&errors))?;
        let states = gmpc_compiler::gradcheck::first_states(&initialization, 0);
        Ok(Evaluator { module, net, initialization, states })
    }
}

impl Machine for Evaluator {
    fn set(&mut self, states: &Tensors) {
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
            .unwrap_or_else(|errors| panic!("{}", told(&errors)));
        gmpc_compiler::graph::verify(&graph).unwrap_or_else(|rule| panic!("{rule}"));
        let inputs: Vec<Tensor> = graph
            .inputs
            .iter()
            .map(|input| match input.name.as_str() {
                "x" => x.clone(),
                "target" => target.clone(),
                "lr" => Tensor::full(&[], lr),
                _ => Tensor::full(&[], step as f64),
            })
            .collect();
        let values = evaluate(&graph, &inputs, &self.states, Random { seed: 0, step });
        let mut outputs = Tensors::new();
        for (output, value) in graph.outputs.iter().zip(values) {
            match output {
                Output::Write { state, .. } => self.states[*state] = value,
                Output::Value { name, .. } => {
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
