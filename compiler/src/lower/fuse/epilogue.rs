//! Bias and ReLU after a matmul or a convolution, which become part of its kernel.

use super::operand::{is_number, repeated_row};
use crate::ir::graph::{Graph, Id, Op};

/// The operations that a matmul or convolution applies to its result before it writes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epilogue {
    /// The matmul or convolution.
    pub(super) product: Id,
    /// An input or state with one number per column, which is added to every row.
    pub(super) bias: Option<Id>,
    /// Do negative results become 0?
    pub(super) relu: bool,
}

/// The bias, the ReLU, or both that directly follow a product, and the last of these nodes. The product writes its value.
pub(super) fn epilogue(graph: &Graph, users: &[Vec<Id>], product: Id) -> (Id, Epilogue) {
    let mut epilogue = Epilogue { product, bias: None, relu: false };
    let only_user = |id: Id, op: &Op| match users[id.index()][..] {
        [user] if graph[user].op == *op && user != id => Some(user),
        _ => None,
    };
    let other = |user: Id, id: Id| graph[user].inputs.iter().copied().find(|&i| i != id);
    let mut last = product;
    if let Some(sum) = only_user(product, &Op::Add)
        && let Some(bias) = other(sum, product).and_then(|b| repeated_row(graph, b))
    {
        epilogue.bias = Some(bias);
        last = sum;
    }
    if let Some(largest) = only_user(last, &Op::Max)
        && other(largest, last).is_some_and(|zero| is_number(graph, zero, 0.0))
    {
        epilogue.relu = true;
        last = largest;
    }
    (last, epilogue)
}
