//! From a network to its forward graph: the formula of every layer, with the parameterization of every unit.
//!
//! Before: a [`Net`]. After: a [`Forward`], a graph of tensor operations with its states (parameters, statistics, fixed signs).
//! The order of the states is the same in training and in evaluation, so that all programs of a network share them.

mod convolve;
pub(crate) mod image;
pub(crate) mod noise;
pub(crate) mod stage;
pub(crate) mod statistic;
pub(crate) mod unit;
mod upsample;

use crate::graphs::activate;
pub(crate) use crate::graphs::store::{Mode, Origin, Store};
use crate::ir::axes::{Axes, Axis};
use crate::ir::graph::{Graph, Id, Op, verify};
use crate::ir::net::{Arithmetic, Connection, Layer, LayerKind, Net, Unit, Way};
use crate::stage::Made;
use gmpc_grammar::diagnostic::Diagnostic;
use gmpc_grammar::source::Sources;

/// The largest number of elements of one tensor. It is 16 GiB in f32, more than any layer that this compiler is made for, and
/// far below what [`crate::ir::graph::Node::shape`] allows.
const MAX_ELEMENTS: usize = 1 << 32;

/// A network's forward computation.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    /// The graph, without outputs.
    pub(crate) graph: Graph,
    /// The states of the graph.
    pub(crate) store: Store,
    /// The input `x`, as the caller hands it in ([`image::handed_in`]).
    pub(crate) x: Id,
    /// The value of each layer.
    pub(crate) layers: Vec<Id>,
    /// The index of each parameterized layer, and the arguments of its calls of `act`; in the order of layers.
    pub(crate) arguments: Vec<(usize, Vec<Id>)>,
    /// The value of the output layer.
    pub(crate) prediction: Id,
}

impl Made for Forward {
    fn verify(&self) -> Result<(), String> {
        verify(&self.graph)?;
        let known = self.layers.iter().chain([&self.x, &self.prediction]).all(|id| id.index() < self.graph.nodes.len());
        if known { Ok(()) } else { Err("the value of a layer is no node".to_string()) }
    }

    fn print(&self, sources: Option<&Sources>) -> String {
        format!("{}prediction {}\n", self.graph.print(sources), self.prediction)
    }
}

impl Forward {
    /// An empty computation over examples of one shape, `[features]`, `[channels, positions]` or `[channels, height, width]`.
    pub(crate) fn new(batch: usize, example: &[usize]) -> Self {
        let mut graph = Graph::default();
        let x = graph.input("x", image::handed_in(batch, example));
        Forward::around(graph, x)
    }

    /// An empty computation with an input that the graph has already.
    pub(crate) fn around(graph: Graph, x: Id) -> Self {
        let names = graph.states.iter().map(|state| state.name.clone()).collect();
        let store = Store { names, ..Store::default() };
        Forward { graph, store, x, layers: vec![], arguments: vec![], prediction: x }
    }
}

/// Returns the forward graph for one batch size.
///
/// # Errors
/// All mistakes in the definitions that the network uses, each once.
pub(crate) fn parameterize(net: &Net, mode: Mode, batch: usize) -> Result<Forward, Vec<Diagnostic>> {
    let example = net.layers.first().map(|l| l.shape.as_slice()).unwrap_or_default();
    check_sizes(net, batch).map_err(|e| vec![e])?;
    let mut forward = Forward::new(batch, example);
    let mut errors: Vec<Diagnostic> = Vec::new();
    for (index, layer) in net.layers.iter().enumerate() {
        let from = forward.graph.nodes.len();
        // After a mistake a layer's value is 0, so that the following layers can be checked too.
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

/// Adds the computation of one layer. Returns its value.
pub(crate) fn layer_value(forward: &mut Forward, layer: &Layer, index: usize, mode: Mode) -> Result<Id, Diagnostic> {
    let operands: Vec<Id> = layer.inputs.iter().map(|&i| forward.layers[i]).collect();
    let graph = &mut forward.graph;
    Ok(match &layer.kind {
        LayerKind::Input => image::received(graph, forward.x, &layer.shape),
        // The arguments of `act` are kept for `boundary::extremes`, which looks at their signs.
        LayerKind::Unit(unit) => {
            let found = unit::unit(forward, layer, unit, operands[0], mode, unit::Act::Apply)?;
            forward.arguments.push((index, found.acts.iter().map(|(argument, _)| *argument).collect()));
            found.value
        }
        LayerKind::Activation(activation) => {
            let rank = graph.shape(operands[0]).len();
            // Its features are what an activation calls units: one number for each of them.
            let axes = Axes::batch(rank, Axis::Units);
            let call = activate::Call { prefix: &layer.name, x: operands[0], axes };
            activate::Parameters::default().apply(graph, &mut forward.store, activation, &call)?
        }
        LayerKind::Stage(stage) => stage::stage(forward, layer, stage, operands[0], mode)?,
        LayerKind::Arithmetic(operation) => graph.binary(op(*operation), operands[0], operands[1]),
        LayerKind::Scaled { operation, number, number_first } => {
            let number = graph.constant(*number);
            let (a, b) = if *number_first { (number, operands[0]) } else { (operands[0], number) };
            graph.binary(op(*operation), a, b)
        }
        // Channels are the first axis of the network's shapes, but the last axis in graphs.
        LayerKind::Concat => {
            let channels = graph.shape(operands[0]).len() - 1;
            graph.concat(&operands, channels)
        }
        LayerKind::Flatten => image::flatten(graph, operands[0]),
        LayerKind::MaxPool(window) => image::pool(graph, Op::MaxPool(*window), operands[0], &layer.shape),
        LayerKind::AvgPool(window) => {
            let sum = image::pool(graph, Op::SumPool(*window), operands[0], &layer.shape);
            graph.scale(sum, image::one_over(window.area()))
        }
        LayerKind::GlobalAvgPool => image::global_average(graph, operands[0]),
        LayerKind::GlobalMaxPool => image::global_max(graph, operands[0]),
        LayerKind::Upsample { factor, method } => {
            upsample::upsample(graph, operands[0], *factor, *method, &layer.shape)
        }
        LayerKind::Maxout { pieces } => image::maxout(graph, operands[0], *pieces),
        LayerKind::Dropout { .. } | LayerKind::StochasticDepth { .. } | LayerKind::Noise { .. }
            if mode == Mode::Evaluation =>
        {
            operands[0]
        }
        LayerKind::Dropout { probability } => noise::dropout(graph, operands[0], *probability, index),
        LayerKind::StochasticDepth { probability } => noise::stochastic_depth(graph, operands[0], *probability, index),
        LayerKind::Noise { deviation } => noise::noise(graph, operands[0], *deviation, index),
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

/// Checks that no tensor of this network with this batch size is too large to compile (E0352). Callers check it before they
/// allocate memory.
///
/// # Errors
/// The first layer that is too large.
pub fn check_sizes(net: &Net, batch: usize) -> Result<(), Diagnostic> {
    for layer in &net.layers {
        let elements = layer.shape.iter().try_fold(batch, |n, &size| n.checked_mul(size));
        let input = layer.inputs.first().and_then(|&i| net.layers.get(i)).map_or(&[][..], |l| &l.shape);
        let padded = padded(layer, input).and_then(|n| n.checked_mul(batch));
        let weights = match &layer.kind {
            LayerKind::Unit(unit) => unit.connection.fan_in(input).and_then(|n| n.checked_mul(unit.connection.units())),
            _ => Some(1),
        };
        if [elements, weights, padded].iter().any(|count| count.is_none_or(|n| n > MAX_ELEMENTS)) {
            return Err(too_large(layer, batch));
        }
    }
    Ok(())
}

/// Returns the number of elements of a layer's padded input. `None` if it does not fit into `usize`.
fn padded(layer: &Layer, input: &[usize]) -> Option<usize> {
    let (window, dilation) = match &layer.kind {
        // What a transposed convolution is spread over is its result, which is counted already.
        LayerKind::Unit(Unit { connection: Connection::Convolution(of), .. }) if of.way == Way::Gather => {
            (of.reach()?, of.dilation)
        }
        LayerKind::MaxPool(window) | LayerKind::AvgPool(window) => (*window, [1, 1]),
        _ => return Some(0),
    };
    let ([channels, high, wide], [_, height, width]) = (image::image_shape(input), image::image_shape(&layer.shape));
    let mut elements = channels;
    for (axis, (size, result)) in [(high, height), (wide, width)].into_iter().enumerate() {
        let padded = window.padded(axis, size, result)?.checked_next_multiple_of(dilation[axis])?;
        elements = elements.checked_mul(padded)?;
    }
    Some(elements)
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
