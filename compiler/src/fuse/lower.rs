//! One value of the graph as an expression of a nest: movement becomes index arithmetic, values without memory of their
//! own are inlined.

use crate::graph::{Graph, Id, Op};
use crate::kernels::{Access, Affine, BufferId, Expr, ExprId, Matrix, Nest};
use std::collections::HashMap;

/// Steps between neighbours along each axis of a contiguous tensor.
pub(super) fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Each axis of a value is the loop variable of the same number.
pub(super) fn identity(rank: usize) -> Vec<Affine> {
    let unit = |axis: usize| (0..rank).map(|i| usize::from(i == axis)).collect();
    (0..rank).map(|axis| Affine { offset: 0, strides: unit(axis) }).collect()
}

/// A nest under construction.
pub(super) struct Lowering<'a> {
    graph: &'a Graph,
    storage: &'a [Option<BufferId>],
    known: HashMap<(Id, Vec<Affine>), ExprId>,
    pub(super) nest: Nest,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(graph: &'a Graph, storage: &'a [Option<BufferId>], space: &[usize]) -> Self {
        let nest = Nest { space: space.to_vec(), reduced: vec![false; space.len()], ..Nest::default() };
        Lowering { graph, storage, known: HashMap::new(), nest }
    }

    /// The value of a node at the index `map`, one affine for each of its axes.
    pub(super) fn value(&mut self, id: Id, map: &[Affine]) -> ExprId {
        let key = (id, map.to_vec());
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let expr = match self.storage[id.index()] {
            Some(buffer) => self.load(buffer, self.graph.shape(id), map),
            None => self.compute(id, map),
        };
        self.known.insert(key, expr);
        expr
    }

    /// The same, computed even if the node has memory of its own.
    pub(super) fn compute(&mut self, id: Id, map: &[Affine]) -> ExprId {
        let node = &self.graph[id];
        match &node.op {
            Op::Const(value) => self.nest.push(Expr::Const(*value)),
            Op::Iota(axis) => self.nest.push(Expr::Index(map[*axis].clone())),
            Op::Input(_) | Op::State(_) => self.copy(id, map),
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
            op => {
                debug_assert!(op.is_elementwise(), "{} has memory of its own", op.name());
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

    /// An input or a state that is an output as it is: its leaf buffer comes first in the table.
    fn copy(&mut self, id: Id, map: &[Affine]) -> ExprId {
        let index = match self.graph[id].op {
            Op::State(index) => self.graph.inputs.len() + index,
            Op::Input(index) => index,
            _ => 0,
        };
        self.load(super::buffer_id(index), self.graph.shape(id), map)
    }

    /// Axes of size 1 stay at 0.
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

/// A sum of affines, each times a number.
fn combine(map: &[Affine], factors: &[usize], rank: usize) -> Affine {
    let mut sum = Affine { offset: 0, strides: vec![0; rank] };
    for (at, factor) in map.iter().zip(factors) {
        sum.offset += at.offset * factor;
        sum.strides.iter_mut().zip(&at.strides).for_each(|(s, a)| *s += a * factor);
    }
    sum
}

/// A rank-2 node as a matrix in memory, through transposes, slices and reshapes.
pub(super) fn view(graph: &Graph, storage: &[Option<BufferId>], id: Id) -> Option<Matrix> {
    let mut lowering = Lowering::new(graph, storage, graph.shape(id));
    let value = lowering.value(id, &identity(graph.shape(id).len()));
    match &lowering.nest.exprs[value.index()] {
        Expr::Load(Access { buffer, at }) => {
            let (&rows, &columns) = (at.strides.first()?, at.strides.get(1)?);
            Some(Matrix { buffer: *buffer, offset: at.offset, rows, columns })
        }
        _ => None,
    }
}
