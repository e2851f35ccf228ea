//! The prediction of one row, layer by layer, with the constants and the functions that it needs.

use super::header::has_feature_names;
use super::helpers::Helper;
use super::{Weights, Words};
use crate::names::c_string;
use crate::network::{Activation, Layer, Network, Op, Preparation, Unit, byte_values, single};
use crate::plan::{Plan, owner, plan};
use gmpc_compiler::ir::net::{Arithmetic, Connection, Standard};
use gmpc_compiler::ir::window::Window;
use gmpc_compiler::math::Precision;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Numbers on a line.
const ON_A_LINE: usize = 8;

/// The parts of a source that depend on the network.
pub(super) struct Body<'a> {
    network: &'a Network,
    words: &'a Words,
    plan: Plan,
    used: BTreeSet<Helper>,
    constants: String,
    /// With a file of weights: its numbers so far, and the lines that say where each array begins in it.
    beside: Option<(Vec<f64>, String)>,
    /// The statements for one row.
    row: String,
}

/// A window and the shapes on both sides of it.
pub(super) struct Sizes<'a> {
    pub window: &'a Window,
    pub input: &'a [usize],
    pub result: &'a [usize],
}

/// The text of each part.
pub(super) struct Written {
    /// Numbers of the file beside, if that is wanted.
    pub weights: Option<Vec<f64>>,
    pub constants: String,
    pub helpers: String,
    pub functions: String,
}

impl<'a> Body<'a> {
    pub(super) fn new(network: &'a Network, words: &'a Words, weights: Weights) -> Self {
        let (used, constants, row) = (BTreeSet::new(), String::new(), String::new());
        let beside = (weights == Weights::Beside).then(|| (vec![], String::new()));
        Body { network, words, plan: plan(network), used, constants, beside, row }
    }

    /// Writes every part: the statements of all layers first, because they say which helpers and constants are needed.
    pub(super) fn written(mut self) -> Written {
        self.prepare();
        for index in 1..self.network.layers.len() {
            self.layer(index);
        }
        self.finish();
        let mut functions = self.predict();
        if !self.network.outputs.classes.is_empty() {
            functions.push_str(&self.classes());
        }
        let network = self.network;
        if has_feature_names(network) {
            self.names("feature_names", &network.inputs.names);
        }
        let s = self.suffix();
        let helpers = self.used.iter().map(|helper| helper.text(s)).collect();
        let weights = self.beside.map(|(numbers, _)| numbers);
        Written { weights, constants: self.constants, helpers, functions }
    }

    /// The ending of mathematical functions: `tanhf` for `float`.
    pub(super) fn suffix(&self) -> &'static str {
        match self.network.precision {
            Precision::F32 => "f",
            Precision::F64 => "",
        }
    }

    /// From the row that comes in to what the first layer takes.
    fn prepare(&mut self) {
        let inputs: usize = self.network.inputs.shape.iter().product();
        let to = self.value(0);
        match self.network.preparation().clone() {
            Preparation::None => self.each(inputs, &format!("({to})[i] = in[i];")),
            Preparation::Table { mean, deviation } => {
                // A constant column becomes 0, whatever stands in it.
                self.doubles("mean", &mean);
                self.doubles("deviation", &deviation);
                let scaled = "deviation[i] == 0 ? 0 : (number)((in[i] - mean[i]) / deviation[i])";
                self.each(inputs, &format!("({to})[i] = {scaled};"));
            }
            Preparation::Images { mean, deviation } => {
                let table = byte_values(&mean, &deviation);
                self.constant("pixels", &table, "what each byte of each channel stands for");
                let area = inputs / mean.len().max(1);
                self.each(inputs, &format!("({to})[i] = pixels[i / {area} * 256 + in[i]];"));
            }
        }
    }

    fn layer(&mut self, index: usize) {
        let network = self.network;
        let layer = &network.layers[index];
        let operands: Vec<String> = layer.inputs.iter().map(|&input| self.value(input)).collect();
        let input = layer.inputs.first().map_or(&[][..], |&input| &network.layers[input].shape);
        let (to, count) = (self.value(index), layer.shape.iter().product());
        let Some(x) = operands.first() else { return };
        // Dropout and flatten write no statement, so they get no heading either.
        if owner(network, index) == index {
            let _ = writeln!(self.row, "        /* {} */", layer.name);
        }
        match &layer.op {
            Op::Input | Op::Dropout { .. } | Op::Flatten => {}
            Op::Unit(unit) => self.unit(index, layer, unit, x, input),
            Op::Activation(Activation::Standard(activation)) => {
                // An activation works in place, and `x` may have other users.
                self.each(count, &format!("({to})[i] = ({x})[i];"));
                self.standard(*activation, &to, count);
            }
            Op::Activation(Activation::Defined(defined)) | Op::Defined(defined) => {
                self.formula(defined, &index.to_string(), [x, &to], &layer.name);
            }
            Op::Arithmetic(operation) => {
                let other = operands.get(1).unwrap_or(x);
                self.each(count, &format!("({to})[i] = ({x})[i] {} ({other})[i];", sign(*operation)));
            }
            Op::Scaled { operation, number, number_first } => {
                let (number, x) = (self.literal(*number), format!("({x})[i]"));
                let (a, b) = if *number_first { (number, x) } else { (x, number) };
                self.each(count, &format!("({to})[i] = {a} {} {b};", sign(*operation)));
            }
            Op::Concat => self.concat(layer, &operands, &to),
            Op::MaxPool(window) => {
                let name = self.window(&index.to_string(), &Sizes { window, input, result: &layer.shape });
                self.call(Helper::LargestOfWindows, &format!("largest_of_windows(&{name}, {x}, {to});"));
            }
            Op::AvgPool(window) => {
                let name = self.window(&index.to_string(), &Sizes { window, input, result: &layer.shape });
                self.call(Helper::MeansOfWindows, &format!("means_of_windows(&{name}, {x}, {to});"));
            }
            Op::GlobalAvgPool => {
                let (channels, area) = channels_and_area(input);
                self.call(Helper::MeansOfChannels, &format!("means_of_channels({x}, {channels}, {area}, {to});"));
            }
            Op::MeanNorm { mean, .. } => {
                let name = self.constant(&format!("mean_{index}"), mean, &layer.name);
                self.by_channel(Helper::SubtractEach, "subtract_each", [x, &to], &name, &layer.shape);
            }
        }
    }

    fn unit(&mut self, index: usize, layer: &Layer, unit: &Unit, x: &str, input: &[usize]) {
        let (to, plain) = (self.value(index), &unit.plain);
        let units = unit.product.units();
        let offset = self.constant(&format!("offset_{index}"), &plain.offset, &layer.name);
        match &unit.product {
            Connection::Dense { .. } => {
                let inputs = plain.weight.data.len() / units.max(1);
                // `dense` reads the weights of one input for all units: they must lie side by side.
                let by_input: Vec<f64> =
                    (0..inputs).flat_map(|i| (0..units).map(move |u| plain.weight.data[u * inputs + i])).collect();
                let weight = self.constant(&format!("weight_{index}"), &by_input, &layer.name);
                self.call(Helper::Dense, &format!("dense({x}, {inputs}, {weight}, {offset}, {units}, {to});"));
            }
            Connection::Convolution(of) => {
                let weight = self.constant(&format!("weight_{index}"), &plain.weight.data, &layer.name);
                let centre = match plain.centre.is_empty() {
                    true => "NULL".to_string(),
                    false => self.constant(&format!("centre_{index}"), &plain.centre, &layer.name),
                };
                let window =
                    self.window(&index.to_string(), &Sizes { window: &of.window, input, result: &layer.shape });
                self.call(Helper::Convolve, &format!("convolve(&{window}, {x}, {weight}, {offset}, {centre}, {to});"));
            }
        }
        // What is left of scale and shift stands outside of the activation, where no weight can take it in.
        match &unit.activation {
            Activation::Standard(activation) => self.standard(*activation, &to, layer.shape.iter().product()),
            Activation::Defined(defined) => self.formula(defined, &format!("act_{index}"), [&to, &to], &layer.name),
        }
        if !plain.scale.is_empty() {
            let name = self.constant(&format!("scale_{index}"), &plain.scale, &layer.name);
            self.by_channel(Helper::MultiplyEach, "multiply_each", [&to, &to], &name, &layer.shape);
        }
        if !plain.shift.is_empty() {
            let name = self.constant(&format!("shift_{index}"), &plain.shift, &layer.name);
            self.by_channel(Helper::AddEach, "add_each", [&to, &to], &name, &layer.shape);
        }
    }

    /// Applies an activation in place.
    fn standard(&mut self, activation: Standard, value: &str, count: usize) {
        let s = self.suffix();
        let (helper, call) = match activation {
            Standard::Identity => return,
            Standard::Relu => (Some(Helper::Relu), format!("relu(({value})[i])")),
            Standard::LeakyRelu(slope) => {
                (Some(Helper::LeakyRelu), format!("leaky_relu(({value})[i], {})", self.literal(slope)))
            }
            Standard::Tanh => (None, format!("tanh{s}(({value})[i])")),
            Standard::Sigmoid => (Some(Helper::Sigmoid), format!("sigmoid(({value})[i])")),
            Standard::Gelu => (Some(Helper::Gelu), format!("gelu(({value})[i])")),
            Standard::Softplus => (Some(Helper::Softplus), format!("softplus(({value})[i])")),
        };
        self.used.extend(helper);
        self.each(count, &format!("({value})[i] = {call};"));
    }

    fn concat(&mut self, layer: &Layer, operands: &[String], to: &str) {
        let (network, mut from) = (self.network, 0);
        for (&input, operand) in layer.inputs.iter().zip(operands) {
            let count: usize = network.layers[input].shape.iter().product();
            self.each(count, &format!("({to})[i + {from}] = ({operand})[i];"));
            from += count;
        }
    }

    /// Calls a helper with one number for each feature or channel.
    fn by_channel(&mut self, helper: Helper, name: &str, [from, to]: [&str; 2], numbers: &str, shape: &[usize]) {
        let (channels, area) = channels_and_area(shape);
        self.call(helper, &format!("{name}({from}, {channels}, {area}, {numbers}, {to});"));
    }

    fn finish(&mut self) {
        let network = self.network;
        let (from, width) = (self.value(network.output), network.outputs.width);
        match network.output_scale() {
            Some(scale) => {
                let factor = self.constant("output_deviation", &scale.factor, "back to the units of the data");
                let shift = self.constant("output_mean", &scale.shift, "back to the units of the data");
                self.each(width, &format!("out[i] = ({from})[i] * {factor}[i] + {shift}[i];"));
            }
            None => self.each(width, &format!("out[i] = ({from})[i];")),
        }
    }

    fn predict(&self) -> String {
        let Words { prefix, upper, .. } = self.words;
        let (given, or_none, arrays) = match &self.beside {
            Some((_, arrays)) => (format!(", const {prefix}_number *weights"), " || weights == NULL", arrays.as_str()),
            None => (String::new(), "", ""),
        };
        format!(
            "
int {prefix}_predict(const {prefix}_input *x, size_t rows, {prefix}_number *y, {prefix}_number *scratch{given})
{{
    if (x == NULL || y == NULL || scratch == NULL{or_none}) {{
        return 1;
    }}
{arrays}    for (size_t row = 0; row < rows; row++) {{
        const {prefix}_input *const in = x + row * {upper}_INPUTS;
        {prefix}_number *const out = y + row * {upper}_OUTPUTS;
{}    }}
    return 0;
}}

unsigned {prefix}_abi(void)
{{
    return {upper}_ABI;
}}
",
            self.row
        )
    }

    fn classes(&mut self) -> String {
        let (network, Words { prefix, upper, .. }) = (self.network, self.words);
        self.names("class_names", &network.outputs.classes);
        if network.outputs.width == 1 {
            self.used.insert(Helper::Sigmoid);
            return format!(
                "
size_t {prefix}_class(const {prefix}_number *scores)
{{
    return scores[0] > 0;
}}

void {prefix}_probabilities(const {prefix}_number *scores, size_t rows, {prefix}_number *probabilities)
{{
    for (size_t row = 0; row < rows; row++) {{
        probabilities[row * {upper}_CLASSES] = sigmoid(-scores[row]);
        probabilities[row * {upper}_CLASSES + 1] = sigmoid(scores[row]);
    }}
}}
"
            );
        }
        let s = self.suffix();
        format!(
            "
size_t {prefix}_class(const {prefix}_number *scores)
{{
    size_t best = 0;
    for (size_t i = 1; i < {upper}_OUTPUTS; i++) {{
        best = scores[i] > scores[best] ? i : best;
    }}
    return best;
}}

void {prefix}_probabilities(const {prefix}_number *scores, size_t rows, {prefix}_number *probabilities)
{{
    for (size_t row = 0; row < rows; row++) {{
        const number *const from = scores + row * {upper}_OUTPUTS;
        number *const to = probabilities + row * {upper}_OUTPUTS;
        const number largest = from[{prefix}_class(from)];
        number sum = 0;
        for (size_t i = 0; i < {upper}_OUTPUTS; i++) {{
            to[i] = exp{s}(from[i] - largest);
            sum += to[i];
        }}
        for (size_t i = 0; i < {upper}_OUTPUTS; i++) {{
            to[i] /= sum;
        }}
    }}
}}
"
        )
    }

    fn names(&mut self, what: &str, names: &[String]) {
        let prefix = &self.words.prefix;
        let lines: String = names.iter().map(|name| format!("    {},\n", c_string(name))).collect();
        let _ = write!(self.constants, "\nconst char *const {prefix}_{what}[{}] = {{\n{lines}}};\n", names.len());
    }

    /// The helper has to be written.
    pub(super) fn used(&mut self, helper: Helper) {
        self.used.insert(helper);
    }

    /// Statements for a row.
    pub(super) fn append(&mut self, statements: &str) {
        self.row.push_str(statements);
    }

    /// Numbers of scratch memory that the values of layers take.
    pub(super) fn values(&self) -> usize {
        self.plan.size
    }

    /// Was a constant of this name written?
    pub(super) fn has_constant(&self, name: &str) -> bool {
        let arrays = self.beside.as_ref().map_or("", |(_, arrays)| arrays);
        arrays.contains(&format!("*const {name} = ")) || self.constants.contains(&format!(" {name}["))
    }

    /// A layer's value in scratch memory.
    fn value(&self, layer: usize) -> String {
        match self.plan.places[layer] {
            0 => "scratch".to_string(),
            place => format!("scratch + {place}"),
        }
    }

    /// A statement for each `i` below `count`.
    fn each(&mut self, count: usize, statement: &str) {
        let statement = statement.replace("(scratch)[", "scratch[");
        let _ =
            write!(self.row, "        for (size_t i = 0; i < {count}; i++) {{\n            {statement}\n        }}\n");
    }

    pub(super) fn call(&mut self, helper: Helper, statement: &str) {
        self.used.insert(helper);
        let _ = writeln!(self.row, "        {statement}");
    }

    /// A window as a constant; gives its name, which ends with `of`.
    pub(super) fn window(&mut self, of: &str, sizes: &Sizes<'_>) -> String {
        self.used.insert(Helper::Window);
        let name = format!("window_{of}");
        let (image, of) = (triple(sizes.input), triple(sizes.result));
        let Window { kernel: [kh, kw], stride: [down, right], before: [top, left] } = *sizes.window;
        let numbers = [image, of, [kh, kw, down]].concat();
        let numbers: Vec<String> = numbers.into_iter().chain([right, top, left]).map(|n| n.to_string()).collect();
        let _ = writeln!(self.row, "        static const struct window {name} = {{{}}};", numbers.join(", "));
        name
    }

    /// An array of numbers with a comment, in the source or beside; gives its name.
    pub(super) fn constant(&mut self, name: &str, numbers: &[f64], about: &str) -> String {
        if let Some((all, arrays)) = &mut self.beside {
            let _ = writeln!(arrays, "    const number *const {name} = weights + {}; /* {about} */", all.len());
            all.extend(numbers);
            return name.to_string();
        }
        let literals: Vec<String> = numbers.iter().map(|&number| self.literal(number)).collect();
        self.array("number", name, &literals, about);
        name.to_string()
    }

    fn doubles(&mut self, name: &str, numbers: &[f64]) {
        let literals: Vec<String> = numbers.iter().map(|&number| double(number)).collect();
        self.array("double", name, &literals, "of the inputs");
    }

    fn array(&mut self, kind: &str, name: &str, literals: &[String], about: &str) {
        let lines: String = literals.chunks(ON_A_LINE).map(|line| format!("    {},\n", line.join(", "))).collect();
        let _ = write!(
            self.constants,
            "\n/* {about} */\nstatic const {kind} {name}[{}] = {{\n{lines}}};\n",
            literals.len()
        );
    }

    /// A number in the network's precision, to its last bit.
    pub(super) fn literal(&self, number: f64) -> String {
        match self.network.precision {
            Precision::F64 => double(number),
            Precision::F32 => match single(number) {
                rounded if rounded.is_finite() => format!("{rounded:e}f"),
                rounded => double(f64::from(rounded)),
            },
        }
    }
}

fn double(number: f64) -> String {
    match number {
        number if number.is_finite() => format!("{number:e}"),
        number if number.is_nan() => "NAN".to_string(),
        number if number > 0.0 => "INFINITY".to_string(),
        _ => "-INFINITY".to_string(),
    }
}

fn sign(operation: Arithmetic) -> &'static str {
    match operation {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
    }
}

/// Of `[features]` or `[channels, height, width]`.
fn channels_and_area(shape: &[usize]) -> (usize, usize) {
    (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product())
}

/// Channels, height and width.
fn triple(shape: &[usize]) -> [usize; 3] {
    std::array::from_fn(|axis| shape.get(axis).copied().unwrap_or(1))
}
