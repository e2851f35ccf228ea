//! The smallest and the largest argument of every unit's activation over some rows, in evaluation mode.
//!
//! ```text
//! x [batch, …]  ->  lowest.NAME, highest.NAME   [units]     for each layer of ReLU units, in the order of layers
//! ```
//!
//! A unit whose highest argument is not positive is never active. A unit whose lowest argument is positive is always active. A
//! filter is one unit: its arguments at all positions of all images count, padding included. If a definition calls `act` more
//! than once, the arguments of all calls count.

use super::graph::{kinks, share_states, units_of};
use crate::graphs::parameterize::{Mode, parameterize};
use crate::ir::experiment::Followed;
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::module::Module;
use crate::ir::net::Net;
use gmpc_grammar::diagnostic::Diagnostic;

/// Returns the graph for this number of rows. Its layers are those of [`super::followed_layers`] with [`Followed::All`].
///
/// # Errors
/// Mistakes in the definitions that the network uses. Too many rows.
pub fn extremes(module: &Module, net: &Net, batch: usize) -> Result<Graph, Vec<Diagnostic>> {
    let mut forward = parameterize(net, Mode::Evaluation, batch)?;
    for (place, unit) in units_of(net, Followed::All) {
        let arguments = forward.arguments.iter().find(|(layer, _)| *layer == place).map(|(_, arguments)| arguments);
        let arguments = arguments.cloned().unwrap_or_default();
        let (graph, units) = (&mut forward.graph, unit.connection.units());
        // All units of the first kink first, as boundaries are recorded.
        let (mut lows, mut highs) = (vec![], vec![]);
        for kink in kinks(unit) {
            let kink = graph.constant(kink);
            let beyond: Vec<Id> = arguments.iter().map(|id| graph.sub(*id, kink)).collect();
            let negated: Vec<Id> = beyond.iter().map(|id| graph.unary(Op::Neg, *id)).collect();
            let negative = highest(graph, &negated, units);
            lows.push(graph.unary(Op::Neg, negative));
            highs.push(highest(graph, &beyond, units));
        }
        let (lowest, highest) = (graph.concat(&lows, 0), graph.concat(&highs, 0));
        let name = &net.layers[place].name;
        graph.output(format!("lowest.{name}"), lowest);
        graph.output(format!("highest.{name}"), highest);
    }
    share_states(&mut forward.graph, crate::graphs::states::states(module, net)?);
    Ok(forward.graph)
}

/// Returns the largest number of each unit, `[units]`.
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
    use crate::ir::graph::{Random, Tensor, evaluate, verify};
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
        let one = |state: &crate::ir::graph::State| {
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
