//! Whole programs as graphs: the training step, evaluation, prediction, and gradients for tests.
//!
//! ```text
//! Train      x target lr step  ->  sums of loss and metrics; new parameters, statistics, optimizer states
//! Evaluate   x target          ->  sums of loss and metrics
//! Predict    x                 ->  prediction
//! Gradients  x target          ->  prediction, loss, grad.output, grad.input, grad.NAME…; new statistics
//! Boundaries                   ->  boundary.NAME…
//! ```
//!
//! Every graph of a network lists the same states in the same order: what [`states`] returns.

mod measure;
mod optimizer;
mod place;

pub(crate) use optimizer::{declarations, state_name};
pub(crate) use place::row;

use crate::differentiate::differentiate;
use crate::graph::{Graph, Id, State};
use crate::module::{Instance, Module, Training};
use crate::net::Net;
use crate::parameterize::{Forward, Mode, image, parameterize};
use crate::program::{Goal, Measure};
use gmpc_grammar::diagnostic::Diagnostic;
use measure::Measuring;
use std::collections::BTreeSet;

/// What a step graph needs to know besides the module and the network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Where the data set's targets were standardized, what brings them back.
    pub target_scale: Option<TargetScale>,
}

/// From standardized targets to the data set's own units: `target * scale + shift`, one value per output (or one for all).
///
/// Metrics are computed in the data set's own units, and so is the prediction of [`Goal::Predict`]; the loss and the
/// prediction of [`Goal::Gradients`] stay in standardized units.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetScale {
    /// Deviations of the training targets.
    pub scale: Vec<f64>,
    /// Means of the training targets.
    pub shift: Vec<f64>,
}

/// The states of a network: parameters and statistics layer by layer, then the optimizer's, parameter by parameter.
///
/// # Errors
/// Mistakes in the definitions the network uses.
pub fn states(module: &Module, net: &Net) -> Result<Vec<State>, Vec<Diagnostic>> {
    let mut graph = parameterize(net, Mode::Evaluation, 2)?.graph;
    optimizer::add_states(module, &mut graph).map_err(|e| vec![e])?;
    Ok(graph.states)
}

/// The graph for one goal at one batch size, and how its outputs make the loss and the metrics.
///
/// # Errors
/// Mistakes in the definitions the network uses; a goal that the file says nothing about (training without a `train` block);
/// a batch of one row for a parameterization with batch variances.
pub fn step_graph(
    module: &Module,
    net: &Net,
    goal: Goal,
    batch: usize,
    options: &Options,
) -> Result<(Graph, Vec<Measure>), Vec<Diagnostic>> {
    let forward = |mode| parameterize(net, mode, batch);
    let one = |error| vec![error];
    match goal {
        Goal::Train => train(module, net, forward(Mode::Training)?, options),
        Goal::Evaluate => evaluate(module, net, forward(Mode::Evaluation)?, options),
        Goal::Predict => predict(module, forward(Mode::Evaluation)?, options).map_err(one),
        Goal::Gradients => gradients(module, net, forward(Mode::Training)?).map_err(one),
        Goal::Boundaries => Ok((crate::boundary::recorded(module, net)?, vec![])),
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
    let scalars = ["lr", "step"].map(|name| forward.graph.input(name, vec![]));
    let mut measuring = Measuring::new(&mut forward, net, target);
    let loss = measuring.loss(&training.loss).map_err(one)?;
    measuring.metrics(&training.metrics, options)?;
    let (measures, held) = measuring.finish();
    let parameters = forward.store.parameters.clone();
    let wrt: Vec<Id> = parameters.iter().map(|(_, id)| *id).collect();
    let gradients = differentiate(&mut forward.graph, loss, &wrt, &held);
    write_statistics(&mut forward);
    optimizer::add_states(module, &mut forward.graph).map_err(one)?;
    optimizer::update(&mut forward.graph, optimizer, &parameters, &gradients, scalars).map_err(one)?;
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
    let mut measuring = Measuring::new(&mut forward, net, target);
    measuring.loss(&training.loss).map_err(one)?;
    measuring.metrics(&training.metrics, options)?;
    let (measures, _) = measuring.finish();
    optimizer::add_states(module, &mut forward.graph).map_err(one)?;
    Ok((forward.graph, measures))
}

fn predict(module: &Module, mut forward: Forward, options: &Options) -> Result<(Graph, Vec<Measure>), Diagnostic> {
    let mut prediction = forward.prediction;
    if let Some(scale) = &options.target_scale {
        prediction = measure::rescale(&mut forward.graph, prediction, scale);
    }
    forward.graph.output("prediction", prediction);
    optimizer::add_states(module, &mut forward.graph)?;
    Ok((forward.graph, vec![]))
}

fn gradients(module: &Module, net: &Net, mut forward: Forward) -> Result<(Graph, Vec<Measure>), Diagnostic> {
    let training = training(module)?;
    let target = target(net, &mut forward);
    let mut measuring = Measuring::new(&mut forward, net, target);
    let loss = measuring.loss(&training.loss)?;
    let held: BTreeSet<Id> = measuring.finish().1;
    forward.graph.outputs.clear();
    let mut wrt = vec![forward.prediction, forward.x];
    wrt.extend(forward.store.parameters.iter().map(|(_, id)| *id));
    let gradients = differentiate(&mut forward.graph, loss, &wrt, &held);
    forward.graph.output("prediction", forward.prediction);
    forward.graph.output("loss", loss);
    let named = ["output", "input"].map(String::from).into_iter();
    let names: Vec<String> = named
        .chain(forward.store.parameters.iter().map(|(state, _)| forward.graph.states[*state].name.clone()))
        .collect();
    for (name, gradient) in names.iter().zip(gradients) {
        forward.graph.output(format!("grad.{name}"), gradient);
    }
    write_statistics(&mut forward);
    optimizer::add_states(module, &mut forward.graph)?;
    Ok((forward.graph, vec![]))
}

fn write_statistics(forward: &mut Forward) {
    for (state, value) in std::mem::take(&mut forward.store.updates) {
        forward.graph.write(state, value);
    }
}

/// The input `target`: `[batch, outputs]`, or `[batch]` for class labels.
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

/// The definition's name in messages.
fn title(instance: &Instance) -> String {
    format!("`{}`", instance.name)
}

#[cfg(test)]
mod tests;
