//! What stands behind a product and goes into it: bias and rectifier.

use super::operand::{is_number, repeated_row};
use crate::graph::{Graph, Id, Op};

/// What a product does to its result before it writes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    /// The product itself.
    pub(super) product: Id,
    /// An input or state of as many numbers as there are columns, to be added to every row.
    pub(super) bias: Option<Id>,
    /// The larger one of the result and 0.
    pub(super) relu: bool,
}

/// A bias, a rectifier, or both, that nothing else stands between: the product writes their result.
pub(super) fn tail(graph: &Graph, users: &[Vec<Id>], product: Id) -> (Id, Tail) {
    let mut tail = Tail { product, bias: None, relu: false };
    let only_user = |id: Id, op: &Op| match users[id.index()][..] {
        [user] if graph[user].op == *op && user != id => Some(user),
        _ => None,
    };
    let other = |user: Id, id: Id| graph[user].inputs.iter().copied().find(|&i| i != id);
    let mut last = product;
    if let Some(sum) = only_user(product, &Op::Add)
        && let Some(bias) = other(sum, product).and_then(|b| repeated_row(graph, b))
    {
        tail.bias = Some(bias);
        last = sum;
    }
    if let Some(largest) = only_user(last, &Op::Max)
        && other(largest, last).is_some_and(|zero| is_number(graph, zero, 0.0))
    {
        tail.relu = true;
        last = largest;
    }
    (last, tail)
}
