//! Counts the floating-point operations of a graph and of single kernels, and the bytes that kernels move.

#![warn(clippy::wildcard_enum_match_arm)]

use crate::ir::graph::groups::elementwise;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::kernels::{Access, BufferId, Expr, Kernel, Kernels, Nest, Work};
use crate::ir::window::Window;
use std::collections::BTreeMap;

/// Floating-point operations of one run. A product counts two for each multiply-add, a reduction one for each element of
/// its operand, and any other computation one for each element of its result. Leaves and movement are free.
#[must_use]
pub fn flops(graph: &Graph) -> u64 {
    graph.nodes.iter().map(|node| of_node(graph, node)).fold(0, u64::saturating_add)
}

fn of_node(graph: &Graph, node: &Node) -> u64 {
    // Sizes come from the user's file, so every product saturates instead of overflowing.
    let operand = |i: usize| node.inputs.get(i).map_or(0, |id| elements(&graph[*id].shape));
    match &node.op {
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => 0,
        Op::Reshape | Op::Transpose(_) | Op::Broadcast | Op::Slice { .. } | Op::Concat { .. } | Op::Pad { .. } => 0,
        elementwise!() => elements(&node.shape),
        Op::Sum(_) | Op::MaxOver(_) => operand(0),
        Op::MatMul { transpose_a, .. } => {
            let inner = node.inputs.first().and_then(|a| graph[*a].shape.get(usize::from(!transpose_a)));
            2_u64.saturating_mul(elements(&node.shape)).saturating_mul(inner.map_or(0, |n| *n as u64))
        }
        Op::Convolve(window) => {
            let channels = node.inputs.first().and_then(|x| graph[*x].shape.last()).map_or(0, |n| *n as u64);
            convolution(elements(&node.shape), window, channels)
        }
        // Both gradients have as many multiply-adds as the forward pass.
        Op::ConvolveInput(window) => convolution(operand(0), window, node.shape.last().map_or(0, |n| *n as u64)),
        Op::ConvolveWeight(window) => {
            let channels = node.inputs.first().and_then(|x| graph[*x].shape.last()).map_or(0, |n| *n as u64);
            convolution(operand(1), window, channels)
        }
        Op::MaxPool(window) | Op::SumPool(window) => elements(&node.shape).saturating_mul(window.area() as u64),
        Op::MaxPoolGrad(window) => operand(1).saturating_mul(window.area() as u64),
        Op::SumPoolGrad(window) => operand(0).saturating_mul(window.area() as u64),
        // For each angle, the forward scan computes a sine, a cosine and a product. The gradient has more products.
        Op::Spherical => 3_u64.saturating_mul(operand(0)),
        Op::SphericalGrad => 7_u64.saturating_mul(operand(0)),
        Op::Angles => 4_u64.saturating_mul(operand(0)),
        // Each column is compared with those before it, twice.
        Op::Orthogonal => {
            let least = node.shape.iter().min().copied().unwrap_or(0) as u64;
            4_u64.saturating_mul(operand(0)).saturating_mul(least)
        }
    }
}

/// Two operations for each place of the window, channel and result. As usual, places in the padding count, too.
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
        Work::Uniform(_) | Work::Cast(_) => 0,
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

/// Expressions inside the loops count once for each point, expressions after the reductions once for each point that is
/// not reduced.
fn nest_flops(nest: &Nest) -> u64 {
    let applies = |wanted: &[bool]| {
        nest.exprs.iter().zip(wanted).filter(|(expr, wanted)| **wanted && matches!(expr, Expr::Apply(..))).count()
            as u64
    };
    let unreduced = nest.space.iter().zip(&nest.reduced).map(|(size, reduced)| if *reduced { 1 } else { *size });
    let inside = applies(&nest.inside_reduction()) + nest.reductions.len() as u64;
    let after = applies(&nest.after_reduction());
    let points = elements(&nest.space).saturating_mul(inside);
    points.saturating_add(elements(&unreduced.collect::<Vec<_>>()).saturating_mul(after))
}

/// Bytes that a kernel reads and bytes that it writes, each number once: what has to pass between the CPU and memory if nothing
/// lies in a cache.
#[must_use]
pub fn kernel_bytes(kernels: &Kernels, kernel: &Kernel) -> u64 {
    let whole = |id: &BufferId| kernels.buffers[id.index()].bytes() as u64;
    let Work::Nest(nest) = &kernel.work else {
        return kernel.work.reads().iter().chain(&kernel.work.writes()).map(whole).fold(0, u64::saturating_add);
    };
    let bytes = |id: &BufferId, numbers: u64| {
        let buffer = &kernels.buffers[id.index()];
        buffer.dtype.room(usize::try_from(numbers).map_or(buffer.elements, |numbers| numbers.min(buffer.elements)))
            as u64
    };
    let stored = nest.stores.iter().map(|store| &store.access);
    let found = [distinct(nest, nest.loads()), distinct(nest, stored)];
    found.iter().flatten().map(|(id, numbers)| bytes(id, *numbers)).fold(0, u64::saturating_add)
}

/// For each buffer how many of its numbers these accesses of a nest touch, at most.
fn distinct<'n>(nest: &Nest, accesses: impl Iterator<Item = &'n Access>) -> BTreeMap<BufferId, u64> {
    let mut found: BTreeMap<BufferId, u64> = BTreeMap::new();
    for access in accesses {
        let sizes =
            nest.space.iter().zip(&access.at.strides).filter(|(_, stride)| **stride != 0).map(|(size, _)| *size);
        let numbers = elements(&sizes.collect::<Vec<_>>());
        let known = found.entry(access.buffer).or_default();
        *known = known.saturating_add(numbers);
    }
    found
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
        let kernels = crate::lower::fuse::fuse(
            &graph,
            crate::lower::fuse::Epilogues::Inside,
            crate::ir::experiment::Precision::F32,
        );
        // Each number of the matrix is read once, and a row's root written: 4 bytes each.
        let moved: u64 = kernels.kernels.iter().map(|kernel| kernel_bytes(&kernels, kernel)).sum();
        assert_eq!(moved, 4 * (7 * 16 + 7));
        let counted: u64 = kernels.kernels.iter().map(kernel_flops).sum();
        assert_eq!((counted, flops(&graph)), (7 * 16 * 2 + 7, 7 * 16 * 2 + 7));
    }
}
