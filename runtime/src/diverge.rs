//! Where a run first met a number that is not finite: the witness keeps every value of a step, and this looks through them.

use crate::device::candle::{is_finite, trace};
use crate::device::{DeviceError, Numbers, States};
use gmpc_compiler::graph::{Graph, Id, Op, Output, Random};
use gmpc_compiler::net::Layer;
use gmpc_grammar::source::Span;

/// A number that was not finite, and where it came up.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// Counted from 1.
    pub epoch: u64,
    /// Batch of the epoch, counted from 1.
    pub batch: u64,
    /// Optimizer step of the run, counted from 1.
    pub step: u64,
    /// The first value that was not finite.
    pub origin: Origin,
}

/// The first value that was not finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origin {
    /// `the result of exp`, `the new value of hidden.w`.
    pub what: String,
    /// `hidden`, where a layer's line asked for the value.
    pub layer: Option<String>,
    /// `hidden.w`, where it is the value of a state or its update.
    pub state: Option<String>,
    /// The line that asked for it.
    pub span: Option<Span>,
}

impl Divergence {
    /// One next step.
    #[must_use]
    pub fn help(&self) -> &'static str {
        "try a smaller learning rate, or a warm-up; the last checkpoint is still finite"
    }
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Divergence { epoch, batch, step, origin } = self;
        write!(f, "training diverged in step {step} (epoch {epoch}, batch {batch}): {} is not finite", origin.what)?;
        match &origin.layer {
            Some(layer) => write!(f, ", in layer {layer}"),
            None => Ok(()),
        }
    }
}

/// Looks for the first value of a step that is not finite. `states` are those before the step.
///
/// # Errors
/// The witness cannot run the graph.
pub fn locate(
    graph: &Graph,
    inputs: &[Numbers],
    states: &States,
    random: Random,
    layers: &[Layer],
) -> Result<Option<Origin>, DeviceError> {
    let values = trace(graph, inputs, states, random)?;
    for (id, value) in graph.ids().zip(&values) {
        if !is_finite(value)? {
            return Ok(Some(describe(graph, id, layers)));
        }
    }
    Ok(None)
}

fn describe(graph: &Graph, id: Id, layers: &[Layer]) -> Origin {
    let node = &graph[id];
    let written = graph.outputs.iter().find_map(|output| match output {
        Output::Write { state, id: written } if *written == id => graph.states.get(*state),
        _ => None,
    });
    let layer = layers.iter().find(|layer| Some(layer.span) == node.span).map(|layer| layer.name.clone());
    let (what, state) = match (&node.op, written) {
        (Op::State(index), _) => {
            let name = graph.states.get(*index).map_or("a state", |state| state.name.as_str());
            (name.to_string(), Some(name.to_string()))
        }
        (Op::Input(index), _) => {
            (format!("the input {}", graph.inputs.get(*index).map_or("", |input| input.name.as_str())), None)
        }
        (_, Some(state)) => (format!("the new value of {}", state.name), Some(state.name.clone())),
        (op, None) => (format!("the result of {}", op.name()), None),
    };
    // A state's name begins with its layer's: `hidden.w`, `adam.m/hidden.w`.
    let owner =
        state.as_deref().and_then(|name| name.rsplit('/').next()?.rsplit_once('.')).map(|(layer, _)| layer.into());
    Origin { what, layer: layer.or(owner), state, span: node.span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmpc_compiler::experiment::Precision;
    use gmpc_compiler::graph::{Role, State};
    use gmpc_compiler::layout::StateLayout;
    use std::sync::Arc;

    #[test]
    fn the_first_value_on_the_way_is_named() {
        let mut graph = Graph::default();
        let x = graph.input("x", vec![1]);
        let shape = vec![1];
        let state = State {
            name: "hidden.w".into(),
            role: Role::Parameter,
            file_shape: shape.clone(),
            shape,
            transposed: false,
        };
        let (index, w) = graph.state(state);
        let log = graph.unary(Op::Log, x);
        let sum = graph.add(log, w);
        graph.write(index, sum);
        let states = States::zeros(&Arc::new(StateLayout::new(&graph.states)), Precision::F32);
        let at = |x: f32| locate(&graph, &[Numbers::F32(vec![x])], &states, Random::default(), &[]).unwrap();
        assert_eq!(at(1.0), None);
        assert_eq!(at(0.0).unwrap().what, "the result of log");
        assert_eq!(at(f32::NAN).unwrap().what, "the input x");
        let mut states = states.clone();
        *states.data_mut() = Numbers::F32(vec![f32::MAX; 16]);
        let origin = locate(&graph, &[Numbers::F32(vec![f32::INFINITY])], &states, Random::default(), &[]).unwrap();
        assert_eq!(origin.unwrap().what, "the input x");
    }

    #[test]
    fn the_sentence_says_step_epoch_batch_and_layer() {
        let origin =
            Origin { what: "the new value of hidden.w".into(), layer: Some("hidden".into()), ..Origin::default() };
        let divergence = Divergence { epoch: 2, batch: 3, step: 7, origin };
        insta::assert_snapshot!(divergence.to_string(), @"training diverged in step 7 (epoch 2, batch 3): the new value of hidden.w is not finite, in layer hidden");
    }
}
