//! Functions that the compiler has written as several operations, and other programs have a word for.

use super::Function;
use gmpc_compiler::ir::graph::{Graph, Id, Op};

/// `sigmoid(a)` or `softplus(a)` as [`gmpc_compiler`] writes them, and their argument.
pub(super) fn recognize(graph: &Graph, id: Id) -> Option<(Function, Id)> {
    sigmoid(graph, id).map(|a| (Function::Sigmoid, a)).or_else(|| softplus(graph, id).map(|a| (Function::Softplus, a)))
}

/// `select(a < 0, e, 1) / (e + 1)` with `e = exp(-max(-a, a))`
fn sigmoid(graph: &Graph, id: Id) -> Option<Id> {
    let [above, below] = operands(graph, id, &Op::Div)?;
    let [negative, e, one] = operands(graph, above, &Op::Select)?;
    let [a, zero] = operands(graph, negative, &Op::Less)?;
    let [again, other] = operands(graph, below, &Op::Add)?;
    let fits = is(graph, one, 1.0) && is(graph, zero, 0.0) && again == e && is(graph, other, 1.0);
    (fits && power(graph, e)? == a).then_some(a)
}

/// `max(0, a) + log1p(e)` with `e = exp(-max(-a, a))`
fn softplus(graph: &Graph, id: Id) -> Option<Id> {
    let [above, logarithm] = operands(graph, id, &Op::Add)?;
    let [zero, a] = operands(graph, above, &Op::Max)?;
    let [e] = operands(graph, logarithm, &Op::Log1p)?;
    (is(graph, zero, 0.0) && power(graph, e)? == a).then_some(a)
}

/// The argument of `exp(-max(-a, a))`.
fn power(graph: &Graph, id: Id) -> Option<Id> {
    let [minus] = operands(graph, id, &Op::Exp)?;
    let [size] = operands(graph, minus, &Op::Neg)?;
    let [negative, a] = operands(graph, size, &Op::Max)?;
    let [again] = operands(graph, negative, &Op::Neg)?;
    (again == a).then_some(a)
}

fn operands<const N: usize>(graph: &Graph, id: Id, op: &Op) -> Option<[Id; N]> {
    let node = &graph[id];
    if node.op == *op { node.inputs.as_slice().try_into().ok() } else { None }
}

fn is(graph: &Graph, id: Id, number: f64) -> bool {
    constant(graph, id) == Some(number)
}

/// The number that a node repeats.
pub(super) fn constant(graph: &Graph, mut id: Id) -> Option<f64> {
    while graph[id].op == Op::Broadcast || graph[id].op == Op::Reshape {
        id = graph[id].inputs[0];
    }
    if let Op::Const(number) = graph[id].op { Some(number) } else { None }
}
