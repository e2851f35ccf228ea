//! One layer of units as plain numbers, for any parameterization.

use super::Boundary;
use crate::graphs::convert::Tensors;
use crate::graphs::convert::fold::fold;
use crate::graphs::convert::patch::Patch;
use crate::graphs::pieces::{Pieces, pieces};
use crate::ir::net::{LayerKind, Net};
use gmpc_grammar::diagnostic::Diagnostic;

/// A layer of units in evaluation mode: `scale * act(w . x + b) + shift`.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// Number of inputs of each unit: the features, or channels kh kw of a filter.
    pub fan_in: usize,
    /// Weights `[units, fan_in]`, row-major, in the layout of files.
    pub w: Vec<f64>,
    /// Offsets, one for each unit.
    pub b: Vec<f64>,
    /// Scales outside the activation, one for each unit.
    pub scale: Vec<f64>,
    /// Shifts outside the activation, one for each unit.
    pub shift: Vec<f64>,
    /// The activation as straight pieces; `None` if it is curved.
    pub pieces: Option<Pieces>,
}

impl Effective {
    /// Returns the number of units.
    #[must_use]
    pub fn units(&self) -> usize {
        self.b.len()
    }

    /// Returns the weight vector of a unit. It is empty if there is no such unit.
    #[must_use]
    pub fn weight(&self, unit: usize) -> &[f64] {
        self.w.get(unit * self.fan_in..(unit + 1) * self.fan_in).unwrap_or_default()
    }

    /// Returns the boundary of a unit. `None` if its weights are zero.
    #[must_use]
    pub fn boundary(&self, unit: usize) -> Option<Boundary> {
        Boundary::of(self.weight(unit), self.b.get(unit).copied()?)
    }
}

/// Returns a layer of a network with these tensors. `None` if the layer has no units.
///
/// # Errors
/// E0580: a tensor is missing or has another shape. E0582: the unit calls `act` more than once, or its argument is not an affine
/// function of the layer's input.
pub fn effective(net: &Net, layer: usize, tensors: &Tensors) -> Result<Option<Effective>, Diagnostic> {
    let Some(layer) = net.layers.get(layer) else { return Ok(None) };
    let LayerKind::Unit(unit) = &layer.kind else { return Ok(None) };
    let patch = Patch::new(net, layer, unit);
    let plain = fold(&patch, tensors)?;
    let (fan_in, units) = (patch.fan_in(), plain.b.len());
    let w = (0..units).flat_map(|unit| plain.w.data.iter().skip(unit).step_by(units).copied()).collect();
    let (b, scale, shift, pieces) = (plain.b, plain.scale, plain.shift, pieces(&unit.activation).ok());
    Ok(Some(Effective { fan_in, w, b, scale, shift, pieces }))
}
