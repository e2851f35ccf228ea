//! The text of the module, and with each line of it what the state dict holds.

use super::classes::Class;
use super::definition::definition;
use super::kept::{Base, Kept, kept};
use super::known::{known, norm};
use super::state::{Kind, State};
use crate::facts::{input, output};
use crate::formula::Formula;
use crate::names::{MODULE, PYTHON, Taken, python_number, python_string, word};
use crate::network::{Activation, Defined, Layer, Network, Op, Preparation, Unit, after, pixels};
use crate::refusal::Refusal;
use gmpc_compiler::graphs::alone::Alone;
use gmpc_compiler::graphs::convert::Tensors;
use gmpc_compiler::ir::net::{Arithmetic, Connection, Standard};
use gmpc_compiler::ir::window::Window;
use gmpc_compiler::math::Precision;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A module that grows.
struct Module<'a> {
    network: &'a Network,
    fold: bool,
    /// What a layer is called: an attribute, and a variable of `forward`.
    names: Vec<String>,
    taken: Taken,
    used: BTreeSet<Class>,
    /// Classes of definitions: their names, and their texts without them.
    definitions: Vec<(String, String)>,
    /// Lines of `__init__`.
    init: Vec<String>,
    /// Lines of `forward`.
    forward: Vec<String>,
    state: State,
}

/// The text and the state dict.
pub(super) fn module(network: &Network, fold: bool) -> Result<(String, State), Refusal> {
    let mut taken = Taken::with(PYTHON.split_whitespace().chain(MODULE.split_whitespace()));
    let mut names: Vec<String> = network.layers.iter().map(|layer| taken.free(word(&layer.name))).collect();
    if let Some(first) = names.first_mut() {
        *first = "x".into();
    }
    let (used, init, forward) = (BTreeSet::new(), vec![], vec![]);
    let (definitions, state) = (vec![], State::default());
    let mut module = Module { network, fold, names, taken, used, definitions, init, forward, state };
    module.prepare();
    for index in 1..network.layers.len() {
        module.layer(index)?;
    }
    module.finish();
    Ok((module.text(), module.state))
}

impl Module<'_> {
    fn prepare(&mut self) {
        let network = self.network;
        let to = self.cast();
        match network.preparation() {
            Preparation::None => self.forward.push(format!("x = x.{to}()")),
            Preparation::Table { mean, deviation } => {
                // A constant column becomes 0, whatever stands in it: divided by infinity.
                let deviation: Vec<f64> =
                    deviation.iter().map(|d| if *d == 0.0 { f64::INFINITY } else { *d }).collect();
                let mut names = vec![];
                for (name, numbers) in [("input_mean", mean), ("input_deviation", &deviation)] {
                    let name = self.taken.free(name);
                    let count = numbers.len();
                    self.init
                        .push(format!("self.register_buffer(\"{name}\", torch.zeros({count}, dtype=torch.float64))"));
                    self.state.add(name.as_str(), Kind::Double, &[count], numbers);
                    names.push(name);
                }
                self.forward.push(format!("x = ((x.double() - self.{}) / self.{}).{to}()", names[0], names[1]));
            }
            Preparation::Images { mean, deviation } => {
                let (factor, shift) = pixels(mean, deviation);
                let [factor, shift] = [("pixel_factor", factor), ("pixel_shift", shift)]
                    .map(|(name, numbers)| self.buffer(name, &numbers, 3));
                self.forward.push(format!("x = x.{to}() * self.{factor} + self.{shift}"));
            }
        }
    }

    fn layer(&mut self, index: usize) -> Result<(), Refusal> {
        let network = self.network;
        let layer = &network.layers[index];
        let operands: Vec<String> = layer.inputs.iter().map(|&input| self.names[input].clone()).collect();
        let input = layer.inputs.first().map_or(&[][..], |&input| &network.layers[input].shape);
        let Some(x) = operands.first() else { return Ok(()) };
        let name = self.names[index].clone();
        let value = match &layer.op {
            Op::Input => return Ok(()),
            // A unit may need several lines, so it writes its own.
            Op::Unit(unit) => return self.unit(&name, layer, unit, x, input),
            Op::Activation(activation) => self.applied(&name, layer, activation, x)?,
            Op::Defined(defined) if self.library(&name, layer, defined) => format!("self.{name}({x})"),
            Op::Defined(defined) => {
                let class = self.define(&name, layer, &defined.name, (&defined.alone, &defined.tensors))?;
                self.init.push(format!("self.{name} = {class}()"));
                format!("self.{name}({x})")
            }
            Op::Arithmetic(operation) => operands.join(&format!(" {} ", sign(*operation))),
            Op::Scaled { operation, number, number_first } => {
                let (a, b) = if *number_first {
                    (python_number(*number), x.clone())
                } else {
                    (x.clone(), python_number(*number))
                };
                format!("{a} {} {b}", sign(*operation))
            }
            Op::Concat => format!("torch.cat([{}], dim=1)", operands.join(", ")),
            Op::Flatten => format!("torch.flatten({x}, 1)"),
            Op::MaxPool(window) => pool("max_pool2d", x, window, after(window, input, &layer.shape), "float(\"-inf\")"),
            Op::AvgPool(window) => pool("avg_pool2d", x, window, after(window, input, &layer.shape), "0"),
            Op::GlobalAvgPool => format!("{x}.mean(dim=(2, 3))"),
            // Dropout and means stay modules: the network can be trained further.
            Op::Dropout { probability } => {
                self.init.push(format!("self.{name} = nn.Dropout({probability:?})"));
                format!("self.{name}({x})")
            }
            Op::MeanNorm { mean, momentum } => {
                self.mean(&name, mean, *momentum);
                format!("self.{name}({x})")
            }
        };
        self.forward.push(format!("{name} = {value}"));
        Ok(())
    }

    fn unit(&mut self, name: &str, layer: &Layer, unit: &Unit, x: &str, input: &[usize]) -> Result<(), Refusal> {
        match kept(unit) {
            _ if self.fold => self.folded(name, layer, unit, x, input),
            Some(kept) => self.kept(name, layer, unit, x, input, kept),
            None => {
                let title = format!("{} with its activation", unit.param);
                let class = self.define(name, layer, &title, (&unit.alone, &unit.tensors))?;
                self.init.push(format!("self.{name} = {class}()"));
                self.forward.push(format!("{name} = self.{name}({x})"));
                Ok(())
            }
        }
    }

    /// A class for a definition, and its tensors under `prefix`. Layers whose classes read the same share one.
    fn define(
        &mut self,
        prefix: &str,
        layer: &Layer,
        title: &str,
        (alone, tensors): (&Alone, &Tensors),
    ) -> Result<String, Refusal> {
        let formula = Formula::open(alone, &layer.name, tensors)?;
        let definition = definition(&plain(title), &formula);
        self.used.extend(definition.uses);
        for (attribute, state) in definition.attributes {
            self.state.add(format!("{prefix}.{attribute}"), Kind::Number, &state.tensor.shape, &state.tensor.data);
        }
        if let Some((name, _)) = self.definitions.iter().find(|(_, text)| *text == definition.text) {
            return Ok(name.clone());
        }
        let first = title.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let name = self.taken.free(class_name(first));
        self.definitions.push((name.clone(), definition.text));
        Ok(name)
    }

    /// A stage of the library as PyTorch's own module, where it has one.
    fn library(&mut self, name: &str, layer: &Layer, defined: &Defined) -> bool {
        let Some((call, keys)) = norm(defined, &layer.shape) else { return false };
        self.init.push(format!("self.{name} = {call}"));
        for (key, tensor) in keys {
            if let Some(tensor) = defined.tensors.get(*tensor) {
                self.state.row(format!("{name}.{key}"), &tensor.data);
            }
        }
        if defined.name == "batch_norm" {
            self.state.add(format!("{name}.num_batches_tracked"), Kind::Whole, &[], &[0.0]);
        }
        true
    }

    /// An activation of a value, as an expression.
    fn applied(&mut self, name: &str, layer: &Layer, of: &Activation, value: &str) -> Result<String, Refusal> {
        let defined = match of {
            Activation::Standard(standard) => return Ok(applied(*standard, value)),
            Activation::Defined(defined) => defined,
        };
        if let Some((function, _)) = known(defined) {
            return Ok(function.replace('$', value));
        }
        let attribute = self.taken.free(format!("{name}_act"));
        let module = self.activation_module(&attribute, layer, of)?;
        self.init.push(format!("self.{attribute} = {module}"));
        Ok(format!("self.{attribute}({value})"))
    }

    /// An activation as a module, whose tensors have names that begin with `prefix`.
    fn activation_module(&mut self, prefix: &str, layer: &Layer, of: &Activation) -> Result<String, Refusal> {
        let defined = match of {
            Activation::Standard(standard) => return Ok(activation_module(*standard)),
            Activation::Defined(defined) => defined,
        };
        if let Some((_, module)) = known(defined) {
            return Ok(module);
        }
        if let Some((_, tensor)) = defined.tensors.iter().find(|_| defined.is_standard && defined.name == "prelu") {
            self.state.row(format!("{prefix}.weight"), &tensor.data);
            return Ok(format!("nn.PReLU({})", tensor.data.len()));
        }
        let class = self.define(prefix, layer, &defined.name, (&defined.alone, &defined.tensors))?;
        Ok(format!("{class}()"))
    }

    /// With the parameterization it was trained in.
    fn kept(
        &mut self,
        name: &str,
        layer: &Layer,
        unit: &Unit,
        x: &str,
        input: &[usize],
        kept: Kept,
    ) -> Result<(), Refusal> {
        let own = |tensor: &str| unit.tensors.get(tensor).map_or(&[][..], |tensor| &tensor.data);
        let mut x = x.to_string();
        if let Some(momentum) = kept.mn {
            let mean = self.taken.free(format!("{name}_mn"));
            self.mean(&mean, own("running_mean"), momentum);
            // The mean is subtracted before the product. Its result has the layer's name until the next line.
            self.forward.push(format!("{name} = self.{mean}({x})"));
            x = name.to_string();
        }
        match kept.base {
            Base::Plain => {
                let offset = unit.tensors.get("b").map(|tensor| tensor.data.as_slice());
                let weight = own("w").to_vec();
                let value = self.plain(name, unit, (&weight, offset), &x, (input, &layer.shape));
                let value = self.applied(name, layer, &unit.activation, &value)?;
                self.forward.push(format!("{name} = {value}"));
            }
            Base::Bn { eps, momentum } => self.bn(name, layer, unit, &x, input, (eps, momentum))?,
            Base::Wn => {
                self.own_module(Class::Wn, name, layer, unit, input, kept)?;
                self.state.add(format!("{name}.v"), Kind::Number, &unit.plain.weight.shape, own("v"));
                self.optional(name, unit, &[("l", "l"), ("b", "b")]);
                self.forward.push(format!("{name} = self.{name}({x})"));
            }
            Base::Gmp => {
                self.own_module(Class::Gmp, name, layer, unit, input, kept)?;
                let units = unit.product.units();
                let angles = own("theta").len() / units.max(1);
                self.state.add(format!("{name}.theta"), Kind::Number, &[units, angles], own("theta"));
                // `lambda` is a reserved word of Python.
                self.optional(name, unit, &[("lambda", "lambda_"), ("r", "r"), ("sign", "sign")]);
                self.forward.push(format!("{name} = self.{name}({x})"));
            }
        }
        Ok(())
    }

    /// Adds those of these tensors that the unit has, each under its name in the state dict.
    fn optional(&mut self, name: &str, unit: &Unit, rows: &[(&str, &str)]) {
        for (tensor, key) in rows {
            if let Some(tensor) = unit.tensors.get(*tensor) {
                self.state.row(format!("{name}.{key}"), &tensor.data);
            }
        }
    }

    /// `self.hidden = Gmp((100, 13), nn.ReLU())`
    fn own_module(
        &mut self,
        class: Class,
        name: &str,
        layer: &Layer,
        unit: &Unit,
        input: &[usize],
        kept: Kept,
    ) -> Result<(), Refusal> {
        self.used.insert(class);
        let shape: Vec<String> = unit.plain.weight.shape.iter().map(ToString::to_string).collect();
        let activation = self.activation_module(&format!("{name}.act"), layer, &unit.activation)?;
        let mut arguments = vec![format!("({})", shape.join(", ")), activation];
        let offset = if class == Class::Gmp { "lambda" } else { "b" };
        if !unit.tensors.contains_key(offset) {
            arguments.push("bias=False".into());
        }
        if let Some(momentum) = kept.mbn {
            self.used.insert(Class::Mean);
            arguments.push(format!("mbn=Mean({}, {momentum:?})", unit.product.units()));
            let mean = unit.tensors.get("running_mean").map_or(&[][..], |tensor| &tensor.data);
            self.state.row(format!("{name}.mbn.running_mean"), mean);
        }
        if let Connection::Convolution(of) = &unit.product {
            let window = &of.window;
            let ([top, left], [bottom, right]) = (window.before, after(window, input, &layer.shape));
            arguments.push(format!("stride={}", pair(window.stride)));
            // The four sides apart: padding of even windows is not the same before and behind.
            arguments.push(format!("pad=({left}, {right}, {top}, {bottom})"));
        }
        let called = if class == Class::Gmp { "Gmp" } else { "Wn" };
        self.init.push(format!("self.{name} = {called}({})", arguments.join(", ")));
        Ok(())
    }

    fn bn(
        &mut self,
        name: &str,
        layer: &Layer,
        unit: &Unit,
        x: &str,
        input: &[usize],
        (eps, momentum): (f64, f64),
    ) -> Result<(), Refusal> {
        let own = |tensor: &str| unit.tensors.get(tensor).map(|tensor| tensor.data.as_slice());
        let value = self.plain(name, unit, (own("w").unwrap_or_default(), None), x, (input, &layer.shape));
        let norm = self.taken.free(format!("{name}_norm"));
        let (axes, units) = (if input.len() == 3 { 2 } else { 1 }, unit.product.units());
        self.init.push(format!("self.{norm} = nn.BatchNorm{axes}d({units}, eps={eps:?}, momentum={momentum:?})"));
        if own("beta").is_none() {
            self.init.push(format!("self.{norm}.bias.requires_grad_(False)  # bias = false: it stays 0"));
        }
        // PyTorch's module has a bias in any case: zeros where the network has none.
        let zeros = vec![0.0; units];
        for (key, numbers) in
            [("weight", "gamma"), ("bias", "beta"), ("running_mean", "running_mean"), ("running_var", "running_var")]
        {
            self.state.row(format!("{norm}.{key}"), own(numbers).unwrap_or(&zeros));
        }
        self.state.add(format!("{norm}.num_batches_tracked"), Kind::Whole, &[], &[0.0]);
        let value = self.applied(name, layer, &unit.activation, &format!("self.{norm}({value})"))?;
        self.forward.push(format!("{name} = {value}"));
        Ok(())
    }

    /// With plain weights. What they cannot take in stands before the product or behind the activation.
    fn folded(&mut self, name: &str, layer: &Layer, unit: &Unit, x: &str, input: &[usize]) -> Result<(), Refusal> {
        let plain = &unit.plain;
        let mut x = x.to_string();
        if !plain.centre.is_empty() {
            let centre = self.buffer(&format!("{name}_centre"), &plain.centre, input.len());
            x = format!("{x} - self.{centre}");
        }
        let offset = unit.bias.then_some(plain.offset.as_slice());
        let value = self.plain(name, unit, (&plain.weight.data, offset), &x, (input, &layer.shape));
        let mut value = self.applied(name, layer, &unit.activation, &value)?;
        for (what, numbers, sign) in [("scale", &plain.scale, "*"), ("shift", &plain.shift, "+")] {
            if !numbers.is_empty() {
                let buffer = self.buffer(&format!("{name}_{what}"), numbers, layer.shape.len());
                value = format!("{value} {sign} self.{buffer}");
            }
        }
        self.forward.push(format!("{name} = {value}"));
        Ok(())
    }

    /// `nn.Linear` or `nn.Conv2d`; gives its call.
    fn plain(
        &mut self,
        name: &str,
        unit: &Unit,
        (weight, offset): (&[f64], Option<&[f64]>),
        x: &str,
        (input, result): (&[usize], &[usize]),
    ) -> String {
        let units = unit.product.units();
        let bias = if offset.is_some() { "" } else { ", bias=False" };
        let mut x = x.to_string();
        let fan_in = input.first().copied().unwrap_or(1);
        match &unit.product {
            Connection::Dense { .. } => self.init.push(format!("self.{name} = nn.Linear({fan_in}, {units}{bias})")),
            Connection::Convolution(of) => {
                let window = &of.window;
                let end = after(window, input, result);
                let mut arguments = String::new();
                // Arguments with their default value are left out, as a person would write it.
                if window.stride != [1, 1] {
                    let _ = write!(arguments, ", stride={}", pair(window.stride));
                }
                // `nn.Conv2d` pads both sides alike. Other padding comes before it.
                match window.before == end {
                    true if end == [0, 0] => {}
                    true => arguments.push_str(&format!(", padding={}", pair(end))),
                    false => x = padded(&x, window.before, end, "0"),
                }
                let kernel = pair(window.kernel);
                self.init.push(format!("self.{name} = nn.Conv2d({fan_in}, {units}, {kernel}{arguments}{bias})"));
            }
        }
        self.state.add(format!("{name}.weight"), Kind::Number, &unit.plain.weight.shape, weight);
        if let Some(offset) = offset {
            self.state.row(format!("{name}.bias"), offset);
        }
        format!("self.{name}({x})")
    }

    fn mean(&mut self, name: &str, mean: &[f64], momentum: f64) {
        self.used.insert(Class::Mean);
        self.init.push(format!("self.{name} = Mean({}, {momentum:?})", mean.len()));
        self.state.row(format!("{name}.running_mean"), mean);
    }

    /// A buffer with one number for each feature or channel of values with so many axes. Gives its name.
    fn buffer(&mut self, name: &str, numbers: &[f64], axes: usize) -> String {
        let name = self.taken.free(name);
        let (shape, sizes) = match axes {
            3 => (vec![numbers.len(), 1, 1], format!("{}, 1, 1", numbers.len())),
            _ => (vec![numbers.len()], numbers.len().to_string()),
        };
        self.init.push(format!("self.register_buffer(\"{name}\", torch.zeros({sizes}))"));
        self.state.add(name.as_str(), Kind::Number, &shape, numbers);
        name
    }

    fn finish(&mut self) {
        let network = self.network;
        let value = self.names[network.output].clone();
        let Some(scale) = network.output_scale() else { return self.forward.push(format!("return {value}")) };
        let factor = self.buffer("output_deviation", &scale.factor, 1);
        let shift = self.buffer("output_mean", &scale.shift, 1);
        self.forward.push(format!("return {value} * self.{factor} + self.{shift}"));
    }

    /// The method that converts to the network's precision.
    fn cast(&self) -> &'static str {
        match self.network.precision {
            Precision::F32 => "float",
            Precision::F64 => "double",
        }
    }

    fn text(&mut self) -> String {
        let network = self.network;
        let class = self.taken.free(class_name(&network.name));
        let mut text = self.docs();
        // Known when all layers are written: which classes are used, and what these use themselves.
        let needed: BTreeSet<Class> = self.used.iter().flat_map(|class| class.needs()).copied().collect();
        self.used.extend(needed);
        if self.used.contains(&Class::Gmp) {
            text.push_str("\nimport math");
        }
        text.push_str(
            "\nfrom pathlib import Path\n\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n",
        );
        for (what, names) in [("FEATURES", &network.inputs.names), ("CLASSES", &network.outputs.classes)] {
            if !names.is_empty() {
                let lines: String = names.iter().map(|name| format!("    {},\n", python_string(name))).collect();
                let _ = write!(text, "\n{what} = [\n{lines}]\n");
            }
        }
        self.used.iter().for_each(|class| text.push_str(class.text()));
        for (name, definition) in &self.definitions {
            let _ = write!(text, "\n\nclass {name}(nn.Module):\n{definition}");
        }
        let lines = |lines: &[String]| lines.iter().map(|line| format!("        {line}\n")).collect::<String>();
        let _ = write!(
            text,
            "\n\nclass {class}(nn.Module):\n    def __init__(self):\n        super().__init__()\n{}\n    def forward(self, x):\n{}",
            lines(&self.init),
            lines(&self.forward)
        );
        text.push_str(self.probabilities());
        // PyTorch's modules begin in single precision, and loading copies into them: it would round without `.double()`.
        let double = if network.precision == Precision::F64 { ".double()" } else { "" };
        let _ = write!(
            text,
            "

def load(path=None):
    \"\"\"The trained network, for prediction; `path` is the safetensors file, by default the one beside this.\"\"\"
    from safetensors.torch import load_file

    network = {class}(){double}
    network.load_state_dict(load_file(path or Path(__file__).with_suffix(\".safetensors\")))
    return network.eval()
"
        );
        text
    }

    fn probabilities(&self) -> &'static str {
        match (self.network.outputs.classes.is_empty(), self.network.outputs.width) {
            (true, _) => "",
            (false, 1) => {
                "
    def probabilities(self, x):
        \"\"\"Of the two classes, [rows, 2].\"\"\"
        score = self(x)
        return torch.sigmoid(torch.cat([-score, score], dim=1))
"
            }
            (false, _) => {
                "
    def probabilities(self, x):
        \"\"\"Of each class, [rows, classes].\"\"\"
        return torch.softmax(self(x), dim=1)
"
            }
        }
    }

    fn docs(&self) -> String {
        let (network, facts) = (self.network, &self.network.facts);
        let mut text = format!("\"\"\"{}, trained by gmpc {}.\n\n", plain(&network.name), plain(&facts.gmpc));
        let _ = writeln!(text, "In:  {}.\nOut: {}.", plain(&input(network)), plain(&output(network)));
        for left in &facts.left_out {
            let _ = writeln!(text, "Not in here: {}.", plain(left));
        }
        let of = [&facts.run, &facts.data, &facts.param].map(|fact| plain(fact));
        let _ = writeln!(text, "\nRun {}, data {}, parameterization {}.\n\"\"\"", of[0], of[1], of[2]);
        text
    }
}

/// A text for a docstring.
fn plain(text: &str) -> String {
    text.replace(['\\', '"'], "'").replace(char::is_control, " ")
}

/// `my_net` is `MyNet`.
fn class_name(model: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    word(model).split('_').map(capital).collect()
}

fn pair([a, b]: [usize; 2]) -> String {
    if a == b { a.to_string() } else { format!("({a}, {b})") }
}

fn sign(operation: Arithmetic) -> &'static str {
    match operation {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
    }
}

fn applied(activation: Standard, value: &str) -> String {
    match activation {
        Standard::Identity => value.to_string(),
        Standard::Relu => format!("F.relu({value})"),
        Standard::LeakyRelu(slope) => format!("F.leaky_relu({value}, {slope:?})"),
        Standard::Tanh => format!("torch.tanh({value})"),
        Standard::Sigmoid => format!("torch.sigmoid({value})"),
        Standard::Gelu => format!("F.gelu({value})"),
        Standard::Softplus => format!("F.softplus({value})"),
    }
}

fn activation_module(activation: Standard) -> String {
    match activation {
        Standard::Identity => "nn.Identity()".into(),
        Standard::Relu => "nn.ReLU()".into(),
        Standard::LeakyRelu(slope) => format!("nn.LeakyReLU({slope:?})"),
        Standard::Tanh => "nn.Tanh()".into(),
        Standard::Sigmoid => "nn.Sigmoid()".into(),
        Standard::Gelu => "nn.GELU()".into(),
        Standard::Softplus => "nn.Softplus()".into(),
    }
}

/// PyTorch pads pools on both sides alike, and by at most half a window; everything else is padded before.
fn pool(function: &str, x: &str, window: &Window, end: [usize; 2], padding: &str) -> String {
    let is_simple = window.before == end && (0..2).all(|axis| 2 * end[axis] <= window.kernel[axis]);
    let mut arguments = format!("{}, stride={}", pair(window.kernel), pair(window.stride));
    match is_simple {
        true if end == [0, 0] => {}
        true => arguments.push_str(&format!(", padding={}", pair(end))),
        false => return format!("F.{function}({}, {arguments})", padded(x, window.before, end, padding)),
    }
    format!("F.{function}({x}, {arguments})")
}

fn padded(x: &str, [top, left]: [usize; 2], [bottom, right]: [usize; 2], value: &str) -> String {
    let value = if value == "0" { String::new() } else { format!(", value={value}") };
    format!("F.pad({x}, ({left}, {right}, {top}, {bottom}){value})")
}
