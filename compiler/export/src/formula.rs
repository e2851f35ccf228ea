//! What a definition computes of one row, for the forms to write: an activation, a stage or a whole unit whose layer has no plain numbers.
//!
//! ```text
//! Alone (a graph, channels last) -closed-> Formula, states are numbers, everything known is computed     ONNX, C, machine code
//!                                 -open->  Formula, states are learned further                           PyTorch
//! ```
//!
//! Values have the order of files: a row first, of images then the channels. Operands of a function may have axes of size 1 where the
//! result has more: these are repeated. A number has no axes.

mod build;
mod recognize;
mod schedule;

pub(crate) use build::within;
pub use schedule::Schedule;
pub(crate) use schedule::{Axis, End, Loops, Place, Task, schedule};

use crate::refusal::Refusal;
use gmpc_compiler::graphs::alone::Alone;
use gmpc_compiler::graphs::convert::Tensors;
use gmpc_compiler::ir::graph::Tensor;
use gmpc_compiler::ir::window::Window;

/// Steps, operands before users.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    /// One operation each.
    pub steps: Vec<Step>,
    /// The step whose value is the result.
    pub result: usize,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it computes.
    pub work: Work,
    /// Earlier steps.
    pub inputs: Vec<usize>,
    /// Sizes of the axes, the row first; empty for a number.
    pub shape: Vec<usize>,
    /// Is there one value for each row?
    pub by_row: bool,
}

/// What a step computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// The value that the formula is applied to.
    X,
    /// A number.
    Number(f64),
    /// Numbers that are known, the same for every row.
    Known(Tensor),
    /// A parameter or a statistic; in open formulas only.
    State(State),
    /// A function of numbers, element by element.
    Function(Function),
    /// The same numbers in the same order.
    Reshape,
    /// Axes of size 1 repeated to the step's shape.
    Expand,
    /// The operand itself; no gradient goes back through it.
    Stop,
    /// The sum over axes, which stay with size 1.
    Sum(Vec<usize>),
    /// The largest number over axes, which stay with size 1.
    Largest(Vec<usize>),
    /// Product of two matrices, each transposed first if its flag says so.
    Product {
        /// The left one.
        transpose_a: bool,
        /// The right one.
        transpose_b: bool,
    },
    /// Filters `[channels kh kw, units]` over images. The padding may be as large as the window.
    Convolve(Window),
    /// Unit vectors `[n, units]` of angles `[n - 1, units]`.
    Spherical,
}

/// A parameter or a statistic of an open formula.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its name within the layer: `gain`, `running_mean`, `prelu.slope`.
    pub name: String,
    /// Its shape in the graph, before the axes come into the order of files.
    pub graph_shape: Vec<usize>,
    /// Does the graph have the transpose of the file's matrix?
    pub transposed: bool,
    /// Training changes it.
    pub is_learned: bool,
    /// The definition computes its next value in training.
    pub is_kept: bool,
    /// It is a running statistic of the step's one operand.
    pub running: Option<Running>,
    /// Its numbers in the order of files.
    pub tensor: Tensor,
}

/// What a running statistic accumulates in training.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The axes that are reduced.
    pub axes: Vec<usize>,
    /// The variance, not the mean.
    pub is_variance: bool,
    /// Weight of the newest batch.
    pub momentum: f64,
}

/// A function of one to three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// -a
    Neg,
    /// |a|
    Abs,
    /// e^a
    Exp,
    /// Natural logarithm.
    Log,
    /// log(1 + a), accurate for small a
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
    /// 1 / (1 + e^-a)
    Sigmoid,
    /// log(1 + e^a)
    Softplus,
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a b
    Mul,
    /// a / b
    Div,
    /// The larger one.
    Max,
    /// The smaller one.
    Min,
    /// a^b
    Pow,
    /// 1 where a < b, else 0
    Less,
    /// 1 where a <= b, else 0
    LessEqual,
    /// 1 where a = b, else 0
    Equal,
    /// b where a is not 0, else c
    Select,
}

impl Formula {
    /// The formula with every number that does not depend on the row. `tensors` have their names within the layer.
    ///
    /// # Errors
    /// E0580: a tensor is missing. E0597: no form has words for a step.
    pub fn closed(alone: &Alone, layer: &str, tensors: &Tensors) -> Result<Self, Refusal> {
        build::build(alone, layer, tensors, build::States::Numbers)
    }

    /// The formula with its parameters.
    ///
    /// # Errors
    /// As those of [`Self::closed`].
    pub fn open(alone: &Alone, layer: &str, tensors: &Tensors) -> Result<Self, Refusal> {
        build::build(alone, layer, tensors, build::States::Parameters)
    }

    /// The filters that a constant is, `[units, channels, kh, kw]`; `None` where no convolution reads it.
    pub(crate) fn filters(&self, constant: usize) -> Option<Tensor> {
        let Work::Known(tensor) = &self.steps[constant].work else { return None };
        let of = |step: &Step| {
            let Work::Convolve(window) = step.work else { return None };
            (step.inputs[1] == constant).then(|| (self.steps[step.inputs[0]].shape[1], window))
        };
        let (channels, window) = self.steps.iter().find_map(of)?;
        let units = tensor.shape[1];
        let data = (0..units).flat_map(|unit| tensor.data.iter().skip(unit).step_by(units.max(1)).copied()).collect();
        Some(Tensor { shape: vec![units, channels, window.kernel[0], window.kernel[1]], data })
    }

    /// Its parameters and statistics.
    pub(crate) fn states(&self) -> impl Iterator<Item = &State> {
        self.steps.iter().filter_map(|step| if let Work::State(state) = &step.work { Some(state) } else { None })
    }
}
