//! Converts a trained network to another parameterization: the same function with other parameters.
//!
//! ```text
//! tensors in gmp --fold--> w, b, scale, shift of every unit --write--> tensors in sp
//! ```
//!
//! This code knows no parameterization by name. `fold` examines a definition as a function: the argument of `act` must be affine
//! in `x`, and the result affine in `act(…)`. `write` uses the `from(w, b)` section of the definition, and folds the result again
//! to check that it is the same function. A scale outside the activation cannot always move inside: it may be negative, or the
//! activation may be curved. Then it moves into the next affine layer, if that layer is its only user.
//!
//! A convolution is converted as the function of one patch of the image. The image is padded with zeros after modifiers have
//! changed `x`. So a modifier that centres `x`, such as `mn`, must remain, otherwise the function would change at the border.

mod complain;
pub(crate) mod fold;
pub(crate) mod patch;
mod plain;
mod write;

use crate::graphs::activate;
use crate::graphs::parameterize::{Mode, Origin, parameterize};
use crate::ir::graph::{Role, State, Tensor};
use crate::ir::module::Module;
use crate::ir::net::{Layer, LayerKind, Net, Unit};
use complain::{cannot_follow, differs};
use fold::{Plain, fold};
use gmpc_grammar::diagnostic::Diagnostic;
use patch::Patch;
pub use plain::{PlainUnit, plain_units, unit_tensors};
use std::collections::BTreeMap;
use write::write;

/// Tensors by name, in the layout of files: weights are `[units, fan_in]` or `[units, channels, kh, kw]`.
pub type Tensors = BTreeMap<String, Tensor>;

/// Converts a network's parameters and statistics to the parameterizations of another network with the same layers. Names of
/// layers may differ (`linear1` may be called `dense2`).
///
/// Optimizer states are not converted. Statistics that only the target has start at 0 (means) and 1 (variances).
///
/// # Errors
/// - E0580: a tensor is missing.
/// - E0581: the networks differ.
/// - E0582: a unit is not affine inside or around its activation.
/// - E0583: a scale outside an activation cannot move anywhere.
/// - E0584: a parameterization has no complete `from` section.
/// - E0585 to E0588: the target cannot represent a unit.
pub fn convert(
    from_module: &Module,
    from_net: &Net,
    tensors: &Tensors,
    to_module: &Module,
    to_net: &Net,
) -> Result<Tensors, Vec<Diagnostic>> {
    check_layers(from_net, to_net).map_err(|e| vec![e])?;
    let forward = parameterize(to_net, Mode::Evaluation, 2)?;
    let mut conversion = Conversion {
        modules: [from_module, to_module],
        nets: [from_net, to_net],
        tensors,
        result: Tensors::new(),
        pending: BTreeMap::new(),
    };
    // In the order of the layers, because a scale may move from a layer into the layer after it.
    let mut errors = Vec::new();
    for index in 0..to_net.layers.len() {
        errors.extend(conversion.layer(index).err());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // Neutral statistics change nothing: the folded weights contain the statistics of the source already.
    for (state, origin) in forward.graph.states.iter().zip(&forward.store.origins) {
        let neutral = if *origin == Origin::Variance { 1.0 } else { 0.0 };
        if state.role == Role::Statistic && !conversion.result.contains_key(&state.name) {
            conversion.result.insert(state.name.clone(), Tensor::full(&state.file_shape, neutral));
        }
    }
    Ok(conversion.result)
}

/// A scale and a shift, for each feature, that a converted layer's value still needs. The next affine layer must take them.
#[derive(Debug, Clone, PartialEq)]
struct Pending {
    scale: Vec<f64>,
    shift: Vec<f64>,
    /// The index of the layer that they come from.
    unit: usize,
}

/// The state of a conversion. Arrays hold the source and the target.
struct Conversion<'a> {
    modules: [&'a Module; 2],
    nets: [&'a Net; 2],
    /// The tensors of the source.
    tensors: &'a Tensors,
    /// The tensors of the target so far.
    result: Tensors,
    /// By the index of the layer whose value needs them.
    pending: BTreeMap<usize, Pending>,
}

impl Conversion<'_> {
    /// Converts one layer, or passes a pending scale through it.
    fn layer(&mut self, index: usize) -> Result<(), Diagnostic> {
        let layer = &self.nets[1].layers[index];
        let incoming = layer.inputs.iter().find_map(|i| self.pending.get(i)).cloned();
        match (&layer.kind, incoming) {
            (LayerKind::Unit(unit), incoming) => self.unit(index, layer, unit, incoming)?,
            // These are linear in each feature, so a scale can be applied after them. The mean of a constant is the constant.
            (
                LayerKind::Dropout { .. }
                | LayerKind::StochasticDepth { .. }
                | LayerKind::GlobalAvgPool
                | LayerKind::Upsample { .. },
                Some(pending),
            ) => {
                self.pending.insert(index, pending);
            }
            // Padding counts as zeros in the mean. A shift after the pool would shift the padding too.
            (LayerKind::AvgPool(_), Some(pending)) if pending.shift.iter().all(|x| *x == 0.0) => {
                self.pending.insert(index, pending);
            }
            (LayerKind::Flatten, Some(pending)) => drop(self.pending.insert(index, pending.flattened(&layer.shape))),
            (_, Some(pending)) => return Err(self.nowhere(&pending, layer)),
            // Their parameters and statistics stay what they are, under the name of the target's layer.
            (LayerKind::Stage(_) | LayerKind::Activation(_), None) => {
                let source = self.nets[0].layers[index].name.clone();
                self.copy(&format!("{source}."), &format!("{}.", layer.name));
            }
            _ => {}
        }
        // Only one user can take a pending scale, and the output of the network must be right as it is.
        let users = self.nets[1].layers.iter().filter(|l| l.inputs.contains(&index)).count();
        match self.pending.get(&index) {
            Some(pending) if users != 1 || index == self.nets[1].output => Err(self.nowhere(pending, layer)),
            _ => Ok(()),
        }
    }

    /// Converts one layer of units. `incoming` is a scale that its input still needs.
    fn unit(&mut self, index: usize, layer: &Layer, to: &Unit, incoming: Option<Pending>) -> Result<(), Diagnostic> {
        let source = &self.nets[0].layers[index];
        let LayerKind::Unit(from) = &source.kind else { return Err(differs(layer, source)) };
        let (there, here) = (Patch::new(self.nets[0], source, from), Patch::new(self.nets[1], layer, to));
        let prefixes =
            [(source, from), (layer, to)].map(|(l, u)| format!("{}.", activate::prefix(&l.name, &u.activation)));
        self.copy(&prefixes[0], &prefixes[1]);
        let mut plain = fold(&there, self.tensors)?;
        // If the target has the same parameters with the same meaning, they are copied without rounding errors.
        if incoming.is_none()
            && let Some(copied) = self.copied(&there, &here, &plain)
        {
            self.result.extend(copied);
            return Ok(());
        }
        if let Some(pending) = incoming {
            // The padding is zero and gets no scale or shift. A scale leaves zeros unchanged, but a shift does not.
            if here.padded && (plain.is_moved() || pending.shift.iter().any(|x| *x != 0.0)) {
                return Err(self.nowhere(&pending, layer));
            }
            plain.absorb_input(&pending.scale, &pending.shift, here.area());
        }
        // With padding, a modifier that moves `x` must remain in the target. Then only the rest is written as plain weights.
        let stays = here.padded && plain.is_moved();
        let mut inner = if stays { plain.at_moved() } else { plain.clone() };
        let (scale, shift) = inner.absorb_output(&to.activation);
        let written = write(self.modules[1], &here, &inner)?;
        self.result.extend(if stays { moved(&there, &here, &plain, &inner, &written)? } else { written });
        if scale.iter().any(|s| *s < 1.0) || scale.iter().any(|s| *s > 1.0) || shift.iter().any(|s| *s != 0.0) {
            self.pending.insert(index, Pending { scale, shift, unit: index });
        }
        Ok(())
    }

    /// Returns copies of the source's tensors, if the target has tensors of the same names and gives the same function with them.
    fn copied(&self, source: &Patch, here: &Patch, plain: &Plain) -> Option<Tensors> {
        let own = |state: &State| {
            let name = state.name.strip_prefix(&format!("{}.", here.layer.name))?;
            self.tensors.get(&format!("{}.{name}", source.layer.name))
        };
        let states = fold::states(here).ok()?;
        let mut copied = Tensors::new();
        for (state, origin) in &states {
            let neutral = if *origin == Origin::Variance { 1.0 } else { 0.0 };
            let tensor = match (own(state), state.role) {
                (Some(tensor), _) => tensor.clone(),
                (None, Role::Statistic) => Tensor::full(&state.file_shape, neutral),
                (None, _) => return None,
            };
            copied.insert(state.name.clone(), tensor);
        }
        let again = fold(here, &copied).ok()?;
        (again.is_close(plain) && (!here.padded || again.moves_like(plain))).then_some(copied)
    }

    /// Copies the tensors whose names begin with a prefix.
    fn copy(&mut self, from: &str, to: &str) {
        let found = self.tensors.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(from)?, tensor)));
        let copies: Vec<(String, Tensor)> =
            found.map(|(rest, tensor)| (format!("{to}{rest}"), tensor.clone())).collect();
        self.result.extend(copies);
    }

    fn nowhere(&self, pending: &Pending, user: &Layer) -> Diagnostic {
        cannot_follow(&self.nets[0].layers[pending.unit], user, pending.scale.iter().position(|s| *s < 0.0))
    }
}

impl Pending {
    /// Returns the scale and shift of the flattened value: each channel's numbers are repeated for all its pixels.
    fn flattened(self, shape: &[usize]) -> Self {
        let places = shape.iter().product::<usize>() / self.scale.len().max(1);
        let each = |of: &[f64]| of.iter().flat_map(|x| std::iter::repeat_n(*x, places)).collect();
        Pending { scale: each(&self.scale), shift: each(&self.shift), unit: self.unit }
    }
}

/// Returns the tensors of a filter whose `x` is moved before the image is padded, if one of the target's means can move it in
/// the same way.
fn moved(there: &Patch, here: &Patch, plain: &Plain, inner: &Plain, written: &Tensors) -> Result<Tensors, Diagnostic> {
    let by_channel = plain.moved.iter().step_by(here.area().max(1)).map(|moved| -moved).collect();
    let mean = Tensor { shape: here.shape.iter().take(1).copied().collect(), data: by_channel };
    for (state, origin) in fold::states(here)? {
        if origin != Origin::Mean || state.file_shape != mean.shape {
            continue;
        }
        let mut tensors = written.clone();
        tensors.insert(state.name, mean.clone());
        let again = fold(here, &tensors)?;
        let mut at_moved = again.at_moved();
        at_moved.absorb_output(&here.unit.activation);
        if again.moves_like(plain) && at_moved.is_close(inner) {
            return Ok(tensors);
        }
    }
    Err(complain::moved_before_padding(&there.layer, &there.unit, &here.layer, &here.unit))
}

fn check_layers(from: &Net, to: &Net) -> Result<(), Diagnostic> {
    for (a, b) in from.layers.iter().zip(&to.layers) {
        if a.shape != b.shape || a.inputs != b.inputs || !same_kind(&a.kind, &b.kind) {
            return Err(differs(b, a));
        }
    }
    let same_end = from.layers.len() == to.layers.len() && from.output == to.output;
    match (same_end, from.layers.last(), to.layers.last()) {
        (false, Some(a), Some(b)) => Err(differs(b, a)),
        _ => Ok(()),
    }
}

fn same_kind(a: &LayerKind, b: &LayerKind) -> bool {
    match (a, b) {
        (LayerKind::Unit(a), LayerKind::Unit(b)) => a.connection == b.connection && a.activation.is_same(&b.activation),
        (LayerKind::Activation(a), LayerKind::Activation(b)) => a.is_same(b),
        (LayerKind::Stage(a), LayerKind::Stage(b)) => a.definition.is_same(&b.definition),
        (LayerKind::Arithmetic(a), LayerKind::Arithmetic(b)) => a == b,
        (LayerKind::Upsample { factor: a, method: by }, LayerKind::Upsample { factor: b, method }) => {
            a == b && by == method
        }
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// Converts a tensor of a file to the layout of the graph. `None` if its shape is not the state's.
pub fn from_file(state: &State, tensor: &Tensor) -> Option<Tensor> {
    if tensor.shape != state.file_shape || tensor.data.len() != tensor.shape.iter().product::<usize>() {
        return None;
    }
    let data = if state.transposed { transposed(&tensor.data, state.shape[1]) } else { tensor.data.clone() };
    Some(Tensor { shape: state.shape.clone(), data })
}

/// Converts a tensor of the graph to the layout of files.
pub fn to_file(state: &State, tensor: &Tensor) -> Tensor {
    let data = if state.transposed { transposed(&tensor.data, state.shape[0]) } else { tensor.data.clone() };
    Tensor { shape: state.file_shape.clone(), data }
}

/// Transposes a matrix with this many rows.
fn transposed(data: &[f64], rows: usize) -> Vec<f64> {
    let columns = data.len() / rows.max(1);
    (0..columns).flat_map(|j| (0..rows).map(move |i| data[i * columns + j])).collect()
}

#[cfg(test)]
mod tests;
