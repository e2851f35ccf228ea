//! Finds where a run first met a number that is not finite. The failing step runs again as a program that outputs every
//! intermediate value.

use gmpc_compiler::ir::graph::{Graph, Id, Op, Output, Random};
use gmpc_compiler::ir::net::Layer;
use gmpc_compiler::ir::program::Program;
use gmpc_compiler::{Watched, watch};
use gmpc_device::{Device, DeviceError, Numbers, States};
use gmpc_device_cpu::Cpu;
use gmpc_grammar::source::Span;
use std::sync::Arc;

/// A number that is not finite, and the step in which it first appeared.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// Counted from 1.
    pub epoch: u64,
    /// Batch within the epoch, counted from 1.
    pub batch: u64,
    /// Optimizer step of the run, counted from 1.
    pub step: u64,
    /// The first value that was not finite.
    pub origin: Origin,
}

/// The first value that was not finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origin {
    /// What the value is: `the result of exp`, `the new value of hidden.w`.
    pub what: String,
    /// The layer whose line asked for the value, such as `hidden`, if it is known.
    pub layer: Option<String>,
    /// The state, such as `hidden.w`, if the value is a state or its update.
    pub state: Option<String>,
    /// The source line that asked for the value, if there is one.
    pub span: Option<Span>,
}

impl Divergence {
    /// The next step for the user.
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

/// Describes the first value of a step that is not finite. The arguments are those of [`first_not_finite`]; `layers`
/// give the value its layer's name.
///
/// # Errors
/// The errors of [`first_not_finite`].
pub fn locate(
    program: &Program,
    inputs: &[Numbers],
    states: &States,
    random: Random,
    layers: &[Layer],
    threads: usize,
) -> Result<Option<Origin>, DeviceError> {
    let found = first_not_finite(program, inputs, states, random, threads)?;
    Ok(found.map(|id| describe(&program.graph, id, layers)))
}

/// Finds the first value of a step, in the order of the graph's nodes, that is not finite. `states` are those before
/// the step, and `inputs` hold all numbers of the program's inputs. The step runs once on this machine's CPU with this
/// number of threads, whichever device trained the run. `None`: every value is finite.
///
/// # Errors
/// The program needs more memory than there is, or there is no code generator for this CPU.
pub fn first_not_finite(
    program: &Program,
    inputs: &[Numbers],
    states: &States,
    random: Random,
    threads: usize,
) -> Result<Option<Id>, DeviceError> {
    let Watched { program: watched, values, first } = watch(program);
    let mut executable = Cpu::with_threads(threads).load(&Arc::new(watched))?;
    for (index, numbers) in inputs.iter().enumerate() {
        executable.input(index).copy_from(&numbers.as_slice());
    }
    executable.run(&mut states.clone(), random)?;
    let is_finite = |index: usize| executable.output(first + index).first().is_finite();
    Ok((0..values.len()).find(|&index| !is_finite(index)).map(|index| values[index]))
}

fn describe(graph: &Graph, id: Id, layers: &[Layer]) -> Origin {
    let node = &graph[id];
    // A value that is written to a state is named after the state, which users know, and not after its operation.
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
    use gmpc_compiler::ir::experiment::Precision;
    use gmpc_compiler::ir::graph::{Role, State};
    use gmpc_compiler::ir::layout::StateLayout;
    use gmpc_compiler::ir::program::Goal;
    use gmpc_compiler::lower;

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
            meaning: gmpc_compiler::ir::axes::Meaning::default(),
        };
        let (index, w) = graph.state(state);
        let log = graph.unary(Op::Log, x);
        let sum = graph.add(log, w);
        graph.write(index, sum);
        let states = States::zeros(&Arc::new(StateLayout::new(&graph.states)), Precision::F32);
        let program = lower(Goal::Train, Precision::F32, 1, &graph, vec![]);
        let find = |x: f32, states: &States| {
            locate(&program, &[Numbers::F32(vec![x])], states, Random::default(), &[], 1).unwrap()
        };
        let at = |x: f32| find(x, &states);
        assert_eq!(at(1.0), None);
        assert_eq!(at(0.0).unwrap().what, "the result of log");
        assert_eq!(at(f32::NAN).unwrap().what, "the input x");
        let mut states = states.clone();
        *states.data_mut() = Numbers::F32(vec![f32::MAX; 16]);
        assert_eq!(find(f32::INFINITY, &states).unwrap().what, "the input x");
        *states.data_mut() = Numbers::F32(vec![f32::INFINITY; 16]);
        assert_eq!(find(1.0, &states).unwrap().what, "hidden.w");
    }

    #[test]
    fn the_sentence_says_step_epoch_batch_and_layer() {
        let origin =
            Origin { what: "the new value of hidden.w".into(), layer: Some("hidden".into()), ..Origin::default() };
        let divergence = Divergence { epoch: 2, batch: 3, step: 7, origin };
        insta::assert_snapshot!(divergence.to_string(), @"training diverged in step 7 (epoch 2, batch 3): the new value of hidden.w is not finite, in layer hidden");
    }
}
