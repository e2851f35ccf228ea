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
mod print;
mod unread;
mod verify;

pub use print::print;
pub use verify::verify;

use crate::experiment::Precision;
use crate::graph::{Op, Shape};
use crate::window::Window;
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

/// Index of an expression of a nest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

impl ExprId {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A whole number that is linear in the loop variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Affine {
    /// Where all loop variables are 0.
    pub offset: usize,
    /// One factor for each axis of the space.
    pub strides: Vec<usize>,
}

/// An element of a buffer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Access {
    /// Which buffer.
    pub buffer: BufferId,
    /// Which of its numbers.
    pub at: Affine,
}

/// A value at one point of the space.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A number.
    Const(f64),
    /// A number from memory.
    Load(Access),
    /// The index itself, as a number.
    Index(Affine),
    /// The finished reduction of this index; only meaningful after the reduced loops.
    Reduced(usize),
    /// An elementwise operation on earlier expressions.
    Apply(Op, Vec<ExprId>),
}

/// What to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// Where.
    pub access: Access,
    /// What.
    pub value: ExprId,
    /// Once for each point of the kept axes, after the reductions, instead of at every point.
    pub late: bool,
}

/// How numbers are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// a + b
    Sum,
    /// The larger one; NaN if either is.
    Max,
}

/// Joins a value over the reduced axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    /// How.
    pub join: Join,
    /// What.
    pub value: ExprId,
}

/// Expressions over one iteration space.
///
/// At every point all loads happen before all stores; a buffer that is read and written here is read and written at the
/// same element. Reductions run over the axes marked in `reduced`; late stores follow them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Nest {
    /// Axis sizes, outermost first; empty for one point.
    pub space: Shape,
    /// The axes that the reductions run over.
    pub reduced: Vec<bool>,
    /// Operands before users.
    pub exprs: Vec<Expr>,
    /// What is written.
    pub stores: Vec<Store>,
    /// What is joined.
    pub reductions: Vec<Reduction>,
    /// Threads may share the outermost axis, which is kept and tells all stores apart.
    pub spread: bool,
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

/// Fills a buffer with uniform numbers in [0, 1); see [`Op::Uniform`].
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

/// Which of the three products of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Result from images (a) and filters (b).
    Forward,
    /// Gradient at the images, from the gradient at the result (a) and the filters (b).
    Input,
    /// Gradient at the filters, from the images (a) and the gradient at the result (b).
    Weight,
}

/// c = a * b over windows; images are `[batch, height, width, channels]`, filters `[channels kh kw, units]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolve {
    /// Which product.
    pub pass: Pass,
    /// How the filters move.
    pub window: Window,
    /// Shape of the images that the forward convolution sees.
    pub images: [usize; 4],
    /// Height, width and channels (units) of its result.
    pub result: [usize; 3],
    /// First operand.
    pub a: BufferId,
    /// Second operand.
    pub b: BufferId,
    /// What is written.
    pub c: BufferId,
    /// A factor and a summand for each channel of the images (not of their padding); not for [`Pass::Input`].
    pub prepare: Prepare,
    /// One number a unit to be added; forward only.
    pub bias: Option<BufferId>,
    /// Negative results become 0; NaN stays; forward only.
    pub relu: bool,
    /// What is kept of the gradient at a rectifier's result; only for [`Pass::Input`].
    pub gate: Option<Gate>,
    /// Where the sums over all pixels of what is written go, before the gate's factor, one a channel of it; not for
    /// [`Pass::Weight`].
    pub sums: Option<BufferId>,
}

/// A factor and a summand for each channel of images; none for 1 and 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Prepare {
    /// The factor.
    pub scale: Option<BufferId>,
    /// The summand, after it.
    pub shift: Option<BufferId>,
}

impl Prepare {
    /// Those there are.
    pub fn buffers(self) -> impl Iterator<Item = BufferId> {
        self.scale.into_iter().chain(self.shift)
    }
}

impl Convolve {
    /// Is what is written not what is summed?
    #[must_use]
    pub fn scales(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.scale.is_some())
    }
}

/// What a rectifier's gradient makes of the gradient at its result, while that is at hand: kept where the result is above 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What the rectifier gave, as large as the gradient.
    pub rectified: BufferId,
    /// A number for each channel that is added to the gradient before.
    pub shift: Option<BufferId>,
    /// A factor for each channel of what is kept.
    pub scale: Option<BufferId>,
    /// Where the sums of the gradient with that, all of it, times what the rectifier gave go, one a channel; for pools, one an image
    /// and channel.
    pub weighted: Option<BufferId>,
}

impl Gate {
    fn reads(&self) -> impl Iterator<Item = BufferId> {
        [self.rectified].into_iter().chain(self.shift).chain(self.scale)
    }
}

/// What pooling does with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The largest value.
    Max,
    /// Its gradient, to the first largest value.
    MaxGradient,
    /// The sum.
    Sum,
    /// Its gradient, to every place.
    SumGradient,
}

/// Pooling over images `[batch, height, width, channels]`, or its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// What is done.
    pub pooling: Pooling,
    /// How the window moves.
    pub window: Window,
    /// Shape of the images that are pooled.
    pub images: [usize; 4],
    /// Height and width of the result.
    pub result: [usize; 2],
    /// The images; none for the gradient of a sum.
    pub x: Option<BufferId>,
    /// A factor for each channel of the images, before the largest is looked for.
    pub scale: Option<BufferId>,
    /// The gradient at the result; only for gradients.
    pub dy: Option<BufferId>,
    /// What is kept of the gradient at a rectifier's result; only for the gradient of the largest, where every pixel lies in
    /// exactly one window.
    pub gate: Option<Gate>,
    /// Where the sums over the pixels of each image go, before the gate's factor, `[batch, channels]`; only with a gate.
    pub sums: Option<BufferId>,
    /// What is written.
    pub target: BufferId,
}

impl Nest {
    /// The expression, added unless it is there already.
    pub fn push(&mut self, expr: Expr) -> ExprId {
        let known = self.exprs.iter().position(|e| *e == expr);
        let index = known.unwrap_or_else(|| {
            self.exprs.push(expr);
            self.exprs.len() - 1
        });
        ExprId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Every element that is read, with the expression that reads it.
    pub fn loads(&self) -> impl Iterator<Item = &Access> {
        self.exprs.iter().filter_map(|e| if let Expr::Load(access) = e { Some(access) } else { None })
    }

    /// For each expression: does it need a finished reduction?
    #[must_use]
    pub fn late(&self) -> Vec<bool> {
        let mut late: Vec<bool> = Vec::with_capacity(self.exprs.len());
        for expr in &self.exprs {
            late.push(match expr {
                Expr::Reduced(_) => true,
                Expr::Apply(_, operands) => operands.iter().any(|o| late[o.index()]),
                Expr::Const(_) | Expr::Load(_) | Expr::Index(_) => false,
            });
        }
        late
    }

    /// For each expression: do the stores and reductions inside the loops need it?
    #[must_use]
    pub fn early(&self) -> Vec<bool> {
        let mut early = vec![false; self.exprs.len()];
        let inside = self.stores.iter().filter(|s| !s.late).map(|s| s.value);
        inside.chain(self.reductions.iter().map(|r| r.value)).for_each(|id| early[id.index()] = true);
        for index in (0..early.len()).rev() {
            if let (true, Expr::Apply(_, operands)) = (early[index], &self.exprs[index]) {
                operands.iter().for_each(|o| early[o.index()] = true);
            }
        }
        early
    }

    /// Every index expression, of loads, stores and index values.
    pub fn affines_mut(&mut self) -> impl Iterator<Item = &mut Affine> {
        let exprs = self.exprs.iter_mut().filter_map(|e| match e {
            Expr::Load(access) => Some(&mut access.at),
            Expr::Index(at) => Some(at),
            Expr::Const(_) | Expr::Reduced(_) | Expr::Apply(..) => None,
        });
        exprs.chain(self.stores.iter_mut().map(|s| &mut s.access.at))
    }

    /// Every index expression.
    pub fn affines(&self) -> impl Iterator<Item = &Affine> {
        let exprs = self.exprs.iter().filter_map(|e| match e {
            Expr::Load(access) => Some(&access.at),
            Expr::Index(at) => Some(at),
            Expr::Const(_) | Expr::Reduced(_) | Expr::Apply(..) => None,
        });
        exprs.chain(self.stores.iter().map(|s| &s.access.at))
    }

    /// Drops expressions that nothing needs.
    pub fn prune(&mut self) {
        let mut needed = vec![false; self.exprs.len()];
        for id in self.stores.iter().map(|s| s.value).chain(self.reductions.iter().map(|r| r.value)) {
            needed[id.index()] = true;
        }
        for index in (0..self.exprs.len()).rev() {
            if let (true, Expr::Apply(_, operands)) = (needed[index], &self.exprs[index]) {
                operands.iter().for_each(|o| needed[o.index()] = true);
            }
        }
        let (space, reduced) = (self.space.clone(), self.reduced.clone());
        let mut kept = Nest { space, reduced, ..Nest::default() };
        let mut place = vec![ExprId(0); self.exprs.len()];
        for (index, expr) in self.exprs.drain(..).enumerate().filter(|(i, _)| needed[*i]) {
            place[index] = kept.push(match expr {
                Expr::Apply(op, operands) => Expr::Apply(op, operands.iter().map(|o| place[o.index()]).collect()),
                leaf => leaf,
            });
        }
        self.exprs = kept.exprs;
        self.stores.iter_mut().for_each(|s| s.value = place[s.value.index()]);
        self.reductions.iter_mut().for_each(|r| r.value = place[r.value.index()]);
    }
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
                own.chain(product.prepare.buffers()).chain(gate).collect()
            }
            Work::Pool(pool) => {
                let gate = pool.gate.iter().flat_map(Gate::reads);
                pool.x.into_iter().chain(pool.scale).chain(pool.dy).chain(gate).collect()
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
                [product.c].into_iter().chain(product.sums).chain(weighted).collect()
            }
            Work::Pool(pool) => {
                let weighted = pool.gate.as_ref().and_then(|gate| gate.weighted);
                [pool.target].into_iter().chain(pool.sums).chain(weighted).collect()
            }
            Work::Round(round) => vec![round.target],
        }
    }
}
