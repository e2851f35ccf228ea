//! Between which numbers the arguments of every unit's activation lie over some rows, in evaluation mode.
//!
//! ```text
//! x [batch, …]  ->  lowest.NAME, highest.NAME   [units]     for each layer of ReLU units, in the order of layers
//! ```
//!
//! A unit whose highest argument is not positive is active nowhere; one whose lowest argument is positive is active
//! everywhere. A filter is one unit, looked at over all places of all images, padding as the network sees it. Of a
//! definition that calls `act` more than once, the arguments of all calls count.

use super::graph::{share_states, units_of};
use crate::experiment::Followed;
use crate::graph::{Graph, Id, Op};
use crate::module::Module;
use crate::net::Net;
use crate::parameterize::{Mode, parameterize};
use gmpc_grammar::diagnostic::Diagnostic;

/// The graph for so many rows; its layers are those of [`super::followed_layers`] with [`Followed::All`].
///
/// # Errors
/// Mistakes in the definitions the network uses; too many rows.
pub fn extremes(module: &Module, net: &Net, batch: usize) -> Result<Graph, Vec<Diagnostic>> {
    let mut forward = parameterize(net, Mode::Evaluation, batch)?;
    for (place, unit) in units_of(net, Followed::All) {
        let arguments = forward.arguments.iter().find(|(layer, _)| *layer == place).map(|(_, arguments)| arguments);
        let arguments = arguments.cloned().unwrap_or_default();
        let (graph, units) = (&mut forward.graph, unit.product.units());
        let negated: Vec<Id> = arguments.iter().map(|id| graph.unary(Op::Neg, *id)).collect();
        let negative = highest(graph, &negated, units);
        let lowest = graph.unary(Op::Neg, negative);
        let highest = highest(graph, &arguments, units);
        let name = &net.layers[place].name;
        graph.output(format!("lowest.{name}"), lowest);
        graph.output(format!("highest.{name}"), highest);
    }
    share_states(&mut forward.graph, crate::step::states(module, net)?);
    Ok(forward.graph)
}

/// The largest of each unit's numbers, `[units]`.
fn highest(graph: &mut Graph, numbers: &[Id], units: usize) -> Id {
    let mut found: Option<Id> = None;
    for id in numbers {
        let axes: Vec<usize> = (0..graph.shape(*id).len().saturating_sub(1)).collect();
        let most = graph.max_over(*id, &axes);
        let most = graph.reshape(most, &[units]);
        found = Some(found.map_or(most, |found| graph.binary(Op::Max, found, most)));
    }
    found.unwrap_or_else(|| graph.full(0.0, &[units])) // unreachable: a definition calls `act`
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Random, Tensor, evaluate, verify};
    use crate::testing::network;

    #[test]
    fn arguments_of_a_unit_and_of_a_filter_lie_between_their_extremes() {
        let (module, net) = network(
            "param = sp
             model m(input: [1, 2, 2]) { input -> conv(2, 1) as c -> relu -> flatten -> dense(1) as d -> relu }",
        );
        let graph = extremes(&module, &net, 2).unwrap();
        verify(&graph).unwrap();
        let tensor = |shape: &[usize], data: &[f64]| Tensor { shape: shape.to_vec(), data: data.to_vec() };
        let images = tensor(&[2, 2, 2, 1], &[-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, -5.0, 0.5]);
        let one = |state: &crate::graph::State| {
            let data = match state.name.as_str() {
                "c.w" => vec![2.0, -1.0],
                "c.b" => vec![1.0, -7.0],
                "d.w" => vec![1.0; 8],
                _ => vec![-100.0],
            };
            tensor(&state.shape, &data)
        };
        let states: Vec<Tensor> = graph.states.iter().map(one).collect();
        let found = evaluate(&graph, &[images], &states, Random::default());
        let numbers: Vec<&[f64]> = found.iter().map(|found| &found.data[..]).collect();
        // The first channel is 2 x + 1, the second -x - 7 and never positive; the sum of the first over an image is 9 or 18.
        assert_eq!(numbers, [&[-9.0, -11.0][..], &[9.0, -2.0], &[-91.0], &[-82.0]]);
    }
}
