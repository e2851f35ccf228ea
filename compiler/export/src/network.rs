//! What every form is written from: a trained network in evaluation, with what is done to its inputs and outputs.

use crate::formula::{Formula, Schedule, schedule, within};
use crate::refusal::Refusal;
use gmpc_compiler::front::constant::number;
use gmpc_compiler::graphs::alone::{Alone, Part, alone};
use gmpc_compiler::graphs::convert::{PlainUnit, Tensors};
use gmpc_compiler::ir::graph::Tensor;
use gmpc_compiler::ir::module::{Instance, ParamUse, Value};
use gmpc_compiler::ir::net::{self, Arithmetic, Connection, LayerKind, Net, Standard};
use gmpc_compiler::ir::window::Window;
use gmpc_compiler::math::Precision;
use std::collections::BTreeMap;

/// A trained network.
#[derive(Debug, Clone)]
pub struct Network {
    /// The model's name, a word of ASCII letters, digits and `_`.
    pub name: String,
    /// What the prediction needs, operands before users; the first is the input.
    pub layers: Vec<Layer>,
    /// The layer whose value is the prediction.
    pub output: usize,
    /// Of the run's arithmetic.
    pub precision: Precision,
    /// What comes in.
    pub inputs: Inputs,
    /// What goes out.
    pub outputs: Outputs,
    /// Scaling stays outside of the file: inputs and outputs are those of the layers.
    pub is_raw: bool,
    /// Where it comes from.
    pub facts: Facts,
}

/// One layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Unique: words with dots between them, `basic1.conv2`.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Earlier layers.
    pub inputs: Vec<usize>,
    /// Of one example: `[features]` or `[channels, height, width]`.
    pub shape: Vec<usize>,
}

/// What a layer computes in evaluation.
#[derive(Debug, Clone)]
pub enum Op {
    /// The example, as the first layer takes it.
    Input,
    /// A product, what stands around it, and its activation.
    Unit(Box<Unit>),
    /// An activation alone.
    Activation(Activation),
    /// A stage, or a unit without plain numbers, as its definition says.
    Defined(Box<Defined>),
    /// Of two tensors of equal shape.
    Arithmetic(Arithmetic),
    /// Of a tensor and a number.
    Scaled {
        /// Which operation.
        operation: Arithmetic,
        /// The number.
        number: f64,
        /// The number stands left.
        number_first: bool,
    },
    /// Along the first axis of an example.
    Concat,
    /// To one axis, row-major.
    Flatten,
    /// The largest value of each window; padding never wins.
    MaxPool(Window),
    /// The mean of each window; padding counts as zeros.
    AvgPool(Window),
    /// The mean over height and width.
    GlobalAvgPool,
    /// Nothing, in evaluation.
    Dropout {
        /// 0 to below 1, in training.
        probability: f64,
    },
    /// Subtracts a mean of each feature or channel.
    MeanNorm {
        /// One a feature or channel.
        mean: Vec<f64>,
        /// Of the running mean, in training.
        momentum: f64,
    },
}

/// A unit layer.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Which product.
    pub product: Connection,
    /// May its offset be other than 0?
    pub bias: bool,
    /// Its numbers.
    pub plain: PlainUnit,
    /// Between the product and the scale.
    pub activation: Activation,
    /// How it was trained.
    pub param: ParamUse,
    /// All of it, with its parameters.
    pub alone: Alone,
    /// Its own tensors, as files have them, by the name within the layer: `theta`, `running_mean`.
    pub tensors: Tensors,
}

/// An activation.
#[derive(Debug, Clone)]
pub enum Activation {
    /// One that every form has words for.
    Standard(Standard),
    /// Any other one, by its formula.
    Defined(Box<Defined>),
}

/// What a definition computes in evaluation.
#[derive(Debug, Clone)]
pub struct Defined {
    /// Of the definition, or of the parameterization with its modifiers.
    pub name: String,
    /// Is it one of the library's? Only then does its name say what it is.
    pub is_standard: bool,
    /// The numbers among its arguments.
    pub arguments: BTreeMap<String, f64>,
    /// As the compiler has it, with its parameters.
    pub alone: Alone,
    /// Its tensors, as files have them, by the name within the layer.
    pub tensors: Tensors,
    /// With every number that does not depend on the row.
    pub closed: Formula,
    /// The loops that compute it.
    pub schedule: Schedule,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// `[features]` or `[channels, height, width]`.
    pub shape: Vec<usize>,
    /// Of the features; empty where nobody named them.
    pub names: Vec<String>,
    /// What is done to a row before the first layer.
    pub preparation: Preparation,
}

/// What is done to a row before the first layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Preparation {
    /// Nothing.
    None,
    /// `(x - mean) / deviation` for each feature; 0 where the deviation is 0.
    Table {
        /// One a feature.
        mean: Vec<f64>,
        /// One a feature.
        deviation: Vec<f64>,
    },
    /// `(byte / 255 - mean) / deviation` for each channel; 0 where the deviation is 0.
    Images {
        /// One a channel.
        mean: Vec<f64>,
        /// One a channel.
        deviation: Vec<f64>,
    },
}

/// What goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// Numbers a row.
    pub width: usize,
    /// Of the targets; empty where nobody named them.
    pub names: Vec<String>,
    /// Of the classes; empty for regression.
    pub classes: Vec<String>,
    /// Back to the units of the data.
    pub scale: Option<OutputScale>,
}

/// `value * factor + shift`.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputScale {
    /// One an output.
    pub factor: Vec<f64>,
    /// One an output.
    pub shift: Vec<f64>,
}

/// What is known about a trained network besides its numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Version of the gmpc that writes.
    pub gmpc: String,
    /// Of the run it comes from: the same for the same source, data and seed.
    pub run: String,
    /// `gmp + mn`
    pub param: String,
    /// Name of the data set.
    pub data: String,
    /// SHA-256 of the run's source.
    pub source_sha256: String,
    /// SHA-256 of the rows.
    pub data_sha256: String,
    /// What the file does not do and `gmpc predict` does, a sentence each, no full stop.
    pub left_out: Vec<String>,
}

/// A network before its scaling and its facts are told.
#[derive(Debug, Clone, Copy)]
pub struct Trained<'a> {
    /// Layers and shapes.
    pub net: &'a Net,
    /// Every tensor under its name, as files have them.
    pub tensors: &'a Tensors,
    /// The unit layers as plain numbers ([`gmpc_compiler::graphs::convert::plain_units`]).
    pub units: &'a BTreeMap<usize, PlainUnit>,
    /// Of the run's arithmetic.
    pub precision: Precision,
}

impl Op {
    /// Numbers of memory that a definition needs on the way to its result.
    pub(crate) fn room(&self) -> usize {
        let of = |activation: &Activation| match activation {
            Activation::Standard(_) => 0,
            Activation::Defined(defined) => defined.schedule.room,
        };
        match self {
            Op::Unit(unit) => of(&unit.activation),
            Op::Activation(activation) => of(activation),
            Op::Defined(defined) => defined.schedule.room,
            Op::Input | Op::Arithmetic(_) | Op::Scaled { .. } | Op::Concat | Op::Flatten => 0,
            Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool | Op::Dropout { .. } | Op::MeanNorm { .. } => 0,
        }
    }
}

impl Network {
    /// Describes a network. Layers that the prediction does not need are left out.
    ///
    /// # Errors
    /// E0580: a tensor is missing.
    pub fn new(trained: &Trained<'_>, inputs: Inputs, outputs: Outputs, facts: Facts) -> Result<Self, Refusal> {
        let needed = needed(trained.net);
        let mut places = BTreeMap::new();
        let mut layers = Vec::new();
        for index in needed {
            let layer = &trained.net.layers[index];
            let operands: Option<Vec<usize>> = layer.inputs.iter().map(|input| places.get(input).copied()).collect();
            let operands = operands.ok_or_else(|| Refusal::inside("a layer comes before its operand"))?;
            let op = op(trained, index, layer)?;
            places.insert(index, layers.len());
            layers.push(Layer { name: layer.name.clone(), op, inputs: operands, shape: layer.shape.clone() });
        }
        let output = layers.len().checked_sub(1).ok_or_else(|| Refusal::inside("it has no layer"))?;
        let (name, precision) = (trained.net.name.clone(), trained.precision);
        Ok(Network { name, layers, output, precision, inputs, outputs, is_raw: false, facts })
    }

    /// The same with all scaling left outside.
    #[must_use]
    pub fn raw(self) -> Self {
        Network { is_raw: true, ..self }
    }

    /// What is done to a row inside the file.
    #[must_use]
    pub fn preparation(&self) -> &Preparation {
        if self.is_raw { &Preparation::None } else { &self.inputs.preparation }
    }

    /// What is done to a prediction inside the file.
    #[must_use]
    pub fn output_scale(&self) -> Option<&OutputScale> {
        self.outputs.scale.as_ref().filter(|_| !self.is_raw)
    }

    /// The layer whose value this one has in evaluation: itself, or what stands before dropouts.
    #[must_use]
    pub fn source(&self, mut layer: usize) -> usize {
        while let Op::Dropout { .. } = self.layers[layer].op {
            layer = self.layers[layer].inputs[0];
        }
        layer
    }
}

/// The layers a prediction needs, in their order; the input is one in any case.
fn needed(net: &Net) -> Vec<usize> {
    let mut is_needed = vec![false; net.layers.len()];
    for index in [0, net.output] {
        is_needed.get_mut(index).into_iter().for_each(|needed| *needed = true);
    }
    for index in (0..net.layers.len()).rev().filter(|&index| index <= net.output) {
        if is_needed[index] {
            net.layers[index].inputs.iter().for_each(|&input| is_needed[input] = true);
        }
    }
    (0..net.layers.len()).filter(|&index| is_needed[index]).collect()
}

fn op(trained: &Trained<'_>, index: usize, layer: &net::Layer) -> Result<Op, Refusal> {
    Ok(match &layer.kind {
        LayerKind::Input => Op::Input,
        LayerKind::Unit(unit) => {
            known_convolution(unit, layer)?;
            match trained.units.get(&index) {
                Some(plain) => Op::Unit(Box::new(described(trained, index, unit, plain)?)),
                // It is no affine map before or after its activation.
                None => Op::Defined(Box::new(defined(trained, index, Part::Layer, (unit.param.to_string(), None))?)),
            }
        }
        LayerKind::Activation(of) => Op::Activation(activation(trained, index, of)?),
        LayerKind::Arithmetic(operation) => Op::Arithmetic(*operation),
        LayerKind::Scaled { operation, number, number_first } => {
            Op::Scaled { operation: *operation, number: *number, number_first: *number_first }
        }
        LayerKind::Concat => Op::Concat,
        LayerKind::Flatten => Op::Flatten,
        LayerKind::MaxPool(_) | LayerKind::AvgPool(_) | LayerKind::GlobalAvgPool if is_series(trained.net, layer) => {
            return Err(no_counterpart("stage", &format!("{} of a series", layer.kind), &layer.name));
        }
        LayerKind::MaxPool(window) => Op::MaxPool(*window),
        LayerKind::AvgPool(window) => Op::AvgPool(*window),
        LayerKind::GlobalAvgPool => Op::GlobalAvgPool,
        LayerKind::GlobalMaxPool | LayerKind::Upsample { .. } | LayerKind::Maxout { .. } => {
            return Err(no_counterpart("stage", &layer.kind.to_string(), &layer.name));
        }
        // They do nothing in evaluation either.
        LayerKind::Noise { .. } | LayerKind::StochasticDepth { .. } => Op::Dropout { probability: 0.0 },
        LayerKind::Dropout { probability } => Op::Dropout { probability: *probability },
        // Its only statistic is its mean, and its only argument the momentum.
        LayerKind::Stage(stage) if stage.is_standard && stage.definition.name == "mean_norm" => {
            let name = format!("{}.running_mean", layer.name);
            let mean = trained.tensors.get(&name).ok_or_else(|| Refusal::missing(&name))?.data.clone();
            let momentum = stage.definition.arguments.get("momentum").and_then(number).unwrap_or(0.1);
            Op::MeanNorm { mean, momentum }
        }
        LayerKind::Stage(stage) => {
            let library = stage.is_standard.then_some(&*stage.definition);
            Op::Defined(Box::new(defined(trained, index, Part::Layer, (stage.definition.name.clone(), library))?))
        }
    })
}

fn described(trained: &Trained<'_>, index: usize, unit: &net::Unit, plain: &PlainUnit) -> Result<Unit, Refusal> {
    let layer = &trained.net.layers[index];
    let alone = alone_of(trained, index, Part::Layer)?;
    let own = |(name, tensor): (&String, &Tensor)| {
        let name = name.strip_prefix(&layer.name)?.strip_prefix('.')?;
        (!name.contains('.')).then(|| (name.to_string(), tensor.clone()))
    };
    let mut tensors = own_tensors(trained, layer, &alone);
    tensors.extend(trained.tensors.iter().filter_map(own));
    let plain = plain.clone();
    let bias = unit.bias || plain.offset.iter().any(|offset| *offset != 0.0);
    let activation = activation(trained, index, &unit.activation)?;
    let (product, param) = (unit.connection.clone(), unit.param.clone());
    Ok(Unit { product, bias, plain, activation, param, alone, tensors })
}

/// Refuses the convolutions that no form has words for yet: those with groups, gaps between taps or reflected edges, transposed ones, and
/// those of series.
fn known_convolution(unit: &net::Unit, layer: &net::Layer) -> Result<(), Refusal> {
    match &unit.connection {
        Connection::Convolution(of) if !of.is_plain() || layer.shape.len() != 3 => {
            Err(no_counterpart("convolution", &format!("{of})"), &layer.name))
        }
        Connection::Convolution(_) | Connection::Dense { .. } => Ok(()),
    }
}

/// Does a layer read a series?
fn is_series(net: &Net, layer: &net::Layer) -> bool {
    layer.inputs.first().and_then(|&input| net.layers.get(input)).is_some_and(|input| input.shape.len() == 2)
}

/// The activation as other programs know it, or its formula.
fn activation(trained: &Trained<'_>, index: usize, activation: &net::Activation) -> Result<Activation, Refusal> {
    if let Some(standard) = activation.standard() {
        return Ok(Activation::Standard(standard));
    }
    let library = activation.definition.as_deref().filter(|_| activation.is_standard);
    let named = (activation.name().to_string(), library);
    Ok(Activation::Defined(Box::new(defined(trained, index, Part::Activation, named)?)))
}

fn no_counterpart(what: &str, name: &str, layer: &str) -> Refusal {
    Refusal {
        code: "E0597",
        message: format!("no form has words for the {what} `{name}` of `{layer}` yet"),
        help: "predict with `gmpc predict`, or export a network of the older stages and activations".into(),
    }
}

/// The formula of a definition; `library` is it where it is one of the library's.
fn defined(
    trained: &Trained<'_>,
    index: usize,
    part: Part,
    (name, library): (String, Option<&Instance>),
) -> Result<Defined, Refusal> {
    let layer = &trained.net.layers[index];
    let alone = alone_of(trained, index, part)?;
    let tensors = own_tensors(trained, layer, &alone);
    let closed = Formula::closed(&alone, &layer.name, &tensors)?;
    let schedule = schedule(&closed)?;
    let of = |(name, value): (&String, &Value)| Some((name.clone(), number(value)?));
    let arguments = library.into_iter().flat_map(|library| &library.arguments).filter_map(of).collect();
    Ok(Defined { name, is_standard: library.is_some(), arguments, alone, tensors, closed, schedule })
}

fn alone_of(trained: &Trained<'_>, index: usize, part: Part) -> Result<Alone, Refusal> {
    let found = alone(trained.net, index, part).map_err(|error| Refusal::inside(error.message))?;
    found.ok_or_else(|| Refusal::inside("a layer has no definition"))
}

/// The tensors of the states of a computation, by their names within the layer.
fn own_tensors(trained: &Trained<'_>, layer: &net::Layer, alone: &Alone) -> Tensors {
    let own = |name: &String| Some((within(&layer.name, name).to_string(), trained.tensors.get(name)?.clone()));
    alone.graph.states.iter().filter_map(|state| own(&state.name)).collect()
}

/// Padding after the image, that its windows see: rows below and columns to the right.
#[must_use]
pub fn after(window: &Window, input: &[usize], result: &[usize]) -> [usize; 2] {
    std::array::from_fn(|axis| {
        let (size, before) = (input.get(axis + 1).copied().unwrap_or(0), window.before[axis]);
        let results = result.get(axis + 1).copied().unwrap_or(1);
        window.padded(axis, size, results).map_or(0, |padded| padded.saturating_sub(size + before))
    })
}

/// `(byte / 255 - mean) / deviation` as `byte * factor + shift`, one of each a channel; 0 where the deviation is 0.
#[must_use]
pub fn pixels(mean: &[f64], deviation: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let one = |(mean, deviation): (&f64, &f64)| match *deviation {
        0.0 => (0.0, 0.0),
        deviation => (1.0 / (255.0 * deviation), -mean / deviation),
    };
    mean.iter().zip(deviation).map(one).unzip()
}

/// What each byte of each channel stands for, `[channels, 256]`: `(byte / 255 - mean) / deviation`; 0 where the deviation is 0.
#[must_use]
pub fn byte_values(mean: &[f64], deviation: &[f64]) -> Vec<f64> {
    let number = |(mean, deviation): (&f64, &f64), byte: u8| match *deviation {
        0.0 => 0.0,
        deviation => (f64::from(byte) / 255.0 - mean) / deviation,
    };
    let of = |channel| (0..=255).map(move |byte| number(channel, byte));
    mean.iter().zip(deviation).flat_map(of).collect()
}

/// To the nearest f32, once.
#[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest f32 is what is wanted")]
#[must_use]
pub fn single(number: f64) -> f32 {
    number as f32
}
