//! Writes a whole network as a sequence of affine maps and kinks, and computes its affine map around a point.
//!
//! ```text
//! value of a layer = a x + c near x      units: a = w a', c = w c' + b; rows of inactive units are multiplied by their slope
//! ```

use gmpc_compiler::graphs::boundary::Boundary;
use gmpc_compiler::graphs::boundary::{Effective, effective};
use gmpc_compiler::graphs::convert::Tensors;
use gmpc_compiler::graphs::pieces::{Pieces, pieces};
use gmpc_compiler::ir::net::{Activation, Arithmetic, Layer, LayerKind, Net};
use gmpc_grammar::diagnostic::Diagnostic;

/// A piecewise affine network in evaluation mode: affine maps and kinks with numbers in place of parameterizations.
#[derive(Debug, Clone)]
pub struct PiecewiseAffine {
    /// One node for each layer, parallel to [`Net::layers`].
    pub(super) steps: Vec<MapNode>,
    /// Number of inputs.
    pub(super) inputs: usize,
    /// Index of the layer whose value is the prediction.
    pub(super) output: usize,
}

/// A layer as an operation on affine maps.
#[derive(Debug, Clone)]
pub(super) struct MapNode {
    pub(super) kind: MapKind,
    pub(super) inputs: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum MapKind {
    Input,
    /// Units, and their slope below zero if they have a kink.
    Units(Effective, Option<f64>),
    /// An activation with this slope below zero.
    Kink(f64),
    /// A sum of two operands with these factors.
    Sum([f64; 2]),
    Scaled {
        factor: f64,
        shift: f64,
    },
    Join,
    Same,
    /// Subtracts these numbers.
    Centred(Vec<f64>),
}

/// An affine map from the network's input to some values: a x + c.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map {
    /// `[values, inputs]`, row-major.
    pub a: Vec<f64>,
    /// `[values]`
    pub c: Vec<f64>,
}

impl Map {
    /// The row of `a` for one value; empty if there is no such value.
    #[must_use]
    pub fn row(&self, value: usize) -> &[f64] {
        let inputs = self.a.len() / self.c.len().max(1);
        self.a.get(value * inputs..(value + 1) * inputs).unwrap_or_default()
    }

    /// One value at the point `x`; NaN if there is no such value.
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

    /// Multiplies each row by a factor and then adds a shift.
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

impl PiecewiseAffine {
    /// The network with the numbers of these tensors.
    ///
    /// # Errors
    /// E0580 and E0582, see [`effective`]. E0591: a layer is not piecewise affine.
    pub fn new(net: &Net, tensors: &Tensors) -> Result<Self, Diagnostic> {
        let step = |index: usize, layer: &Layer| {
            let kind = kind(net, index, layer, tensors)?.ok_or_else(|| not_affine(layer))?;
            Ok(MapNode { kind, inputs: layer.inputs.clone() })
        };
        let steps = net.layers.iter().enumerate().map(|(index, layer)| step(index, layer)).collect::<Result<_, _>>()?;
        let inputs = net.layers.first().map_or(0, |input| input.shape.iter().product());
        Ok(PiecewiseAffine { steps, inputs, output: net.output })
    }

    /// A network of one layer of units with these boundaries. Units without a boundary are always active.
    #[must_use]
    pub fn of_layer(boundaries: &[Option<Boundary>], inputs: usize) -> Self {
        let (mut w, mut b) = (Vec::new(), Vec::new());
        for boundary in boundaries {
            // A unit without a boundary gets the constant 1, so that it is active everywhere.
            w.extend(boundary.as_ref().map_or_else(|| vec![0.0; inputs], |boundary| boundary.direction.clone()));
            b.push(boundary.as_ref().map_or(1.0, |boundary| boundary.offset));
        }
        let (scale, shift) = (vec![1.0; b.len()], vec![0.0; b.len()]);
        let units = Effective { fan_in: inputs, w, b, scale, shift, pieces: Some(Pieces::relu()) };
        let step = |kind, inputs| MapNode { kind, inputs };
        let steps = vec![step(MapKind::Input, vec![]), step(MapKind::Units(units, Some(0.0)), vec![0])];
        PiecewiseAffine { steps, inputs, output: 1 }
    }

    /// Number of layers with kinks.
    #[must_use]
    pub fn kinked_layers(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.kind, MapKind::Units(_, Some(_)) | MapKind::Kink(_))).count()
    }

    /// The inputs of a layer's activation (its pre-activations) as maps, from the maps of earlier layers. `None` for a
    /// layer without kinks.
    pub(super) fn inside(&self, layer: usize, maps: &[Map]) -> Option<Map> {
        let step = self.steps.get(layer)?;
        let operand = maps.get(*step.inputs.first()?)?;
        match &step.kind {
            MapKind::Units(units, Some(_)) => Some(composed(units, operand)),
            MapKind::Kink(_) => Some(operand.clone()),
            _ => None,
        }
    }

    /// The values of a layer as a map, from the maps of earlier layers. For a layer with kinks also from its
    /// pre-activations and from which of them are active.
    pub(super) fn value(&self, layer: usize, maps: &[Map], kink: Option<(Map, &[bool])>) -> Map {
        let Some(step) = self.steps.get(layer) else { return Map::default() };
        let operand = |i: usize| step.inputs.get(i).and_then(|&index| maps.get(index)).cloned().unwrap_or_default();
        match (&step.kind, kink) {
            (MapKind::Input, _) => Map::identity(self.inputs),
            // Scale and shift of a unit are outside its activation.
            (MapKind::Units(units, slope), kink) => {
                let inside = match (kink, slope) {
                    (Some((inside, active)), Some(slope)) => activated(inside, active, *slope),
                    _ => composed(units, &operand(0)),
                };
                inside.scaled(|unit| units.scale[unit], |unit| units.shift[unit])
            }
            (MapKind::Kink(slope), Some((inside, active))) => activated(inside, active, *slope),
            (MapKind::Sum(factors), _) => {
                let (mut sum, other) = (operand(0).scaled(|_| factors[0], |_| 0.0), operand(1));
                sum.a.iter_mut().zip(&other.a).for_each(|(sum, other)| *sum += factors[1] * other);
                sum.c.iter_mut().zip(&other.c).for_each(|(sum, other)| *sum += factors[1] * other);
                sum
            }
            (MapKind::Scaled { factor, shift }, _) => operand(0).scaled(|_| *factor, |_| *shift),
            (MapKind::Join, _) => (1..step.inputs.len()).fold(operand(0), |mut joined, i| {
                let next = operand(i);
                joined.a.extend(next.a);
                joined.c.extend(next.c);
                joined
            }),
            (MapKind::Centred(mean), _) => operand(0).scaled(|_| 1.0, |value| -mean.get(value).copied().unwrap_or(0.0)),
            (MapKind::Same | MapKind::Kink(_), _) => operand(0),
        }
    }

    /// The pre-activations of every layer with kinks as affine maps of the network's input, in the linear region that
    /// contains `x`. The boundary of a deep unit in this region follows from its map. `None` for layers without kinks.
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

    /// Which units are active at a point, one layer after another.
    #[must_use]
    pub fn pattern(&self, x: &[f64]) -> Vec<bool> {
        let inside = self.around(x).into_iter().flatten();
        inside.flat_map(|map| (0..map.c.len()).map(|value| map.at(value, x) > 0.0).collect::<Vec<_>>()).collect()
    }
}

/// The map w (a x + c) + b.
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

fn activated(inside: Map, active: &[bool], slope: f64) -> Map {
    inside.scaled(|value| if active.get(value) == Some(&true) { 1.0 } else { slope }, |_| 0.0)
}

/// The kind of a node; `None` if the layer is not piecewise affine.
fn kind(net: &Net, index: usize, layer: &Layer, tensors: &Tensors) -> Result<Option<MapKind>, Diagnostic> {
    Ok(match &layer.kind {
        // Convolutions are left out: their values have more than one axis, and regions are counted for networks of two
        // inputs.
        LayerKind::Input => Some(MapKind::Input),
        LayerKind::Unit(unit) if layer.shape.len() == 1 => {
            match (slope(&unit.activation), effective(net, index, tensors)?) {
                (Some(slope), Some(units)) => Some(MapKind::Units(units, slope)),
                _ => None,
            }
        }
        LayerKind::Activation(activation) => match slope(activation) {
            Some(Some(slope)) => Some(MapKind::Kink(slope)),
            Some(None) => Some(MapKind::Same),
            None => None,
        },
        LayerKind::Arithmetic(Arithmetic::Add) => Some(MapKind::Sum([1.0, 1.0])),
        LayerKind::Arithmetic(Arithmetic::Subtract) => Some(MapKind::Sum([1.0, -1.0])),
        LayerKind::Scaled { operation, number, number_first } => scaled(*operation, *number, *number_first),
        LayerKind::Concat => Some(MapKind::Join),
        LayerKind::Flatten if layer.shape.len() == 1 => Some(MapKind::Same),
        LayerKind::Dropout { .. } => Some(MapKind::Same),
        // Of the library: it subtracts its running mean.
        LayerKind::Stage(stage) if stage.is_standard && stage.definition.name == "mean_norm" => {
            tensors.get(&format!("{}.running_mean", layer.name)).map(|mean| MapKind::Centred(mean.data.clone()))
        }
        _ => None,
    })
}

/// The slope below zero if there is a kink. The outer `None` means that the activation is not piecewise affine.
fn slope(activation: &Activation) -> Option<Option<f64>> {
    let found = pieces(activation).ok()?;
    match (&found.kinks[..], &found.parts[..]) {
        ([], [[1.0, 0.0]]) => Some(None),
        ([0.0], [[below, 0.0], [1.0, 0.0]]) if !activation.has_parameters() => Some(Some(*below)),
        _ => None,
    }
}

fn scaled(operation: Arithmetic, number: f64, number_first: bool) -> Option<MapKind> {
    let (factor, shift) = match (operation, number_first) {
        (Arithmetic::Add, _) => (1.0, number),
        (Arithmetic::Subtract, false) => (1.0, -number),
        (Arithmetic::Subtract, true) => (-1.0, number),
        (Arithmetic::Multiply, _) => (number, 0.0),
        (Arithmetic::Divide, false) => (1.0 / number, 0.0),
        (Arithmetic::Divide, true) => return None,
    };
    Some(MapKind::Scaled { factor, shift })
}

fn not_affine(layer: &Layer) -> Diagnostic {
    Diagnostic::error(
        "E0591",
        format!("linear regions cannot be counted, because of `{}`", layer.name),
    )
    .label(layer.span, "this layer")
    .help("regions are counted for dense layers whose activation has its only kink at 0, slope 1 above it and no parameters, such as `relu`, and for sums and concatenations")
}
