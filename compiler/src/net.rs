//! A network with blocks expanded, names given and shapes known: a list of layers, operands before users.

mod print;

use crate::module::ParamUse;
use crate::window::Window;
use gmpc_grammar::source::Span;

/// A network for examples of one shape. The batch axis is not part of any shape here.
#[derive(Debug, Clone)]
pub struct Net {
    /// The model's name.
    pub name: String,
    /// `layers[0]` is the input.
    pub layers: Vec<Layer>,
    /// Index of the layer whose value is the prediction.
    pub output: usize,
    /// Shape of one target: `[outputs]` for regression and binary labels, `[]` for class labels.
    pub target_shape: Vec<usize>,
}

/// One layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Unique: `hidden`, `dense1`, `basic1.conv2`; parameters are `hidden.theta`.
    pub name: String,
    /// What it computes.
    pub kind: LayerKind,
    /// Earlier layers.
    pub inputs: Vec<usize>,
    /// Of one example: `[features]` or `[channels, height, width]`.
    pub shape: Vec<usize>,
    /// The stage in the text.
    pub span: Span,
}

/// What a layer computes.
#[derive(Debug, Clone)]
pub enum LayerKind {
    /// The example itself.
    Input,
    /// A product with its parameterization and the activation right after it (`dense(100) -> relu`); also `linear`.
    Unit(Unit),
    /// An activation that follows no product.
    Activation(Activation),
    /// `a + b` and the like, of equal shapes.
    Arithmetic(Arithmetic),
    /// `2 * a`, `a - 1`: a tensor with a number; `number_first` for `1 - a`.
    Scaled {
        /// Which operation.
        operation: Arithmetic,
        /// The number.
        number: f64,
        /// The number stands left.
        number_first: bool,
    },
    /// Joined along the first axis (features or channels).
    Concat,
    /// To one axis, row-major.
    Flatten,
    /// The largest value of each window, channel by channel; padding never wins.
    MaxPool(Window),
    /// The mean of each window, channel by channel; padding counts as zeros, so that the divisor is the window's area.
    AvgPool(Window),
    /// The mean over height and width: `[channels, height, width]` to `[channels]`.
    GlobalAvgPool,
    /// Zeroes elements with this probability in training and scales the others by 1 / (1 - p).
    Dropout {
        /// 0 to below 1.
        probability: f64,
    },
    /// Subtracts the mean over the batch (per feature or channel); running mean in evaluation, state `NAME.running_mean`.
    MeanNorm {
        /// Of the running mean, above 0, at most 1.
        momentum: f64,
    },
}

/// A product with its parameterization and its activation.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Which product.
    pub product: Product,
    /// `bias = false` holds every `offset` at zero: it is no parameter then.
    pub bias: bool,
    /// What the weights are made of.
    pub param: ParamUse,
    /// Inside the parameterization, as `act`.
    pub activation: Activation,
}

/// Which product `dot` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// Every unit sees the whole input, of shape `[fan_in]`.
    Dense {
        /// Number of units, above 0.
        units: usize,
    },
    /// Every unit is a filter that slides over an input of shape `[channels, height, width]`; its fan-in is
    /// channels x kh x kw. Padding is zero, after modifiers have rebound `x`.
    Convolution {
        /// Number of filters, above 0; the channels of the result.
        units: usize,
        /// How the filters move. Here, other than in graphs, padding may be as large as the window.
        window: Window,
    },
}

impl Product {
    /// Number of units.
    #[must_use]
    pub fn units(&self) -> usize {
        match self {
            Product::Dense { units } | Product::Convolution { units, .. } => *units,
        }
    }

    /// Inputs of each unit over an example of this shape; `None` where there are more than a `usize` counts.
    #[must_use]
    pub fn fan_in(&self, input: &[usize]) -> Option<usize> {
        let first = input.first().copied().unwrap_or(1);
        match self {
            Product::Dense { .. } => Some(first),
            Product::Convolution { window, .. } => first.checked_mul(window.kernel[0])?.checked_mul(window.kernel[1]),
        }
    }
}

/// Nonlinearities. `relu'(0) = 0`; `gelu` is the exact one, x Phi(x); `softplus` is log(1 + e^x) without overflow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// x
    Identity,
    /// max(x, 0)
    Relu,
    /// x where x > 0, else slope x
    LeakyRelu(f64),
    /// tanh x
    Tanh,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// x Phi(x)
    Gelu,
    /// log(1 + e^x)
    Softplus,
}

/// Arithmetic between tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// a + b
    Add,
    /// a - b
    Subtract,
    /// a b
    Multiply,
    /// a / b
    Divide,
}
