//! The graphs of whole programs: training step, evaluation, prediction, and gradients for tests.
//!
//! ```text
//! Train      x target, clock   ->  sums of loss and metrics; new parameters, statistics, optimizer states
//! Evaluate   x target          ->  sums of loss and metrics
//! Predict    x                 ->  prediction
//! Gradients  x target          ->  prediction, loss, held.0…, grad.output, grad.input, grad.NAME…; new statistics
//! Boundaries                   ->  boundary.NAME…
//! ```
//!
//! All graphs of a network have the same states in the same order, those of [`states`](crate::graphs::states::states).

mod builtins;
mod measure;
mod optimizer;
mod update;

pub(crate) use builtins::row;

use crate::graphs::differentiate::differentiate;
use crate::graphs::parameterize::{Forward, image};
use crate::graphs::parameters::facts;
use crate::graphs::states::add_states;
use crate::ir::graph::{Graph, Id};
use crate::ir::internal::internal_error;
use crate::ir::module::{Instance, Module, Training};
use crate::ir::net::Net;
use crate::ir::program::{Goal, Measure};
use gmpc_grammar::diagnostic::Diagnostic;
use measure::Measuring;
use std::collections::BTreeSet;

/// Begins the names of the outputs of [`Goal::Gradients`] that no gradient goes back through: the values of `stop_gradient`.
pub(crate) const HELD: &str = "held.";

/// Facts that the graph of a step depends on, besides the module and the network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The scale of the targets, if they were standardized.
    pub target_scale: Option<TargetScale>,
    /// Training rows of each class, for a loss that weighs classes by them. Empty if they are not known; then all weigh alike.
    pub class_rows: Vec<usize>,
}

/// Converts standardized targets to the units of the data set: `target * scale + shift`, with one value for each output (or one
/// for all outputs).
///
/// Metrics and the prediction of [`Goal::Predict`] are in the units of the data set. The loss and the prediction of
/// [`Goal::Gradients`] are in standardized units.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetScale {
    /// Deviations of the training targets.
    pub scale: Vec<f64>,
    /// Means of the training targets.
    pub shift: Vec<f64>,
}

/// Completes a forward graph to the graph of a goal. Returns it, and how the loss and the metrics follow from its outputs.
///
/// Before: the graph of [`parameterize`](crate::graphs::parameterize) in the mode of the goal, without outputs. After: every
/// value of the goal is an output, and every state that it changes is written.
///
/// # Errors
/// Mistakes in the definitions of losses, metrics and optimizers. A goal that the file does not describe.
pub(crate) fn step(
    module: &Module,
    net: &Net,
    goal: Goal,
    forward: Forward,
    options: &Options,
) -> Result<(Graph, Vec<Measure>), Vec<Diagnostic>> {
    let one = |error| vec![error];
    match goal {
        Goal::Train => train(module, net, forward, options),
        Goal::Evaluate => evaluate(module, net, forward, options),
        Goal::Predict => predict(module, forward, options).map_err(one),
        Goal::Gradients => gradients(module, net, forward, options).map_err(one),
        Goal::Boundaries | Goal::Start => {
            internal_error("step", "boundaries and first values are no step of the network", forward.graph.print(None))
        }
    }
}

fn train(
    module: &Module,
    net: &Net,
    mut forward: Forward,
    options: &Options,
) -> Result<(Graph, Vec<Measure>), Vec<Diagnostic>> {
    let one = |error| vec![error];
    let training = training(module).map_err(one)?;
    let optimizer = training.optimizer.as_ref().ok_or_else(|| vec![no_optimizer(module)])?;
    let target = target(net, &mut forward);
    let clock = update::Clock::new(&mut forward.graph, module);
    let mut measuring = Measuring::new(&mut forward, net, target, options, true);
    let loss = measuring.loss(&training.loss).map_err(one)?;
    measuring.metrics(&training.metrics)?;
    let (measures, mut stopped) = measuring.finish();
    stopped.extend(&forward.store.stopped);
    update::check_loss(module, training, &measures).map_err(one)?;
    let facts = facts(net, &forward.graph.states);
    let parameters = update::trained(module, training, &facts, &forward).map_err(one)?;
    let wrt: Vec<Id> = parameters.iter().map(|(_, id)| *id).collect();
    let gradients = differentiate(&mut forward.graph, loss, &wrt, &stopped);
    // Loss and gradients come first; what is written below changes no number of this step.
    write_statistics(&mut forward);
    add_states(module, &mut forward.graph).map_err(one)?;
    update::update(&mut forward.graph, (module, training, optimizer), &facts, &parameters, gradients, &clock)?;
    Ok((forward.graph, measures))
}

fn evaluate(
    module: &Module,
    net: &Net,
    mut forward: Forward,
    options: &Options,
) -> Result<(Graph, Vec<Measure>), Vec<Diagnostic>> {
    let one = |error| vec![error];
    let training = training(module).map_err(one)?;
    let target = target(net, &mut forward);
    let mut measuring = Measuring::new(&mut forward, net, target, options, false);
    measuring.loss(&training.loss).map_err(one)?;
    measuring.metrics(&training.metrics)?;
    let (measures, _) = measuring.finish();
    add_states(module, &mut forward.graph).map_err(one)?;
    Ok((forward.graph, measures))
}

fn predict(module: &Module, mut forward: Forward, options: &Options) -> Result<(Graph, Vec<Measure>), Diagnostic> {
    let mut prediction = forward.prediction;
    if let Some(scale) = &options.target_scale {
        prediction = measure::rescale(&mut forward.graph, prediction, scale);
    }
    forward.graph.output("prediction", prediction);
    add_states(module, &mut forward.graph)?;
    Ok((forward.graph, vec![]))
}

fn gradients(
    module: &Module,
    net: &Net,
    mut forward: Forward,
    options: &Options,
) -> Result<(Graph, Vec<Measure>), Diagnostic> {
    let training = training(module)?;
    let target = target(net, &mut forward);
    let mut measuring = Measuring::new(&mut forward, net, target, options, true);
    let loss = measuring.loss(&training.loss)?;
    let mut stopped: BTreeSet<Id> = measuring.finish().1;
    stopped.extend(&forward.store.stopped);
    forward.graph.outputs.clear();
    let mut wrt = vec![forward.prediction, forward.x];
    wrt.extend(forward.store.parameters.iter().map(|(_, id)| *id));
    let gradients = differentiate(&mut forward.graph, loss, &wrt, &stopped);
    forward.graph.output("prediction", forward.prediction);
    forward.graph.output("loss", loss);
    // Difference quotients have to hold these values: no gradient goes through them.
    stopped.iter().enumerate().for_each(|(i, id)| forward.graph.output(format!("{HELD}{i}"), *id));
    let named = ["output", "input"].map(String::from).into_iter();
    let names: Vec<String> = named
        .chain(forward.store.parameters.iter().map(|(state, _)| forward.graph.states[*state].name.clone()))
        .collect();
    for (name, gradient) in names.iter().zip(gradients) {
        forward.graph.output(format!("grad.{name}"), gradient);
    }
    write_statistics(&mut forward);
    add_states(module, &mut forward.graph)?;
    Ok((forward.graph, vec![]))
}

fn write_statistics(forward: &mut Forward) {
    for (state, value) in std::mem::take(&mut forward.store.updates) {
        forward.graph.write(state, value);
    }
}

/// Adds the input `target`: `[batch, outputs]`, or `[batch]` for class labels.
fn target(net: &Net, forward: &mut Forward) -> Id {
    let batch = forward.graph.shape(forward.x)[0];
    forward.graph.input("target", image::in_graph(batch, &net.target_shape))
}

fn training(module: &Module) -> Result<&Training, Diagnostic> {
    module.training.as_ref().ok_or_else(|| {
        Diagnostic::error("E0650", format!("`{}` says nothing about training", module.experiment.model))
            .label(module.model.span, "the model")
            .help("add a `train { loss = mse  optimizer = adam(lr = 0.01) … }` block")
    })
}

fn no_optimizer(module: &Module) -> Diagnostic {
    let error = Diagnostic::error("E0651", "the `train` block names no optimizer");
    let error = match &module.experiment.train {
        Some(train) => error.label(train.span, "nothing says how parameters change"),
        None => error.label(module.model.span, "the model"),
    };
    error.help("add a line such as `optimizer = adam(lr = 0.01)`")
}

/// Returns the definition's name for messages.
fn title(instance: &Instance) -> String {
    format!("`{}`", instance.name)
}

#[cfg(test)]
mod tests;
