//! Turns the graph into loop nests, joining what can share one pass over memory.
//!
//! ```text
//! %2 = add %pre %bias    \    for i in 64:
//! %3 = max %2 0           >       over j in 100:
//! %4 = mul %3 %w          |           h[100 i + j] = max(pre[100 i + j] + bias[j], 0)
//! %5 = sum %4 [1]        /            r0 = sum h w[j]
//!                                 y[i] = r0
//! ```
//!
//! Before: a simplified `Graph`. After: `Kernels`; movement is index arithmetic. First it is decided which values need
//! memory (`memory`), then each of these becomes a kernel with everything in between inlined (`lower`), then kernels over
//! one space are merged (`merge`). New values of states are computed into scratch memory and copied at the very end,
//! which is always right; merging then makes the copies vanish where no other kernel still wants the old value.
//! Source: Ragan-Kelley et al., Halide, PLDI 2013, for the separation of the two questions.

mod collapse;
mod early;
mod gate;
mod images;
mod lower;
mod memory;
mod merge;
mod operand;
mod pooled;
mod spread;
mod tail;
#[cfg(test)]
mod tests;

use crate::graph::{Graph, Id, Op, Output};
use crate::kernels::{
    Access, Affine, Buffer, BufferId, Expr, ExprId, Join, Kernel, Kernels, MatMul, Pass, Place, Pooling, Reduction,
    Spherical, SphericalGrad, Store, Uniform, Work,
};
use gmpc_math::spherical;
use lower::{Lowering, identity, row_major};
use std::collections::HashMap;

/// Who does what follows a convolution or a pool: sums over all pixels, a gradient through a rectifier, the largest of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogues {
    /// The convolution or pool itself, while it has the numbers in registers.
    Inside,
    /// Kernels of their own: convolutions of a library cannot.
    Apart,
}

/// Kernels that compute the outputs of a graph.
#[must_use]
pub fn fuse(graph: &Graph, epilogues: Epilogues) -> Kernels {
    let mut builder = Builder::new(graph, epilogues);
    let elsewhere = builder.memory.written_elsewhere();
    for id in graph.ids() {
        if builder.memory.stored[id.index()] && !elsewhere.contains(&id) {
            builder.kernel(id);
        }
    }
    builder.finish()
}

/// Kernels under construction, one for each stored value.
struct Builder<'g> {
    graph: &'g Graph,
    /// Which nodes get memory of their own, and what happens on the way there.
    memory: memory::Memory,
    /// What convolutions that pool their results keep for the gradient, by the gradient.
    marked: HashMap<Id, images::Marked>,
    /// Where each node's value lies, once it does.
    storage: Vec<Option<BufferId>>,
    /// What the scans over angles that a gradient is taken of keep for it.
    kept: HashMap<Id, BufferId>,
    epilogues: Epilogues,
    kernels: Kernels,
}

impl<'g> Builder<'g> {
    fn new(graph: &'g Graph, epilogues: Epilogues) -> Self {
        let mut builder = Builder {
            graph,
            memory: memory::needs_memory(graph, epilogues),
            marked: HashMap::new(),
            storage: vec![None; graph.nodes.len()],
            kept: HashMap::new(),
            epilogues,
            kernels: Kernels::default(),
        };
        for (index, input) in graph.inputs.iter().enumerate() {
            builder.buffer(&input.name, input.shape.iter().product(), Place::Input(index));
        }
        for (index, state) in graph.states.iter().enumerate() {
            builder.buffer(&state.name, state.shape.iter().product(), Place::State(index));
        }
        for id in graph.ids() {
            builder.storage[id.index()] = match graph[id].op {
                Op::Input(index) => Some(index),
                Op::State(index) => Some(graph.inputs.len() + index),
                _ => None,
            }
            .map(buffer_id);
        }
        builder
    }

    fn buffer(&mut self, name: &str, elements: usize, place: Place) -> BufferId {
        self.kernels.buffers.push(Buffer { name: name.into(), elements, place, half: false });
        buffer_id(self.kernels.buffers.len() - 1)
    }

    fn scratch(&mut self, id: Id) -> BufferId {
        self.buffer(&format!("t{}", id.0), self.graph.shape(id).iter().product(), Place::Scratch)
    }

    fn emit(&mut self, id: Id, work: Work) {
        self.kernels.kernels.push(Kernel { work, span: self.graph[id].span });
    }

    /// The kernel that fills a node's memory.
    fn kernel(&mut self, id: Id) {
        let (id, written) = self.memory.gates.get(&id).map_or((id, id), |gated| (gated.gradient, gated.last));
        let written = self.memory.pooled.get(&id).map_or(written, |pooled| pooled.pool);
        let target = self.scratch(written);
        self.storage[written.index()] = Some(target);
        if let Some(&tail) = self.memory.tails.get(&id) {
            return self.product(id, tail, target);
        }
        match &self.graph[id].op {
            Op::Sum(axes) => self.reduce(id, target, axes, Join::Sum),
            Op::MaxOver(axes) => self.reduce(id, target, axes, Join::Max),
            Op::ConvolveInput(window) => self.convolution(id, *window, Pass::Input, target),
            Op::ConvolveWeight(window) => self.convolution(id, *window, Pass::Weight, target),
            Op::MaxPool(window) => self.pool(id, *window, Pooling::Max, target),
            Op::MaxPoolGrad(window) => self.pool(id, *window, Pooling::MaxGradient, target),
            Op::SumPool(window) => self.pool(id, *window, Pooling::Sum, target),
            Op::SumPoolGrad(window) => self.pool(id, *window, Pooling::SumGradient, target),
            Op::Spherical => self.spherical(id, target),
            Op::SphericalGrad => self.spherical_grad(id, target),
            Op::Uniform { stream } => self.emit(id, Work::Uniform(Uniform { stream: *stream, target })),
            Op::Concat { axis } => self.concat(id, target, *axis),
            Op::Pad { axis, before } => self.pad(id, target, *axis, *before),
            _ => {
                let shape = self.graph.shape(id).to_vec();
                self.map(id, &shape, target, 0, &row_major(&shape), |l, m| l.compute(id, m));
            }
        }
    }

    /// A nest over `space` that stores one value at every point.
    fn map(
        &mut self,
        id: Id,
        space: &[usize],
        target: BufferId,
        offset: usize,
        strides: &[usize],
        value: impl FnOnce(&mut Lowering, &[Affine]) -> ExprId,
    ) {
        let mut lowering = Lowering::new(self.graph, &self.storage, space);
        let value = value(&mut lowering, &identity(space.len()));
        let mut nest = lowering.nest;
        let at = Affine { offset, strides: strides.to_vec() };
        nest.stores.push(Store { access: Access { buffer: target, at }, value, late: false });
        nest.prune();
        collapse::drop_unit_axes(&mut nest);
        self.emit(id, Work::Nest(nest));
    }

    /// A reduction over images is taken for each image first, so that threads can share the images; the order of the sum is
    /// the same for any number of threads.
    fn reduce(&mut self, id: Id, target: BufferId, axes: &[usize], join: Join) {
        let operand = self.graph[id].inputs[0];
        let mut shape = self.graph.shape(operand).to_vec();
        let value = |lowering: &mut Lowering, at: &[Affine]| lowering.value(operand, at);
        let inner: Vec<usize> = axes.iter().copied().filter(|&axis| axis != 0).collect();
        let pixels = join == Join::Sum && *axes == [0, 1, 2];
        if pixels && (self.sum_inside(operand, target) || self.sum_at_gate(id, operand, target)) {
            return;
        }
        if shape.len() < 4 || inner.is_empty() || inner.len() == axes.len() {
            return self.reduction(id, target, &shape, axes, join, value);
        }
        let mut partial_shape = shape.clone();
        inner.iter().for_each(|&axis| partial_shape[axis] = 1);
        let name = format!("images{}", id.0);
        let partial = self.buffer(&name, partial_shape.iter().product(), Place::Scratch);
        self.reduction(id, partial, &shape, &inner, join, value);
        shape.clone_from(&partial_shape);
        self.reduction(id, target, &shape, &[0], join, |lowering, at| lowering.load(partial, &partial_shape, at));
    }

    /// A nest over `space` that joins a value over some axes.
    fn reduction(
        &mut self,
        id: Id,
        target: BufferId,
        space: &[usize],
        axes: &[usize],
        join: Join,
        value: impl FnOnce(&mut Lowering, &[Affine]) -> ExprId,
    ) {
        let mut lowering = Lowering::new(self.graph, &self.storage, space);
        let value = value(&mut lowering, &identity(space.len()));
        let mut nest = lowering.nest;
        nest.reduced = (0..space.len()).map(|axis| axes.contains(&axis)).collect();
        nest.reductions.push(Reduction { join, value });
        let result = nest.push(Expr::Reduced(0));
        let kept_shape: Vec<usize> = space.iter().zip(&nest.reduced).map(|(&n, &r)| if r { 1 } else { n }).collect();
        let kept = row_major(&kept_shape);
        let strides = kept.iter().zip(&nest.reduced).map(|(&s, &r)| if r { 0 } else { s }).collect();
        let access = Access { buffer: target, at: Affine { offset: 0, strides } };
        nest.stores.push(Store { access, value: result, late: true });
        collapse::drop_unit_axes(&mut nest);
        self.emit(id, Work::Nest(nest));
    }

    fn product(&mut self, results: Id, tail: tail::Tail, target: BufferId) {
        let id = tail.product;
        if let Op::Convolve(window) = self.graph[id].op {
            return self.forward(results, tail, window, target);
        }
        let Op::MatMul { transpose_a, transpose_b } = self.graph[id].op else { return };
        let operand = |i: usize, transposed: bool| {
            let mut matrix = lower::view(self.graph, &self.storage, self.graph[id].inputs[i])?;
            if transposed {
                std::mem::swap(&mut matrix.rows, &mut matrix.columns);
            }
            Some(matrix)
        };
        let shape = self.graph.shape(id);
        let a_shape = self.graph.shape(self.graph[id].inputs[0]);
        let k = a_shape[usize::from(!transpose_a)];
        let (Some(a), Some(b)) = (operand(0, transpose_a), operand(1, transpose_b)) else {
            debug_assert!(false, "operands of products have memory");
            return;
        };
        let c = crate::kernels::Matrix { buffer: target, offset: 0, rows: shape[1], columns: 1 };
        let bias = tail.bias.and_then(|bias| Some((self.storage[bias.index()]?, 0)));
        let product = MatMul { m: shape[0], n: shape[1], k, a, b, c, bias, relu: tail.relu };
        self.emit(id, Work::MatMul(product));
    }

    /// Where an operand that must lie in memory as it is does lie.
    fn operand(&self, id: Id) -> Option<BufferId> {
        let buffer = self.storage[operand::base(self.graph, id).index()];
        debug_assert!(buffer.is_some(), "operand {id} has no memory");
        buffer
    }

    fn spherical(&mut self, id: Id, target: BufferId) {
        let theta = self.graph[id].inputs[0];
        self.scan(id, theta, Some(target));
    }

    /// The forward scan; keeps what the gradient needs if a gradient of the same angles is taken.
    fn scan(&mut self, id: Id, theta: Id, u: Option<BufferId>) {
        let [angles, units] = matrix_shape(self.graph.shape(theta));
        let wanted = |n: &crate::graph::Node| n.op == Op::SphericalGrad && n.inputs[0] == theta;
        let numbers = spherical::kept(angles) * units;
        let kept = (numbers > 0 && self.graph.nodes.iter().any(wanted))
            .then(|| self.buffer(&format!("prefix{}", theta.0), numbers, Place::Scratch));
        if let Some(kept) = kept {
            self.kept.insert(theta, kept);
        }
        if u.is_none() && kept.is_none() {
            return;
        }
        if let Some(theta) = self.operand(theta) {
            self.emit(id, Work::Spherical(Spherical { angles, units, theta, u, kept }));
        }
    }

    fn spherical_grad(&mut self, id: Id, gradient: BufferId) {
        let (theta, g) = (self.graph[id].inputs[0], self.graph[id].inputs[1]);
        if !self.kept.contains_key(&theta) {
            self.scan(id, theta, None);
        }
        let [angles, units] = matrix_shape(self.graph.shape(theta));
        let kept = self.kept.get(&theta).copied();
        if let (Some(theta), Some(g)) = (self.operand(theta), self.operand(g)) {
            self.emit(id, Work::SphericalGrad(SphericalGrad { angles, units, theta, kept, g, gradient }));
        }
    }

    /// One nest for each part, into its place.
    fn concat(&mut self, id: Id, target: BufferId, axis: usize) {
        let strides = row_major(self.graph.shape(id));
        let mut start = 0;
        for &part in &self.graph[id].inputs.clone() {
            let space = self.graph.shape(part).to_vec();
            self.map(id, &space, target, start * strides[axis], &strides, |l, m| l.value(part, m));
            start += space[axis];
        }
    }

    /// Zeros before, the operand, zeros after.
    fn pad(&mut self, id: Id, target: BufferId, axis: usize, before: usize) {
        let (whole, operand) = (self.graph.shape(id).to_vec(), self.graph[id].inputs[0]);
        let inner = self.graph.shape(operand).to_vec();
        let strides = row_major(&whole);
        for (start, size) in [(0, before), (before + inner[axis], whole[axis] - before - inner[axis])] {
            if size > 0 {
                let mut space = whole.clone();
                space[axis] = size;
                let zero = |l: &mut Lowering, _: &[Affine]| l.nest.push(Expr::Const(0.0));
                self.map(id, &space, target, start * strides[axis], &strides, zero);
            }
        }
        self.map(id, &inner, target, before * strides[axis], &strides, |l, m| l.value(operand, m));
    }

    /// Copies new values to the states, merges, and drops what is not needed any more.
    fn finish(mut self) -> Kernels {
        for output in &self.graph.outputs {
            match output {
                Output::Value { id, .. } => {
                    let buffer = self.storage[operand::base(self.graph, *id).index()];
                    self.kernels.outputs.extend(buffer);
                }
                Output::Write { state, id } => self.write(*state, *id),
            }
        }
        merge::merge(&mut self.kernels);
        for kernel in &mut self.kernels.kernels {
            if let Work::Nest(nest) = &mut kernel.work {
                nest.collapse();
                spread::spread(nest);
            }
        }
        if self.epilogues == Epilogues::Inside {
            early::early(&mut self.kernels);
        }
        self.kernels
    }

    fn write(&mut self, state: usize, id: Id) {
        let target = buffer_id(self.graph.inputs.len() + state);
        if self.storage[operand::base(self.graph, id).index()] == Some(target) {
            return; // unchanged
        }
        let shape = self.graph.shape(id).to_vec();
        self.map(id, &shape, target, 0, &row_major(&shape), |l, m| l.value(id, m));
    }
}

/// Sizes of a rank-2 shape.
fn matrix_shape(shape: &[usize]) -> [usize; 2] {
    [shape.first().copied().unwrap_or(1), shape.get(1).copied().unwrap_or(1)]
}

fn buffer_id(index: usize) -> BufferId {
    BufferId(u32::try_from(index).unwrap_or(u32::MAX))
}
