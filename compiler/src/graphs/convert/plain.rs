//! Every unit as plain numbers, for whoever computes the network elsewhere: what `gmpc export` writes.
//!
//! Unlike a conversion to `sp` this refuses no scale: what cannot move inside the activation stays behind it, as a factor and a shift
//! of each unit. Means that are subtracted before zeros are put around an image are told apart for the same reason.

use super::fold::{Plain, fold};
use super::patch::Patch;
use super::write::write;
use super::{Tensors, transposed};
use crate::ir::graph::Tensor;
use crate::ir::module::Module;
use crate::ir::net::{LayerKind, Net};
use gmpc_grammar::diagnostic::Diagnostic;
use std::collections::BTreeMap;

/// The code of every error of [`fold`] that says that a layer is no affine map.
const NOT_AFFINE: &str = "E0582";

/// One unit layer in evaluation: `scale * act(weight . (x - centre) + offset) + shift`; zeros stand around `x - centre`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainUnit {
    /// `[units, fan_in]`, `[units, channels / groups, kw]` or `[units, channels / groups, kh, kw]`.
    pub weight: Tensor,
    /// One number a unit.
    pub offset: Vec<f64>,
    /// One number a unit; empty where all are 1.
    pub scale: Vec<f64>,
    /// One number a unit; empty where all are 0.
    pub shift: Vec<f64>,
    /// One number a channel; empty where all are 0, as they are of every dense layer.
    pub centre: Vec<f64>,
}

/// The unit layers of a trained network, by their index. A layer that is no affine map before or after its activation has no plain
/// numbers, and is left out.
///
/// # Errors
/// E0580: a missing tensor.
pub fn plain_units(net: &Net, tensors: &Tensors) -> Result<BTreeMap<usize, PlainUnit>, Vec<Diagnostic>> {
    let (mut found, mut errors) = (BTreeMap::new(), Vec::new());
    for (index, layer) in net.layers.iter().enumerate() {
        let LayerKind::Unit(unit) = &layer.kind else { continue };
        match plain_unit(&Patch::new(net, layer, unit), tensors) {
            Ok(plain) => drop(found.insert(index, plain)),
            Err(error) if error.code == NOT_AFFINE => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn plain_unit(patch: &Patch, tensors: &Tensors) -> Result<PlainUnit, Diagnostic> {
    let folded = fold(patch, tensors)?;
    let stays = patch.padded && folded.is_moved();
    let mut inner = if stays { folded.at_moved() } else { folded.clone() };
    let (scale, shift) = inner.absorb_output(&patch.unit.activation);
    let own = patch.own(&inner.w);
    let weight = Tensor { shape: patch.file_shape(), data: transposed(&own.data, own.shape[0]) };
    let centre = folded.moved.iter().step_by(patch.area().max(1)).map(|moved| -moved).collect();
    Ok(PlainUnit {
        weight,
        offset: inner.b,
        scale: unless_all(scale, 1.0),
        shift: unless_all(shift, 0.0),
        centre: if stays { centre } else { vec![] },
    })
}

/// The parameters and statistics of one layer of units that computes `act(weight . x + offset)`, in its own parameterization: the way
/// back from [`PlainUnit`]. `weight` is `[units, fan_in]` or `[units, channels, kh, kw]`; without an offset all are 0. Nothing for
/// a layer of another kind.
///
/// # Errors
/// E0584 to E0588: the parameterization has no complete `from` section, or cannot represent a unit.
pub fn unit_tensors(
    module: &Module,
    net: &Net,
    index: usize,
    weight: &Tensor,
    offset: Option<&[f64]>,
) -> Result<Tensors, Diagnostic> {
    let Some(layer) = net.layers.get(index) else { return Ok(Tensors::new()) };
    let LayerKind::Unit(unit) = &layer.kind else { return Ok(Tensors::new()) };
    let patch = Patch::new(net, layer, unit);
    let (units, fan_in) = (unit.connection.units(), patch.fan_in());
    let own = Tensor { shape: vec![weight.data.len() / units.max(1), units], data: transposed(&weight.data, units) };
    let plain = Plain {
        w: patch.all(&own),
        b: offset.map_or_else(|| vec![0.0; units], <[f64]>::to_vec),
        scale: vec![1.0; units],
        shift: vec![0.0; units],
        moved: vec![0.0; fan_in],
    };
    write(module, &patch, &plain)
}

/// Nothing, where every number is the neutral one.
fn unless_all(numbers: Vec<f64>, neutral: f64) -> Vec<f64> {
    if numbers.iter().all(|number| *number == neutral) { vec![] } else { numbers }
}
