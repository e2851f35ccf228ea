//! Turns the graph into kernels, mostly loop nests, and merges operations that can share one pass over memory.
//!
//! ```text
//! %2 = add %pre %bias    \    for i in 64:
//! %3 = max %2 0           >       over j in 100:
//! %4 = mul %3 %w          |           h[100 i + j] = max(pre[100 i + j] + bias[j], 0)
//! %5 = sum %4 [1]        /            r0 = sum h w[j]
//!                                 y[i] = r0
//! ```
//!
//! Before: a simplified `Graph`. After: `Kernels`, in which movement is index arithmetic. Fusion has three phases.
//! `memory` decides which values are stored. `lower` makes a kernel for each of them and inlines all values that are not
//! stored. `merge` combines kernels that loop over the same space. New values of states are computed into scratch memory
//! and copied at the very end, which is always right. Merging removes the copies where no other kernel reads the old
//! value afterwards. Source: Ragan-Kelley et al., Halide, PLDI 2013, for deciding separately what is computed and where
//! it is stored.

#![warn(clippy::wildcard_enum_match_arm)]

mod collapse;
mod depend;
mod epilogue;
mod hoist_updates;
mod images;
mod lower;
mod memory;
mod merge;
mod operand;
mod order;
mod pooled;
mod relu_mask;
mod spread;
#[cfg(test)]
mod tests;

use crate::ir::experiment::Precision;
use crate::ir::graph::groups::{convolution, elementwise, joined, pool, reduction, scan, view};
use crate::ir::graph::{Graph, Id, Op, Output};
use crate::ir::internal::internal_error;
use crate::ir::kernels::{
    Access, Affine, Buffer, BufferId, Dtype, Expr, ExprId, Join, Kernel, Kernels, Location, MatMul, Pass, Pooling,
    Reduction, Spherical, SphericalGrad, Store, Uniform, Work,
};
use gmpc_math::spherical;
use lower::{Lowering, identity, row_major};
use std::collections::{HashMap, HashSet};

/// Where the operations after a convolution or a pool are computed: sums over all pixels, ReLU masks of gradients, and
/// max pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogues {
    /// In the kernel of the convolution or pool, while the numbers are in registers.
    Inside,
    /// In kernels of their own, for backends whose convolutions come from a library that has no such epilogues.
    Separate,
}

/// Kernels that compute the outputs of a graph in a precision.
#[must_use]
pub fn fuse(graph: &Graph, epilogues: Epilogues, precision: Precision) -> Kernels {
    let mut builder = Builder::new(graph, epilogues, precision);
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
    /// Which nodes are stored, and which epilogues their kernels have.
    memory: memory::Memory,
    /// For each gradient of a max pool inside a convolution, the buffers that the convolution writes for it.
    from_argmax: HashMap<Id, images::FromArgmax>,
    /// The buffer of each node's value, once there is one.
    storage: Vec<Option<BufferId>>,
    /// For angles at which a gradient is computed, the products that the forward scan saves for the gradient.
    saved: HashMap<Id, BufferId>,
    /// The angles at which a gradient is computed.
    turned: HashSet<Id>,
    /// The kernels of convolutions and pools, by the buffers that they write.
    image_kernels: HashMap<BufferId, usize>,
    epilogues: Epilogues,
    kernels: Kernels,
}

impl<'g> Builder<'g> {
    fn new(graph: &'g Graph, epilogues: Epilogues, precision: Precision) -> Self {
        let mut builder = Builder {
            graph,
            memory: memory::needs_memory(graph, epilogues),
            from_argmax: HashMap::new(),
            storage: vec![None; graph.nodes.len()],
            saved: HashMap::new(),
            turned: graph.nodes.iter().filter(|n| n.op == Op::SphericalGrad).map(|n| n.inputs[0]).collect(),
            image_kernels: HashMap::new(),
            epilogues,
            kernels: Kernels::new(precision),
        };
        // Buffers of inputs and states come first in the table, so that their numbers follow from the numbers of inputs
        // and states.
        for (index, input) in graph.inputs.iter().enumerate() {
            builder.buffer(&input.name, input.shape.iter().product(), Location::Input(index));
        }
        for (index, state) in graph.states.iter().enumerate() {
            builder.buffer(&state.name, state.shape.iter().product(), Location::State(index));
        }
        // All other nodes get a buffer when their kernel is emitted. Nodes that are not stored never get one: their users
        // inline them.
        for id in graph.ids() {
            builder.storage[id.index()] = match graph[id].op {
                Op::Input(index) => Some(index),
                Op::State(index) => Some(graph.inputs.len() + index),
                elementwise!() | view!() | joined!() | reduction!() | Op::MatMul { .. } => None,
                Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } | convolution!() | pool!() | scan!() => None,
            }
            .map(buffer_id);
        }
        builder
    }

    fn buffer(&mut self, name: &str, elements: usize, location: Location) -> BufferId {
        self.typed(name, elements, location, Dtype::from(self.kernels.precision))
    }

    fn typed(&mut self, name: &str, elements: usize, location: Location, dtype: Dtype) -> BufferId {
        self.kernels.buffers.push(Buffer { name: name.into(), elements, location, dtype });
        buffer_id(self.kernels.buffers.len() - 1)
    }

    fn scratch(&mut self, id: Id) -> BufferId {
        self.buffer(&format!("t{}", id.0), self.graph.shape(id).iter().product(), Location::Scratch)
    }

    fn emit(&mut self, id: Id, work: Work) {
        let image = match &work {
            Work::Convolve(product) => Some(product.c),
            Work::Pool(pool) => Some(pool.target),
            Work::Nest(_) | Work::MatMul(_) | Work::Spherical(_) | Work::SphericalGrad(_) => None,
            Work::Uniform(_) | Work::Cast(_) => None,
        };
        self.image_kernels.extend(image.map(|buffer| (buffer, self.kernels.kernels.len())));
        self.kernels.kernels.push(Kernel { work, span: self.graph[id].span });
    }

    /// Emits the kernel that computes a stored node.
    fn kernel(&mut self, id: Id) {
        // With an epilogue, the kernel writes the result of a later node: the masked gradient, or the pool of a
        // convolution's result.
        let (id, written) = self.memory.relu_masks.get(&id).map_or((id, id), |masked| (masked.gradient, masked.last));
        let written = self.memory.pooled.get(&id).map_or(written, |pooled| pooled.pool);
        let target = self.scratch(written);
        self.storage[written.index()] = Some(target);
        if let Some(&epilogue) = self.memory.matmul_epilogues.get(&id) {
            return self.matmul(id, epilogue, target);
        }
        match &self.graph[id].op {
            Op::Sum(axes) => self.reduce(id, target, axes, Join::Sum),
            Op::MaxOver(axes) => self.reduce(id, target, axes, Join::Max),
            Op::ConvolveInput(window) => self.convolution(id, *window, Pass::BackwardData, target),
            Op::ConvolveWeight(window) => self.convolution(id, *window, Pass::BackwardFilter, target),
            Op::MaxPool(window) => self.pool(id, *window, Pooling::Max, target),
            Op::MaxPoolGrad(window) => self.pool(id, *window, Pooling::MaxGradient, target),
            Op::SumPool(window) => self.pool(id, *window, Pooling::Sum, target),
            Op::SumPoolGrad(window) => self.pool(id, *window, Pooling::SumGradient, target),
            Op::Spherical => self.spherical(id, target),
            Op::SphericalGrad => self.spherical_grad(id, target),
            Op::Uniform { stream } => self.emit(id, Work::Uniform(Uniform { stream: *stream, target })),
            Op::Concat { axis } => self.concat(id, target, *axis),
            Op::Pad { axis, before } => self.pad(id, target, *axis, *before),
            op @ (Op::MatMul { .. } | Op::Convolve(_) | Op::Angles | Op::Orthogonal) => {
                unreachable!("{} has an epilogue or no kernel", op.name())
            }
            Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | elementwise!() | view!() => {
                let shape = self.graph.shape(id).to_vec();
                self.map(id, &shape, target, 0, &row_major(&shape), |l, m| l.compute(id, m));
            }
        }
    }

    /// Emits a nest over `space` that stores one value at every point.
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
        nest.stores.push(Store { access: Access { buffer: target, at }, value, after_reduction: false });
        nest.prune();
        collapse::drop_unit_axes(&mut nest);
        self.emit(id, Work::Nest(nest));
    }

    /// Emits a reduction. A reduction over images is first taken for each image, so that threads can divide the images
    /// among them. The order of the sum is the same for any number of threads.
    fn reduce(&mut self, id: Id, target: BufferId, axes: &[usize], join: Join) {
        let operand = self.graph[id].inputs[0];
        let mut shape = self.graph.shape(operand).to_vec();
        let value = |lowering: &mut Lowering, at: &[Affine]| lowering.value(operand, at);
        let inner: Vec<usize> = axes.iter().copied().filter(|&axis| axis != 0).collect();
        let pixels = join == Join::Sum && *axes == [0, 1, 2];
        if pixels && (self.sum_inside(operand, target) || self.sum_at_relu_mask(id, operand, target)) {
            return;
        }
        if shape.len() < 4 || inner.is_empty() || inner.len() == axes.len() {
            return self.reduction(id, target, &shape, axes, join, value);
        }
        let mut partial_shape = shape.clone();
        inner.iter().for_each(|&axis| partial_shape[axis] = 1);
        let name = format!("images{}", id.0);
        let partial = self.buffer(&name, partial_shape.iter().product(), Location::Scratch);
        self.reduction(id, partial, &shape, &inner, join, value);
        shape.clone_from(&partial_shape);
        self.reduction(id, target, &shape, &[0], join, |lowering, at| lowering.load(partial, &partial_shape, at));
    }

    /// Emits a nest over `space` that reduces a value over some axes.
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
        nest.stores.push(Store { access, value: result, after_reduction: true });
        collapse::drop_unit_axes(&mut nest);
        self.emit(id, Work::Nest(nest));
    }

    /// Emits a matmul, or a convolution forward, with its bias and ReLU.
    fn matmul(&mut self, results: Id, epilogue: epilogue::Epilogue, target: BufferId) {
        let id = epilogue.product;
        if let Op::Convolve(window) = self.graph[id].op {
            return self.forward(results, epilogue, window, target);
        }
        let Op::MatMul { transpose_a, transpose_b } = self.graph[id].op else {
            internal_error("fuse", format_args!("{id} is no product"), self.graph.print(None));
        };
        // Transposes and slices of operands become strides of the matrix, so that no kernel has to copy it.
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
            internal_error(
                "fuse",
                format_args!("an operand of the product {id} has no memory"),
                self.graph.print(None),
            );
        };
        // The result is a new buffer, so it is contiguous.
        let c = crate::ir::kernels::Matrix { buffer: target, offset: 0, rows: shape[1], columns: 1 };
        let bias = epilogue.bias.and_then(|bias| Some((self.storage[bias.index()]?, 0)));
        let product = MatMul { m: shape[0], n: shape[1], k, a, b, c, bias, relu: epilogue.relu };
        self.emit(id, Work::MatMul(product));
    }

    /// The buffer of an operand that the kernel reads from memory directly.
    fn operand(&self, id: Id) -> Option<BufferId> {
        let buffer = self.storage[operand::base(self.graph, id).index()];
        if buffer.is_none() {
            internal_error("fuse", format_args!("operand {id} has no memory"), self.graph.print(None));
        }
        buffer
    }

    fn spherical(&mut self, id: Id, target: BufferId) {
        let theta = self.graph[id].inputs[0];
        self.scan(id, theta, Some(target));
    }

    /// Emits the forward scan over angles. It also saves the products that the gradient needs, if a gradient at these
    /// angles is computed.
    fn scan(&mut self, id: Id, theta: Id, u: Option<BufferId>) {
        let [angles, units] = matrix_shape(self.graph.shape(theta));
        let numbers = spherical::saved(angles) * units;
        let saved = (numbers > 0 && self.turned.contains(&theta))
            .then(|| self.buffer(&format!("prefix{}", theta.0), numbers, Location::Scratch));
        if let Some(saved) = saved {
            self.saved.insert(theta, saved);
        }
        if u.is_none() && saved.is_none() {
            return;
        }
        if let Some(theta) = self.operand(theta) {
            self.emit(id, Work::Spherical(Spherical { angles, units, theta, u, saved }));
        }
    }

    fn spherical_grad(&mut self, id: Id, gradient: BufferId) {
        let (theta, g) = (self.graph[id].inputs[0], self.graph[id].inputs[1]);
        if !self.saved.contains_key(&theta) {
            self.scan(id, theta, None);
        }
        let [angles, units] = matrix_shape(self.graph.shape(theta));
        let saved = self.saved.get(&theta).copied();
        if let (Some(theta), Some(g)) = (self.operand(theta), self.operand(g)) {
            self.emit(id, Work::SphericalGrad(SphericalGrad { angles, units, theta, saved, g, gradient }));
        }
    }

    /// Emits one nest for each part, which writes the part into its place.
    fn concat(&mut self, id: Id, target: BufferId, axis: usize) {
        let strides = row_major(self.graph.shape(id));
        let mut start = 0;
        for &part in &self.graph[id].inputs.clone() {
            let space = self.graph.shape(part).to_vec();
            self.map(id, &space, target, start * strides[axis], &strides, |l, m| l.value(part, m));
            start += space[axis];
        }
    }

    /// Emits a nest for the zeros before the operand, one for the zeros after it, and one for the operand.
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

    /// Copies new values to the states and merges kernels, which removes buffers that are no longer read.
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
        let inside = self.epilogues == Epilogues::Inside;
        if inside {
            // Copies move to their sources before kernels merge. From the end of the program, each copy would be compared with
            // the copies of all other layers.
            hoist_updates::hoist_updates(&mut self.kernels);
        }
        // Only final nests are marked for threads: merging changes spaces.
        merge::merge(&mut self.kernels);
        for kernel in &mut self.kernels.kernels {
            if let Work::Nest(nest) = &mut kernel.work {
                nest.collapse();
                spread::spread(nest, inside);
            }
        }
        if inside {
            hoist_updates::hoist_updates(&mut self.kernels);
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

/// Both sizes of a shape of rank 2.
fn matrix_shape(shape: &[usize]) -> [usize; 2] {
    [shape.first().copied().unwrap_or(1), shape.get(1).copied().unwrap_or(1)]
}

fn buffer_id(index: usize) -> BufferId {
    BufferId::new(index)
}
