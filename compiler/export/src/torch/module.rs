//! The text of the module, and with each line of it what the state dict holds.

use super::classes::Class;
use super::kept::{Base, Kept, kept};
use super::state::{Kind, State};
use crate::facts::{input, output};
use crate::names::{PYTHON, Taken, python_string, word};
use crate::network::{Layer, Network, Op, Preparation, Unit, after, pixels};
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
    /// Lines of `__init__`.
    init: Vec<String>,
    /// Lines of `forward`.
    forward: Vec<String>,
    state: State,
}

/// The text and the state dict.
pub(super) fn module(network: &Network, fold: bool) -> (String, State) {
    let mut taken = Taken::with(PYTHON.split_whitespace());
    let mut names: Vec<String> = network.layers.iter().map(|layer| taken.free(word(&layer.name))).collect();
    if let Some(first) = names.first_mut() {
        *first = "x".into();
    }
    let (used, init, forward) = (BTreeSet::new(), vec![], vec![]);
    let mut module = Module { network, fold, names, taken, used, init, forward, state: State::default() };
    module.prepare();
    for index in 1..network.layers.len() {
        module.layer(index);
    }
    module.finish();
    (module.text(), module.state)
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

    fn layer(&mut self, index: usize) {
        let network = self.network;
        let layer = &network.layers[index];
        let operands: Vec<String> = layer.inputs.iter().map(|&input| self.names[input].clone()).collect();
        let input = layer.inputs.first().map_or(&[][..], |&input| &network.layers[input].shape);
        let Some(x) = operands.first() else { return };
        let name = self.names[index].clone();
        let value = match &layer.op {
            Op::Input => return,
            Op::Unit(unit) => return self.unit(&name, layer, unit, x, input),
            Op::Activation(activation) => applied(*activation, x),
            Op::Arithmetic(operation) => operands.join(&format!(" {} ", sign(*operation))),
            Op::Scaled { operation, number, number_first } => {
                let (a, b) =
                    if *number_first { (number_text(*number), x.clone()) } else { (x.clone(), number_text(*number)) };
                format!("{a} {} {b}", sign(*operation))
            }
            Op::Concat => format!("torch.cat([{}], dim=1)", operands.join(", ")),
            Op::Flatten => format!("torch.flatten({x}, 1)"),
            Op::MaxPool(window) => pool("max_pool2d", x, window, after(window, input, &layer.shape), "float(\"-inf\")"),
            Op::AvgPool(window) => pool("avg_pool2d", x, window, after(window, input, &layer.shape), "0"),
            Op::GlobalAvgPool => format!("{x}.mean(dim=(2, 3))"),
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
    }

    fn unit(&mut self, name: &str, layer: &Layer, unit: &Unit, x: &str, input: &[usize]) {
        let kept = if self.fold { None } else { kept(unit) };
        match kept {
            Some(kept) => self.kept(name, layer, unit, x, input, kept),
            None => self.folded(name, layer, unit, x, input),
        }
    }

    /// With the parameterization it was trained in.
    fn kept(&mut self, name: &str, layer: &Layer, unit: &Unit, x: &str, input: &[usize], kept: Kept) {
        let own = |tensor: &str| unit.tensors.get(tensor).map_or(&[][..], |tensor| &tensor.data);
        let mut x = x.to_string();
        if let Some(momentum) = kept.mn {
            let mean = self.taken.free(format!("{name}_mn"));
            self.mean(&mean, own("running_mean"), momentum);
            self.forward.push(format!("{name} = self.{mean}({x})"));
            x = name.to_string();
        }
        match kept.base {
            Base::Plain => {
                let offset = unit.tensors.get("b").map(|tensor| tensor.data.as_slice());
                let weight = own("w").to_vec();
                let value = self.plain(name, unit, (&weight, offset), &x, (input, &layer.shape));
                self.forward.push(format!("{name} = {}", applied(unit.activation, &value)));
            }
            Base::Bn { eps, momentum } => self.bn(name, layer, unit, &x, input, (eps, momentum)),
            Base::Wn => {
                self.own_module(Class::Wn, name, layer, unit, input, kept);
                self.state.add(format!("{name}.v"), Kind::Number, &unit.plain.weight.shape, own("v"));
                self.optional(name, unit, &[("l", "l"), ("b", "b")]);
                self.forward.push(format!("{name} = self.{name}({x})"));
            }
            Base::Gmp => {
                self.own_module(Class::Gmp, name, layer, unit, input, kept);
                let units = unit.product.units();
                let angles = own("theta").len() / units.max(1);
                self.state.add(format!("{name}.theta"), Kind::Number, &[units, angles], own("theta"));
                self.optional(name, unit, &[("lambda", "lambda_"), ("r", "r"), ("sign", "sign")]);
                self.forward.push(format!("{name} = self.{name}({x})"));
            }
        }
    }

    /// Rows of a unit that are there.
    fn optional(&mut self, name: &str, unit: &Unit, rows: &[(&str, &str)]) {
        for (tensor, key) in rows {
            if let Some(tensor) = unit.tensors.get(*tensor) {
                self.state.row(format!("{name}.{key}"), &tensor.data);
            }
        }
    }

    /// `self.hidden = Gmp((100, 13), nn.ReLU())`
    fn own_module(&mut self, class: Class, name: &str, layer: &Layer, unit: &Unit, input: &[usize], kept: Kept) {
        self.used.insert(class);
        let shape: Vec<String> = unit.plain.weight.shape.iter().map(ToString::to_string).collect();
        let mut arguments = vec![format!("({})", shape.join(", ")), activation_module(unit.activation)];
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
            arguments.push(format!("pad=({left}, {right}, {top}, {bottom})"));
        }
        let called = if class == Class::Gmp { "Gmp" } else { "Wn" };
        self.init.push(format!("self.{name} = {called}({})", arguments.join(", ")));
    }

    fn bn(&mut self, name: &str, layer: &Layer, unit: &Unit, x: &str, input: &[usize], (eps, momentum): (f64, f64)) {
        let own = |tensor: &str| unit.tensors.get(tensor).map(|tensor| tensor.data.as_slice());
        let value = self.plain(name, unit, (own("w").unwrap_or_default(), None), x, (input, &layer.shape));
        let norm = self.taken.free(format!("{name}_norm"));
        let (axes, units) = (if input.len() == 3 { 2 } else { 1 }, unit.product.units());
        self.init.push(format!("self.{norm} = nn.BatchNorm{axes}d({units}, eps={eps:?}, momentum={momentum:?})"));
        if own("beta").is_none() {
            self.init.push(format!("self.{norm}.bias.requires_grad_(False)  # bias = false: it stays 0"));
        }
        let zeros = vec![0.0; units];
        for (key, numbers) in
            [("weight", "gamma"), ("bias", "beta"), ("running_mean", "running_mean"), ("running_var", "running_var")]
        {
            self.state.row(format!("{norm}.{key}"), own(numbers).unwrap_or(&zeros));
        }
        self.state.add(format!("{norm}.num_batches_tracked"), Kind::Whole, &[], &[0.0]);
        self.forward.push(format!("{name} = {}", applied(unit.activation, &format!("self.{norm}({value})"))));
    }

    /// As plain weights, with what cannot move inside the activation behind it.
    fn folded(&mut self, name: &str, layer: &Layer, unit: &Unit, x: &str, input: &[usize]) {
        let plain = &unit.plain;
        let mut x = x.to_string();
        if !plain.centre.is_empty() {
            let centre = self.buffer(&format!("{name}_centre"), &plain.centre, input.len());
            x = format!("{x} - self.{centre}");
        }
        let offset = unit.bias.then_some(plain.offset.as_slice());
        let value = self.plain(name, unit, (&plain.weight.data, offset), &x, (input, &layer.shape));
        let mut value = applied(unit.activation, &value);
        for (what, numbers, sign) in [("scale", &plain.scale, "*"), ("shift", &plain.shift, "+")] {
            if !numbers.is_empty() {
                let buffer = self.buffer(&format!("{name}_{what}"), numbers, layer.shape.len());
                value = format!("{value} {sign} self.{buffer}");
            }
        }
        self.forward.push(format!("{name} = {value}"));
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
                if window.stride != [1, 1] {
                    let _ = write!(arguments, ", stride={}", pair(window.stride));
                }
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

    /// One number a feature or channel of values with so many axes an example.
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

    /// To the network's precision.
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
        let lines = |lines: &[String]| lines.iter().map(|line| format!("        {line}\n")).collect::<String>();
        let _ = write!(
            text,
            "\n\nclass {class}(nn.Module):\n    def __init__(self):\n        super().__init__()\n{}\n    def forward(self, x):\n{}",
            lines(&self.init),
            lines(&self.forward)
        );
        text.push_str(self.probabilities());
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
        let plain = |text: &str| text.replace(['\\', '"'], "'").replace(char::is_control, " ");
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

fn number_text(number: f64) -> String {
    if number < 0.0 { format!("({number:?})") } else { format!("{number:?}") }
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
