//! A network as text: one line for each layer, as `gmpc emit --stage net` shows it.

use super::{Activation, Arithmetic, Connection, Convolution, Fill, LayerKind, Net, Unit, Way};
use crate::ir::module::Instance;
use std::fmt::{Display, Formatter, Result};

impl Display for Net {
    /// `dense1 : [100] = dense(100, gmp + mn, relu) of input`
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "net {}", self.name)?;
        for layer in &self.layers {
            write!(f, "{:<16} : {:?} = {}", layer.name, layer.shape, layer.kind)?;
            for (i, input) in layer.inputs.iter().enumerate() {
                let name = self.layers.get(*input).map_or("?", |l| &l.name);
                write!(f, "{}{name}", if i == 0 { " of " } else { ", " })?;
            }
            writeln!(f)?;
        }
        let output = self.layers.get(self.output).map_or("?", |l| &l.name);
        writeln!(f, "output {output}, target {:?}", self.target_shape)
    }
}

impl Display for LayerKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            LayerKind::Input => f.write_str("input"),
            LayerKind::Unit(unit) => unit.fmt(f),
            LayerKind::Activation(activation) => activation.fmt(f),
            LayerKind::Arithmetic(operation) => f.write_str(operation.name()),
            LayerKind::Scaled { operation, number, number_first: true } => write!(f, "{number} {}", operation.name()),
            LayerKind::Scaled { operation, number, number_first: false } => write!(f, "{} {number}", operation.name()),
            LayerKind::Concat => f.write_str("concat"),
            LayerKind::Flatten => f.write_str("flatten"),
            LayerKind::MaxPool(window) => write!(f, "max_pool({window})"),
            LayerKind::AvgPool(window) => write!(f, "avg_pool({window})"),
            LayerKind::GlobalAvgPool => f.write_str("global_avg_pool"),
            LayerKind::GlobalMaxPool => f.write_str("global_max_pool"),
            LayerKind::Upsample { factor: [h, w], method } => write!(f, "upsample({h}x{w}, {})", method.word()),
            LayerKind::Maxout { pieces } => write!(f, "maxout({pieces})"),
            LayerKind::Noise { deviation } => write!(f, "noise({deviation})"),
            LayerKind::StochasticDepth { probability } => write!(f, "stochastic_depth({probability})"),
            LayerKind::Dropout { probability } => write!(f, "dropout({probability})"),
            LayerKind::Stage(stage) => call(f, &stage.definition),
        }
    }
}

impl Display for Unit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.connection {
            Connection::Dense { units } => write!(f, "dense({units}, ")?,
            Connection::Convolution(convolution) => write!(f, "{convolution}, ")?,
        }
        write!(f, "{}, {}{})", self.param, self.activation, if self.bias { "" } else { ", no bias" })
    }
}

impl Display for Convolution {
    /// `conv(8, 3x3 stride 1x1 pad 1x1`, without the closing bracket; what is as usual is left out.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = if self.way == Way::Spread { "conv_transpose" } else { "conv" };
        write!(f, "{name}({}, {}", self.units, self.window)?;
        if self.dilation != [1, 1] {
            write!(f, " dilation {}x{}", self.dilation[0], self.dilation[1])?;
        }
        if self.groups != 1 {
            write!(f, " groups {}", self.groups)?;
        }
        if self.fill == Fill::Reflect { f.write_str(" reflect") } else { Ok(()) }
    }
}

impl Display for Activation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.definition {
            None => f.write_str("identity"),
            Some(instance) => call(f, instance),
        }
    }
}

/// `leaky_relu(0.01)`: the values of all arguments, in the order of the definition.
fn call(f: &mut Formatter<'_>, instance: &Instance) -> Result {
    f.write_str(&instance.name)?;
    let own = instance.definition.parameters.iter().filter_map(|p| instance.arguments.get(&p.name.text));
    let values: Vec<String> = own.map(ToString::to_string).collect();
    if values.is_empty() { Ok(()) } else { write!(f, "({})", values.join(", ")) }
}

impl Arithmetic {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Arithmetic::Add => "add",
            Arithmetic::Subtract => "subtract",
            Arithmetic::Multiply => "multiply",
            Arithmetic::Divide => "divide",
        }
    }
}
