//! How much arithmetic a graph is, and each kernel made of it.

use crate::graph::{Graph, Node, Op};
use crate::kernels::{Expr, Kernel, Nest, Work};
use crate::window::Window;

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
        Op::Convolve(window) => {
            let channels = node.inputs.first().and_then(|x| graph[*x].shape.last()).map_or(0, |n| *n as u64);
            convolution(elements(&node.shape), window, channels)
        }
        Op::ConvolveInput(window) => convolution(operand(0), window, node.shape.last().map_or(0, |n| *n as u64)),
        Op::ConvolveWeight(window) => {
            let channels = node.inputs.first().and_then(|x| graph[*x].shape.last()).map_or(0, |n| *n as u64);
            convolution(operand(1), window, channels)
        }
        Op::MaxPool(window) | Op::SumPool(window) => elements(&node.shape).saturating_mul(window.area() as u64),
        Op::MaxPoolGrad(window) => operand(1).saturating_mul(window.area() as u64),
        Op::SumPoolGrad(window) => operand(0).saturating_mul(window.area() as u64),
        // A sine, a cosine and a product for each angle, forwards; twice the products backwards.
        Op::Spherical => 3_u64.saturating_mul(operand(0)),
        Op::SphericalGrad => 7_u64.saturating_mul(operand(0)),
        Op::Angles => 4_u64.saturating_mul(operand(0)),
    }
}

/// Two for each place of the window, channel and result, padding included, as is the custom.
fn convolution(results: u64, window: &Window, channels: u64) -> u64 {
    2_u64.saturating_mul(results).saturating_mul(window.area() as u64).saturating_mul(channels)
}

/// Floating-point operations of one kernel, counted as [`flops`] does.
#[must_use]
pub fn kernel_flops(kernel: &Kernel) -> u64 {
    match &kernel.work {
        Work::Nest(nest) => nest_flops(nest),
        Work::MatMul(product) => 2_u64.saturating_mul(elements(&[product.m, product.n, product.k])),
        Work::Spherical(scan) => 3_u64.saturating_mul(elements(&[scan.angles, scan.units])),
        Work::SphericalGrad(scan) => 7_u64.saturating_mul(elements(&[scan.angles, scan.units])),
        Work::Uniform(_) | Work::Round(_) => 0,
        Work::Convolve(product) => {
            let results = elements(&[product.images[0], product.result[0], product.result[1], product.result[2]]);
            let pooled = if product.pooled.is_some() { results } else { 0 };
            convolution(results, &product.window, product.images[3] as u64).saturating_add(pooled)
        }
        Work::Pool(pool) => {
            let results = elements(&[pool.images[0], pool.result[0], pool.result[1], pool.images[3]]);
            results.saturating_mul(pool.window.area() as u64)
        }
    }
}

/// What stands inside the loops counts at every point, what follows the reductions once for each kept point.
fn nest_flops(nest: &Nest) -> u64 {
    let applies = |wanted: &[bool]| {
        nest.exprs.iter().zip(wanted).filter(|(expr, wanted)| **wanted && matches!(expr, Expr::Apply(..))).count()
            as u64
    };
    let kept = nest.space.iter().zip(&nest.reduced).map(|(size, reduced)| if *reduced { 1 } else { *size });
    let inside = applies(&nest.early()) + nest.reductions.len() as u64;
    let after = applies(&nest.late());
    let points = elements(&nest.space).saturating_mul(inside);
    points.saturating_add(elements(&kept.collect::<Vec<_>>()).saturating_mul(after))
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

    #[test]
    fn a_sum_counts_inside_its_loops_and_its_root_once_a_row() {
        let mut graph = Graph::default();
        let a = graph.input("a", vec![7, 16]);
        let square = graph.mul(a, a);
        let sum = graph.sum(square, &[1]);
        let root = graph.unary(Op::Sqrt, sum);
        graph.output("root", root);
        let kernels = crate::fuse::fuse(&graph, crate::fuse::Epilogues::Inside);
        let counted: u64 = kernels.kernels.iter().map(kernel_flops).sum();
        assert_eq!((counted, flops(&graph)), (7 * 16 * 2 + 7, 7 * 16 * 2 + 7));
    }
}
