//! What an operand is, looked at through the operations that only move numbers.

use crate::graph::{Graph, Id, Op};

/// Through reshapes, which share their operand's memory.
pub(super) fn base(graph: &Graph, mut id: Id) -> Id {
    while graph[id].op == Op::Reshape {
        id = graph[id].inputs[0];
    }
    id
}

/// The input or state whose numbers, in order, are every row of a matrix, or every pixel of images.
pub(super) fn repeated_row(graph: &Graph, id: Id) -> Option<Id> {
    let source = (graph[id].op == Op::Broadcast).then(|| graph[id].inputs[0])?;
    let fits = graph
        .shape(source)
        .split_last()
        .is_some_and(|(last, outer)| outer.iter().all(|&n| n == 1) && graph.shape(id).last() == Some(last));
    let base = base(graph, source);
    (fits && matches!(graph[base].op, Op::Input(_) | Op::State(_))).then_some(base)
}

/// Is it this number everywhere?
pub(super) fn is_number(graph: &Graph, mut id: Id, number: f64) -> bool {
    while matches!(graph[id].op, Op::Broadcast | Op::Reshape) {
        id = graph[id].inputs[0];
    }
    graph[id].op == Op::Const(number)
}
