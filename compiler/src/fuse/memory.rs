//! Which values get memory of their own, and which are computed where they are used.

use super::Epilogues;
use super::gate::{Gated, gate};
use super::operand::{base, is_number};
use super::pooled::{Pooled, pooled};
use super::tail::{Tail, tail};
use crate::graph::{Graph, Id, Op, Output};
use std::collections::{HashMap, HashSet};

/// What lies in memory, and what is done on the way there.
pub(super) struct Memory {
    /// For each node: does its value lie in memory? Inputs and states do already and say no here.
    pub(super) stored: Vec<bool>,
    /// What products do to their results before they write them, by what they write.
    pub(super) tails: HashMap<Id, Tail>,
    /// Which gradients pass a gate, by the node from which on everything about that is known.
    pub(super) gates: HashMap<Id, Gated>,
    /// The pools that convolutions take, by the results that are not written then.
    pub(super) pooled: HashMap<Id, Pooled>,
}

impl Memory {
    /// What the kernels of other nodes write: what comes behind a gate, and pools.
    pub(super) fn written_elsewhere(&self) -> HashSet<Id> {
        let behind = self.gates.values().map(|gated| gated.last);
        behind.chain(self.pooled.values().map(|pooled| pooled.pool)).collect()
    }
}

/// What gets memory, and what convolutions and pools do on the way if they can.
///
/// Products, convolutions, pooling, scans, reductions, joined and padded values and random numbers always do; operands of products and scans do,
/// under a view; so do outputs, and elementwise values that are used more than once unless repeating them is cheap.
pub(super) fn needs_memory(graph: &Graph, epilogues: Epilogues) -> Memory {
    let mut stored = vec![false; graph.nodes.len()];
    let live = live(graph);
    let (mut tails, mut gates) = (HashMap::new(), HashMap::new());
    let users = users(graph, &live);
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = &graph[id];
        match node.op {
            Op::MatMul { .. } => {
                let (last, tail) = tail(graph, &users, id);
                stored[last.index()] = true;
                tails.insert(last, tail);
                node.inputs.iter().for_each(|&o| mark_view(graph, &mut stored, o));
            }
            Op::Convolve(_) => {
                let (last, tail) = tail(graph, &users, id);
                stored[last.index()] = true;
                tails.insert(last, tail);
                mark_convolution(graph, &mut stored, &node.inputs);
            }
            Op::ConvolveWeight(_) => {
                stored[id.index()] = true;
                mark_convolution(graph, &mut stored, &node.inputs);
            }
            Op::ConvolveInput(_)
            | Op::MaxPool(_)
            | Op::MaxPoolGrad(_)
            | Op::SumPool(_)
            | Op::SumPoolGrad(_)
            | Op::Spherical
            | Op::SphericalGrad => {
                stored[id.index()] = true;
                node.inputs.iter().for_each(|&o| mark(graph, &mut stored, o));
                let gated = (epilogues == Epilogues::Inside).then(|| gate(graph, &users, id)).flatten();
                if let Some(gated) = gated {
                    stored[gated.last.index()] = true;
                    [Some(gated.rectified), gated.shift]
                        .into_iter()
                        .flatten()
                        .for_each(|o| mark(graph, &mut stored, o));
                    gates.insert(gated.at, gated);
                }
            }
            Op::Sum(_) | Op::MaxOver(_) | Op::Concat { .. } | Op::Pad { .. } | Op::Uniform { .. } => {
                stored[id.index()] = true;
            }
            Op::Reshape if !splits_only(graph.shape(node.inputs[0]), &node.shape) => {
                mark(graph, &mut stored, node.inputs[0]);
            }
            _ => {}
        }
    }
    for output in &graph.outputs {
        mark_output(graph, &mut stored, output);
    }
    mark_repeated(graph, &live, &mut stored);
    for gated in gates.values() {
        // Nothing but the gate reads these, and sums, which it takes.
        let passing = [Some(gated.gradient), Some(gated.kept).filter(|kept| *kept != gated.last), gated.weighted];
        passing.into_iter().flatten().for_each(|id| stored[id.index()] = false);
        stored[gated.at.index()] = true;
    }
    let pooled = if epilogues == Epilogues::Inside { pooled(graph, &users, &tails, &gates) } else { HashMap::new() };
    Memory { stored, tails, gates, pooled }
}

/// For each node the operations that use it; an output counts as a use of its own by the node itself.
fn users(graph: &Graph, live: &[bool]) -> Vec<Vec<Id>> {
    let mut users = vec![Vec::new(); graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.index()]) {
        graph[id].inputs.iter().for_each(|i| users[i.index()].push(id));
    }
    graph.outputs.iter().for_each(|o| users[o.id().index()].push(o.id()));
    users
}

/// Which nodes an output depends on.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|o| live[o.id().index()] = true);
    for id in graph.ids().rev() {
        if live[id.index()] {
            graph[id].inputs.iter().for_each(|i| live[i.index()] = true);
        }
    }
    live
}

fn mark(graph: &Graph, stored: &mut [bool], id: Id) {
    let id = base(graph, id);
    if !matches!(graph[id].op, Op::Input(_) | Op::State(_)) {
        stored[id.index()] = true;
    }
}

/// Marks the operands of a convolution; a factor of 1 and a summand of 0 are none.
fn mark_convolution(graph: &Graph, stored: &mut [bool], operands: &[Id]) {
    let idle = [None, None, Some(1.0), Some(0.0)];
    let needed =
        operands.iter().zip(idle).filter(|(o, idle)| !idle.is_some_and(|number| is_number(graph, **o, number)));
    needed.for_each(|(&o, _)| mark(graph, stored, o));
}

/// Marks what a transposed or sliced operand looks at.
fn mark_view(graph: &Graph, stored: &mut [bool], mut id: Id) {
    while matches!(graph[id].op, Op::Transpose(_) | Op::Slice { .. }) {
        id = graph[id].inputs[0];
    }
    mark(graph, stored, id);
}

/// A named output that is an input or a state itself needs a copy; so does a state that becomes another's new value.
fn mark_output(graph: &Graph, stored: &mut [bool], output: &Output) {
    let base = base(graph, output.id());
    let copied = match (output, &graph[base].op) {
        (Output::Value { .. }, Op::Input(_) | Op::State(_)) => true,
        (Output::Write { state, .. }, Op::State(from)) => state != from,
        _ => false,
    };
    if copied {
        stored[base.index()] = true;
    } else {
        mark(graph, stored, base);
    }
}

/// Marks elementwise values that several places use, or that would be repeated along a broadcast axis, unless
/// repeating is cheap. Operands first, so that the cost of a value counts what is inlined into it.
fn mark_repeated(graph: &Graph, live: &[bool], stored: &mut [bool]) {
    let uses = uses(graph, live, stored);
    let mut cost = vec![0_u32; graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = &graph[id];
        let inputs: u32 = node.inputs.iter().map(|i| cost[i.index()]).sum();
        let scalar = node.shape.iter().product::<usize>() == 1;
        cost[id.index()] = match &node.op {
            Op::Const(_) | Op::Iota(_) => 0,
            _ if scalar => 0, // computed once, before the loops
            _ if stored[id.index()] => LOAD,
            Op::Input(_) | Op::State(_) => LOAD,
            Op::Broadcast => inputs.min(1), // stays in registers or the first cache
            op if op.is_elementwise() => {
                let cost = inputs + weight(op);
                let repeated = uses[id.index()].repeated && cost > LOAD + 1;
                let often = uses[id.index()].count > 1 && !worth_repeating(cost);
                if often || repeated {
                    stored[id.index()] = true;
                    LOAD
                } else {
                    cost
                }
            }
            _ => inputs,
        };
    }
}

/// A trip to memory, in simple vector instructions.
const LOAD: u32 = 2;

/// Is computing a value again no dearer than a trip through memory, there and back? The limit is one load, two numbers
/// from rows that stay at hand, and two operations.
fn worth_repeating(cost: u32) -> bool {
    cost <= 3 * LOAD
}

/// Rough cost of an operation, in simple vector instructions.
fn weight(op: &Op) -> u32 {
    match op {
        Op::Div | Op::Sqrt => 4,
        Op::Exp | Op::Log | Op::Sin | Op::Cos | Op::Tanh => 16,
        Op::Erf | Op::Pow => 40,
        _ => 1,
    }
}

/// How a value is used.
#[derive(Clone, Copy, Default)]
struct Use {
    /// By how many operations, looking through views.
    count: u32,
    /// By one that would compute it many times, along an axis it does not have.
    repeated: bool,
}

fn uses(graph: &Graph, live: &[bool], stored: &[bool]) -> Vec<Use> {
    let mut uses = vec![Use::default(); graph.nodes.len()];
    graph.outputs.iter().for_each(|o| uses[o.id().index()].count += 1);
    for id in graph.ids().rev().filter(|id| live[id.index()]) {
        let node = &graph[id];
        let is_view = matches!(node.op, Op::Reshape | Op::Transpose(_) | Op::Slice { .. } | Op::Broadcast);
        let own = uses[id.index()];
        let through = is_view && !stored[id.index()];
        let mut distinct = node.inputs.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for input in distinct {
            let slot = &mut uses[input.index()];
            slot.count += if through { own.count } else { 1 };
            slot.repeated |= node.op == Op::Broadcast || (through && own.repeated);
        }
    }
    uses
}

/// Does every axis of the operand become one or more whole axes of the result? Then the operand's index is linear in
/// the result's.
pub(super) fn splits_only(from: &[usize], to: &[usize]) -> bool {
    let mut rest = to.iter().copied().filter(|&n| n != 1);
    from.iter().copied().filter(|&n| n != 1).all(|size| {
        let mut product = 1;
        while product < size {
            let Some(n) = rest.next() else { return false };
            product *= n;
        }
        product == size
    })
}
