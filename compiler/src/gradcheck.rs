//! Compares compiled gradients with central differences of the loss, in f64.
//!
//! ```text
//! dL/dp  ~  (L(p + eps) - L(p - eps)) / 2 eps        |difference| <= atol + rtol |dL/dp|
//! ```
//!
//! The differences always come from the reference evaluator, and the gradients from the device that is checked. If the loss
//! has a kink between p - eps and p + eps (a `relu` whose sign changes), the two one-sided slopes disagree. Such elements are
//! counted but not judged. The value of a `stop_gradient` is no function of p for a gradient, so it is held at its value at p.

use crate::graphs::step::HELD;
use crate::ir::graph::{Graph, Input, Op, Output, Random, Role, Tensor, evaluate};
use crate::ir::internal::index32;
use crate::ir::module::Module;
use crate::ir::net::Net;
use crate::ir::program::Goal;
use crate::{Options, initialization, step_graph};
use gmpc_grammar::diagnostic::Diagnostic;

/// How far an element is moved in each direction.
pub const EPS: f64 = 1e-6;
/// Absolute tolerance.
pub const ATOL: f64 = 1e-5;
/// Relative tolerance, a factor of the difference quotient.
pub const RTOL: f64 = 1e-3;
/// The most elements checked in one tensor. Of a larger tensor, this many evenly spaced elements are checked.
pub const CAP: usize = 64;
/// First stream of the random inputs and of the noise on parameters. Initialization and dropout use streams below it, so that
/// no random number is used twice.
const STREAMS: u32 = 1 << 30;

/// A network with random inputs and slightly moved initial parameters, ready to be checked.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The graph of [`Goal::Gradients`].
    pub graph: Graph,
    /// `x` and `target`.
    pub inputs: Vec<Tensor>,
    /// The values of the states, in the graph's order.
    pub states: Vec<Tensor>,
    /// The random numbers of dropout.
    pub random: Random,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One entry for the input and one for each parameter.
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
    /// The largest |gradient - difference| / (atol + rtol |difference|). The gradient is right if this is at most 1.
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

/// Checks the gradients of a network, computed by the reference evaluator.
///
/// # Errors
/// As [`step_graph`].
pub fn gradcheck(module: &Module, net: &Net, batch: usize, seed: u64) -> Result<Report, Vec<Diagnostic>> {
    let problem = problem(module, net, batch, seed)?;
    let outputs = evaluate(&problem.graph, &problem.inputs, &problem.states, problem.random);
    Ok(problem.compare(&outputs))
}

/// Draws a problem: inputs in [-1.5, 1.5), targets in the same range or class numbers, and initial parameters moved by up to
/// 0.2. The move keeps offsets from being 0 and scales from being 1, where some wrong gradients look right.
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
    // A target without axes is a class number. There is one class for each number of the network's output.
    let classes: usize = net.layers.get(net.output).map_or(1, |l| l.shape.iter().product());
    let inputs = graph.inputs.iter().enumerate().map(|(i, input)| {
        let mut value = draw(&input.shape, i, random);
        let labels = input.name == "target" && net.target_shape.is_empty();
        let number = |u: f64| if labels { (u * classes as f64).floor() } else { 3.0 * (u - 0.5) };
        value.data.iter_mut().for_each(|x| *x = number(*x));
        value
    });
    let inputs = inputs.collect();
    Ok(Problem { graph, inputs, states, random })
}

/// Returns the values of all states after initialization, in the graph's order.
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
    let stream = STREAMS | index32(stream, "streams");
    let id = graph.push(Op::Uniform { stream }, vec![], shape.to_vec());
    graph.output("draw", id);
    evaluate(&graph, &[], &[], random).swap_remove(0)
}

impl Problem {
    /// Compares the gradients that a device computed with difference quotients. `outputs` are in the graph's order.
    #[must_use]
    pub fn compare(&self, outputs: &[Tensor]) -> Report {
        let forward = self.forward();
        let mut tensors = Vec::new();
        for (output, gradient) in self.graph.outputs.iter().zip(outputs) {
            let Output::Value { name, .. } = output else { continue };
            let Some(name) = name.strip_prefix("grad.") else { continue };
            let place = if name == "input" {
                Moved::Input(0)
            } else {
                match self.graph.states.iter().position(|s| s.name == name && s.role == Role::Parameter) {
                    Some(state) => Moved::State(state),
                    None => continue, // `grad.output` has no tensor of its own to move
                }
            };
            tensors.push(self.check(&forward, name, place, gradient));
        }
        Report { tensors }
    }

    /// Returns the graph up to the loss, with inputs in the place of the values that no gradient goes back through. Operands come
    /// before their users, so the nodes after the loss only serve gradients.
    fn forward(&self) -> Forward {
        let mut graph = self.graph.clone();
        graph.outputs.retain(|o| matches!(o, Output::Value { name, .. } if name.starts_with(HELD)));
        let held = evaluate(&graph, &self.inputs, &self.states, self.random);
        for (output, value) in std::mem::take(&mut graph.outputs).iter().zip(&held) {
            let place = graph.inputs.len();
            graph.inputs.push(Input { name: format!("{HELD}{place}"), shape: value.shape.clone() });
            let node = &mut graph.nodes[output.id().index()];
            (node.op, node.inputs) = (Op::Input(place), vec![]);
        }
        let is_loss = |o: &&Output| matches!(o, Output::Value { name, .. } if name == "loss");
        if let Some(loss) = self.graph.outputs.iter().find(is_loss) {
            graph.outputs.push(loss.clone());
            graph.nodes.truncate(loss.id().index() + 1);
        }
        Forward { graph, held }
    }

    fn check(&self, forward: &Forward, name: &str, place: Moved, gradient: &Tensor) -> Checked {
        let count = gradient.data.len();
        let checked = count.min(CAP);
        let mut result = Checked { name: name.to_string(), elements: 0, kinks: 0, worst: 0.0, at_worst: (0.0, 0.0) };
        for i in 0..checked {
            let element = i * count / checked;
            // Evenly spaced elements, not the first ones: they come from all units and all inputs.
            let (slopes, numeric) = self.differences(forward, place, element);
            let analytic = gradient.data[element];
            let error = (analytic - numeric).abs() / (ATOL + RTOL * numeric.abs());
            // Only an element that would fail is excused by a kink. So a kink never hides an element that agrees anyway.
            let wrong = error > 1.0 || error.is_nan();
            if wrong && (is_kink(slopes, numeric) || agrees_with_a_side(analytic, slopes)) {
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

    /// Returns the slopes to the left and to the right, and the central slope.
    fn differences(&self, forward: &Forward, place: Moved, element: usize) -> ([f64; 2], f64) {
        let at = |shift: f64| {
            let (mut inputs, mut states) = (self.inputs.clone(), self.states.clone());
            let tensor = match place {
                Moved::Input(i) => &mut inputs[i],
                Moved::State(i) => &mut states[i],
            };
            tensor.data[element] += shift;
            inputs.extend(forward.held.iter().cloned());
            evaluate(&forward.graph, &inputs, &states, self.random).first().map_or(f64::NAN, |loss| loss.data[0])
        };
        let (low, middle, high) = (at(-EPS), at(0.0), at(EPS));
        ([(middle - low) / EPS, (high - middle) / EPS], (high - low) / (2.0 * EPS))
    }
}

/// The loss as a function of inputs and states.
struct Forward {
    graph: Graph,
    /// Values of the inputs behind those of the problem.
    held: Vec<Tensor>,
}

/// Which tensor is moved.
#[derive(Debug, Clone, Copy)]
enum Moved {
    Input(usize),
    State(usize),
}

/// Do the slopes of the two sides differ by more than the curvature of a smooth loss explains?
fn is_kink(slopes: [f64; 2], numeric: f64) -> bool {
    (slopes[0] - slopes[1]).abs() > ATOL.sqrt() * (1.0 + numeric.abs())
}

/// Does the gradient agree with the slope of one side? A kink between p and p ± eps bends the slope of one side only, and half
/// of this bend goes into the central difference. A wrong gradient agrees with neither side.
fn agrees_with_a_side(analytic: f64, slopes: [f64; 2]) -> bool {
    slopes.iter().any(|slope| (analytic - slope).abs() <= 0.1 * (ATOL + RTOL * slope.abs()))
}

/// Differentiates a graph of one tensor `x` and checks it, for tests of single operations: `of` must be a scalar.
#[cfg(test)]
pub(crate) fn check_graph(
    mut graph: Graph,
    wrt: &[crate::ir::graph::Id],
    of: crate::ir::graph::Id,
    states: Vec<Tensor>,
) -> Report {
    graph.output("loss", of);
    let gradients = crate::graphs::differentiate::differentiate(&mut graph, of, wrt, &Default::default());
    for (state, gradient) in gradients.into_iter().enumerate() {
        let name = graph.states[state].name.clone();
        graph.output(format!("grad.{name}"), gradient);
    }
    crate::ir::graph::verify(&graph).expect("a well-formed graph");
    let problem = Problem { graph, inputs: vec![], states, random: Random::default() };
    let outputs = evaluate(&problem.graph, &[], &problem.states, problem.random);
    problem.compare(&outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The singular vectors of `spectral` are no function of the weights for a gradient.
    #[test]
    fn what_stands_under_stop_gradient_is_held() {
        let text =
            "use std.reparameterization param = spectral model m(input: [3]) { input -> dense(4) -> tanh -> linear(1) }
            train { loss = mse  optimizer = sgd(lr = 0.1) }";
        let (module, net) = crate::testing::network(text);
        let report = gradcheck(&module, &net, 3, 1).expect("a graph");
        let weights = report.tensors.iter().find(|t| t.name == "dense1.w").expect("its weights");
        assert!(report.passed() && weights.elements == 12, "{report:?}");
    }

    #[test]
    fn a_small_kink_on_the_way_is_no_wrong_gradient() {
        // The left slope equals the gradient; a ReLU switches on the right side.
        assert!(agrees_with_a_side(-5.2290e-4, [-5.2290e-4, -4.9080e-4]));
        assert!(!is_kink([-5.2290e-4, -4.9080e-4], -5.0685e-4));
        // A gradient that is half of both slopes is wrong.
        assert!(!agrees_with_a_side(0.5, [1.0, 1.0 + 1e-7]));
    }
}
