//! Divides the graph of a prediction in two: what follows from the states alone, and the rest. Whoever predicts often computes the
//! first part once: unit vectors of angles cost more than the product with one row.
//!
//! ```text
//! %1 = state hidden.theta      derived:  %0 = state hidden.theta    rest:  %1 = state frozen.0
//! %2 = spherical %1                      %1 = spherical %0                 %2 = matmul %0 %1
//! %3 = matmul %0 %2                      frozen.0 = %1
//! ```

use crate::ir::axes::Meaning;
use crate::ir::graph::{Graph, Id, Node, Op, Output, Role, State};

/// The two parts of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    /// Reads the states of the whole graph, and gives what the rest needs of them, as outputs in order.
    pub derived: Graph,
    /// The rest, whose states are what it needs.
    pub rest: Graph,
    /// Where the value of each state of the rest comes from.
    pub sources: Vec<Source>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The state of this index of the whole graph.
    State(usize),
    /// The output of this index of the derived graph.
    Derived(usize),
}

/// Divides a graph that writes no states.
#[must_use]
pub fn freeze(graph: &Graph) -> Frozen {
    let is_cut = cuts(graph);
    let roots: Vec<Id> = graph.outputs.iter().map(Output::id).collect();
    let needed = needed(graph, &roots, |id| is_cut[id.index()]);
    let (mut derived, mut sources, mut derived_roots) = (vec![], vec![], vec![]);
    let mut rest = Graph { inputs: graph.inputs.clone(), ..Graph::default() };
    let mut places: Vec<Id> = vec![Id(0); graph.nodes.len()];
    for id in graph.ids().filter(|id| needed[id.index()]) {
        let node = &graph[id];
        places[id.index()] = match (is_cut[id.index()], &node.op) {
            // A state that is read as it is needs no computation: it is taken over.
            (true, Op::State(index)) => {
                sources.push(Source::State(*index));
                rest.state(graph.states[*index].clone()).1
            }
            (true, _) => {
                // What depends on states alone becomes a state of its own, computed once by the derived graph.
                let name = format!("frozen.{}", derived.len());
                sources.push(Source::Derived(derived.len()));
                derived.push(name.clone());
                derived_roots.push(id);
                let shape = node.shape.clone();
                let (role, file_shape, meaning) = (Role::Constant, shape.clone(), Meaning::default());
                rest.state(State { name, role, shape, file_shape, transposed: false, meaning }).1
            }
            (false, _) => copied(&mut rest, node, &places),
        };
    }
    for output in &graph.outputs {
        if let Output::Value { name, id } = output {
            rest.output(name.clone(), places[id.index()]);
        }
    }
    Frozen { derived: part(graph, &derived, &derived_roots), rest, sources }
}

/// The nodes whose values are kept: they follow from states alone, and are no mere view of others.
fn cuts(graph: &Graph) -> Vec<bool> {
    let (mut changes, mut has_state) = (vec![false; graph.nodes.len()], vec![false; graph.nodes.len()]);
    let mut cuts = vec![false; graph.nodes.len()];
    for id in graph.ids() {
        let node = &graph[id];
        let any = |of: &[bool]| node.inputs.iter().any(|input| of[input.index()]);
        let draws = matches!(node.op, Op::Input(_) | Op::Uniform { .. });
        let reads = matches!(node.op, Op::State(_));
        (changes[id.index()], has_state[id.index()]) = (draws || any(&changes), reads || any(&has_state));
        let is_view = matches!(node.op, Op::Broadcast | Op::Reshape);
        cuts[id.index()] = has_state[id.index()] && !changes[id.index()] && !is_view;
    }
    cuts
}

/// The nodes that the roots need, down to those where the walk ends.
fn needed(graph: &Graph, roots: &[Id], ends: impl Fn(Id) -> bool) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes.len()];
    roots.iter().for_each(|root| needed[root.index()] = true);
    for id in graph.ids().rev() {
        if needed[id.index()] && !ends(id) {
            graph[id].inputs.iter().for_each(|input| needed[input.index()] = true);
        }
    }
    needed
}

/// The part of a graph that computes some nodes from its states, which are those of the whole.
fn part(graph: &Graph, names: &[String], roots: &[Id]) -> Graph {
    let needed = needed(graph, roots, |_| false);
    let mut part = Graph { states: graph.states.clone(), ..Graph::default() };
    let mut places: Vec<Id> = vec![Id(0); graph.nodes.len()];
    for id in graph.ids().filter(|id| needed[id.index()]) {
        places[id.index()] = copied(&mut part, &graph[id], &places);
    }
    for (name, root) in names.iter().zip(roots) {
        part.output(name.clone(), places[root.index()]);
    }
    part
}

fn copied(to: &mut Graph, node: &Node, places: &[Id]) -> Id {
    let inputs = node.inputs.iter().map(|input| places[input.index()]).collect();
    to.nodes.push(Node { inputs, ..node.clone() });
    Id::new(to.nodes.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::graph::{Random, Tensor, evaluate, verify};
    use crate::ir::program::Goal;
    use crate::testing;

    #[test]
    fn both_parts_together_are_the_whole() {
        for text in [
            "param = gmp + mn model m(input: [3]) { input -> dense(4) -> relu -> linear(2) }",
            "param = wn + mbn model m(input: [2, 5, 4]) { input -> conv(3, 3) -> relu -> flatten -> linear(2) }",
            "use std.reparameterization param = spectral model m(input: [3]) { input -> layer_norm -> dense(4) -> prelu -> linear(2) }",
        ] {
            let (module, net) = testing::network(text);
            let first = crate::initialization(&module, &net).unwrap();
            let states = crate::gradcheck::first_states(&first, 3);
            let mut layouts = vec![];
            for batch in [1, 3] {
                let graph = testing::graph(text, Goal::Predict, batch);
                let Frozen { derived, rest, sources } = freeze(&graph);
                verify(&derived).unwrap();
                verify(&rest).unwrap();
                let values = evaluate(&derived, &[], &states, Random::default());
                let of = |source: &Source| match source {
                    Source::State(index) => states[*index].clone(),
                    Source::Derived(index) => values[*index].clone(),
                };
                let kept: Vec<Tensor> = sources.iter().map(of).collect();
                let count = graph.inputs[0].shape.iter().product::<usize>();
                let x = Tensor {
                    shape: graph.inputs[0].shape.clone(),
                    data: (0..count).map(|i| (i as f64).sin()).collect(),
                };
                let whole = evaluate(&graph, std::slice::from_ref(&x), &states, Random::default());
                assert_eq!(evaluate(&rest, &[x], &kept, Random::default()), whole, "{text}");
                layouts.push(rest.states);
            }
            assert_eq!(layouts[0], layouts[1], "what is kept does not depend on the number of rows");
        }
    }

    #[test]
    fn angles_are_decoded_once() {
        let graph = testing::graph(
            "param = gmp model m(input: [3]) { input -> dense(4) -> relu -> linear(1) }",
            Goal::Predict,
            1,
        );
        let frozen = freeze(&graph);
        let has = |graph: &Graph| graph.nodes.iter().any(|node| node.op == Op::Spherical);
        assert!(has(&frozen.derived) && !has(&frozen.rest));
    }
}
