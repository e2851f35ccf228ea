//! From a network to its forward graph: every layer's formula, every unit's parameterization spelled out.
//!
//! Before: a [`Net`]. After: a [`Forward`]: a graph of tensor operations with its states (parameters, statistics, fixed
//! directions) in a fixed order, the same in training and in evaluation, so that all programs of a network share them.

pub(crate) mod image;
pub(crate) mod statistic;
pub(crate) mod unit;

use crate::activate::activate;
use crate::graph::{Graph, Id, Op, State};
use crate::net::{Arithmetic, Layer, LayerKind, Net, Product, Unit};
use gmpc_grammar::diagnostic::Diagnostic;

/// Largest number of elements of one tensor. Chosen by hand: 16 GiB in f32, more than any layer this compiler is for, and
/// far below what [`crate::graph::Node::shape`] allows.
const MAX_ELEMENTS: usize = 1 << 32;

/// Streams of random numbers of dropout layers start here; those of initialization count up from 0.
const DROPOUT_STREAMS: u32 = 1 << 31;

/// What the network is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Statistics of the batch, dropout on.
    Training,
    /// Running statistics, dropout off.
    Evaluation,
}

/// Where a state comes from, parallel to [`Graph::states`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Declared by a parameterization or a modifier.
    Parameter,
    /// Direction of a unit with one input.
    Sign,
    /// Running mean, starts at 0.
    Mean,
    /// Running variance, starts at 1.
    Variance,
}

/// A network's forward computation.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    /// Everything, so far without outputs.
    pub(crate) graph: Graph,
    /// Its states.
    pub(crate) store: Store,
    /// The example input, `[batch, …]`.
    pub(crate) x: Id,
    /// The value of each layer.
    pub(crate) layers: Vec<Id>,
    /// What each layer of units calls `act` with, and the layer's place; in the order of layers.
    pub(crate) arguments: Vec<(usize, Vec<Id>)>,
    /// The output layer's value.
    pub(crate) prediction: Id,
}

/// What is known about the states of a graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    /// Of each state.
    pub(crate) origins: Vec<Origin>,
    /// Learned states: index and the node that reads them.
    pub(crate) parameters: Vec<(usize, Id)>,
    /// New values of running statistics; empty in evaluation.
    pub(crate) updates: Vec<(usize, Id)>,
}

impl Store {
    /// Adds a state and reads it; parameters are remembered as such.
    pub(crate) fn state(&mut self, graph: &mut Graph, state: State, origin: Origin) -> (usize, Id) {
        let (index, id) = graph.state(state);
        self.origins.push(origin);
        if origin == Origin::Parameter {
            self.parameters.push((index, id));
        }
        (index, id)
    }
}

impl Forward {
    /// An empty computation over examples of one shape, `[features]` or `[channels, height, width]`.
    pub(crate) fn new(batch: usize, example: &[usize]) -> Self {
        let mut graph = Graph::default();
        let x = graph.input("x", image::in_graph(batch, example));
        Forward::around(graph, x)
    }

    /// Around an input that is in the graph already.
    pub(crate) fn around(graph: Graph, x: Id) -> Self {
        Forward { graph, store: Store::default(), x, layers: vec![], arguments: vec![], prediction: x }
    }
}

/// The forward graph at one batch size.
///
/// # Errors
/// Every mistake in the definitions the network uses, each once.
pub(crate) fn parameterize(net: &Net, mode: Mode, batch: usize) -> Result<Forward, Vec<Diagnostic>> {
    let example = net.layers.first().map(|l| l.shape.as_slice()).unwrap_or_default();
    check_sizes(net, batch).map_err(|e| vec![e])?;
    let mut forward = Forward::new(batch, example);
    let mut errors: Vec<Diagnostic> = Vec::new();
    for (index, layer) in net.layers.iter().enumerate() {
        let from = forward.graph.nodes.len();
        let value = layer_value(&mut forward, layer, index, mode).unwrap_or_else(|error| {
            if !errors.contains(&error) {
                errors.push(error);
            }
            forward.graph.full(0.0, &image::in_graph(batch, &layer.shape))
        });
        forward.graph.mark(from, layer.span);
        forward.layers.push(value);
    }
    forward.prediction = forward.layers[net.output];
    if errors.is_empty() { Ok(forward) } else { Err(errors) }
}

fn layer_value(forward: &mut Forward, layer: &Layer, index: usize, mode: Mode) -> Result<Id, Diagnostic> {
    let operands: Vec<Id> = layer.inputs.iter().map(|&i| forward.layers[i]).collect();
    let graph = &mut forward.graph;
    Ok(match &layer.kind {
        LayerKind::Input => forward.x,
        LayerKind::Unit(unit) => {
            let found = unit::unit(forward, layer, unit, operands[0], mode, unit::Act::Apply)?;
            forward.arguments.push((index, found.acts.iter().map(|(argument, _)| *argument).collect()));
            found.value
        }
        LayerKind::Activation(activation) => activate(graph, *activation, operands[0]),
        LayerKind::Arithmetic(operation) => graph.binary(op(*operation), operands[0], operands[1]),
        LayerKind::Scaled { operation, number, number_first } => {
            let number = graph.constant(*number);
            let (a, b) = if *number_first { (number, operands[0]) } else { (operands[0], number) };
            graph.binary(op(*operation), a, b)
        }
        LayerKind::Concat => {
            let channels = graph.shape(operands[0]).len() - 1;
            graph.concat(&operands, channels)
        }
        LayerKind::Flatten => image::flatten(graph, operands[0]),
        LayerKind::MaxPool(window) => graph.pool(Op::MaxPool(*window), operands[0], &layer.shape),
        LayerKind::AvgPool(window) => {
            let sum = graph.pool(Op::SumPool(*window), operands[0], &layer.shape);
            graph.scale(sum, image::one_over(window.area()))
        }
        LayerKind::GlobalAvgPool => image::global_average(graph, operands[0]),
        LayerKind::Dropout { probability } => match mode {
            Mode::Training => dropout(graph, operands[0], *probability, index),
            Mode::Evaluation => operands[0],
        },
        LayerKind::MeanNorm { momentum } => {
            let running = statistic::running(graph, &mut forward.store, operands[0], Origin::Mean);
            graph.states[running.0].name = format!("{}.running_mean", layer.name);
            let mean = match mode {
                Mode::Evaluation => running.1,
                Mode::Training => {
                    let mean = statistic::batch_mean(graph, operands[0]);
                    statistic::update(graph, &mut forward.store, running, mean, *momentum);
                    mean
                }
            };
            graph.sub(operands[0], mean)
        }
    })
}

fn op(arithmetic: Arithmetic) -> Op {
    match arithmetic {
        Arithmetic::Add => Op::Add,
        Arithmetic::Subtract => Op::Sub,
        Arithmetic::Multiply => Op::Mul,
        Arithmetic::Divide => Op::Div,
    }
}

/// Keeps each element with probability 1 - p, scaled by 1 / (1 - p).
fn dropout(graph: &mut Graph, x: Id, probability: f64, layer: usize) -> Id {
    if probability == 0.0 {
        return x;
    }
    let shape = graph.shape(x).to_vec();
    let stream = DROPOUT_STREAMS | u32::try_from(layer).unwrap_or(u32::MAX);
    let draw = graph.push(Op::Uniform { stream }, vec![], shape);
    let limit = graph.constant(1.0 - probability);
    let keep = graph.binary(Op::Less, draw, limit);
    let scaled = graph.scale(x, 1.0 / (1.0 - probability));
    let zero = graph.constant(0.0);
    graph.select(keep, scaled, zero)
}

fn check_sizes(net: &Net, batch: usize) -> Result<(), Diagnostic> {
    for layer in &net.layers {
        let elements = layer.shape.iter().try_fold(batch, |n, &size| n.checked_mul(size));
        let input = layer.inputs.first().and_then(|&i| net.layers.get(i)).map_or(&[][..], |l| &l.shape);
        let padded = padded(layer, input).and_then(|n| n.checked_mul(batch));
        let weights = match &layer.kind {
            LayerKind::Unit(unit) => unit.product.fan_in(input).and_then(|n| n.checked_mul(unit.product.units())),
            _ => Some(1),
        };
        if [elements, weights, padded].iter().any(|count| count.is_none_or(|n| n > MAX_ELEMENTS)) {
            return Err(too_large(layer, batch));
        }
    }
    Ok(())
}

/// Numbers of a layer's input with the padding its window sees; `None` where there are too many to count.
fn padded(layer: &Layer, input: &[usize]) -> Option<usize> {
    let window = match &layer.kind {
        LayerKind::Unit(Unit { product: Product::Convolution { window, .. }, .. })
        | LayerKind::MaxPool(window)
        | LayerKind::AvgPool(window) => window,
        _ => return Some(0),
    };
    let sizes = input.iter().skip(1).zip(layer.shape.iter().skip(1)).enumerate();
    let channels = *input.first()?;
    sizes
        .into_iter()
        .try_fold(channels, |n, (axis, (size, result))| n.checked_mul(window.padded(axis, *size, *result)?))
}

fn too_large(layer: &Layer, batch: usize) -> Diagnostic {
    Diagnostic::error(
        "E0352",
        format!("`{}` with {batch} rows of {:?} is too large to compile", layer.name, layer.shape),
    )
    .label(layer.span, "more than 2^32 numbers in one tensor")
    .help("use a smaller batch or fewer units")
}

#[cfg(test)]
mod tests;
