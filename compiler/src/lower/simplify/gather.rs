//! Turns sums of padded products into sums of slices, so that they need one padded value and one pass over memory.
//!
//! ```text
//! %4 = mul %dy %w0           %6 = mul %dy %w1           %4 = pad %dy, on both sides
//! %5 = pad %4, 0 before      %7 = pad %6, 1 before  →   %5 = mul (slice %4 from 1) %w0
//! %8 = add %5 %7                                        %6 = mul (slice %4 from 0) %w1
//!                                                       %7 = add %5 %6
//! ```
//!
//! Such sums are gradients: each use of a slice pads what arrives at it back to the size of the whole, and the uses are added. Those of
//! a depthwise convolution use as many slices as its filter has taps. A padded value is always stored, a slice never.
//!
//! Before and after: a graph of the same outputs. Each factor `w` is equal along the padded axis, so 0 stays 0 unless a factor is not
//! finite, where the result is not finite either way.

use super::renamed;
use crate::ir::graph::{Graph, Id, Node, Op};
use std::collections::HashMap;

/// The most passes: one for each axis of an image, and one that finds nothing more.
const MOST_PASSES: usize = 4;

/// An equivalent graph without sums of padded products.
pub(super) fn gather(mut graph: Graph) -> Graph {
    for _ in 0..MOST_PASSES {
        match Gather::pass(&graph) {
            Some(next) => graph = next,
            None => break,
        }
    }
    graph
}

/// A graph that is being rebuilt.
struct Gather<'a> {
    old: &'a Graph,
    graph: Graph,
    /// The new node of each old one.
    names: Vec<Id>,
    /// The padded values, by the new node that they are made of, the axis, and the size.
    padded: HashMap<(Id, usize, usize), Id>,
}

impl<'a> Gather<'a> {
    /// Rebuilds a graph; `None` if it has no such sum.
    fn pass(old: &'a Graph) -> Option<Graph> {
        let chosen = chosen(old);
        if !chosen.contains(&true) {
            return None;
        }
        let graph = Graph { inputs: old.inputs.clone(), states: old.states.clone(), ..Graph::default() };
        let mut gather = Gather { old, graph, names: Vec::with_capacity(old.nodes.len()), padded: HashMap::new() };
        for (node, chosen) in old.nodes.iter().zip(chosen) {
            let first = gather.graph.nodes.len();
            let name = match node.op {
                Op::Pad { axis, before } if chosen => gather.window(node.inputs[0], (axis, before, node.shape[axis])),
                _ => gather.copy(node),
            };
            gather.names.push(name);
            if let Some(span) = node.span {
                gather.graph.mark(first, span);
            }
        }
        gather.graph.outputs = renamed(&old.outputs, &gather.names);
        Some(gather.graph)
    }

    fn copy(&mut self, node: &Node) -> Id {
        let inputs = node.inputs.iter().map(|input| self.names[input.index()]).collect();
        self.graph.push(node.op.clone(), inputs, node.shape.clone())
    }

    /// The old value `id`, padded along an axis to a size, as products of slices.
    fn window(&mut self, id: Id, place: (usize, usize, usize)) -> Id {
        let (axis, before, size) = place;
        let node = &self.old[id];
        if let Some((value, factor)) = scaled(self.old, id, axis) {
            let value = self.window(value, place);
            let factor = self.names[factor.index()];
            return self.graph.mul(value, factor);
        }
        match node.op {
            Op::Add if is_sum_of_products(self.old, id, axis) => {
                let [a, b] = [0, 1].map(|i| self.window(node.inputs[i], place));
                self.graph.add(a, b)
            }
            // A slice along another axis can be taken after the padding.
            Op::Slice { axis: other, start } if other != axis => {
                let whole = self.window(node.inputs[0], place);
                self.graph.slice(whole, other, start, node.shape[other])
            }
            _ => {
                // Padded on both sides by as much as any window needs, so that all windows are slices of one value.
                let own = node.shape[axis];
                let most = size - own;
                let value = self.names[id.index()];
                let graph = &mut self.graph;
                let wide = *self
                    .padded
                    .entry((value, axis, size))
                    .or_insert_with(|| graph.pad(value, axis, most, own + 2 * most));
                self.graph.slice(wide, axis, most - before, size)
            }
        }
    }
}

/// For each node: is it a padded product, or a sum of products, that is added to something?
fn chosen(graph: &Graph) -> Vec<bool> {
    let mut chosen = vec![false; graph.nodes.len()];
    for node in graph.nodes.iter().filter(|node| node.op == Op::Add) {
        for input in &node.inputs {
            if let Op::Pad { axis, .. } = graph[*input].op {
                chosen[input.index()] = is_sum_of_products(graph, graph[*input].inputs[0], axis);
            }
        }
    }
    chosen
}

/// Is it a product with a factor that is equal along the axis, or a sum of such products?
fn is_sum_of_products(graph: &Graph, id: Id, axis: usize) -> bool {
    let node = &graph[id];
    match node.op {
        Op::Add => node.inputs.iter().all(|input| is_sum_of_products(graph, *input, axis)),
        _ => scaled(graph, id, axis).is_some(),
    }
}

/// The value and the factor of a product whose factor is equal along the axis, before it is repeated.
fn scaled(graph: &Graph, id: Id, axis: usize) -> Option<(Id, Id)> {
    let Node { op: Op::Mul, inputs, .. } = &graph[id] else { return None };
    let factor = |id: Id| {
        let is_equal = graph[id].op == Op::Broadcast && graph.shape(graph[id].inputs[0])[axis] == 1;
        is_equal.then(|| graph[id].inputs[0])
    };
    let (a, b) = (inputs[0], inputs[1]);
    factor(b).map(|factor| (a, factor)).or_else(|| factor(a).map(|factor| (b, factor)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::graph::{Random, Tensor, evaluate, verify};

    /// A sum over three taps along axis 1 of `dy w_k`, each padded back to six positions.
    fn scattered() -> Graph {
        let mut g = Graph::default();
        let dy = g.input("dy", vec![2, 4, 3]);
        let w = g.input("w", vec![3, 3]);
        let mut sum = None;
        for tap in 0..3 {
            let factor = g.slice(w, 0, tap, 1);
            let factor = g.reshape(factor, &[1, 1, 3]);
            let product = g.mul(dy, factor);
            let padded = g.pad(product, 1, tap, 6);
            sum = Some(sum.map_or(padded, |sum| g.add(sum, padded)));
        }
        g.output("dx", sum.expect("three taps"));
        g
    }

    #[test]
    fn a_sum_of_padded_products_pads_once() {
        let before = scattered();
        let after = gather(before.clone());
        verify(&after).expect("a graph");
        let pads = |graph: &Graph| graph.nodes.iter().filter(|node| matches!(node.op, Op::Pad { .. })).count();
        // The old pads and products are dead now: `simplify` removes them.
        let live = super::super::prune(after);
        assert_eq!((pads(&before), pads(&live)), (3, 1));
        let wave = |shape: &[usize], pace: f64| Tensor {
            shape: shape.to_vec(),
            data: (0..shape.iter().product()).map(|i: usize| libm::sin(pace * (i as f64 + 1.0))).collect(),
        };
        let inputs = [wave(&[2, 4, 3], 0.7), wave(&[3, 3], 1.3)];
        let run = |graph: &Graph| evaluate(graph, &inputs, &[], Random::default()).remove(0);
        assert_eq!(run(&before), run(&live));
    }

    #[test]
    fn a_single_pad_stays() {
        let mut g = Graph::default();
        let x = g.input("x", vec![2, 4]);
        let padded = g.pad(x, 1, 1, 6);
        let sum = g.add(padded, padded);
        g.output("y", sum);
        assert_eq!(gather(g.clone()), g, "no factor stands before it");
    }
}
