//! The boundaries of a network's layers as a graph of its states, for any device to run beside training steps.
//!
//! ```text
//! x = 0                          b = act's argument at x
//! rows of the unit matrix  ->    w = its derivative in each input's direction
//! boundary.NAME = u above lambda : [fan_in + 1, units]
//! ```
//!
//! A filter is a unit over what it sees at one place, a patch of channels x kh x kw numbers in the network's order, channels
//! outermost. Each layer's boundaries lie in the space of its own input, which for the first layers is the network's.
//!
//! Reverse-mode differentiation is linear in what arrives, so differentiating it once more gives the derivative in a
//! direction: `fan_in` rows instead of one for each unit. Products with the unit matrix are then taken out.

use crate::convert::patch::Patch;
use crate::differentiate::pull;
use crate::experiment::Followed;
use crate::graph::{Graph, Id, Op};
use crate::module::Module;
use crate::net::{Activation, Layer, LayerKind, Net, Unit};
use crate::parameterize::unit::{Act, unit};
use crate::parameterize::{Forward, Mode, image};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// A layer of ReLU units whose boundaries can be followed; mostly one that reads the network's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Place in [`Net::layers`].
    pub layer: usize,
    /// `hidden`
    pub name: String,
    /// Inputs of each unit; of a filter channels x kh x kw.
    pub fan_in: usize,
    /// How many units.
    pub units: usize,
}

/// The layers of ReLU units (leaky ones too), dense or convolutions, that read the input itself; flattening it and dropout,
/// which does nothing in evaluation, may come before.
#[must_use]
pub fn first_layers(net: &Net) -> Vec<First> {
    followed_layers(net, Followed::First)
}

/// The layers of ReLU units (leaky ones too), dense or convolutions: the first ones, or all.
#[must_use]
pub fn followed_layers(net: &Net, which: Followed) -> Vec<First> {
    let one = |(layer, unit): (usize, &Unit)| {
        let of = &net.layers[layer];
        let fan_in = Patch::new(net, of, unit).fan_in();
        First { layer, name: of.name.clone(), fan_in, units: unit.product.units() }
    };
    units_of(net, which).map(one).collect()
}

pub(super) fn units_of(net: &Net, which: Followed) -> impl Iterator<Item = (usize, &Unit)> {
    net.layers.iter().enumerate().filter_map(move |(place, layer)| match &layer.kind {
        LayerKind::Unit(unit)
            if matches!(unit.activation, Activation::Relu | Activation::LeakyRelu(_))
                && (which == Followed::All || reads_input(net, layer)) =>
        {
            Some((place, unit))
        }
        _ => None,
    })
}

/// Are a layer's numbers those of the example, in whatever arrangement?
fn reads_input(net: &Net, layer: &Layer) -> bool {
    let [place] = layer.inputs[..] else { return false };
    net.layers.get(place).is_some_and(|before| match before.kind {
        LayerKind::Input => true,
        LayerKind::Flatten | LayerKind::Dropout { .. } => reads_input(net, before),
        _ => false,
    })
}

/// What a unit's direction is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turning {
    /// Anything: a small change of parameters may turn it all the way round.
    Free,
    /// `spherical` of so many learned angles and nothing else: it turns by no more than they change.
    Angles(usize),
    /// No parameter changes it: the sign of a unit with one input.
    Fixed,
}

/// What the directions of a layer's units are made of, read off its compiled formula.
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
        (_, Some(crate::graph::Role::Constant)) => Turning::Fixed,
        (Op::Spherical, _) if state(graph[weights].inputs[0]).is_some() => {
            Turning::Angles(graph.shape(graph[weights].inputs[0])[0])
        }
        _ => Turning::Free,
    }
}

/// A graph without inputs whose outputs `boundary.NAME`, `[fan_in + 1, units]`, are each followed layer's directions with the
/// signed distances below them. A unit whose weights are zero has none: its numbers are not finite.
///
/// # Errors
/// E0652: the network has no such layer. E0590: a unit's boundary is no hyperplane. Mistakes in the definitions.
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
    share_states(&mut forward.graph, crate::step::states(module, net)?);
    Ok(forward.graph)
}

/// The graph that runs beside training: of the first layers. Where all layers are followed, out of what is kept of the whole
/// network, the others are only looked at; there may be no first ones then.
///
/// # Errors
/// As [`graph()`].
pub fn recorded(module: &Module, net: &Net) -> Result<Graph, Vec<Diagnostic>> {
    let record = module.experiment.train.as_ref().and_then(|train| train.record);
    if record.is_some_and(|record| record.followed == Followed::All) {
        graph(module, net, Followed::All)?;
        if first_layers(net).is_empty() {
            return Ok(Graph { states: crate::step::states(module, net)?, ..Graph::default() });
        }
    }
    graph(module, net, Followed::First)
}

/// Adds one layer's output.
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
    let units = of.product.units();
    let weights = graph.reshape(weights, &[fan_in, units]);
    let b = graph.slice(inside, 0, 0, 1);
    let b = graph.reshape(b, &[1, units]);
    let polar = polar(graph, weights, b);
    graph.output(format!("boundary.{}", layer.name), polar);
    graph.mark(from, layer.span);
    Ok(())
}

/// The unit matrix, its rows arranged as inputs are, and the derivative of `inside` along them, `[fan_in, …, units]`.
fn weights(graph: &mut Graph, inside: Id, x: Id, patch: &Patch) -> (Id, Id) {
    let (fan_in, shape) = (patch.fan_in(), graph.shape(inside).to_vec());
    let none = BTreeSet::new();
    let arriving = graph.full(0.0, &shape);
    let back = pull(graph, &[(inside, arriving)], &[x], &none)[0];
    let [row, column] = [0, 1].map(|axis| graph.push(Op::Iota(axis), vec![], vec![fan_in, fan_in]));
    let mut unit_matrix = graph.binary(Op::Equal, row, column);
    if let [channels, height, width] = patch.shape[..] {
        // Row i is 1 at the i-th number of a patch in the network's order; images of graphs have their channels last.
        let images = graph.reshape(unit_matrix, &[fan_in, channels, height, width]);
        unit_matrix = graph.transpose(images, &[0, 2, 3, 1]);
    }
    (unit_matrix, pull(graph, &[(back, unit_matrix)], &[arriving], &none)[0])
}

/// u above lambda. The largest weight is divided out first, so that squares of tiny weights do not vanish. A
/// single weight is its own length, up to its sign.
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

/// Takes out products with the unit matrix, E a = a and a E = a, and those of `x`, which is zero, with anything. A convolution
/// of patches that are 1 at one place each gives the filters themselves.
fn without_products(graph: &mut Graph, unit_matrix: Id, x: Id) {
    // What `x` repeats: a zero of shape [1, 1].
    let zero = if graph[x].op == Op::Broadcast { graph[x].inputs[0] } else { x };
    for node in &mut graph.nodes {
        let (op, operand) = match (&node.op, &node.inputs[..]) {
            (Op::MatMul { transpose_b, .. }, [a, b]) if *a == unit_matrix => (turned(*transpose_b), *b),
            (Op::MatMul { transpose_a, .. }, [a, b]) if *b == unit_matrix => (turned(*transpose_a), *a),
            (Op::Convolve(_), [a, b]) if *a == unit_matrix => (Op::Reshape, *b),
            (Op::MatMul { .. } | Op::Convolve(_), [a, b]) if *a == x || *b == x => (Op::Broadcast, zero),
            _ => continue,
        };
        (node.op, node.inputs) = (op, vec![operand]);
    }
}

/// The same matrix, or its transpose.
fn turned(transposed: bool) -> Op {
    if transposed { Op::Transpose(vec![1, 0]) } else { Op::Reshape }
}

/// Does a node lead back to another?
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

/// Gives the graph the network's list of states, as every program of it has, in place of its own.
pub(super) fn share_states(graph: &mut Graph, all: Vec<crate::graph::State>) {
    let places: Vec<Option<usize>> =
        graph.states.iter().map(|state| all.iter().position(|known| known.name == state.name)).collect();
    debug_assert!(places.iter().all(Option::is_some), "a state that the network does not have");
    for node in &mut graph.nodes {
        if let Op::State(index) = &mut node.op {
            *index = places[*index].unwrap_or_default();
        }
    }
    graph.states = all;
}

fn nothing(module: &Module, net: &Net) -> Diagnostic {
    let record = module.experiment.train.as_ref().and_then(|train| train.record);
    let deeper =
        record.is_none_or(|record| record.followed == Followed::First) && units_of(net, Followed::All).next().is_some();
    let (why, help) = match (deeper, record.map(|record| record.followed)) {
        (true, _) => (
            "no layer of ReLU units reads its input as it is",
            "write `record = boundaries(layers = all)` to follow the layers that come later",
        ),
        (false, Some(Followed::All)) => {
            ("it has no layer of ReLU units", "let `relu` follow a `dense(…)` or `conv(…)` at once, or record nothing")
        }
        (false, _) => (
            "no layer of ReLU units reads its input",
            "let a `dense(…) -> relu` or `conv(…) -> relu` come first, or record nothing",
        ),
    };
    let error =
        Diagnostic::error("E0652", format!("`{}` has no boundaries that could be recorded", module.experiment.model))
            .label(module.model.span, why);
    let error = match record {
        Some(record) => error.label(record.span, "asked for here"),
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
