//! Kernels: a graph as loop nests and library-like kernels over memory, before it becomes code.
//!
//! ```text
//! nest hidden.w over i in 1300:                    # adam.gmpnet:9:5
//!     %0 = load m[i]
//!     …
//!     store m[i] = %4
//! ```
//!
//! `Reshape`, `Transpose`, `Broadcast`, `Slice`, `Pad` and `Concat` have become index arithmetic. A buffer is row-major and
//! contiguous. So a view of it is an offset, and a stride for each axis of the loop that reads it.

#![warn(clippy::wildcard_enum_match_arm)]

mod cast;
mod collapse;
mod dtype;
mod images;
mod nest;
mod print;
#[cfg(test)]
mod tests;
mod unread;
mod verify;

pub use cast::Cast;
pub use dtype::Dtype;
pub use images::{Convolve, Pass, Pool, Pooled, Pooling, Prepare, ReluMask};
pub use nest::{Access, Affine, Expr, ExprId, Join, Nest, Reduction, Store};
pub use print::print;
pub use verify::verify;

use crate::ir::experiment::Precision;
use crate::ir::internal::index32;
use gmpc_grammar::source::Span;

/// The index of a buffer in [`Kernels::buffers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(pub u32);

impl BufferId {
    /// The id of the buffer with this index.
    #[must_use]
    pub fn new(index: usize) -> BufferId {
        BufferId(index32(index, "buffers"))
    }

    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The memory that contains a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// An input, which the caller fills before each run; index into the graph's inputs.
    Input(usize),
    /// A state, at the offset of the layout; index into the graph's states.
    State(usize),
    /// Scratch memory, at an offset that the planner chooses.
    Scratch,
}

/// A contiguous array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffer {
    /// Its name in printed kernels: `x`, `hidden.w`, `t12`.
    pub name: String,
    /// The number of its elements.
    pub elements: usize,
    /// The memory that contains it.
    pub location: Location,
    /// The type of its elements.
    pub dtype: Dtype,
}

impl Buffer {
    /// Returns its size in bytes, rounded up to whole words of 32 bits.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dtype.room(self.elements)
    }
}

/// A program as a list of kernels.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernels {
    /// The precision of all values inside the kernels, and of inputs, states and outputs.
    pub precision: Precision,
    /// Indexed by [`BufferId`].
    pub buffers: Vec<Buffer>,
    /// The kernels, in the order in which they run.
    pub kernels: Vec<Kernel>,
    /// The buffer of each named output, in the graph's order.
    pub outputs: Vec<BufferId>,
}

/// One kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// The computation.
    pub work: Work,
    /// The line of the model that it comes from.
    pub span: Option<Span>,
}

/// The kinds of kernels.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Elementwise expressions and reductions over one iteration space.
    Nest(Nest),
    /// A matmul.
    MatMul(MatMul),
    /// A scan over axis 0.
    Spherical(Spherical),
    /// A scan over axis 0, backwards.
    SphericalGrad(SphericalGrad),
    /// Counter-based random numbers.
    Uniform(Uniform),
    /// A convolution or one of its gradients.
    Convolve(Convolve),
    /// Pooling or its gradient.
    Pool(Pool),
    /// The same numbers in another dtype.
    Cast(Cast),
}

/// A matrix in memory. Element (i, j) is at index `offset + i rows + j columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// The buffer.
    pub buffer: BufferId,
    /// Index of the first element.
    pub offset: usize,
    /// Distance between neighbouring rows.
    pub rows: usize,
    /// Distance between neighbouring columns.
    pub columns: usize,
}

/// c = a b, or max(a b + bias, 0), with a `[m, k]`, b `[k, n]`, c `[m, n]`. The rows of c are contiguous.
#[derive(Debug, Clone, PartialEq)]
pub struct MatMul {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Length of the sums.
    pub k: usize,
    /// Left operand.
    pub a: Matrix,
    /// Right operand.
    pub b: Matrix,
    /// Result.
    pub c: Matrix,
    /// A contiguous row of n numbers that is added to every row of the result: buffer and first element.
    pub bias: Option<(BufferId, usize)>,
    /// Do negative results become 0? NaN stays.
    pub relu: bool,
}

/// Unit vectors from angles, and the products that the gradient needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Spherical {
    /// Number of angles of each unit, n - 1.
    pub angles: usize,
    /// Number of units. Their numbers are neighbours in memory.
    pub units: usize,
    /// Angles `[n - 1, units]`.
    pub theta: BufferId,
    /// Unit vectors `[n, units]`, if they are needed.
    pub u: Option<BufferId>,
    /// Output buffer of the products of sines before each group of angles except the first, with their rounding errors:
    /// `[saved(n - 1), units]`, see [`gmpc_math::spherical::saved`]. `None` if no gradient follows or there is only one group.
    pub saved: Option<BufferId>,
}

/// Gradient at the angles from the gradient at the unit vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct SphericalGrad {
    /// Number of angles of each unit.
    pub angles: usize,
    /// Number of units.
    pub units: usize,
    /// Angles `[n - 1, units]`.
    pub theta: BufferId,
    /// The products of sines that [`Spherical::saved`] wrote.
    pub saved: Option<BufferId>,
    /// Gradient at the unit vectors, `[n, units]`.
    pub g: BufferId,
    /// Gradient at the angles, `[n - 1, units]`.
    pub gradient: BufferId,
}

/// Fills a buffer with uniform numbers in [0, 1); see [`crate::ir::graph::Op::Uniform`].
#[derive(Debug, Clone, PartialEq)]
pub struct Uniform {
    /// Distinguishes the draws of one step.
    pub stream: u32,
    /// The buffer to fill.
    pub target: BufferId,
}

impl Kernels {
    /// An empty program of this precision.
    #[must_use]
    pub fn new(precision: Precision) -> Self {
        Kernels { precision, buffers: Vec::new(), kernels: Vec::new(), outputs: Vec::new() }
    }

    /// Adds a buffer in scratch memory, with the dtype of the program's precision.
    pub fn scratch(&mut self, name: String, elements: usize) -> BufferId {
        let dtype = Dtype::from(self.precision);
        self.buffers.push(Buffer { name, elements, location: Location::Scratch, dtype });
        BufferId::new(self.buffers.len() - 1)
    }

    /// Returns the dtype of a buffer.
    #[must_use]
    pub fn dtype(&self, id: BufferId) -> Dtype {
        self.buffers[id.index()].dtype
    }
}

impl Work {
    /// Returns all buffers that the kernel reads.
    #[must_use]
    pub fn reads(&self) -> Vec<BufferId> {
        match self {
            Work::Nest(nest) => nest.loads().map(|access| access.buffer).collect(),
            Work::MatMul(product) => {
                [product.a.buffer, product.b.buffer].into_iter().chain(product.bias.map(|bias| bias.0)).collect()
            }
            Work::Spherical(scan) => vec![scan.theta],
            Work::SphericalGrad(scan) => [scan.theta].into_iter().chain(scan.saved).chain([scan.g]).collect(),
            Work::Uniform(_) => vec![],
            Work::Convolve(product) => {
                let own = [product.a, product.b].into_iter().chain(product.bias);
                let relu_mask = product.relu_mask.iter().flat_map(ReluMask::reads);
                let scale = product.pooled.iter().filter_map(|pooled| pooled.scale);
                own.chain(product.prepare.buffers()).chain(relu_mask).chain(scale).collect()
            }
            Work::Pool(pool) => {
                let relu_mask = pool.relu_mask.iter().flat_map(ReluMask::reads);
                pool.x.into_iter().chain(pool.scale).chain(pool.argmax).chain(pool.dy).chain(relu_mask).collect()
            }
            Work::Cast(cast) => [cast.source].into_iter().chain(cast.bias).collect(),
        }
    }

    /// Returns all buffers that the kernel writes.
    #[must_use]
    pub fn writes(&self) -> Vec<BufferId> {
        match self {
            Work::Nest(nest) => nest.stores.iter().map(|store| store.access.buffer).collect(),
            Work::MatMul(product) => vec![product.c.buffer],
            Work::Spherical(scan) => scan.u.into_iter().chain(scan.saved).collect(),
            Work::SphericalGrad(scan) => vec![scan.gradient],
            Work::Uniform(draw) => vec![draw.target],
            Work::Convolve(product) => {
                let weighted = product.relu_mask.as_ref().and_then(|relu_mask| relu_mask.weighted);
                let pooled =
                    product.pooled.iter().flat_map(|pooled| pooled.unscaled_max.into_iter().chain(pooled.argmax));
                [product.c].into_iter().chain(product.sums).chain(weighted).chain(pooled).collect()
            }
            Work::Pool(pool) => {
                let weighted = pool.relu_mask.as_ref().and_then(|relu_mask| relu_mask.weighted);
                [pool.target].into_iter().chain(pool.sums).chain(weighted).collect()
            }
            Work::Cast(cast) => vec![cast.target],
        }
    }
}
