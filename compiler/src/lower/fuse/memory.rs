//! Decides which values are stored in memory, and which are computed again wherever they are used.

use super::Epilogues;
use super::epilogue::{Epilogue, epilogue};
use super::operand::{base, is_number};
use super::pooled::{Pooled, pooled};
use super::relu_mask::{MaskedGradient, relu_mask};
use crate::ir::graph::groups::{convolution, elementwise, joined, pool, reduction, scan, view};
use crate::ir::graph::{Graph, Id, Op, Output};
use std::collections::{BTreeMap, HashSet};

/// The values that are stored, and the epilogues of the kernels that store them.
pub(super) struct Memory {
    /// For each node: does a kernel store its value? False for inputs and states, which lie in memory already.
    pub(super) stored: Vec<bool>,
    /// The epilogues of matmuls and convolutions, by the nodes whose values they write.
    pub(super) matmul_epilogues: BTreeMap<Id, Epilogue>,
    /// The ReLU masks of gradients, by the first node at which all operands of the mask are known.
    pub(super) relu_masks: BTreeMap<Id, MaskedGradient>,
    /// The same ReLU masks by three nodes each: the gradient, the masked gradient, and the product that is only summed.
    passing: BTreeMap<Id, MaskedGradient>,
    /// The max pools inside convolutions, by the results of the convolutions, which are then not written.
    pub(super) pooled: BTreeMap<Id, Pooled>,
}

impl Memory {
    /// The ReLU mask of a gradient.
    pub(super) fn relu_mask_of(&self, gradient: Id) -> Option<&MaskedGradient> {
        self.passing.get(&gradient).filter(|masked| masked.gradient == gradient)
    }

    /// The ReLU mask whose masked gradient, or whose summed product, this node is.
    pub(super) fn relu_mask_behind(&self, id: Id) -> Option<&MaskedGradient> {
        self.passing.get(&id).filter(|masked| masked.kept == id || masked.weighted == Some(id))
    }

    /// The nodes that kernels of other nodes write: results of ReLU masks, and pools inside convolutions.
    pub(super) fn written_elsewhere(&self) -> HashSet<Id> {
        let behind = self.relu_masks.values().map(|masked| masked.last);
        behind.chain(self.pooled.values().map(|pooled| pooled.pool)).collect()
    }
}

/// Decides which values are stored, and which epilogues convolutions and pools have.
///
/// Results of matmuls, convolutions, pools, scans, reductions, concatenations and paddings are always stored, and so are
/// random numbers. Operands of matmuls, convolutions, pools and scans are stored (without their views), and outputs, too.
/// An elementwise value is stored if it is used more than once, unless computing it again is cheap.
pub(super) fn needs_memory(graph: &Graph, epilogues: Epilogues) -> Memory {
    // Kernels that are not nests read their operands from memory, so these are marked together with the result.
    let mut stored = vec![false; graph.nodes.len()];
    let live = live(graph);
    let (mut matmul_epilogues, mut relu_masks) = (BTreeMap::new(), BTreeMap::new());
    let users = users(graph, &live);
    for id in graph.ids().filter(|id| live[id.index()]) {
        let node = &graph[id];
        match node.op {
            Op::MatMul { .. } => {
                let (last, epilogue) = epilogue(graph, &users, id);
                stored[last.index()] = true;
                matmul_epilogues.insert(last, epilogue);
                node.inputs.iter().for_each(|&o| mark_view(graph, &mut stored, o));
            }
            Op::Convolve(_) => {
                let (last, epilogue) = epilogue(graph, &users, id);
                stored[last.index()] = true;
                matmul_epilogues.insert(last, epilogue);
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
                // The kernel of the gradient applies the mask, so the operands of the mask must lie in memory, too.
                let masked = (epilogues == Epilogues::Inside).then(|| relu_mask(graph, &users, id)).flatten();
                if let Some(masked) = masked {
                    stored[masked.last.index()] = true;
                    [Some(masked.relu_output), masked.shift]
                        .into_iter()
                        .flatten()
                        .for_each(|o| mark(graph, &mut stored, o));
                    relu_masks.insert(masked.at, masked);
                }
            }
            Op::Sum(_) | Op::MaxOver(_) | Op::Concat { .. } | Op::Pad { .. } | Op::Uniform { .. } => {
                stored[id.index()] = true;
            }
            // Any other reshape has no linear index, so it needs its operand in memory, where a reshape changes nothing.
            Op::Reshape if !splits_only(graph.shape(node.inputs[0]), &node.shape) => {
                mark(graph, &mut stored, node.inputs[0]);
            }
            Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | elementwise!() | view!() => {}
            Op::Angles | Op::Orthogonal => unreachable!("no backend computes {}", node.op.name()),
        }
    }
    // The cost of a value depends on which others are stored, so elementwise values come last.
    for output in &graph.outputs {
        mark_output(graph, &mut stored, output);
    }
    mark_repeated(graph, &live, &mut stored);
    for masked in relu_masks.values() {
        // Only the ReLU mask reads these values, and sums that its kernel computes, so they are not stored.
        let passing = [Some(masked.gradient), Some(masked.kept).filter(|kept| *kept != masked.last), masked.weighted];
        passing.into_iter().flatten().for_each(|id| stored[id.index()] = false);
        stored[masked.at.index()] = true;
    }
    let passing = passing(&relu_masks);
    let pooled = if epilogues == Epilogues::Inside {
        pooled(graph, &users, &matmul_epilogues, &passing)
    } else {
        BTreeMap::new()
    };
    Memory { stored, matmul_epilogues, relu_masks, passing, pooled }
}

/// The ReLU masks by their gradients, masked gradients and summed products. Each of these belongs to one mask.
fn passing(relu_masks: &BTreeMap<Id, MaskedGradient>) -> BTreeMap<Id, MaskedGradient> {
    let ids =
        |masked: &MaskedGradient| [Some(masked.gradient), Some(masked.kept), masked.weighted].into_iter().flatten();
    relu_masks.values().flat_map(|masked| ids(masked).map(|id| (id, *masked))).collect()
}

/// For each node the operations that use it. An output counts as a use by the node itself.
fn users(graph: &Graph, live: &[bool]) -> Vec<Vec<Id>> {
    let mut users = vec![Vec::new(); graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.index()]) {
        graph[id].inputs.iter().for_each(|i| users[i.index()].push(id));
    }
    graph.outputs.iter().for_each(|o| users[o.id().index()].push(o.id()));
    users
}

/// For each node: does an output depend on it?
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

/// Marks the operands of a convolution, without a scale of 1 and a shift of 0, which are left out.
fn mark_convolution(graph: &Graph, stored: &mut [bool], operands: &[Id]) {
    let idle = [None, None, Some(1.0), Some(0.0)];
    let needed =
        operands.iter().zip(idle).filter(|(o, idle)| !idle.is_some_and(|number| is_number(graph, **o, number)));
    needed.for_each(|(&o, _)| mark(graph, stored, o));
}

/// Marks the node behind the transposes and slices of an operand.
fn mark_view(graph: &Graph, stored: &mut [bool], mut id: Id) {
    while matches!(graph[id].op, Op::Transpose(_) | Op::Slice { .. }) {
        id = graph[id].inputs[0];
    }
    mark(graph, stored, id);
}

/// Marks the value of an output. An output that is an input or a state needs a copy, and so does a state that becomes the
/// new value of another state.
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

/// Marks elementwise values that are used several times, or that would be computed again along a broadcast axis, unless
/// that is cheap. Operands are visited before their users, so that the cost of a value includes the values that are
/// inlined into it.
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
            Op::Broadcast => inputs.min(1), // a small value that stays in registers or in the first cache
            op @ elementwise!() => {
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
            Op::Reshape | Op::Transpose(_) | Op::Slice { .. } => inputs, // index arithmetic
            // Where one of these is not stored, an epilogue or a ReLU mask of its kernel follows, and the last node of
            // that is stored.
            Op::Uniform { .. } | joined!() | reduction!() | Op::MatMul { .. } => inputs,
            convolution!() | pool!() | scan!() => inputs,
        };
    }
}

/// Cost of a load or store, in simple vector instructions.
const LOAD: u32 = 2;

/// Is computing a value again no more expensive than storing and loading it? The limit corresponds to one load, two
/// broadcast operands and two operations.
fn worth_repeating(cost: u32) -> bool {
    cost <= 3 * LOAD
}

/// The rough cost of an operation, in simple vector instructions.
fn weight(op: &Op) -> u32 {
    match op {
        Op::Div | Op::Sqrt => 4,
        Op::Exp | Op::Log | Op::Log1p | Op::Sin | Op::Cos | Op::Tanh => 16,
        Op::Erf | Op::Pow => 40,
        Op::Neg | Op::Abs | Op::Add | Op::Sub | Op::Mul | Op::Max | Op::Min => 1,
        Op::Less | Op::LessEqual | Op::Equal | Op::Select => 1,
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => not_elementwise(op),
        view!() | joined!() | reduction!() => not_elementwise(op),
        Op::MatMul { .. } | convolution!() | pool!() | scan!() => not_elementwise(op),
    }
}

fn not_elementwise(op: &Op) -> ! {
    unreachable!("{} is not elementwise", op.name())
}

/// The uses of a value.
#[derive(Clone, Copy, Default)]
struct Use {
    /// Number of operations that use the value, directly or through views.
    count: u32,
    /// Is the value broadcast, so that it would be computed again along an axis that it does not have?
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

/// Does every axis of a reshape's operand become one or more whole axes of the result? Then the index of the operand is a
/// linear expression of the result's index.
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
