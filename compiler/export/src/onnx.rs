//! ONNX: one file, IR version 8 and operator set 17, which every runtime since 2022 reads.
//!
//! - Layers stand one by one under their own names, images as `[batch, channels, height, width]`; the batch is symbolic.
//! - Parameterizations are folded, dropout and running statistics are gone: nothing in the file behaves differently in training.
//! - Padding is written out for every side, never `auto_pad`. Average pools pad by a node of their own, because runtimes disagree about
//!   what padding inside the pool counts for.
//! - Scaling of inputs and targets and normalization of pixels are nodes of the graph. A table's numbers are scaled in double precision
//!   and rounded then, as `gmpc predict` does: a year of 2025 and its deviation of 3 leave little of a single precision number.
//! - Regression has the output `prediction`; classification has `scores` and `probabilities`.

mod build;
mod evaluate;
mod formula;
mod layers;
mod message;
mod print;

pub use evaluate::evaluate;
pub use print::print;

use crate::facts::{input, metadata, output};
use crate::network::{Network, Preparation, pixels};
use crate::refusal::Refusal;
use build::{Builder, channels};
use message::{Graph, Model, OperatorSet, Pair, ValueInfo, element};
use prost::Message;

/// Readers check it first.
const IR_VERSION: i64 = 8;
/// Of the operators; no domain but ONNX' own.
const OPSET: i64 = 17;
/// A protobuf message ends here: readers refuse more.
const MOST_BYTES: usize = (1 << 31) - 1;

/// The one input.
pub const INPUT: &str = "input";
/// The output of a regression.
pub const PREDICTION: &str = "prediction";
/// The output of a classification, before softmax; with two classes it may be a single number.
pub const SCORES: &str = "scores";
/// One number a class, adding up to 1.
pub const PROBABILITIES: &str = "probabilities";

/// The network as an ONNX file.
///
/// # Errors
/// E0593: it would be larger than a protobuf message may be.
pub fn write(network: &Network) -> Result<Vec<u8>, Refusal> {
    let mut builder = Builder::new(network, [INPUT, PREDICTION, SCORES, PROBABILITIES]);
    let first = prepare(&mut builder, network);
    // Layers come after their operands, and the first is the input: every operand has a name when it is needed.
    let mut values = vec![first];
    for index in 1..network.layers.len() {
        let value = layers::layer(&mut builder, network, index, &values);
        values.push(value);
    }
    let outputs = finish(&mut builder, network, &values[network.output]);
    let shape: &[usize] = &network.inputs.shape;
    let graph = Graph {
        node: builder.nodes,
        name: network.name.clone(),
        initializer: builder.constants,
        doc_string: format!("{}. {}.", sentence(&input(network)), sentence(&output(network))),
        input: vec![ValueInfo::batch(INPUT, input_element(network), shape)],
        output: outputs.iter().map(|(name, width)| ValueInfo::batch(name, element::FLOAT, &[*width])).collect(),
    };
    let pair = |(key, value)| Pair { key, value };
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "gmpc".into(),
        producer_version: network.facts.gmpc.clone(),
        doc_string: format!("{}, trained by gmpc", network.name),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: metadata(network).into_iter().map(pair).collect(),
    };
    // Asked before anything is encoded: the message may have gigabytes.
    let bytes = model.encoded_len();
    if bytes > MOST_BYTES {
        return Err(Refusal {
            code: "E0593",
            message: format!("the ONNX file would have {bytes} bytes, and protobuf messages end at {MOST_BYTES}"),
            help: "export it as `c` or `torch`".into(),
        });
    }
    Ok(model.encode_to_vec())
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Type of the input's numbers.
fn input_element(network: &Network) -> i32 {
    match network.preparation() {
        Preparation::None => element::FLOAT,
        Preparation::Table { .. } => element::DOUBLE,
        Preparation::Images { .. } => element::UINT8,
    }
}

/// From the input to what the first layer takes.
fn prepare(builder: &mut Builder, network: &Network) -> String {
    match network.preparation() {
        Preparation::None => INPUT.to_string(),
        Preparation::Table { mean, deviation } => {
            // A constant column becomes 0, whatever stands in it: divided by infinity.
            let deviation: Vec<f64> = deviation.iter().map(|d| if *d == 0.0 { f64::INFINITY } else { *d }).collect();
            let mean = builder.doubles("input.mean", mean);
            let deviation = builder.doubles("input.deviation", &deviation);
            let centred = builder.node("Sub", "input/centred", &[INPUT, &mean], vec![]);
            let scaled = builder.node("Div", "input/scaled", &[&centred, &deviation], vec![]);
            builder.cast("input/single", &scaled)
        }
        Preparation::Images { mean, deviation } => {
            let (factor, shift) = pixels(mean, deviation);
            let shape = channels(factor.len(), 3);
            let factor = builder.floats("input.factor", &shape, &factor);
            let shift = builder.floats("input.shift", &shape, &shift);
            let number = builder.cast("input/number", INPUT);
            let scaled = builder.node("Mul", "input/scaled", &[&number, &factor], vec![]);
            builder.node("Add", "input/normalized", &[&scaled, &shift], vec![])
        }
    }
}

/// The outputs from the last layer's value: names and widths.
fn finish(builder: &mut Builder, network: &Network, last: &str) -> Vec<(String, usize)> {
    let mut value = last.to_string();
    if let Some(scale) = network.output_scale() {
        let width = [network.outputs.width];
        let factor = builder.floats("output.deviation", &width, &scale.factor);
        let shift = builder.floats("output.mean", &width, &scale.shift);
        value = builder.node("Mul", "output/scaled", &[&value, &factor], vec![]);
        value = builder.node("Add", "output/shifted", &[&value, &shift], vec![]);
    }
    if network.outputs.classes.is_empty() {
        builder.named("Identity", PREDICTION, &[&value], vec![]);
        return vec![(PREDICTION.to_string(), network.outputs.width)];
    }
    builder.named("Identity", SCORES, &[&value], vec![]);
    let classes = if network.outputs.width == 1 {
        // One score s for two classes: their probabilities are 1 - sigmoid(s) and sigmoid(s).
        let minus = builder.node("Neg", "probabilities/minus", &[&value], vec![]);
        let both = builder.node("Concat", "probabilities/both", &[&minus, &value], vec![message::int("axis", 1)]);
        builder.named("Sigmoid", PROBABILITIES, &[&both], vec![]);
        2
    } else {
        builder.named("Softmax", PROBABILITIES, &[&value], vec![message::int("axis", 1)]);
        network.outputs.width
    };
    vec![(SCORES.to_string(), network.outputs.width), (PROBABILITIES.to_string(), classes)]
}
