//! The operations. Short on purpose: parameterizations, losses, optimizers and metrics are written in `stdlib/` out of these.

use crate::window::Window;

/// What one node computes from its operands `a`, `b`, `c`.
///
/// The matches in `evaluate`, `differentiate`, `fuse` and the witness device have no `_` arm: add a variant and rustc
/// lists what is left to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    // Leaves.
    /// Index into `Graph::inputs`.
    Input(usize),
    /// Value before this run; index into `Graph::states`.
    State(usize),
    /// A scalar, shape `[]`.
    Const(f64),
    /// 0, 1, 2, … along this axis, equal along the others.
    Iota(usize),
    /// Uniform in [0, 1), 24 random bits, so that f32 holds it exactly: element e is word e mod 4 of Philox 4x32-10 with
    /// counter (e / 4, stream, step low, step high) and key (seed low, seed high), shifted right by 8, times 2^-24.
    /// A fresh `stream` for every such node of a network.
    Uniform {
        /// Tells draws of one step apart.
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
    /// The larger one; its gradient goes to `a` where a > b, else to `b`.
    Max,
    /// The smaller one; its gradient goes to `a` where a < b, else to `b`.
    Min,
    /// a^b; for a <= 0 only whole constant `b`.
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
    /// Same elements in row-major order under the node's shape.
    Reshape,
    /// Result axis i is operand axis `[i]`.
    Transpose(Vec<usize>),
    /// Same rank; axes of size 1 are repeated to the node's shape.
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
    /// Largest over axes.
    MaxOver(Vec<usize>),

    // Contraction.
    /// Matrix product of two rank-2 operands, each transposed first where said.
    MatMul {
        /// Use the transpose of `a`.
        transpose_a: bool,
        /// Use the transpose of `b`.
        transpose_b: bool,
    },

    // Windows over images `[batch, height, width, channels]`; filters `[channels kh kw, units]`, channels outermost.
    /// Operands: images, filters, and perhaps a factor and a summand for each channel, `[1, 1, 1, channels]`, for the images
    /// but not their padding, which is zero. `[batch, height', width', units]`.
    Convolve(Window),
    /// Gradient at the images of a convolution. Operands: gradient at its result, filters.
    ConvolveInput(Window),
    /// Gradient at the filters of a convolution. Operands: images, gradient at its result, and perhaps a factor and a summand
    /// for each channel of the images.
    ConvolveWeight(Window),
    /// Largest value of each window; padding never wins, NaN always does. Operands: images, and perhaps a factor for each
    /// channel, `[1, 1, 1, channels]`, that comes first.
    MaxPool(Window),
    /// Operands: images, gradient at [`Op::MaxPool`]'s result, which goes to the first largest value of each window, and
    /// perhaps a factor for each channel of the images; the gradient is that at their product.
    MaxPoolGrad(Window),
    /// Sum over each window.
    SumPool(Window),
    /// Operand: gradient at [`Op::SumPool`]'s result, which goes to every place of each window.
    SumPoolGrad(Window),

    // Hyperspherical coordinates (paper, Eq. 6), units along the last axis.
    /// Angles `[n - 1, units]` to unit vectors `[n, units]`: u_k = sin t_1 … sin t_{k-1} cos t_k, u_n = sin t_1 … sin t_{n-1}.
    Spherical,
    /// Operands: angles `[n - 1, units]`, gradient at the unit vectors `[n, units]`. Gradient at the angles, by the
    /// division-free suffix recurrence F_n = g_n, F_i = g_i cos t_i + sin t_i F_{i+1},
    /// dL/dt_i = P_i (cos t_i F_{i+1} - g_i sin t_i) with P_i = sin t_1 … sin t_{i-1}.
    SphericalGrad,
    /// Vectors `[n, units]`, n >= 2, to canonical angles `[n - 1, units]`: t_k = atan2(|x_{k+1..n}|, x_k) in [0, pi], the last
    /// atan2(x_n, x_{n-1}) in (-pi, pi]. A zero vector gets zeros. Only in initialization and conversion graphs, which
    /// [`super::evaluate()`] runs; no backend has it, and it has no gradient.
    Angles,
}

impl Op {
    /// The word it prints as.
    #[must_use]
    pub fn name(&self) -> &'static str {
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
            Op::Spherical => "spherical",
            Op::SphericalGrad => "spherical_grad",
            Op::Angles => "angles",
        }
    }

    /// Does every element of the result depend only on the operands' elements at the same place?
    #[must_use]
    pub fn is_elementwise(&self) -> bool {
        use Op::{
            Abs, Add, Cos, Div, Equal, Erf, Exp, Less, LessEqual, Log, Max, Min, Mul, Neg, Pow, Select, Sin, Sqrt, Sub,
            Tanh,
        };
        matches!(
            self,
            Neg | Abs
                | Exp
                | Log
                | Sqrt
                | Sin
                | Cos
                | Tanh
                | Erf
                | Add
                | Sub
                | Mul
                | Div
                | Max
                | Min
                | Pow
                | Less
                | LessEqual
                | Equal
                | Select
        )
    }
}
