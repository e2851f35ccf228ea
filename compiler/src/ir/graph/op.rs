//! The operations. The list is short on purpose: `stdlib/` builds parameterizations, losses, optimizers and metrics from them.

use super::groups::{convolution, elementwise, joined, pool, reduction, scan, view};
use crate::ir::window::Window;

/// The computation of one node from its operands `a`, `b`, `c`.
///
/// Matches over it have no `_` arm in `graph`, `differentiate`, `cost`, `fuse`, the backends and the reference device. A lint
/// enforces this. So rustc lists all code that a new variant needs. [`super::groups`] has patterns for similar operations.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    // Leaves.
    /// Index into `Graph::inputs`.
    Input(usize),
    /// Value of a state before this run; index into `Graph::states`.
    State(usize),
    /// A scalar, shape `[]`.
    Const(f64),
    /// 0, 1, 2, … along this axis, equal along the others.
    Iota(usize),
    /// Uniform in [0, 1), with 24 random bits, so that f32 holds it exactly. Element e is word e mod 4 of Philox 4x32-10 with
    /// counter (e / 4, stream, step low, step high) and key (seed low, seed high), shifted right by 8, times 2^-24. Each such
    /// node of a network has its own `stream`.
    Uniform {
        /// Distinguishes the draws of one step.
        stream: u32,
    },

    // Elementwise: operands and result share one shape.
    /// -a
    Neg,
    /// |a|
    Abs,
    /// e^a
    Exp,
    /// Natural logarithm.
    Log,
    /// Natural logarithm of 1 + a, accurate also for very small a.
    Log1p,
    /// Square root.
    Sqrt,
    /// Sine of radians.
    Sin,
    /// Cosine of radians.
    Cos,
    /// Hyperbolic tangent.
    Tanh,
    /// Error function.
    Erf,
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a b
    Mul,
    /// a / b
    Div,
    /// The larger of a and b. Its gradient goes to `a` where a > b, otherwise to `b`.
    Max,
    /// The smaller of a and b. Its gradient goes to `a` where a < b, otherwise to `b`.
    Min,
    /// a^b. For a <= 0, `b` must be a whole constant.
    Pow,
    /// 1 where a < b, else 0.
    Less,
    /// 1 where a <= b, else 0.
    LessEqual,
    /// 1 where a = b, else 0.
    Equal,
    /// `b` where a is not 0, else `c`.
    Select,

    // Movement: the same numbers under a new shape.
    /// The same elements in row-major order with the node's shape.
    Reshape,
    /// Permutes axes: axis i of the result is the axis of the operand that the list has at index i.
    Transpose(Vec<usize>),
    /// Repeats axes of size 1 to the node's shape. The rank stays.
    Broadcast,
    /// `start .. start + node.shape[axis]` of one axis.
    Slice {
        /// Which axis.
        axis: usize,
        /// First index.
        start: usize,
    },
    /// Any number of operands joined along an axis.
    Concat {
        /// Which axis.
        axis: usize,
    },
    /// Zeros before and after along an axis.
    Pad {
        /// Which axis.
        axis: usize,
        /// Zeros before; the rest of the node's shape comes after.
        before: usize,
    },

    // Reductions: the axes stay with size 1.
    /// Sum over axes.
    Sum(Vec<usize>),
    /// Maximum over axes.
    MaxOver(Vec<usize>),

    // Contraction.
    /// Matmul of two rank-2 operands, each transposed first if its flag says so.
    MatMul {
        /// Use the transpose of `a`.
        transpose_a: bool,
        /// Use the transpose of `b`.
        transpose_b: bool,
    },

    // Windows over images `[batch, height, width, channels]`; filters `[channels kh kw, units]`, channels outermost.
    /// Operands: images, filters, and perhaps a scale and a shift for each channel of the images, `[1, 1, 1, channels]`. They
    /// do not change the padding, which is zero. Result: `[batch, height', width', units]`.
    Convolve(Window),
    /// Gradient at the images of a convolution. Operands: gradient at its result, filters.
    ConvolveInput(Window),
    /// Gradient at the filters of a convolution. Operands: images, gradient at its result, and perhaps a scale and a shift
    /// for each channel of the images.
    ConvolveWeight(Window),
    /// Maximum of each window. Padding is never the maximum; NaN always is. Operands: images, and perhaps a scale for each
    /// channel, `[1, 1, 1, channels]`. Images are scaled before the maximum is taken.
    MaxPool(Window),
    /// Gradient at the scaled images of [`Op::MaxPool`]: it goes to the first maximum of each window. Operands: images,
    /// gradient at the result, and perhaps a scale for each channel of the images.
    MaxPoolGrad(Window),
    /// Sum over each window.
    SumPool(Window),
    /// Gradient at the images of [`Op::SumPool`]: it goes to every position of each window. Operand: gradient at the result.
    SumPoolGrad(Window),

    // Hyperspherical coordinates (paper, Eq. 6), units along the last axis.
    /// Angles `[n - 1, units]` to unit vectors `[n, units]`: u_k = sin t_1 … sin t_{k-1} cos t_k, u_n = sin t_1 … sin t_{n-1}.
    Spherical,
    /// Gradient at the angles. Operands: angles `[n - 1, units]`, gradient at the unit vectors `[n, units]`. Computed by a
    /// suffix recurrence without divisions: F_n = g_n, F_i = g_i cos t_i + sin t_i F_{i+1},
    /// dL/dt_i = P_i (cos t_i F_{i+1} - g_i sin t_i) with P_i = sin t_1 … sin t_{i-1}.
    SphericalGrad,
    /// Vectors `[n, units]`, n >= 2, to canonical angles `[n - 1, units]`: t_k = atan2(|x_{k+1..n}|, x_k) in [0, pi], the last
    /// atan2(x_n, x_{n-1}) in (-pi, pi]. A zero vector gets zeros. Only initialization and conversion graphs contain it, and
    /// [`super::evaluate()`] runs them. No backend has it, and it has no gradient.
    Angles,
    /// A matrix `[n, m]` made orthogonal: its columns (its rows if n < m) have length 1 and are at right angles, each the part of
    /// the operand's that the ones before it leave. As [`Op::Angles`], it is in initialization graphs only.
    Orthogonal,
}

impl Op {
    /// Its name in printed graphs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        // Snapshots and `gmpc emit` contain these words.
        match self {
            Op::Input(_) => "input",
            Op::State(_) => "state",
            Op::Const(_) => "const",
            Op::Iota(_) => "iota",
            Op::Uniform { .. } => "uniform",
            Op::Neg => "neg",
            Op::Abs => "abs",
            Op::Exp => "exp",
            Op::Log => "log",
            Op::Log1p => "log1p",
            Op::Sqrt => "sqrt",
            Op::Sin => "sin",
            Op::Cos => "cos",
            Op::Tanh => "tanh",
            Op::Erf => "erf",
            Op::Add => "add",
            Op::Sub => "sub",
            Op::Mul => "mul",
            Op::Div => "div",
            Op::Max => "max",
            Op::Min => "min",
            Op::Pow => "pow",
            Op::Less => "less",
            Op::LessEqual => "less_equal",
            Op::Equal => "equal",
            Op::Select => "select",
            Op::Reshape => "reshape",
            Op::Transpose(_) => "transpose",
            Op::Broadcast => "broadcast",
            Op::Slice { .. } => "slice",
            Op::Concat { .. } => "concat",
            Op::Pad { .. } => "pad",
            Op::Sum(_) => "sum",
            Op::MaxOver(_) => "max_over",
            Op::MatMul { .. } => "matmul",
            Op::Convolve(_) => "convolve",
            Op::ConvolveInput(_) => "convolve_input",
            Op::ConvolveWeight(_) => "convolve_weight",
            Op::MaxPool(_) => "max_pool",
            Op::MaxPoolGrad(_) => "max_pool_grad",
            Op::SumPool(_) => "sum_pool",
            Op::SumPoolGrad(_) => "sum_pool_grad",
            // Hyperspherical coordinates: from angles to unit vectors, the gradient of this, and back to angles.
            Op::Spherical => "spherical",
            Op::SphericalGrad => "spherical_grad",
            Op::Angles => "angles",
            Op::Orthogonal => "orthogonal",
        }
    }

    /// Does every element of the result depend only on the operands' elements at the same index?
    #[must_use]
    pub fn is_elementwise(&self) -> bool {
        match self {
            elementwise!() => true,
            Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota(_) | Op::Uniform { .. } => false,
            view!() | joined!() | reduction!() => false,
            Op::MatMul { .. } | convolution!() | pool!() | scan!() => false,
        }
    }
}
