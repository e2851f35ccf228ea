//! The boundaries of a network's first layers as a graph of its states, for any device to run beside training steps.
//!
//! ```text
//! x = 0                          b = act's argument at x
//! rows of the unit matrix  ->    w = its derivative in each input's direction
//! boundary.NAME = u above lambda : [fan_in + 1, units]
//! ```
//!
//! Reverse-mode differentiation is linear in what arrives, so differentiating it once more gives the derivative in a
//! direction: `fan_in` rows instead of one for each unit. Products with the unit matrix are then taken out.

use crate::differentiate::pull;
use crate::graph::{Graph, Id, Op};
use crate::module::Module;
use crate::net::{Activation, Layer, LayerKind, Net, Product, Unit};
use crate::parameterize::unit::{Act, unit};
use crate::parameterize::{Forward, Mode, Store};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// A layer of ReLU units that reads the network's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Place in [`Net::layers`].
    pub layer: usize,
    /// `hidden`
    pub name: String,
    /// Inputs of each unit.
    pub fan_in: usize,
    /// How many units.
    pub units: usize,
}

/// The dense layers of ReLU units (leaky ones too) that read the input itself.
#[must_use]
pub fn first_layers(net: &Net) -> Vec<First> {
    units_of(net)
        .map(|(layer, unit, fan_in)| {
            let units = unit.product.units();
            First { layer, name: net.layers[layer].name.clone(), fan_in, units }
        })
        .collect()
}

fn units_of(net: &Net) -> impl Iterator<Item = (usize, &Unit, usize)> {
    let fan_in: usize = net.layers.first().map_or(0, |input| input.shape.iter().product());
    net.layers.iter().enumerate().filter_map(move |(place, layer)| match &layer.kind {
        LayerKind::Unit(unit)
            if layer.inputs == [0]
                && matches!(unit.product, Product::Dense { .. })
                && matches!(unit.activation, Activation::Relu | Activation::LeakyRelu(_)) =>
        {
            Some((place, unit, fan_in))
        }
        _ => None,
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
    let patch = crate::convert::patch::Patch::new(net, layer, of);
    if patch.shape.len() > 1 {
        return Ok(Turning::Free); // filters are not looked into
    }
    let graph = Graph::default();
    let mut forward = Forward { graph, store: Store::default(), x: Id(0), layers: vec![], prediction: Id(0) };
    let x = forward.graph.full(0.0, &[patch.fan_in(), patch.fan_in()]);
    let value = unit(&mut forward, &patch.layer, &patch.unit, x, Mode::Evaluation, Act::Apply)?;
    let [(inside, _)] = value.acts[..] else { return Ok(Turning::Free) };
    let (unit_matrix, weights) = weights(&mut forward.graph, inside, x, patch.fan_in());
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

/// A graph without inputs whose outputs `boundary.NAME`, `[fan_in + 1, units]`, are each first layer's directions with the
/// signed distances below them. A unit whose weights are zero has none: its numbers are not finite.
///
/// # Errors
/// E0652: the network has no such layer. E0590: a unit's boundary is no hyperplane. Mistakes in the definitions.
pub fn graph(module: &Module, net: &Net) -> Result<Graph, Vec<Diagnostic>> {
    let mut graph = Graph::default();
    let x = graph.constant(0.0);
    let mut forward = Forward { graph, store: Store::default(), x, layers: vec![], prediction: x };
    let mut errors = Vec::new();
    for (place, of, fan_in) in units_of(net) {
        errors.extend(one(&mut forward, &net.layers[place], of, fan_in).err());
    }
    if forward.graph.outputs.is_empty() && errors.is_empty() {
        errors.push(nothing(module));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    share_states(&mut forward.graph, crate::step::states(module, net)?);
    Ok(forward.graph)
}

/// Adds one layer's output.
fn one(forward: &mut Forward, layer: &Layer, of: &Unit, fan_in: usize) -> Result<(), Diagnostic> {
    let from = forward.graph.nodes.len();
    let x = forward.graph.full(0.0, &[fan_in, fan_in]);
    let value = unit(forward, layer, of, x, Mode::Evaluation, Act::Apply)?;
    let graph = &mut forward.graph;
    let [(inside, _)] = value.acts[..] else { return Err(not_flat(layer, of, "calls `act` more than once")) };
    let (unit_matrix, weights) = weights(graph, inside, x, fan_in);
    if depends(graph, weights, x) {
        return Err(not_flat(layer, of, "bends before `act`"));
    }
    without_products(graph, unit_matrix, x);
    let b = graph.slice(inside, 0, 0, 1);
    let polar = polar(graph, weights, b);
    graph.output(format!("boundary.{}", layer.name), polar);
    graph.mark(from, layer.span);
    Ok(())
}

/// The unit matrix, and the derivative of `inside` along its rows, `[fan_in, units]`.
fn weights(graph: &mut Graph, inside: Id, x: Id, fan_in: usize) -> (Id, Id) {
    let shape = graph.shape(inside).to_vec();
    let none = BTreeSet::new();
    let arriving = graph.full(0.0, &shape);
    let back = pull(graph, &[(inside, arriving)], &[x], &none)[0];
    let [row, column] = [0, 1].map(|axis| graph.push(Op::Iota(axis), vec![], vec![fan_in, fan_in]));
    let unit_matrix = graph.binary(Op::Equal, row, column);
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

/// Takes out products with the unit matrix, E a = a and a E = a, and those of `x`, which is zero, with anything.
fn without_products(graph: &mut Graph, unit_matrix: Id, x: Id) {
    // What `x` repeats: a zero of shape [1, 1].
    let zero = if graph[x].op == Op::Broadcast { graph[x].inputs[0] } else { x };
    for node in &mut graph.nodes {
        let Op::MatMul { transpose_a, transpose_b } = node.op else { continue };
        let (op, operand) = match node.inputs[..] {
            [a, b] if a == unit_matrix => (turned(transpose_b), b),
            [a, b] if b == unit_matrix => (turned(transpose_a), a),
            [a, b] if a == x || b == x => (Op::Broadcast, zero),
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
fn share_states(graph: &mut Graph, all: Vec<crate::graph::State>) {
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

fn nothing(module: &Module) -> Diagnostic {
    let error =
        Diagnostic::error("E0652", format!("`{}` has no boundaries that could be recorded", module.experiment.model))
            .label(module.model.span, "no dense layer of ReLU units reads its input");
    let record = module.experiment.train.as_ref().and_then(|train| train.record);
    let error = match record {
        Some(record) => error.label(record.span, "asked for here"),
        None => error,
    };
    error.help("let a `dense(…) -> relu` come first, or record nothing")
}

fn not_flat(layer: &Layer, unit: &Unit, why: &str) -> Diagnostic {
    Diagnostic::error("E0590", format!("the units of `{}` have no flat boundary: `{}` {why}", layer.name, unit.param))
        .label(layer.span, "this layer")
        .label(unit.param.base.definition.body.span, "its parameterization")
        .help("only units of the form scale * act(w . x + b) + shift can be recorded")
}

#[cfg(test)]
mod tests;
