//! Lowers a value of the graph to an expression of a nest. Movement becomes index arithmetic, and values that are not
//! stored are inlined.

use crate::ir::graph::groups::{convolution, elementwise, joined, pool, reduction, scan};
use crate::ir::graph::{Graph, Id, Op};
use crate::ir::kernels::{Access, Affine, BufferId, Expr, ExprId, Matrix, Nest};
use std::collections::HashMap;

/// The strides of a contiguous tensor with the last axis innermost, in elements.
pub(super) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The index of a value whose axes are the loop variables of the same numbers.
pub(super) fn identity(rank: usize) -> Vec<Affine> {
    let unit = |axis: usize| (0..rank).map(|i| usize::from(i == axis)).collect();
    (0..rank).map(|axis| Affine { offset: 0, strides: unit(axis) }).collect()
}

/// A nest under construction.
pub(super) struct Lowering<'a> {
    graph: &'a Graph,
    storage: &'a [Option<BufferId>],
    /// By node its values, each at an index.
    known: HashMap<Id, Vec<(Vec<Affine>, ExprId)>>,
    pub(super) nest: Nest,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(graph: &'a Graph, storage: &'a [Option<BufferId>], space: &[usize]) -> Self {
        let nest = Nest { space: space.to_vec(), reduced: vec![false; space.len()], ..Nest::default() };
        Lowering { graph, storage, known: HashMap::new(), nest }
    }

    /// The value of a node at the index `map`, which holds one affine expression for each axis of the node.
    pub(super) fn value(&mut self, id: Id, map: &[Affine]) -> ExprId {
        if let Some((_, known)) = self.known.get(&id).into_iter().flatten().find(|(at, _)| at == map) {
            return *known;
        }
        let expr = match self.storage[id.index()] {
            Some(buffer) => self.load(buffer, self.graph.shape(id), map),
            None => self.compute(id, map),
        };
        self.known.entry(id).or_default().push((map.to_vec(), expr));
        expr
    }

    /// The value of a node, computed even if the node is stored. The kernel that stores it needs this.
    pub(super) fn compute(&mut self, id: Id, map: &[Affine]) -> ExprId {
        // Movement emits nothing: it only changes the index at which the operand is evaluated.
        let node = &self.graph[id];
        match &node.op {
            Op::Const(value) => self.nest.push(Expr::Const(*value)),
            Op::Iota(axis) => self.nest.push(Expr::Index(map[*axis].clone())),
            Op::Input(index) => self.copy(*index, id, map),
            Op::State(index) => self.copy(self.graph.inputs.len() + index, id, map),
            Op::Broadcast => self.value(node.inputs[0], &self.pinned(node.inputs[0], map)),
            Op::Transpose(axes) => {
                let mut source = map.to_vec();
                axes.iter().zip(map).for_each(|(&axis, at)| source[axis] = at.clone());
                self.value(node.inputs[0], &source)
            }
            Op::Slice { axis, start } => {
                let mut source = map.to_vec();
                source[*axis].offset += start;
                self.value(node.inputs[0], &source)
            }
            Op::Reshape => self.reshape(id, map),
            op @ (Op::Uniform { .. } | joined!() | reduction!() | Op::MatMul { .. }) => has_memory(op),
            op @ (convolution!() | pool!() | scan!()) => has_memory(op),
            op @ elementwise!() => {
                let operands = node.inputs.iter().map(|&input| self.value(input, map)).collect();
                self.nest.push(Expr::Apply(op.clone(), operands))
            }
        }
    }

    /// An element of a buffer that holds a tensor of this shape.
    pub(super) fn load(&mut self, buffer: BufferId, shape: &[usize], map: &[Affine]) -> ExprId {
        let at = combine(map, &row_major(shape), self.nest.space.len());
        self.nest.push(Expr::Load(Access { buffer, at }))
    }

    /// A load of an input or state, for an output that is a plain copy of it. Buffers of inputs and states come first in
    /// the table.
    fn copy(&mut self, index: usize, id: Id, map: &[Affine]) -> ExprId {
        self.load(super::buffer_id(index), self.graph.shape(id), map)
    }

    /// The index for a broadcast operand: axes of size 1 stay at 0.
    fn pinned(&self, operand: Id, map: &[Affine]) -> Vec<Affine> {
        let zero = Affine { offset: 0, strides: vec![0; self.nest.space.len()] };
        let sizes = self.graph.shape(operand).iter();
        sizes.zip(map).map(|(&size, at)| if size == 1 { zero.clone() } else { at.clone() }).collect()
    }

    fn reshape(&mut self, id: Id, map: &[Affine]) -> ExprId {
        let operand = self.graph[id].inputs[0];
        let base = super::operand::base(self.graph, id);
        if let Some(buffer) = self.storage[base.index()] {
            return self.load(buffer, self.graph.shape(id), map);
        }
        // Each axis of the operand consists of one or more whole axes of the result (`splits_only` made sure of that), so
        // its index is a linear expression of theirs.
        let mut parts = self.graph.shape(id).iter().zip(map).filter(|(n, _)| **n != 1);
        let rank = self.nest.space.len();
        let mut source = Vec::new();
        for &size in self.graph.shape(operand) {
            let (mut product, mut at) = (1, Affine { offset: 0, strides: vec![0; rank] });
            while product < size {
                let Some((&n, part)) = parts.next() else { break };
                at = combine(&[at, part.clone()], &[n, 1], rank);
                product *= n;
            }
            source.push(at);
        }
        self.value(operand, &source)
    }
}

/// The sum of affine expressions, each times a factor.
fn combine(map: &[Affine], factors: &[usize], rank: usize) -> Affine {
    let mut sum = Affine { offset: 0, strides: vec![0; rank] };
    for (at, factor) in map.iter().zip(factors) {
        sum.offset += at.offset * factor;
        sum.strides.iter_mut().zip(&at.strides).for_each(|(s, a)| *s += a * factor);
    }
    sum
}

/// A node of rank 2 as a matrix in memory, which transposes, slices and reshapes may have brought there. `None` if it
/// must be computed.
pub(super) fn view(graph: &Graph, storage: &[Option<BufferId>], id: Id) -> Option<Matrix> {
    let mut lowering = Lowering::new(graph, storage, graph.shape(id));
    let value = lowering.value(id, &identity(graph.shape(id).len()));
    match &lowering.nest.exprs[value.index()] {
        Expr::Load(Access { buffer, at }) => {
            let (&rows, &columns) = (at.strides.first()?, at.strides.get(1)?);
            Some(Matrix { buffer: *buffer, offset: at.offset, rows, columns })
        }
        Expr::Const(_) | Expr::Index(_) | Expr::Reduced(_) | Expr::Apply(..) => None,
    }
}

fn has_memory(op: &Op) -> ! {
    unreachable!("{} has memory of its own", op.name())
}
