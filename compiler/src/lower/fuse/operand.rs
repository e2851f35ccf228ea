//! Looks through operations that only move numbers, to find out what an operand is.

use crate::ir::graph::{Graph, Id, Op};

/// The node behind all reshapes. A reshape shares the memory of its operand.
pub(super) fn base(graph: &Graph, mut id: Id) -> Id {
    while graph[id].op == Op::Reshape {
        id = graph[id].inputs[0];
    }
    id
}

/// The input or state that is broadcast to every row of a matrix, or to every pixel of images.
pub(super) fn repeated_row(graph: &Graph, id: Id) -> Option<Id> {
    let source = (graph[id].op == Op::Broadcast).then(|| graph[id].inputs[0])?;
    let fits = graph
        .shape(source)
        .split_last()
        .is_some_and(|(last, outer)| outer.iter().all(|&n| n == 1) && graph.shape(id).last() == Some(last));
    let base = base(graph, source);
    (fits && matches!(graph[base].op, Op::Input(_) | Op::State(_))).then_some(base)
}

/// Are all elements equal to this number?
pub(super) fn is_number(graph: &Graph, mut id: Id, number: f64) -> bool {
    while matches!(graph[id].op, Op::Broadcast | Op::Reshape) {
        id = graph[id].inputs[0];
    }
    graph[id].op == Op::Const(number)
}
