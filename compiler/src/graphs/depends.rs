//! Warns of a layer whose value does not depend on the example (W0915).
//!
//! ```text
//! input -> dense(1) -> layer_norm      one feature minus its own mean is 0, whatever comes in
//! ```
//!
//! One walk over the forward graph in evaluation mode gives every value a name for what it computes. Two values with one name are
//! equal for every example, so their difference is 0. A reduction over axes of size 1 has the name of its operand.

use crate::graphs::parameterize::{Forward, Mode, parameterize};
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::net::{Layer, LayerKind, Net};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// W0915: the first layer whose value is the same for every example, though the value that flows into it is not. `None` also if
/// the definitions have mistakes, which the programs report.
#[must_use]
pub fn constant(net: &Net) -> Option<Diagnostic> {
    // Statistics of a batch need two rows.
    let forward = parameterize(net, Mode::Evaluation, 2).ok()?;
    let depends = depending(&forward);
    let is_constant = |layer: usize| !depends[forward.layers[layer].index()];
    let first = (0..net.layers.len())
        .find(|&place| is_constant(place) && net.layers[place].inputs.iter().any(|&input| !is_constant(input)))?;
    Some(warning(&net.layers[first]))
}

fn warning(layer: &Layer) -> Diagnostic {
    let help = match layer.kind {
        LayerKind::Stage(_) => {
            "a normalization over one number leaves nothing of it: leave the stage out, or give it more features"
        }
        _ => "leave it out, or check its formula",
    };
    Diagnostic::warning("W0915", format!("`{}` has the same value for every example", layer.name))
        .label(layer.span, "does not depend on what flows in")
        .help(help)
}

/// What a node computes.
#[derive(Clone, Copy)]
struct Known {
    /// Equal names have equal elements in row-major order.
    name: u32,
    /// Every element, if it is a number that is known.
    number: Option<f64>,
    depends: bool,
}

/// Returns for every node whether its value depends on the example.
fn depending(forward: &Forward) -> Vec<bool> {
    let graph = &forward.graph;
    let (mut known, mut names) = (Vec::<Known>::with_capacity(graph.nodes.len()), BTreeMap::new());
    for id in graph.ids() {
        let node = &graph[id];
        let same = same_elements(graph, id, &known);
        let found = same.unwrap_or_else(|| {
            let operands: Vec<u32> = node.inputs.iter().map(|input| known[input.index()].name).collect();
            let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
            // Nodes with the same operation and operands get the same name: `x - x` is found whatever made the two.
            let key = (format!("{:?}", node.op), operands, graph.shape(id).to_vec());
            let name = *names.entry(key).or_insert(count);
            let is = |input: usize, number: f64| known[node.inputs[input].index()].number == Some(number);
            let vanishes = match node.op {
                Op::Sub => known[node.inputs[0].index()].name == known[node.inputs[1].index()].name,
                Op::Mul => is(0, 0.0) || is(1, 0.0),
                _ => false,
            };
            let number = match node.op {
                Op::Const(number) => Some(number),
                _ if vanishes => Some(0.0),
                _ => None,
            };
            let reads = id == forward.x || node.inputs.iter().any(|input| known[input.index()].depends);
            Known { name, number, depends: reads && !vanishes }
        });
        known.push(found);
    }
    known.into_iter().map(|found| found.depends).collect()
}

/// What an operand computes, if the node has the same elements in the same order.
fn same_elements(graph: &Graph, id: Id, known: &[Known]) -> Option<Known> {
    let node = &graph[id];
    let operand = |place: usize| node.inputs.get(place).map(|input| known[input.index()]);
    let count = |id: Id| graph.shape(id).iter().product::<usize>();
    let first = operand(0)?;
    let is = |place: usize, number: f64| operand(place).is_some_and(|operand| operand.number == Some(number));
    match &node.op {
        Op::Reshape => Some(first),
        Op::Broadcast if first.number.is_some() || count(node.inputs[0]) == count(id) => Some(first),
        Op::Sum(_) | Op::MaxOver(_) if count(node.inputs[0]) == count(id) => Some(first),
        Op::Mul | Op::Div if is(1, 1.0) => Some(first),
        Op::Mul if is(0, 1.0) => operand(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::network;

    fn warned(text: &str) -> String {
        let (_, net) = network(text);
        constant(&net).map_or_else(String::new, |warning| format!("{} {}", warning.code, warning.message))
    }

    #[test]
    fn a_value_that_no_example_changes_is_warned_of() {
        let flow = |flow: &str| warned(&format!("model m(input: [4]) {{ input -> {flow} -> linear(1) }}"));
        for stage in ["layer_norm", "group_norm(1)", "layer_norm -> relu"] {
            assert_eq!(
                flow(&format!("dense(1) -> {stage}")),
                "W0915 `{NAME}` has the same value for every example"
                    .replace("{NAME}", if stage.starts_with("group") { "group_norm1" } else { "layer_norm1" }),
                "{stage}"
            );
        }
        assert!(flow("dense(4) -> group_norm(4)").contains("group_norm1"));
        let image =
            "model m(input: [3, 4, 4]) { input -> conv(2, 4, pad = 0) -> instance_norm -> flatten -> linear(1) }";
        assert!(warned(image).contains("instance_norm1"), "{}", warned(image));
        assert!(
            warned("model m(input: [4]) { a = input -> dense(3)  b = a - a  b -> linear(1) }").starts_with("W0915")
        );
        let own =
            "activation off(s) { min(s, 0) - min(s, 0) } model m(input: [4]) { input -> dense(3) -> off -> linear(1) }";
        assert!(warned(own).contains("dense1"), "{}", warned(own));
    }

    #[test]
    fn values_that_examples_change_are_not() {
        for param in ["sp", "wn", "wn + mbn", "bn", "gmp", "gmp + mn"] {
            for flow in ["dense(1) -> relu", "dense(2) -> layer_norm", "dense(1) -> batch_norm", "dense(1) -> rms_norm"]
            {
                let text = format!("param = {param} model m(input: [1]) {{ input -> {flow} -> linear(1) }}");
                assert_eq!(warned(&text), "", "{text}");
            }
        }
    }
}
