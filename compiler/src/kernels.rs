//! Loop nests over memory: what a graph becomes before it is code.
//!
//! ```text
//! nest hidden.w over i in 1300:                    # adam.gmpnet:9:5
//!     %0 = load m[i]
//!     …
//!     store m[i] = %4
//! ```
//!
//! `Reshape`, `Transpose`, `Broadcast`, `Slice`, `Pad` and `Concat` are gone: they are index arithmetic now. A buffer is
//! row-major and contiguous, so that a view of it is an offset and a stride for each axis of the loop that reads it.

mod collapse;
mod images;
mod nest;
mod print;
mod unread;
mod verify;

pub use images::{Convolve, Gate, Pass, Pool, Pooled, Pooling, Prepare};
pub use nest::{Access, Affine, Expr, ExprId, Join, Nest, Reduction, Store};
pub use print::print;
pub use verify::verify;

use crate::experiment::Precision;
use gmpc_grammar::source::Span;

/// A buffer's place in [`Kernels::buffers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BufferId(pub u32);

impl BufferId {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a buffer lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Filled by the caller before each run; index into the graph's inputs.
    Input(usize),
    /// In the caller's states, at the layout's offset; index into the graph's states.
    State(usize),
    /// Ours; the planner finds room.
    Scratch,
}

/// Numbers side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffer {
    /// For people: `x`, `hidden.w`, `t12`.
    pub name: String,
    /// How many numbers.
    pub elements: usize,
    /// Where.
    pub place: Place,
    /// Are they bfloat16, 2 bytes each, whatever the precision of the program? Made by the CUDA backend alone.
    pub half: bool,
}

impl Buffer {
    /// Its bytes in a program of this precision; whole words of 32 bits.
    #[must_use]
    pub fn bytes(&self, precision: Precision) -> usize {
        if self.half { 4 * self.elements.div_ceil(2) } else { self.elements * precision.bytes() }
    }
}

/// A program as kernels in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kernels {
    /// Indexed by [`BufferId`].
    pub buffers: Vec<Buffer>,
    /// Run one after another.
    pub kernels: Vec<Kernel>,
    /// The buffer of each named output, in the graph's order.
    pub outputs: Vec<BufferId>,
}

/// One unit of work.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// What it does.
    pub work: Work,
    /// The line of the model it came from.
    pub span: Option<Span>,
}

/// The kinds of kernels.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Elementwise expressions and reductions over one iteration space.
    Nest(Nest),
    /// A matrix product.
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
    /// To bfloat16 or back; made by the CUDA backend alone.
    Round(Round),
}

/// A matrix in memory: element (i, j) at `offset + i rows + j columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Which buffer.
    pub buffer: BufferId,
    /// First element.
    pub offset: usize,
    /// Step from row to row.
    pub rows: usize,
    /// Step from column to column.
    pub columns: usize,
}

/// c = a b, or max(a b + bias, 0), with a `[m, k]`, b `[k, n]`, c `[m, n]`, rows of c contiguous.
#[derive(Debug, Clone, PartialEq)]
pub struct MatMul {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// What the sum runs over.
    pub k: usize,
    /// Left operand.
    pub a: Matrix,
    /// Right operand.
    pub b: Matrix,
    /// Result.
    pub c: Matrix,
    /// A contiguous row of n numbers added to every row of the product.
    pub bias: Option<(BufferId, usize)>,
    /// Negative results become 0; NaN stays.
    pub relu: bool,
}

/// Unit vectors from angles, and what the gradient needs of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Spherical {
    /// Number of angles a unit, n - 1.
    pub angles: usize,
    /// Units, side by side in memory.
    pub units: usize,
    /// `[n - 1, units]`
    pub theta: BufferId,
    /// `[n, units]`, where wanted.
    pub u: Option<BufferId>,
    /// The products of sines before each group of angles but the first and their rounding errors,
    /// `[kept(n - 1), units]` after [`gmpc_math::spherical::kept`], where a gradient follows and there is more than a group.
    pub kept: Option<BufferId>,
}

/// Gradient at the angles from the gradient at the unit vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct SphericalGrad {
    /// Number of angles a unit.
    pub angles: usize,
    /// Units.
    pub units: usize,
    /// `[n - 1, units]`
    pub theta: BufferId,
    /// From [`Spherical::kept`].
    pub kept: Option<BufferId>,
    /// Gradient at the unit vectors, `[n, units]`.
    pub g: BufferId,
    /// Gradient at the angles, `[n - 1, units]`.
    pub gradient: BufferId,
}

/// Fills a buffer with uniform numbers in [0, 1); see [`crate::graph::Op::Uniform`].
#[derive(Debug, Clone, PartialEq)]
pub struct Uniform {
    /// Which draw of the step.
    pub stream: u32,
    /// Where to.
    pub target: BufferId,
}

/// Copies numbers between single precision and bfloat16 (8 bits of exponent, 7 of fraction).
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Where from.
    pub source: BufferId,
    /// Where to, as many numbers.
    pub target: BufferId,
    /// Which way.
    pub rounding: Rounding,
}

/// Which way numbers go.
#[derive(Debug, Clone, PartialEq)]
pub enum Rounding {
    /// To the nearest bfloat16, to the even one of two that are as near; NaN stays NaN.
    Narrow,
    /// Exactly, then plus a bias for each of `units` channels, then, with `relu`, 0 where negative; NaN stays.
    Widen {
        /// One number a unit.
        bias: Option<BufferId>,
        /// Channels, which stand side by side.
        units: usize,
        /// Negative results become 0.
        relu: bool,
    },
}

impl Work {
    /// Every buffer that is read.
    #[must_use]
    pub fn reads(&self) -> Vec<BufferId> {
        match self {
            Work::Nest(nest) => nest.loads().map(|access| access.buffer).collect(),
            Work::MatMul(product) => {
                [product.a.buffer, product.b.buffer].into_iter().chain(product.bias.map(|bias| bias.0)).collect()
            }
            Work::Spherical(scan) => vec![scan.theta],
            Work::SphericalGrad(scan) => [scan.theta].into_iter().chain(scan.kept).chain([scan.g]).collect(),
            Work::Uniform(_) => vec![],
            Work::Convolve(product) => {
                let own = [product.a, product.b].into_iter().chain(product.bias);
                let gate = product.gate.iter().flat_map(Gate::reads);
                let scale = product.pooled.iter().filter_map(|pooled| pooled.scale);
                own.chain(product.prepare.buffers()).chain(gate).chain(scale).collect()
            }
            Work::Pool(pool) => {
                let gate = pool.gate.iter().flat_map(Gate::reads);
                pool.x.into_iter().chain(pool.scale).chain(pool.marks).chain(pool.dy).chain(gate).collect()
            }
            Work::Round(Round { source, rounding: Rounding::Widen { bias, .. }, .. }) => {
                [*source].into_iter().chain(*bias).collect()
            }
            Work::Round(round) => vec![round.source],
        }
    }

    /// Every buffer that is written.
    #[must_use]
    pub fn writes(&self) -> Vec<BufferId> {
        match self {
            Work::Nest(nest) => nest.stores.iter().map(|store| store.access.buffer).collect(),
            Work::MatMul(product) => vec![product.c.buffer],
            Work::Spherical(scan) => scan.u.into_iter().chain(scan.kept).collect(),
            Work::SphericalGrad(scan) => vec![scan.gradient],
            Work::Uniform(draw) => vec![draw.target],
            Work::Convolve(product) => {
                let weighted = product.gate.as_ref().and_then(|gate| gate.weighted);
                let pooled = product.pooled.iter().flat_map(|pooled| pooled.largest.into_iter().chain(pooled.marks));
                [product.c].into_iter().chain(product.sums).chain(weighted).chain(pooled).collect()
            }
            Work::Pool(pool) => {
                let weighted = pool.gate.as_ref().and_then(|gate| gate.weighted);
                [pool.target].into_iter().chain(pool.sums).chain(weighted).collect()
            }
            Work::Round(round) => vec![round.target],
        }
    }
}
