//! Compares compiled gradients with central differences of the loss, in f64.
//!
//! ```text
//! dL/dp  ~  (L(p + eps) - L(p - eps)) / 2 eps        |difference| <= atol + rtol |dL/dp|
//! ```
//!
//! The differences always come from the plain evaluator; the gradients from whatever device is checked. Where the loss has a
//! kink between p - eps and p + eps (a `relu` whose sign changes) the two one-sided slopes disagree; such elements are counted,
//! not judged.

use crate::graph::{Graph, Op, Output, Random, Role, Tensor, evaluate};
use crate::module::Module;
use crate::net::Net;
use crate::program::Goal;
use crate::{Options, initialization, step_graph};
use gmpc_grammar::diagnostic::Diagnostic;

/// How far a parameter is moved.
pub const EPS: f64 = 1e-6;
/// Absolute tolerance.
pub const ATOL: f64 = 1e-5;
/// Tolerance relative to the difference quotient.
pub const RTOL: f64 = 1e-3;
/// Elements checked in one tensor; of larger ones, this many evenly spread.
pub const CAP: usize = 64;
/// Streams of the random inputs and of the noise on parameters, apart from those of initialization and dropout.
const STREAMS: u32 = 1 << 30;

/// A network at random inputs and slightly moved first parameters, ready to be checked.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The graph of [`Goal::Gradients`].
    pub graph: Graph,
    /// `x` and `target`.
    pub inputs: Vec<Tensor>,
    /// In the graph's order.
    pub states: Vec<Tensor>,
    /// For dropout.
    pub random: Random,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One for the input and each parameter.
    pub tensors: Vec<Checked>,
}

/// The check of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// `input`, or the parameter's name.
    pub name: String,
    /// Elements compared.
    pub elements: usize,
    /// Elements left out because the loss has a kink there.
    pub kinks: usize,
    /// The worst |gradient - difference| / (atol + rtol |difference|): at most 1 is right.
    pub worst: f64,
    /// Gradient and difference quotient of the worst element.
    pub at_worst: (f64, f64),
}

impl Report {
    /// Is every gradient right?
    #[must_use]
    pub fn passed(&self) -> bool {
        self.tensors.iter().all(|t| t.worst <= 1.0)
    }
}

/// Checks the graph of a network on the plain evaluator.
///
/// # Errors
/// As [`step_graph`].
pub fn gradcheck(module: &Module, net: &Net, batch: usize, seed: u64) -> Result<Report, Vec<Diagnostic>> {
    let problem = problem(module, net, batch, seed)?;
    let outputs = evaluate(&problem.graph, &problem.inputs, &problem.states, problem.random);
    Ok(problem.compare(&outputs))
}

/// Random inputs in [-1.5, 1.5), targets in the same range or class numbers, and first parameters moved by up to 0.2, so that
/// offsets are not 0 and scales not 1.
///
/// # Errors
/// As [`step_graph`].
pub fn problem(module: &Module, net: &Net, batch: usize, seed: u64) -> Result<Problem, Vec<Diagnostic>> {
    let (graph, _) = step_graph(module, net, Goal::Gradients, batch, &Options::default())?;
    let random = Random { seed, step: 1 };
    let mut states = first_states(&initialization(module, net)?, seed);
    for (i, (state, value)) in graph.states.iter().zip(&mut states).enumerate() {
        if state.role == Role::Parameter {
            let noise = draw(&state.shape, i + 2, random);
            value.data.iter_mut().zip(noise.data).for_each(|(x, noise)| *x += 0.4 * (noise - 0.5));
        }
    }
    let classes: usize = net.layers.get(net.output).map_or(1, |l| l.shape.iter().product());
    let inputs = graph.inputs.iter().enumerate().map(|(i, input)| {
        let mut value = draw(&input.shape, i, random);
        let labels = input.name == "target" && net.target_shape.is_empty();
        #[allow(clippy::cast_precision_loss)] // a number of classes
        let number = |u: f64| if labels { (u * classes as f64).floor() } else { 3.0 * (u - 0.5) };
        value.data.iter_mut().for_each(|x| *x = number(*x));
        value
    });
    let inputs = inputs.collect();
    Ok(Problem { graph, inputs, states, random })
}

/// Values of all states after initialization, in the graph's order.
#[must_use]
pub fn first_states(initialization: &Graph, seed: u64) -> Vec<Tensor> {
    let mut states: Vec<Tensor> = initialization.states.iter().map(|s| Tensor::full(&s.shape, 0.0)).collect();
    let values = evaluate(initialization, &[], &[], Random { seed, step: 0 });
    for (output, value) in initialization.outputs.iter().zip(values) {
        if let Output::Write { state, .. } = output {
            states[*state] = value;
        }
    }
    states
}

fn draw(shape: &[usize], stream: usize, random: Random) -> Tensor {
    let mut graph = Graph::default();
    let stream = STREAMS | u32::try_from(stream).unwrap_or(0);
    let id = graph.push(Op::Uniform { stream }, vec![], shape.to_vec());
    graph.output("draw", id);
    evaluate(&graph, &[], &[], random).swap_remove(0)
}

impl Problem {
    /// Compares a device's outputs, in the graph's order, with difference quotients.
    #[must_use]
    pub fn compare(&self, outputs: &[Tensor]) -> Report {
        let forward = self.forward();
        let mut tensors = Vec::new();
        for (output, gradient) in self.graph.outputs.iter().zip(outputs) {
            let Output::Value { name, .. } = output else { continue };
            let Some(name) = name.strip_prefix("grad.") else { continue };
            let place = if name == "input" {
                Place::Input(0)
            } else {
                match self.graph.states.iter().position(|s| s.name == name && s.role == Role::Parameter) {
                    Some(state) => Place::State(state),
                    None => continue, // `grad.output` has no tensor of its own to move
                }
            };
            tensors.push(self.check(&forward, name, place, gradient));
        }
        Report { tensors }
    }

    /// The graph up to the loss: gradients come after it.
    fn forward(&self) -> Graph {
        let mut graph = self.graph.clone();
        graph.outputs.retain(|o| matches!(o, Output::Value { name, .. } if name == "loss"));
        if let Some(loss) = graph.outputs.first().map(Output::id) {
            graph.nodes.truncate(loss.index() + 1);
        }
        graph
    }

    fn check(&self, forward: &Graph, name: &str, place: Place, gradient: &Tensor) -> Checked {
        let count = gradient.data.len();
        let checked = count.min(CAP);
        let mut result = Checked { name: name.to_string(), elements: 0, kinks: 0, worst: 0.0, at_worst: (0.0, 0.0) };
        for i in 0..checked {
            let element = i * count / checked;
            let (slopes, numeric) = self.differences(forward, place, element);
            let analytic = gradient.data[element];
            let error = (analytic - numeric).abs() / (ATOL + RTOL * numeric.abs());
            let wrong = error > 1.0 || error.is_nan();
            if wrong && (slopes[0] - slopes[1]).abs() > ATOL.sqrt() * (1.0 + numeric.abs()) {
                result.kinks += 1;
                continue;
            }
            result.elements += 1;
            let error = if error.is_nan() { f64::INFINITY } else { error };
            if error > result.worst {
                (result.worst, result.at_worst) = (error, (analytic, numeric));
            }
        }
        result
    }

    /// Slopes to the left and to the right, and the central one.
    fn differences(&self, forward: &Graph, place: Place, element: usize) -> ([f64; 2], f64) {
        let at = |shift: f64| {
            let (mut inputs, mut states) = (self.inputs.clone(), self.states.clone());
            let tensor = match place {
                Place::Input(i) => &mut inputs[i],
                Place::State(i) => &mut states[i],
            };
            tensor.data[element] += shift;
            evaluate(forward, &inputs, &states, self.random).first().map_or(f64::NAN, |loss| loss.data[0])
        };
        let (low, middle, high) = (at(-EPS), at(0.0), at(EPS));
        ([(middle - low) / EPS, (high - middle) / EPS], (high - low) / (2.0 * EPS))
    }
}

/// Which tensor is moved.
#[derive(Debug, Clone, Copy)]
enum Place {
    Input(usize),
    State(usize),
}

/// Differentiates a graph of one tensor `x` and checks it, for tests of single operations: `of` must be a scalar.
#[cfg(test)]
pub(crate) fn check_graph(
    mut graph: Graph,
    wrt: &[crate::graph::Id],
    of: crate::graph::Id,
    states: Vec<Tensor>,
) -> Report {
    graph.output("loss", of);
    let gradients = crate::differentiate::differentiate(&mut graph, of, wrt, &Default::default());
    for (state, gradient) in gradients.into_iter().enumerate() {
        let name = graph.states[state].name.clone();
        graph.output(format!("grad.{name}"), gradient);
    }
    crate::graph::verify(&graph).expect("a well-formed graph");
    let problem = Problem { graph, inputs: vec![], states, random: Random::default() };
    let outputs = evaluate(&problem.graph, &[], &problem.states, problem.random);
    problem.compare(&outputs)
}
