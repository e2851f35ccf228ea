//! How much arithmetic a graph is.

use crate::graph::{Graph, Node, Op};

/// Floating-point operations of one run: two for each multiply-add of a product, one for each element of everything else
/// that computes; leaves and movement are free. A sum counts its operands' elements.
#[must_use]
pub fn flops(graph: &Graph) -> u64 {
    graph.nodes.iter().map(|node| of_node(graph, node)).fold(0, u64::saturating_add)
}

fn of_node(graph: &Graph, node: &Node) -> u64 {
    let operand = |i: usize| node.inputs.get(i).map_or(0, |id| elements(&graph[*id].shape));
    match &node.op {
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => 0,
        Op::Reshape | Op::Transpose(_) | Op::Broadcast | Op::Slice { .. } | Op::Concat { .. } | Op::Pad { .. } => 0,
        Op::Neg | Op::Abs | Op::Exp | Op::Log | Op::Sqrt | Op::Sin | Op::Cos | Op::Tanh | Op::Erf => {
            elements(&node.shape)
        }
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Max | Op::Min | Op::Pow => elements(&node.shape),
        Op::Less | Op::LessEqual | Op::Equal | Op::Select => elements(&node.shape),
        Op::Sum(_) | Op::MaxOver(_) => operand(0),
        Op::MatMul { transpose_a, .. } => {
            let inner = node.inputs.first().and_then(|a| graph[*a].shape.get(usize::from(!transpose_a)));
            2_u64.saturating_mul(elements(&node.shape)).saturating_mul(inner.map_or(0, |n| *n as u64))
        }
        // A sine, a cosine and a product for each angle, forwards; twice the products backwards.
        Op::Spherical => 3_u64.saturating_mul(operand(0)),
        Op::SphericalGrad => 7_u64.saturating_mul(operand(0)),
        Op::Angles => 4_u64.saturating_mul(operand(0)),
    }
}

fn elements(shape: &[usize]) -> u64 {
    shape.iter().fold(1_u64, |product, size| product.saturating_mul(*size as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_two_operations_for_each_pair() {
        let mut graph = Graph::default();
        let a = graph.input("a", vec![4, 3]);
        let b = graph.input("b", vec![3, 5]);
        let op = Op::MatMul { transpose_a: false, transpose_b: false };
        let c = graph.push(op, vec![a, b], vec![4, 5]);
        graph.output("c", c);
        assert_eq!(flops(&graph), 2 * 4 * 3 * 5);
    }
}
