//! One layer of units as plain numbers, whatever its parameterization.

use super::Boundary;
use crate::convert::Tensors;
use crate::convert::fold::fold;
use crate::convert::patch::Patch;
use crate::net::{Activation, LayerKind, Net};
use gmpc_grammar::diagnostic::Diagnostic;

/// A unit layer in evaluation mode: `scale * act(w . x + b) + shift`.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// Inputs of each unit: the features, or channels kh kw of a filter.
    pub fan_in: usize,
    /// `[units, fan_in]`, row-major, in the layout of files.
    pub w: Vec<f64>,
    /// One a unit.
    pub b: Vec<f64>,
    /// One a unit; what stands outside the activation.
    pub scale: Vec<f64>,
    /// One a unit.
    pub shift: Vec<f64>,
    /// What stands between.
    pub activation: Activation,
}

impl Effective {
    /// How many units.
    #[must_use]
    pub fn units(&self) -> usize {
        self.b.len()
    }

    /// The weight vector of a unit; empty where there is no such unit.
    #[must_use]
    pub fn weight(&self, unit: usize) -> &[f64] {
        self.w.get(unit * self.fan_in..(unit + 1) * self.fan_in).unwrap_or_default()
    }

    /// The boundary of a unit; `None` where its weights are zero.
    #[must_use]
    pub fn boundary(&self, unit: usize) -> Option<Boundary> {
        Boundary::of(self.weight(unit), self.b.get(unit).copied()?)
    }
}

/// A layer of a network with these tensors; `None` for a layer that is no product with an activation.
///
/// # Errors
/// E0580: a tensor is missing or of another shape. E0582: the unit calls `act` more than once, or what stands inside it is no
/// affine function of the layer's input.
pub fn effective(net: &Net, layer: usize, tensors: &Tensors) -> Result<Option<Effective>, Diagnostic> {
    let Some(layer) = net.layers.get(layer) else { return Ok(None) };
    let LayerKind::Unit(unit) = &layer.kind else { return Ok(None) };
    let patch = Patch::new(net, layer, unit);
    let plain = fold(&patch, tensors)?;
    let (fan_in, units) = (patch.fan_in(), plain.b.len());
    let w = (0..units).flat_map(|unit| plain.w.data.iter().skip(unit).step_by(units).copied()).collect();
    let (b, scale, shift, activation) = (plain.b, plain.scale, plain.shift, unit.activation);
    Ok(Some(Effective { fan_in, w, b, scale, shift, activation }))
}
