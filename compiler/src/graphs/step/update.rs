//! From gradients to new values: batches gathered, the gradient clipped, the optimizer's step, the average of the weights.
//!
//! Without `accumulate`, `clip_norm`, `average`, `groups` and `freeze` nothing is added to what the optimizer computes.

use super::optimizer::{self, Given, squares};
use crate::graphs::parameterize::Forward;
use crate::graphs::parameters::Facts;
use crate::graphs::states::{average_of, gathered_of};
use crate::ir::experiment::TrainSpec;
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::{Instance, Module, Training};
use crate::ir::program::Measure;
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// Added to the length of the gradient before it divides the wanted length, as in PyTorch's `clip_grad_norm_`.
const CLIP_EPSILON: f64 = 1e-6;

/// The scalar inputs of a training step, see [`crate::ir::program::CLOCK`].
pub(super) struct Clock {
    /// `lr` and `step`.
    scalars: [Id; 2],
    /// `first`, `last`, `share`, if batches are gathered.
    gathering: Option<[Id; 3]>,
    /// `average`, if the weights are averaged.
    average: Option<Id>,
}

impl Clock {
    /// Adds the inputs that the settings of the file need.
    pub(super) fn new(graph: &mut Graph, module: &Module) -> Clock {
        let train = module.experiment.train.as_ref();
        let scalars = ["lr", "step"].map(|name| graph.input(name, vec![]));
        let gathers = train.is_some_and(|train| train.accumulate > 1);
        let gathering = gathers.then(|| ["first", "last", "share"].map(|name| graph.input(name, vec![])));
        let averages = train.is_some_and(|train| train.average.is_some());
        Clock { scalars, gathering, average: averages.then(|| graph.input("average", vec![])) }
    }
}

/// Returns the parameters that change: those of no layer that is frozen.
///
/// # Errors
/// E0618 if none is left.
pub(super) fn trained(
    module: &Module,
    training: &Training,
    facts: &BTreeMap<String, Facts>,
    forward: &Forward,
) -> Result<Vec<(usize, Id)>, Diagnostic> {
    let mut parameters = forward.store.parameters.clone();
    if parameters.is_empty() {
        return Ok(parameters);
    }
    parameters.retain(|(state, _)| {
        let known = facts.get(&forward.graph.states[*state].name);
        known.is_none_or(|facts| !facts.frozen && !training.freeze.iter().any(|(label, _)| facts.is_in(label)))
    });
    if parameters.is_empty() { Err(all_frozen(module, training)) } else { Ok(parameters) }
}

/// Checks that the gradient of a large batch is the mean of those of its parts, weighted by their rows.
///
/// # Errors
/// E0619 if the loss is not one mean.
pub(super) fn check_loss(module: &Module, training: &Training, measures: &[Measure]) -> Result<(), Diagnostic> {
    let gathers = module.experiment.train.as_ref().is_some_and(|train| train.accumulate > 1);
    let is_mean = |measure: &Measure| {
        let value = measure.finish.outputs.first().map(|output| &measure.finish[output.id()].op);
        measure.sums.len() == 1 && matches!(value, Some(Op::Input(_)))
    };
    match measures.first() {
        Some(loss) if gathers && !is_mean(loss) => Err(Diagnostic::error(
            "E0619",
            format!("`accumulate` needs a loss that is one mean over the rows, and `{}` is not", training.loss.name),
        )
        .label(training.loss.span, "computes with means after they are taken")
        .help("the gradient of a large batch does not follow from those of its parts: use a larger `batch`")),
        _ => Ok(()),
    }
}

/// Writes the new values of parameters and of all states that the optimizer needs.
///
/// # Errors
/// Mistakes in the definition of the optimizer, and in `groups` and `freeze`.
pub(super) fn update(
    graph: &mut Graph,
    (module, training, optimizer): (&Module, &Training, &Instance),
    facts: &BTreeMap<String, Facts>,
    parameters: &[(usize, Id)],
    mut gradients: Vec<Id>,
    clock: &Clock,
) -> Result<(), Vec<Diagnostic>> {
    // First the sum over batches, then its length: the clipped gradient is that of the whole step.
    if let Some(gathering) = clock.gathering {
        gather(graph, parameters, &mut gradients, gathering);
    }
    if let Some(length) = module.experiment.train.as_ref().and_then(|train: &TrainSpec| train.clip_norm) {
        clip(graph, &mut gradients, length);
    }
    let given = Given { parameters, gradients: &gradients, scalars: clock.scalars };
    let written = optimizer::update(graph, training, optimizer, facts, &given)?;
    for (state, new) in written {
        let new = match clock.gathering {
            Some([_, last, _]) => if_last(graph, last, state, new),
            None => new,
        };
        graph.write(state, new);
        if let Some(weight) = clock.average {
            average(graph, state, new, weight);
        }
    }
    Ok(())
}

/// Adds each gradient, times the batch's share of the rows, to what has been gathered since the last step.
fn gather(graph: &mut Graph, parameters: &[(usize, Id)], gradients: &mut [Id], [first, _, share]: [Id; 3]) {
    for ((state, _), gradient) in parameters.iter().zip(gradients) {
        let Some(gathered) = index(graph, &gathered_of(&graph.states[*state].name)) else { continue };
        let shape = graph.states[gathered].shape.clone();
        let before = graph.push(Op::State(gathered), vec![], shape.clone());
        let (zero, own) = (graph.constant(0.0), graph.mul(*gradient, share));
        let first = graph.expand(first, &shape);
        let before = graph.select(first, zero, before);
        *gradient = graph.add(before, own);
        graph.write(gathered, *gradient);
    }
}

/// Shortens the gradient of the whole network to a length.
/// Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013.
fn clip(graph: &mut Graph, gradients: &mut [Id], length: f64) {
    let squares = squares(graph, gradients);
    let norm = graph.unary(Op::Sqrt, squares);
    let (epsilon, wanted, one) = (graph.constant(CLIP_EPSILON), graph.constant(length), graph.constant(1.0));
    let norm = graph.add(norm, epsilon);
    let factor = graph.div(wanted, norm);
    let factor = graph.binary(Op::Min, factor, one);
    gradients.iter_mut().for_each(|gradient| *gradient = graph.mul(*gradient, factor));
}

/// The new value if this batch is the last one of its step, otherwise the old one.
fn if_last(graph: &mut Graph, last: Id, state: usize, new: Id) -> Id {
    let shape = graph.states[state].shape.clone();
    let old = graph.push(Op::State(state), vec![], shape.clone());
    let last = graph.expand(last, &shape);
    graph.select(last, new, old)
}

/// Moves the average of a parameter towards its new value. States of the optimizer have none.
fn average(graph: &mut Graph, state: usize, new: Id, weight: Id) {
    let Some(average) = index(graph, &average_of(&graph.states[state].name)) else { return };
    let shape = graph.states[average].shape.clone();
    let before = graph.push(Op::State(average), vec![], shape);
    let one = graph.constant(1.0);
    let rest = graph.sub(one, weight);
    let (old, own) = (graph.mul(before, rest), graph.mul(new, weight));
    let moved = graph.add(old, own);
    graph.write(average, moved);
}

fn index(graph: &Graph, name: &str) -> Option<usize> {
    graph.states.iter().position(|state| state.name == name)
}

fn all_frozen(module: &Module, training: &Training) -> Diagnostic {
    let span = training.freeze.first().map_or(module.model.span, |(_, span)| *span);
    Diagnostic::error("E0618", "every layer with parameters is frozen, so there is nothing to train")
        .label(span, "frozen")
        .help("leave a layer out of `freeze`, or take `frozen = true` from one")
}
