//! A trained network in another parameterization: the same function, other parameters.
//!
//! ```text
//! tensors in gmp --fold--> w, b, scale, shift of every unit --write--> tensors in sp
//! ```
//!
//! Nothing here knows a parameterization. `fold` looks at a definition as a function: what stands inside `act` must be affine in
//! `x`, what stands around it affine in `act(…)`. `write` uses the definition's `from(w, b)` section and folds the result again to
//! see that it is the same function. A scale outside the activation that cannot move inside (it is negative, or the activation
//! is curved) goes into the next affine layer, if that is its only user.
//!
//! A convolution is converted as the function of one patch of the image. Zeros around the image are put there after modifiers
//! have rebound `x`: one that centres `x`, as `mn` does, must stay, or the border would be another function.

mod complain;
pub(crate) mod fold;
pub(crate) mod patch;
mod write;

use crate::graph::{Role, State, Tensor};
use crate::module::Module;
use crate::net::{Activation, Layer, LayerKind, Net, Unit};
use crate::parameterize::{Mode, Origin, parameterize};
use complain::{cannot_follow, differs, missing};
use fold::{Plain, fold};
use gmpc_grammar::diagnostic::Diagnostic;
use patch::Patch;
use std::collections::BTreeMap;
use write::write;

/// Tensors by name, in the files' layout: weights `[units, fan_in]` or `[units, channels, kh, kw]`.
pub type Tensors = BTreeMap<String, Tensor>;

/// Writes a network's parameters and statistics in the parameterizations of another network of the same layers, whose names
/// may differ (`linear1` may have become `dense2`).
///
/// Optimizer states are not carried over. Statistics that the target needs and the source does not have start at 0 and 1.
///
/// # Errors
/// E0580 to E0588: a missing tensor, networks that differ, a unit that is no affine map before or after its activation, a scale
/// that has nowhere to go, a parameterization without `from`, a unit that it cannot write.
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
    let mut errors = Vec::new();
    for index in 0..to_net.layers.len() {
        errors.extend(conversion.layer(index).err());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    for (state, origin) in forward.graph.states.iter().zip(&forward.store.origins) {
        let neutral = if *origin == Origin::Variance { 1.0 } else { 0.0 };
        if state.role == Role::Statistic && !conversion.result.contains_key(&state.name) {
            conversion.result.insert(state.name.clone(), Tensor::full(&state.file_shape, neutral));
        }
    }
    Ok(conversion.result)
}

/// What is left to do to a converted layer's value: it must be multiplied and shifted, feature by feature.
#[derive(Debug, Clone, PartialEq)]
struct Pending {
    scale: Vec<f64>,
    shift: Vec<f64>,
    /// The unit it comes from.
    unit: usize,
}

struct Conversion<'a> {
    modules: [&'a Module; 2],
    nets: [&'a Net; 2],
    tensors: &'a Tensors,
    result: Tensors,
    pending: BTreeMap<usize, Pending>,
}

impl Conversion<'_> {
    fn layer(&mut self, index: usize) -> Result<(), Diagnostic> {
        let layer = &self.nets[1].layers[index];
        let incoming = layer.inputs.iter().find_map(|i| self.pending.get(i)).cloned();
        match (&layer.kind, incoming) {
            (LayerKind::Unit(unit), incoming) => self.unit(index, layer, unit, incoming)?,
            (LayerKind::Dropout { .. } | LayerKind::GlobalAvgPool, Some(pending)) => {
                self.pending.insert(index, pending);
            }
            // Padding counts as zeros, which a shift would change.
            (LayerKind::AvgPool(_), Some(pending)) if pending.shift.iter().all(|x| *x == 0.0) => {
                self.pending.insert(index, pending);
            }
            (LayerKind::Flatten, Some(pending)) => drop(self.pending.insert(index, pending.flattened(&layer.shape))),
            (_, Some(pending)) => return Err(self.nowhere(&pending, layer)),
            (LayerKind::MeanNorm { .. }, None) => {
                let source = &self.nets[0].layers[index];
                let name = format!("{}.running_mean", source.name);
                let mean = self.tensors.get(&name).ok_or_else(|| missing(&name, source))?;
                self.result.insert(format!("{}.running_mean", layer.name), mean.clone());
            }
            _ => {}
        }
        let users = self.nets[1].layers.iter().filter(|l| l.inputs.contains(&index)).count();
        match self.pending.get(&index) {
            Some(pending) if users != 1 || index == self.nets[1].output => Err(self.nowhere(pending, layer)),
            _ => Ok(()),
        }
    }

    fn unit(&mut self, index: usize, layer: &Layer, to: &Unit, incoming: Option<Pending>) -> Result<(), Diagnostic> {
        let source = &self.nets[0].layers[index];
        let LayerKind::Unit(from) = &source.kind else { return Err(differs(layer, source)) };
        let (there, here) = (Patch::new(self.nets[0], source, from), Patch::new(self.nets[1], layer, to));
        let mut plain = fold(&there, self.tensors)?;
        if incoming.is_none()
            && let Some(kept) = self.kept(&there, &here, &plain)
        {
            self.result.extend(kept);
            return Ok(());
        }
        if let Some(pending) = incoming {
            if here.padded && (plain.is_moved() || pending.shift.iter().any(|x| *x != 0.0)) {
                return Err(self.nowhere(&pending, layer));
            }
            plain.absorb_input(&pending.scale, &pending.shift, here.area());
        }
        let stays = here.padded && plain.is_moved();
        let mut inner = if stays { plain.at_moved() } else { plain.clone() };
        let (scale, shift) = inner.absorb_output(to.activation);
        let written = write(self.modules[1], &here, &inner)?;
        self.result.extend(if stays { moved(&there, &here, &plain, &inner, &written)? } else { written });
        if scale.iter().any(|s| *s < 1.0) || scale.iter().any(|s| *s > 1.0) || shift.iter().any(|s| *s != 0.0) {
            self.pending.insert(index, Pending { scale, shift, unit: index });
        }
        Ok(())
    }

    /// The source's own tensors, if the target takes the same ones and they mean the same there.
    fn kept(&self, source: &Patch, here: &Patch, plain: &Plain) -> Option<Tensors> {
        let own = |state: &State| {
            let name = state.name.strip_prefix(&format!("{}.", here.layer.name))?;
            self.tensors.get(&format!("{}.{name}", source.layer.name))
        };
        let states = fold::states(here).ok()?;
        let mut kept = Tensors::new();
        for (state, origin) in &states {
            let neutral = if *origin == Origin::Variance { 1.0 } else { 0.0 };
            let tensor = match (own(state), state.role) {
                (Some(tensor), _) => tensor.clone(),
                (None, Role::Statistic) => Tensor::full(&state.file_shape, neutral),
                (None, _) => return None,
            };
            kept.insert(state.name.clone(), tensor);
        }
        let again = fold(here, &kept).ok()?;
        (again.is_close(plain) && (!here.padded || again.moves_like(plain))).then_some(kept)
    }

    fn nowhere(&self, pending: &Pending, user: &Layer) -> Diagnostic {
        cannot_follow(&self.nets[0].layers[pending.unit], user, pending.scale.iter().position(|s| *s < 0.0))
    }
}

impl Pending {
    /// The same over all numbers of each channel, side by side.
    fn flattened(self, shape: &[usize]) -> Self {
        let places = shape.iter().product::<usize>() / self.scale.len().max(1);
        let each = |of: &[f64]| of.iter().flat_map(|x| std::iter::repeat_n(*x, places)).collect();
        Pending { scale: each(&self.scale), shift: each(&self.shift), unit: self.unit }
    }
}

/// The tensors of a filter whose `x` is moved before zeros are put around the image, if the target can move it just so: by one
/// of its means.
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
        at_moved.absorb_output(here.unit.activation);
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
        (LayerKind::Unit(a), LayerKind::Unit(b)) => a.product == b.product && a.activation == b.activation,
        (LayerKind::Activation(a), LayerKind::Activation(b)) => a == b,
        (LayerKind::Arithmetic(a), LayerKind::Arithmetic(b)) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// act(c x) = c act(x) for every c >= 0?
fn is_homogeneous(activation: Activation) -> bool {
    matches!(activation, Activation::Identity | Activation::Relu | Activation::LeakyRelu(_))
}

/// A tensor of a file in the graph's layout; `None` where its shape is not the state's.
pub fn from_file(state: &State, tensor: &Tensor) -> Option<Tensor> {
    if tensor.shape != state.file_shape || tensor.data.len() != tensor.shape.iter().product::<usize>() {
        return None;
    }
    let data = if state.transposed { transposed(&tensor.data, state.shape[1]) } else { tensor.data.clone() };
    Some(Tensor { shape: state.shape.clone(), data })
}

/// A tensor of the graph in the files' layout.
pub fn to_file(state: &State, tensor: &Tensor) -> Tensor {
    let data = if state.transposed { transposed(&tensor.data, state.shape[0]) } else { tensor.data.clone() };
    Tensor { shape: state.file_shape.clone(), data }
}

/// A matrix of this many rows, transposed.
fn transposed(data: &[f64], rows: usize) -> Vec<f64> {
    let columns = data.len() / rows.max(1);
    (0..columns).flat_map(|j| (0..rows).map(move |i| data[i * columns + j])).collect()
}

#[cfg(test)]
mod tests;
