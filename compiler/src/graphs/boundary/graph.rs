//! The boundaries of a network's layers as a graph of its states. Any device can run it beside training steps.
//!
//! ```text
//! x = 0                          b = act's argument at x
//! rows of the unit matrix  ->    w = its derivative in each input's direction
//! boundary.NAME = u above lambda : [fan_in + 1, units]
//! ```
//!
//! A filter is a unit whose input is one patch: channels x kh x kw numbers in the network's order, channels first. The boundaries
//! of a layer lie in the space of the layer's own input. For the first layers this is the input of the network.
//!
//! A gradient is linear in the gradient that arrives at the output. So differentiating the gradient once more gives the
//! derivative in a direction. This needs `fan_in` rows, and not one row for each unit. Products with the unit matrix are then
//! removed.

use crate::graphs::convert::patch::Patch;
use crate::graphs::differentiate::pull;
use crate::graphs::parameterize::unit::{Act, unit};
use crate::graphs::parameterize::{Forward, Mode, image};
use crate::graphs::pieces::{self, pieces};
use crate::ir::experiment::Followed;
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::internal::internal_error;
use crate::ir::module::Module;
use crate::ir::net::{Connection, Layer, LayerKind, Net, Unit, Way};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// A layer of units with a piecewise linear activation, whose boundaries can be recorded. Usually it reads the network's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Index in [`Net::layers`].
    pub layer: usize,
    /// Name of the layer: `hidden`.
    pub name: String,
    /// Number of inputs of each unit; channels x kh x kw for a filter.
    pub fan_in: usize,
    /// Number of boundaries: one for each kink of the activation and each unit, all units of the first kink first. Of a ReLU, the
    /// number of units.
    pub units: usize,
}

/// Returns the layers of units with a piecewise linear activation, such as ReLU, that read the network's input. Flattening and dropout, which does
/// nothing in evaluation, may come before them.
#[must_use]
pub fn first_layers(net: &Net) -> Vec<First> {
    followed_layers(net, Followed::First)
}

/// Returns the layers of units with a piecewise linear activation, dense or convolutional: the first ones, or all.
#[must_use]
pub fn followed_layers(net: &Net, which: Followed) -> Vec<First> {
    let one = |(layer, unit): (usize, &Unit)| {
        let of = &net.layers[layer];
        let fan_in = Patch::new(net, of, unit).fan_in();
        let units = unit.connection.units() * kinks(unit).len();
        First { layer, name: of.name.clone(), fan_in, units }
    };
    units_of(net, which).map(one).collect()
}

pub(super) fn units_of(net: &Net, which: Followed) -> impl Iterator<Item = (usize, &Unit)> {
    net.layers.iter().enumerate().filter_map(move |(place, layer)| match &layer.kind {
        LayerKind::Unit(unit) if !kinks(unit).is_empty() && (which == Followed::All || reads_input(net, layer)) => {
            Some((place, unit))
        }
        _ => None,
    })
}

/// Where the activation of a unit bends; nowhere if it is curved. A unit of a transposed convolution has no single boundary: how many
/// of its taps reach a result depends on where the result lies.
pub(super) fn kinks(unit: &Unit) -> Vec<f64> {
    if matches!(unit.connection, Connection::Convolution(of) if of.way == Way::Spread) {
        return vec![];
    }
    pieces(&unit.activation).map(|found| found.kinks).unwrap_or_default()
}

/// The slopes of the pieces of a layer's activation, from the left: one more than it has kinks. Slopes that are learned stand for
/// numbers other than 0. None if the layer has no units or its activation is curved.
#[must_use]
pub fn slopes(net: &Net, layer: usize) -> Vec<f64> {
    let LayerKind::Unit(unit) = &net.layers[layer].kind else { return vec![] };
    pieces(&unit.activation).map(|found| found.parts.iter().map(|part| part[0]).collect()).unwrap_or_default()
}

/// Does a layer read the numbers of the example, perhaps in another shape?
fn reads_input(net: &Net, layer: &Layer) -> bool {
    let [place] = layer.inputs[..] else { return false };
    net.layers.get(place).is_some_and(|before| match before.kind {
        LayerKind::Input => true,
        LayerKind::Flatten
        | LayerKind::Dropout { .. }
        | LayerKind::StochasticDepth { .. }
        | LayerKind::Noise { .. } => reads_input(net, before),
        _ => false,
    })
}

/// How the direction of a unit depends on parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turning {
    /// In any way: a small change of parameters can reverse it.
    Free,
    /// It is `spherical` of this number of learned angles: it turns by no more than the angles change.
    Angles(usize),
    /// Not at all: it is the fixed sign of a unit with one input.
    Fixed,
}

/// Finds how the directions of a layer's units depend on parameters, from the compiled formula.
///
/// # Errors
/// Mistakes in the definitions.
pub fn turning(net: &Net, layer: usize) -> Result<Turning, Diagnostic> {
    let Some((layer, LayerKind::Unit(of))) = net.layers.get(layer).map(|layer| (layer, &layer.kind)) else {
        return Ok(Turning::Free);
    };
    let patch = Patch::new(net, layer, of);
    let graph = Graph::default();
    let mut forward = Forward::around(graph, Id(0));
    let x = forward.graph.full(0.0, &image::in_graph(patch.fan_in(), &patch.shape));
    let value = unit(&mut forward, &patch.layer, &patch.unit, x, Mode::Evaluation, Act::Apply)?;
    let [(inside, _)] = value.acts[..] else { return Ok(Turning::Free) };
    let (unit_matrix, weights) = weights(&mut forward.graph, inside, x, &patch);
    without_products(&mut forward.graph, unit_matrix, x);
    Ok(made_of(&forward.graph, weights))
}

fn made_of(graph: &Graph, mut weights: Id) -> Turning {
    while let Op::Reshape = graph[weights].op {
        weights = graph[weights].inputs[0];
    }
    let state = |id: Id| match graph[id].op {
        Op::State(index) => Some(graph.states[index].role),
        _ => None,
    };
    match (&graph[weights].op, state(weights)) {
        (_, Some(crate::ir::graph::Role::Constant)) => Turning::Fixed,
        (Op::Spherical, _) if state(graph[weights].inputs[0]).is_some() => {
            Turning::Angles(graph.shape(graph[weights].inputs[0])[0])
        }
        _ => Turning::Free,
    }
}

/// Returns a graph without inputs. It has an output `boundary.NAME`, `[fan_in + 1, units]`, for each layer: the directions of its
/// units, and the signed distances in the last row. A unit whose weights are zero has no boundary: its numbers are not finite.
///
/// # Errors
/// E0652: the network has no such layer. E0590: a unit's boundary is not a hyperplane. Mistakes in the definitions.
pub fn graph(module: &Module, net: &Net, which: Followed) -> Result<Graph, Vec<Diagnostic>> {
    let mut graph = Graph::default();
    let x = graph.constant(0.0);
    let mut forward = Forward::around(graph, x);
    let mut errors = Vec::new();
    for (place, of) in units_of(net, which) {
        let layer = &net.layers[place];
        errors.extend(one(&mut forward, &Patch::new(net, layer, of)).err());
    }
    if forward.graph.outputs.is_empty() && errors.is_empty() {
        errors.push(nothing(module, net));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    share_states(&mut forward.graph, crate::graphs::states::states(module, net)?);
    Ok(forward.graph)
}

/// Returns the graph that runs beside training, which has the boundaries of the first layers. If all layers are recorded, the
/// boundaries of the other layers are computed later from the recorded weights. They are only checked here. The graph may then
/// be empty.
///
/// # Errors
/// As [`graph()`].
pub fn recorded(module: &Module, net: &Net) -> Result<Graph, Vec<Diagnostic>> {
    let record = module.experiment.train.as_ref().and_then(|train| train.record);
    if record.is_some_and(|record| record.followed == Followed::All) {
        graph(module, net, Followed::All)?;
        if first_layers(net).is_empty() {
            return Ok(Graph { states: crate::graphs::states::states(module, net)?, ..Graph::default() });
        }
    }
    graph(module, net, Followed::First)
}

/// Adds the output of one layer.
fn one(forward: &mut Forward, patch: &Patch) -> Result<(), Diagnostic> {
    let (layer, of, fan_in) = (&patch.layer, &patch.unit, patch.fan_in());
    let from = forward.graph.nodes.len();
    let x = forward.graph.full(0.0, &image::in_graph(fan_in, &patch.shape));
    let value = unit(forward, layer, of, x, Mode::Evaluation, Act::Apply)?;
    let graph = &mut forward.graph;
    let [(inside, _)] = value.acts[..] else { return Err(not_flat(layer, of, "calls `act` more than once")) };
    let (unit_matrix, weights) = weights(graph, inside, x, patch);
    if depends(graph, weights, x) {
        return Err(not_flat(layer, of, "bends before `act`"));
    }
    without_products(graph, unit_matrix, x);
    let units = of.connection.units();
    let weights = graph.reshape(weights, &[fan_in, units]);
    let b = graph.slice(inside, 0, 0, 1);
    let b = graph.reshape(b, &[1, units]);
    // A unit bends where its argument reaches a kink: w . x + b - kink is 0 there.
    let planes: Vec<Id> = kinks(of)
        .into_iter()
        .map(|kink| {
            let kink = graph.constant(kink);
            let b = graph.sub(b, kink);
            polar(graph, weights, b)
        })
        .collect();
    let polar = graph.concat(&planes, 1);
    graph.output(format!("boundary.{}", layer.name), polar);
    graph.mark(from, layer.span);
    Ok(())
}

/// Returns the unit matrix, with its rows in the shape of inputs, and the derivative of `inside` along these rows,
/// `[fan_in, …, units]`.
fn weights(graph: &mut Graph, inside: Id, x: Id, patch: &Patch) -> (Id, Id) {
    let (fan_in, shape) = (patch.fan_in(), graph.shape(inside).to_vec());
    let none = BTreeSet::new();
    let arriving = graph.full(0.0, &shape);
    let back = pull(graph, &[(inside, arriving)], &[x], &none)[0];
    let [row, column] = [0, 1].map(|axis| graph.push(Op::Iota(axis), vec![], vec![fan_in, fan_in]));
    let mut unit_matrix = graph.binary(Op::Equal, row, column);
    if let [channels, height, width] = patch.shape[..] {
        // Row i is 1 at number i of a patch in the network's order (channels first). Images in graphs have their channels last.
        let images = graph.reshape(unit_matrix, &[fan_in, channels, height, width]);
        unit_matrix = graph.transpose(images, &[0, 2, 3, 1]);
    }
    if let [channels, positions] = patch.shape[..] {
        let series = graph.reshape(unit_matrix, &[fan_in, channels, positions]);
        unit_matrix = graph.transpose(series, &[0, 2, 1]);
    }
    (unit_matrix, pull(graph, &[(back, unit_matrix)], &[arriving], &none)[0])
}

/// Returns u with lambda as its last row. Weights are divided by the largest weight first, so that squares of tiny weights do not
/// underflow. The length of a single weight is its absolute value.
fn polar(graph: &mut Graph, weights: Id, b: Id) -> Id {
    let sizes = graph.unary(Op::Abs, weights);
    if graph.shape(weights)[0] == 1 {
        let (sign, offset) = (graph.div(weights, sizes), graph.div(b, sizes));
        return graph.concat(&[sign, offset], 0);
    }
    let largest = graph.max_over(sizes, &[0]);
    let scaled = graph.div(weights, largest);
    let squares = graph.mul(scaled, scaled);
    let sum = graph.sum(squares, &[0]);
    let root = graph.unary(Op::Sqrt, sum);
    let direction = graph.div(scaled, root);
    let norm = graph.mul(largest, root);
    let offset = graph.div(b, norm);
    graph.concat(&[direction, offset], 0)
}

/// Removes products with the unit matrix (E a = a, a E = a) and products with `x`, which is zero. The convolution of patches that
/// are 1 at a single position each gives the filters themselves.
fn without_products(graph: &mut Graph, unit_matrix: Id, x: Id) {
    // `x` repeats a zero of shape [1, 1].
    let zero = if graph[x].op == Op::Broadcast { graph[x].inputs[0] } else { x };
    for node in &mut graph.nodes {
        let (op, operand) = match (&node.op, &node.inputs[..]) {
            (Op::MatMul { transpose_b, .. }, [a, b]) if *a == unit_matrix => (transposed_if(*transpose_b), *b),
            (Op::MatMul { transpose_a, .. }, [a, b]) if *b == unit_matrix => (transposed_if(*transpose_a), *a),
            (Op::Convolve(_), [a, b]) if *a == unit_matrix => (Op::Reshape, *b),
            (Op::MatMul { .. } | Op::Convolve(_), [a, b]) if *a == x || *b == x => (Op::Broadcast, zero),
            _ => continue,
        };
        (node.op, node.inputs) = (op, vec![operand]);
    }
}

/// Returns the operation that gives the same matrix, or its transpose.
fn transposed_if(transposed: bool) -> Op {
    if transposed { Op::Transpose(vec![1, 0]) } else { Op::Reshape }
}

/// Is a node computed from another one?
fn depends(graph: &Graph, node: Id, on: Id) -> bool {
    let mut needed = vec![false; graph.nodes.len()];
    needed[node.index()] = true;
    for id in graph.ids().rev().filter(|id| id.index() <= node.index()) {
        if needed[id.index()] {
            graph[id].inputs.iter().for_each(|input| needed[input.index()] = true);
        }
    }
    needed[on.index()]
}

/// Replaces the graph's own list of states by the list that all programs of the network share.
pub(super) fn share_states(graph: &mut Graph, all: Vec<crate::ir::graph::State>) {
    let places: Vec<Option<usize>> =
        graph.states.iter().map(|state| all.iter().position(|known| known.name == state.name)).collect();
    for node in &mut graph.nodes {
        if let Op::State(index) = &mut node.op {
            *index = places[*index].unwrap_or_else(|| {
                internal_error("boundaries", "a state that the network does not have", &graph.states[*index].name)
            });
        }
    }
    graph.states = all;
}

/// The error for a network without boundaries. It says whether deeper layers could be recorded instead.
fn nothing(module: &Module, net: &Net) -> Diagnostic {
    let record = module.experiment.train.as_ref().and_then(|train| train.record);
    // Only if the first layers were asked for: recording all layers would then help.
    let deeper =
        record.is_none_or(|record| record.followed == Followed::First) && units_of(net, Followed::All).next().is_some();
    // Each case has another next step: record all layers, add a ReLU, or put a layer of ReLU units first.
    let (why, help) = match (deeper, record.map(|record| record.followed)) {
        (true, _) => (
            "no layer of units that bend reads its input as it is",
            "write `record = boundaries(layers = all)` to follow the layers that come later",
        ),
        (false, Some(Followed::All)) => (
            "it has no layer of units that bend",
            "let `relu` or another piecewise linear activation follow a `dense(…)` or `conv(…)` at once, or record nothing",
        ),
        (false, _) => (
            "no layer of units that bend reads its input",
            "let a `dense(…) -> relu` or `conv(…) -> relu` come first, or record nothing",
        ),
    };
    let curved = net.layers.iter().find_map(|layer| match &layer.kind {
        LayerKind::Unit(unit) if !pieces::is_identity(&unit.activation) => {
            let reason = match pieces(&unit.activation) {
                Err(reason) => reason.words(),
                Ok(found) if found.kinks.is_empty() => "bends nowhere".to_string(),
                Ok(_) => return None, // another layer's input is in the way
            };
            Some((layer.span, format!("`{}` {reason}", unit.activation.name())))
        }
        _ => None,
    });
    let error =
        Diagnostic::error("E0652", format!("`{}` has no boundaries that could be recorded", module.experiment.model))
            .label(module.model.span, why);
    let error = match record {
        Some(record) => error.label(record.span, "asked for here"),
        None => error,
    };
    let error = match curved {
        Some((span, reason)) => error.label(span, reason),
        None => error,
    };
    error.help(help)
}

fn not_flat(layer: &Layer, unit: &Unit, why: &str) -> Diagnostic {
    Diagnostic::error("E0590", format!("the units of `{}` have no flat boundary: `{}` {why}", layer.name, unit.param))
        .label(layer.span, "this layer")
        .label(unit.param.base.definition.body.span, "its parameterization")
        .help("only units of the form scale * act(w . x + b) + shift can be recorded")
}

#[cfg(test)]
mod tests;
