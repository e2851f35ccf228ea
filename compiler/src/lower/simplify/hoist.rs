//! Moves scalars that depend on nothing but the clock (`lr`, `step`, …) out of the step. They go into a prologue, which the runtime
//! evaluates in f64 once before each run. Adam's bias corrections need this: they are powers, which lose accuracy in f32.
//!
//! ```text
//! %2 = input lr                          prologue: lr, step -> lr / (1 - 0.9^step)
//! %3 = input step
//! %4 = pow 0.9 %3          becomes       %2 = input scalar.0
//! %5 = div %2 (1 - %4)
//! ```

use crate::ir::graph::{Graph, Id, Input, Node, Op};
use crate::ir::internal::internal_error;
use crate::ir::program::CLOCK;

/// Returns the graph and the prologue. The graph reads the hoisted scalars as inputs `scalar.0`, … after `x` and
/// `target`. The prologue computes them from its inputs `lr` and `step`.
#[must_use]
pub fn hoist(graph: &Graph) -> (Graph, Graph) {
    // Every node goes into the prologue, into the step, or into both if it is a constant. `outside` and `inside` hold the
    // new names.
    let hoistable = hoistable(graph);
    let (wanted, constant) = (wanted(graph, &hoistable), constant(graph));
    let mut prologue = Graph::default();
    // `lr` and `step` are always there, the other scalars of the clock only if the step reads them.
    let read = |name: &str| graph.inputs.iter().any(|input| is_clock(input) && input.name == name);
    let clock = CLOCK.into_iter().enumerate().filter(|(i, name)| *i < 2 || read(name)).map(|(_, name)| name);
    let clock: Vec<(&str, Id)> = clock.map(|name| (name, prologue.input(name, vec![]))).collect();
    let mut step_graph = Graph { states: graph.states.clone(), ..Graph::default() };
    let kept: Vec<usize> = (0..graph.inputs.len()).filter(|&i| !is_clock(&graph.inputs[i])).collect();
    step_graph.inputs = kept.iter().map(|&i| graph.inputs[i].clone()).collect();
    let (mut outside, mut inside) = (vec![Id(0); graph.nodes.len()], vec![Id(0); graph.nodes.len()]);
    // Operands come before their users, so their new names are known.
    for id in graph.ids() {
        let node = &graph[id];
        if hoistable[id.index()] {
            outside[id.index()] = match &node.op {
                Op::Input(i) => clock.iter().find(|(name, _)| *name == graph.inputs[*i].name).map_or_else(
                    || internal_error("hoist", format_args!("{id} reads no clock"), graph.print(None)),
                    |(_, id)| *id,
                ),
                Op::Reshape | Op::Broadcast => outside[node.inputs[0].index()],
                op => prologue.push(op.clone(), renamed(&node.inputs, &outside), vec![]),
            };
        }
        // Only scalars that the step reads become inputs. What leads to them stays in the prologue alone.
        if wanted[id.index()] {
            let name = format!("scalar.{}", prologue.outputs.len());
            prologue.output(name.clone(), outside[id.index()]);
            let scalar = step_graph.input(name, vec![]);
            inside[id.index()] = step_graph.reshape(scalar, &node.shape);
        } else if !hoistable[id.index()] || constant[id.index()] {
            let op = match &node.op {
                Op::Input(i) => Op::Input(kept.iter().position(|k| k == i).unwrap_or_else(|| {
                    internal_error("hoist", format_args!("{id} reads the clock and is not hoisted"), graph.print(None))
                })),
                op => op.clone(),
            };
            let inputs = renamed(&node.inputs, &inside);
            step_graph.nodes.push(Node { op, inputs, shape: node.shape.clone(), span: node.span });
            inside[id.index()] = Id::new(step_graph.nodes.len() - 1);
        }
    }
    for output in &graph.outputs {
        let mut output = output.clone();
        match &mut output {
            crate::ir::graph::Output::Value { id, .. } | crate::ir::graph::Output::Write { id, .. } => {
                *id = inside[id.index()]
            }
        }
        step_graph.outputs.push(output);
    }
    (super::prune(step_graph), prologue)
}

fn renamed(inputs: &[Id], names: &[Id]) -> Vec<Id> {
    inputs.iter().map(|i| names[i.index()]).collect()
}

fn is_clock(input: &Input) -> bool {
    input.shape.is_empty() && CLOCK.contains(&input.name.as_str())
}

/// For each node: is it a scalar that depends on nothing but `lr`, `step` and constants?
fn hoistable(graph: &Graph) -> Vec<bool> {
    let mut hoistable: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let clock = match &node.op {
            Op::Input(i) => is_clock(&graph.inputs[*i]),
            Op::Const(_) => true,
            Op::Reshape | Op::Broadcast => true,
            op => op.is_elementwise(),
        };
        let scalar = node.shape.iter().product::<usize>() == 1;
        hoistable.push(clock && scalar && node.inputs.iter().all(|i| hoistable[i.index()]));
    }
    hoistable
}

/// For each node: is it a hoisted scalar that the step or an output reads? Constants are not hoisted, whatever their shape.
fn wanted(graph: &Graph, hoistable: &[bool]) -> Vec<bool> {
    let mut wanted = vec![false; graph.nodes.len()];
    let constant = constant(graph);
    let mut want = |id: Id| wanted[id.index()] |= hoistable[id.index()] && !constant[id.index()];
    for id in graph.ids().filter(|id| !hoistable[id.index()]) {
        graph[id].inputs.iter().for_each(|&i| want(i));
    }
    graph.outputs.iter().for_each(|o| want(o.id()));
    wanted
}

/// For each node: is it a constant, perhaps after reshapes and broadcasts?
fn constant(graph: &Graph) -> Vec<bool> {
    let mut constant: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let moved = matches!(node.op, Op::Reshape | Op::Broadcast) && constant[node.inputs[0].index()];
        constant.push(moved || matches!(node.op, Op::Const(_)));
    }
    constant
}
