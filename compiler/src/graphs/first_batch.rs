//! First values that the first batch decides: `l: unit = first_batch(1 / sqrt(var(s)))`.
//!
//! ```text
//! s = l * dot(v / norm(v), x)       with l = 1:  %7 = … : [64, 100]
//! first_batch(1 / sqrt(var(s)))     %11 = 1 / sqrt(var(%7)) : [1, 100]      write hidden.l
//! the layer once more, l = %11      what the next layer reads
//! ```
//!
//! Layer by layer: a layer's formula is computed with its scales 1 and offsets 0, the new values follow from it, and the layer is
//! computed again with these, so that the next layer sees what it will see in training.
//! Source: Salimans and Kingma, Weight Normalization, 2016, section 3.

use crate::graphs::parameterize::unit::{Act, first_batches, unit_and_starts};
use crate::graphs::parameterize::{Forward, Mode, check_sizes, layer_value};
use crate::graphs::states::add_states;
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::Module;
use crate::ir::net::{LayerKind, Net, Unit};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// Does a layer of the network take first values from the first batch?
#[must_use]
pub fn is_asked(net: &Net) -> bool {
    net.layers.iter().any(|layer| matches!(&layer.kind, LayerKind::Unit(unit) if asks(unit)))
}

fn asks(unit: &Unit) -> bool {
    first_batches(&unit.param.base.definition).next().is_some()
}

/// Returns the graph that computes these values from a batch `x` and writes them.
///
/// # Errors
/// Mistakes in the definitions that the network uses.
pub(crate) fn start(module: &Module, net: &Net, batch: usize) -> Result<Graph, Vec<Diagnostic>> {
    let one = |error| vec![error];
    check_sizes(net, batch).map_err(one)?;
    let example = net.layers.first().map(|layer| layer.shape.as_slice()).unwrap_or_default();
    let mut forward = Forward::new(batch, example);
    let mut writes = Vec::new();
    for (index, layer) in net.layers.iter().enumerate() {
        let from = forward.graph.nodes.len();
        let value = match &layer.kind {
            LayerKind::Unit(unit) if asks(unit) => {
                let x = forward.layers[layer.inputs[0]];
                let asked = (Mode::Training, Act::Apply);
                let (found, starts) = unit_and_starts(&mut forward, layer, unit, x, asked, true).map_err(one)?;
                let graph = &forward.graph;
                // The layers behind read the value that the new start gives, not the one that was there before.
                let read = |state: usize| graph.ids().find(|id| graph[*id].op == Op::State(state));
                let renamed = starts.iter().filter_map(|(state, new)| read(*state).map(|old| (old, *new)));
                let renamed: BTreeMap<Id, Id> = renamed.collect();
                writes.extend(starts);
                again(&mut forward.graph, from, found.value, renamed)
            }
            _ => layer_value(&mut forward, layer, index, Mode::Training).map_err(one)?,
        };
        forward.graph.mark(from, layer.span);
        forward.layers.push(value);
    }
    for (state, id) in writes {
        forward.graph.write(state, id);
    }
    add_states(module, &mut forward.graph).map_err(one)?;
    Ok(forward.graph)
}

/// Computes a value once more, with other nodes in the place of some that it depends on. Nodes before `from` do not depend on
/// them. Returns the new value.
fn again(graph: &mut Graph, from: usize, value: Id, mut renamed: BTreeMap<Id, Id>) -> Id {
    for index in from..=value.index() {
        let id = Id::new(index);
        let node = graph[id].clone();
        if renamed.contains_key(&id) || !node.inputs.iter().any(|input| renamed.contains_key(input)) {
            continue;
        }
        let inputs = node.inputs.iter().map(|input| renamed.get(input).copied().unwrap_or(*input)).collect();
        let copy = graph.push(node.op, inputs, node.shape);
        renamed.insert(id, copy);
    }
    renamed.get(&value).copied().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::start;
    use crate::ir::graph::{Output, Random, Tensor, evaluate};
    use crate::testing::network;

    #[test]
    fn pre_activations_of_every_layer_have_mean_0_and_variance_1_over_the_first_batch() {
        let (module, net) = network(
            "precision = f64  param = wn_data
            model m(input: [3]) { input -> dense(4) as a -> relu -> dense(2) as b -> relu -> linear(1) }
            train { loss = mse  optimizer = adam(lr = 0.1) }",
        );
        let first = crate::initialization(&module, &net).expect("an initialization");
        let states = crate::gradcheck::first_states(&first, 1);
        let graph = start(&module, &net, 5).expect("a start");
        let x = Tensor { shape: vec![5, 3], data: (0..15).map(|i| f64::from(i * i % 7)).collect() };
        let values = evaluate(&graph, std::slice::from_ref(&x), &states, Random::default());
        let index = |name: &str| graph.states.iter().position(|state| state.name == name).expect("a state");
        let written = |name: &str| {
            let found = graph.outputs.iter().zip(&values);
            let is_it = |output: &Output| matches!(output, Output::Write { state, .. } if *state == index(name));
            found.into_iter().find(|(output, _)| is_it(output)).expect("it is written").1.clone()
        };
        let mut input = x;
        for layer in ["a", "b"] {
            let [l, b] = ["l", "b"].map(|name| written(&format!("{layer}.{name}")));
            let s = pre_activations(&input, &states[index(&format!("{layer}.v"))], &l, &b);
            let (rows, units) = (s.shape[0], s.shape[1]);
            for unit in 0..units {
                let column: Vec<f64> = (0..rows).map(|row| s.data[row * units + unit]).collect();
                let mean = column.iter().sum::<f64>() / rows as f64;
                let variance = column.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / rows as f64;
                assert!(mean.abs() < 1e-9 && (variance - 1.0).abs() < 1e-6, "{layer} {unit}: {mean} {variance}");
            }
            input = Tensor { data: s.data.iter().map(|s| s.max(0.0)).collect(), ..s };
        }
    }

    /// l v . x / |v| + b
    fn pre_activations(x: &Tensor, v: &Tensor, l: &Tensor, b: &Tensor) -> Tensor {
        let (rows, inputs, units) = (x.shape[0], v.shape[0], v.shape[1]);
        let mut data = Vec::new();
        for row in 0..rows {
            for unit in 0..units {
                let weight = |i: usize| v.data[i * units + unit];
                let length = (0..inputs).map(|i| weight(i).powi(2)).sum::<f64>().sqrt();
                let dot: f64 = (0..inputs).map(|i| weight(i) * x.data[row * inputs + i]).sum();
                data.push(l.data[unit] * dot / length + b.data[unit]);
            }
        }
        Tensor { shape: vec![rows, units], data }
    }
}
