//! A network as a list of layers. Blocks are expanded, all layers have names and shapes, and operands come before their users.

mod convolution;
mod print;

pub use convolution::{Convolution, Fill, Way};

use crate::ir::module::{Instance, ParamUse, Value};
use crate::ir::window::Window;
use gmpc_grammar::ast::Statement;
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
    /// The computation.
    pub kind: LayerKind,
    /// Indices of its operands, which are earlier layers.
    pub inputs: Vec<usize>,
    /// Shape of its value for one example: `[features]`, `[channels, positions]` or `[channels, height, width]`.
    pub shape: Vec<usize>,
    /// The stage in the text.
    pub span: Span,
}

/// The computation of a layer.
#[derive(Debug, Clone)]
pub enum LayerKind {
    /// The example itself.
    Input,
    /// A parameterized layer with the activation right after it: `dense(100) -> relu`. Also `linear`.
    Unit(Unit),
    /// An activation that does not come right after a parameterized layer.
    Activation(Activation),
    /// `a + b` and other operations on two tensors of equal shapes.
    Arithmetic(Arithmetic),
    /// `2 * a`, `a - 1`: an operation on a tensor and a number. `number_first` for `1 - a`.
    Scaled {
        /// Which operation.
        operation: Arithmetic,
        /// The number.
        number: f64,
        /// Is the number the left operand?
        number_first: bool,
    },
    /// Joins tensors along the first axis (features or channels).
    Concat,
    /// Reshapes to one axis, in row-major order.
    Flatten,
    /// The largest value of each window, channel by channel. Padding is never the largest.
    MaxPool(Window),
    /// The mean of each window, channel by channel. Padding counts as zeros, so the divisor is always the window's area.
    AvgPool(Window),
    /// The mean over all positions: `[channels, height, width]` to `[channels]`.
    GlobalAvgPool,
    /// The largest value of each channel: `[channels, height, width]` to `[channels]`. Equal values share the gradient.
    GlobalMaxPool,
    /// More positions: the same numbers repeated, or interpolated.
    Upsample {
        /// How many times as many, `[height, width]`, each 1 or more.
        factor: [usize; 2],
        /// Where the new numbers come from.
        method: Interpolation,
    },
    /// The largest of this many neighbouring features: `[features]` to `[features / pieces]`, position by position.
    Maxout {
        /// 1 or more; divides the number of features.
        pieces: usize,
    },
    /// Adds normal numbers in training.
    Noise {
        /// Their standard deviation, 0 or more.
        deviation: f64,
    },
    /// Zeroes whole examples with this probability in training and scales the others by 1 / (1 - p).
    StochasticDepth {
        /// Probability of zeroing an example, 0 to below 1.
        probability: f64,
    },
    /// Zeroes elements with this probability in training and scales the others by 1 / (1 - p).
    Dropout {
        /// Probability of zeroing an element, 0 to below 1.
        probability: f64,
    },
    /// A stage that a definition describes, such as `layer_norm`. Its value has the shape of its input.
    Stage(Stage),
}

/// A dense or convolutional layer with its parameterization and its activation.
#[derive(Debug, Clone)]
pub struct Unit {
    /// How units are connected to their inputs.
    pub connection: Connection,
    /// `bias = false` fixes every `offset` at zero: it is not a parameter then.
    pub bias: bool,
    /// `frozen = true`: training leaves its parameters as they are.
    pub frozen: bool,
    /// The parameterization, which computes the weights from parameters.
    pub param: ParamUse,
    /// The activation, which the parameterization calls as `act`.
    pub activation: Activation,
}

/// How units are connected to their inputs. It says what `dot` computes in a parameterization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Every unit reads the whole input, which has shape `[fan_in]`.
    Dense {
        /// Number of units, above 0.
        units: usize,
    },
    /// Every unit is a filter that slides over an input of shape `[channels, height, width]` or `[channels, positions]`. Its
    /// fan-in is channels / groups x kh x kw. Padding is added after modifiers have changed `x`.
    Convolution(Convolution),
}

/// Where the numbers of an enlarged image come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Each number is repeated.
    Nearest,
    /// Between the two nearest numbers of each axis, by distance; the centres of pixels stay where they are, and the outermost
    /// numbers are repeated at the edge.
    Bilinear,
}

impl Interpolation {
    /// The words of the language.
    pub const WORDS: [(&'static str, Interpolation); 2] =
        [("nearest", Interpolation::Nearest), ("bilinear", Interpolation::Bilinear)];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Interpolation::Nearest => "nearest",
            Interpolation::Bilinear => "bilinear",
        }
    }
}

impl Connection {
    /// Number of units.
    #[must_use]
    pub fn units(&self) -> usize {
        match self {
            Connection::Dense { units } => *units,
            Connection::Convolution(convolution) => convolution.units,
        }
    }

    /// Returns the number of inputs of each unit, for an example of this shape. `None` if it does not fit into `usize`.
    #[must_use]
    pub fn fan_in(&self, input: &[usize]) -> Option<usize> {
        let first = input.first().copied().unwrap_or(1);
        match self {
            Connection::Dense { .. } => Some(first),
            Connection::Convolution(of) => {
                of.channels(first).checked_mul(of.window.kernel[0])?.checked_mul(of.window.kernel[1])
            }
        }
    }
}

/// An activation: a definition with its arguments, or the identity of a unit that no activation follows.
#[derive(Debug, Clone, Default)]
pub struct Activation {
    /// The definition; `None` for the identity.
    pub definition: Option<Box<Instance>>,
    /// Is it one of the standard library? Only then does its name say what it is.
    pub is_standard: bool,
}

/// Activations of the standard library that other programs have operations for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standard {
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

impl Activation {
    /// The identity.
    pub const IDENTITY: Activation = Activation { definition: None, is_standard: true };

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.definition.as_ref().map_or("identity", |instance| &instance.name)
    }

    /// Does it declare parameters of its own?
    #[must_use]
    pub fn has_parameters(&self) -> bool {
        let statements = self.definition.iter().flat_map(|instance| &instance.definition.body.statements);
        statements.into_iter().any(|statement| matches!(statement, Statement::Declare(_)))
    }

    /// What other programs call it; `None` for an activation that they have no operation for. The compiler itself needs no names:
    /// it asks [`crate::graphs::pieces`] what an activation does.
    #[must_use]
    pub fn standard(&self) -> Option<Standard> {
        let Some(instance) = &self.definition else { return Some(Standard::Identity) };
        match instance.name.as_str() {
            _ if !self.is_standard => None,
            "identity" => Some(Standard::Identity),
            "relu" => Some(Standard::Relu),
            "leaky_relu" => match instance.arguments.get("slope")? {
                Value::Float(slope) => Some(Standard::LeakyRelu(*slope)),
                Value::Integer(slope) => Some(Standard::LeakyRelu(*slope as f64)),
                _ => None,
            },
            "tanh" => Some(Standard::Tanh),
            "sigmoid" => Some(Standard::Sigmoid),
            "gelu" => Some(Standard::Gelu),
            "softplus" => Some(Standard::Softplus),
            _ => None,
        }
    }

    /// Are both the same definition with the same arguments?
    #[must_use]
    pub fn is_same(&self, other: &Activation) -> bool {
        match (&self.definition, &other.definition) {
            (None, None) => true,
            (Some(a), Some(b)) => a.is_same(b),
            _ => self.standard() == Some(Standard::Identity) && other.standard() == Some(Standard::Identity),
        }
    }
}

/// A stage that a definition describes.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The definition with its arguments.
    pub definition: Box<Instance>,
    /// Is it one of the standard library? Only then does its name say what it is.
    pub is_standard: bool,
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
