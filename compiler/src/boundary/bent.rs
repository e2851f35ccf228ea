//! A whole network as pieces that are affine between bends: what its layers are around a point.
//!
//! ```text
//! value of a layer = a x + c near x      units: a = w a', c = w c' + b, then rows of the inactive ones times their slope
//! ```

use super::Boundary;
use super::effective::{Effective, effective};
use crate::convert::Tensors;
use crate::net::{Activation, Arithmetic, Layer, LayerKind, Net};
use gmpc_grammar::diagnostic::Diagnostic;

/// A network of affine maps and bends, with numbers in place of parameterizations, in evaluation mode.
#[derive(Debug, Clone)]
pub struct Bent {
    /// Parallel to [`Net::layers`].
    pub(super) steps: Vec<Step>,
    /// Numbers of an example.
    pub(super) inputs: usize,
    /// The layer whose value is the prediction.
    pub(super) output: usize,
}

/// A layer as what it does to affine maps.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) inputs: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Input,
    /// With the slope below zero where it bends.
    Units(Effective, Option<f64>),
    /// With the slope below zero.
    Bend(f64),
    /// Factors of the two operands.
    Sum([f64; 2]),
    Scaled {
        factor: f64,
        shift: f64,
    },
    Join,
    Same,
    /// Subtracts these.
    Centred(Vec<f64>),
}

/// An affine map from the network's input to so many values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map {
    /// `[values, inputs]`, row-major.
    pub a: Vec<f64>,
    /// One a value.
    pub c: Vec<f64>,
}

impl Map {
    /// The row of a value; empty where there is none.
    #[must_use]
    pub fn row(&self, value: usize) -> &[f64] {
        let inputs = self.a.len() / self.c.len().max(1);
        self.a.get(value * inputs..(value + 1) * inputs).unwrap_or_default()
    }

    /// A value at a point.
    #[must_use]
    pub fn at(&self, value: usize, x: &[f64]) -> f64 {
        let sum: f64 = self.row(value).iter().zip(x).map(|(a, x)| a * x).sum();
        sum + self.c.get(value).copied().unwrap_or(f64::NAN)
    }

    fn identity(inputs: usize) -> Self {
        let mut a = vec![0.0; inputs * inputs];
        (0..inputs).for_each(|i| a[i * inputs + i] = 1.0);
        Map { a, c: vec![0.0; inputs] }
    }

    /// Each row times a factor, then a shift.
    fn scaled(mut self, factor: impl Fn(usize) -> f64, shift: impl Fn(usize) -> f64) -> Self {
        let inputs = self.a.len() / self.c.len().max(1);
        for (value, c) in self.c.iter_mut().enumerate() {
            let factor = factor(value);
            self.a[value * inputs..(value + 1) * inputs].iter_mut().for_each(|a| *a *= factor);
            *c = *c * factor + shift(value);
        }
        self
    }
}

impl Bent {
    /// The network with these tensors.
    ///
    /// # Errors
    /// E0580 and E0582, see [`effective`]. E0591: a layer that is not affine between bends.
    pub fn new(net: &Net, tensors: &Tensors) -> Result<Self, Diagnostic> {
        let step = |place: usize, layer: &Layer| {
            let kind = kind(net, place, layer, tensors)?.ok_or_else(|| curved(layer))?;
            Ok(Step { kind, inputs: layer.inputs.clone() })
        };
        let steps = net.layers.iter().enumerate().map(|(place, layer)| step(place, layer)).collect::<Result<_, _>>()?;
        let inputs = net.layers.first().map_or(0, |input| input.shape.iter().product());
        Ok(Bent { steps, inputs, output: net.output })
    }

    /// One layer of units with these boundaries; units without one never bend.
    #[must_use]
    pub fn of_layer(boundaries: &[Option<Boundary>], inputs: usize) -> Self {
        let (mut w, mut b) = (Vec::new(), Vec::new());
        for boundary in boundaries {
            w.extend(boundary.as_ref().map_or_else(|| vec![0.0; inputs], |boundary| boundary.direction.clone()));
            b.push(boundary.as_ref().map_or(1.0, |boundary| boundary.offset));
        }
        let (scale, shift) = (vec![1.0; b.len()], vec![0.0; b.len()]);
        let units = Effective { fan_in: inputs, w, b, scale, shift, activation: Activation::Relu };
        let step = |kind, inputs| Step { kind, inputs };
        let steps = vec![step(Kind::Input, vec![]), step(Kind::Units(units, Some(0.0)), vec![0])];
        Bent { steps, inputs, output: 1 }
    }

    /// How many layers bend.
    #[must_use]
    pub fn bends(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.kind, Kind::Units(_, Some(_)) | Kind::Bend(_))).count()
    }

    /// What stands inside the bends of a layer (before its activation), from the maps of earlier layers; `None` for a layer
    /// that does not bend.
    pub(super) fn inside(&self, layer: usize, maps: &[Map]) -> Option<Map> {
        let step = self.steps.get(layer)?;
        let operand = maps.get(*step.inputs.first()?)?;
        match &step.kind {
            Kind::Units(units, Some(_)) => Some(composed(units, operand)),
            Kind::Bend(_) => Some(operand.clone()),
            _ => None,
        }
    }

    /// The value of a layer, from the maps of earlier layers and, where it bends, what stands inside and which of that is
    /// active.
    pub(super) fn value(&self, layer: usize, maps: &[Map], bend: Option<(Map, &[bool])>) -> Map {
        let Some(step) = self.steps.get(layer) else { return Map::default() };
        let operand = |i: usize| step.inputs.get(i).and_then(|&place| maps.get(place)).cloned().unwrap_or_default();
        match (&step.kind, bend) {
            (Kind::Input, _) => Map::identity(self.inputs),
            (Kind::Units(units, slope), bend) => {
                let inside = match (bend, slope) {
                    (Some((inside, active)), Some(slope)) => bent(inside, active, *slope),
                    _ => composed(units, &operand(0)),
                };
                inside.scaled(|unit| units.scale[unit], |unit| units.shift[unit])
            }
            (Kind::Bend(slope), Some((inside, active))) => bent(inside, active, *slope),
            (Kind::Sum(factors), _) => {
                let (mut sum, other) = (operand(0).scaled(|_| factors[0], |_| 0.0), operand(1));
                sum.a.iter_mut().zip(&other.a).for_each(|(sum, other)| *sum += factors[1] * other);
                sum.c.iter_mut().zip(&other.c).for_each(|(sum, other)| *sum += factors[1] * other);
                sum
            }
            (Kind::Scaled { factor, shift }, _) => operand(0).scaled(|_| *factor, |_| *shift),
            (Kind::Join, _) => (1..step.inputs.len()).fold(operand(0), |mut joined, i| {
                let next = operand(i);
                joined.a.extend(next.a);
                joined.c.extend(next.c);
                joined
            }),
            (Kind::Centred(mean), _) => operand(0).scaled(|_| 1.0, |value| -mean.get(value).copied().unwrap_or(0.0)),
            (Kind::Same | Kind::Bend(_), _) => operand(0),
        }
    }

    /// What stands inside the activation of every layer that bends, as affine maps of the network's input around a point: the
    /// boundary of a deep unit, where its line is taken from the region that the point lies in. `None` for other layers.
    #[must_use]
    pub fn around(&self, x: &[f64]) -> Vec<Option<Map>> {
        let (mut maps, mut found) = (Vec::new(), Vec::new());
        for layer in 0..self.steps.len() {
            let inside = self.inside(layer, &maps);
            let active: Vec<bool> =
                inside.iter().flat_map(|map| (0..map.c.len()).map(|value| map.at(value, x) > 0.0)).collect();
            let value = self.value(layer, &maps, inside.clone().map(|map| (map, active.as_slice())));
            maps.push(value);
            found.push(inside);
        }
        found
    }

    /// Which units are active at a point, layer after layer.
    #[must_use]
    pub fn pattern(&self, x: &[f64]) -> Vec<bool> {
        let inside = self.around(x).into_iter().flatten();
        inside.flat_map(|map| (0..map.c.len()).map(|value| map.at(value, x) > 0.0).collect::<Vec<_>>()).collect()
    }
}

/// w (a x + c) + b
fn composed(units: &Effective, x: &Map) -> Map {
    let inputs = x.a.len() / x.c.len().max(1);
    let (mut a, mut c) = (vec![0.0; units.units() * inputs], units.b.clone());
    for unit in 0..units.units() {
        for (value, w) in units.weight(unit).iter().enumerate() {
            let row = &mut a[unit * inputs..(unit + 1) * inputs];
            row.iter_mut().zip(x.row(value)).for_each(|(sum, x)| *sum += w * x);
            c[unit] += w * x.c.get(value).copied().unwrap_or(0.0);
        }
    }
    Map { a, c }
}

fn bent(inside: Map, active: &[bool], slope: f64) -> Map {
    inside.scaled(|value| if active.get(value) == Some(&true) { 1.0 } else { slope }, |_| 0.0)
}

/// `None`: not affine between bends.
fn kind(net: &Net, place: usize, layer: &Layer, tensors: &Tensors) -> Result<Option<Kind>, Diagnostic> {
    Ok(match &layer.kind {
        LayerKind::Input => Some(Kind::Input),
        LayerKind::Unit(unit) if layer.shape.len() == 1 => {
            match (slope(unit.activation), effective(net, place, tensors)?) {
                (Some(slope), Some(units)) => Some(Kind::Units(units, slope)),
                _ => None,
            }
        }
        LayerKind::Activation(activation) => match slope(*activation) {
            Some(Some(slope)) => Some(Kind::Bend(slope)),
            Some(None) => Some(Kind::Same),
            None => None,
        },
        LayerKind::Arithmetic(Arithmetic::Add) => Some(Kind::Sum([1.0, 1.0])),
        LayerKind::Arithmetic(Arithmetic::Subtract) => Some(Kind::Sum([1.0, -1.0])),
        LayerKind::Scaled { operation, number, number_first } => scaled(*operation, *number, *number_first),
        LayerKind::Concat => Some(Kind::Join),
        LayerKind::Flatten if layer.shape.len() == 1 => Some(Kind::Same),
        LayerKind::Dropout { .. } => Some(Kind::Same),
        LayerKind::MeanNorm { .. } => {
            tensors.get(&format!("{}.running_mean", layer.name)).map(|mean| Kind::Centred(mean.data.clone()))
        }
        _ => None,
    })
}

/// The slope below zero, if there is a bend; `None` for a curve.
#[allow(clippy::option_option)]
fn slope(activation: Activation) -> Option<Option<f64>> {
    match activation {
        Activation::Identity => Some(None),
        Activation::Relu => Some(Some(0.0)),
        Activation::LeakyRelu(slope) => Some(Some(slope)),
        Activation::Tanh | Activation::Sigmoid | Activation::Gelu | Activation::Softplus => None,
    }
}

fn scaled(operation: Arithmetic, number: f64, number_first: bool) -> Option<Kind> {
    let (factor, shift) = match (operation, number_first) {
        (Arithmetic::Add, _) => (1.0, number),
        (Arithmetic::Subtract, false) => (1.0, -number),
        (Arithmetic::Subtract, true) => (-1.0, number),
        (Arithmetic::Multiply, _) => (number, 0.0),
        (Arithmetic::Divide, false) => (1.0 / number, 0.0),
        (Arithmetic::Divide, true) => return None,
    };
    Some(Kind::Scaled { factor, shift })
}

fn curved(layer: &Layer) -> Diagnostic {
    Diagnostic::error(
        "E0591",
        format!("`{}` is not flat between bends, so the network has no linear regions", layer.name),
    )
    .label(layer.span, "this layer")
    .help("linear regions are of networks of dense layers with `relu` or `leaky_relu`, sums and concatenations")
}
