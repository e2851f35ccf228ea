//! PyTorch: a module as a person would write it, and a safetensors file with its state dict.
//!
//! - Dense layers are `nn.Linear`, convolutions `nn.Conv2d`; scaling is done by buffers of the module.
//! - Parameterizations are kept as modules that can be trained further; with `fold` a layer has plain weights.
//! - What PyTorch has no module for becomes a class of its own, written from the definition.
//! - Means, batch normalization and dropout behave in training as gmpc's do.

mod classes;
mod definition;
mod kept;
mod known;
mod module;
mod state;

use crate::File;
use crate::formula::Formula;
use crate::network::{Network, Op};
use crate::refusal::Refusal;

/// The module and its state dict.
///
/// # Errors
/// E0594: the description contradicts itself.
pub fn write(network: &Network, fold: bool) -> Result<Vec<File>, Refusal> {
    let (text, state) = module::module(network, fold)?;
    let bytes = state.encoded(network)?;
    Ok(vec![File { ending: "py", bytes: text.into_bytes() }, File { ending: "safetensors", bytes }])
}

/// Layers with a state that their definition computes anew in each training step, which the module leaves as it is: their names.
///
/// # Errors
/// As those of [`write()`].
pub fn fixed(network: &Network) -> Result<Vec<&str>, Refusal> {
    let mut names = vec![];
    for layer in &network.layers {
        let (alone, tensors) = match &layer.op {
            Op::Unit(unit) => (&unit.alone, &unit.tensors),
            Op::Defined(defined) => (&defined.alone, &defined.tensors),
            Op::Input | Op::Activation(_) | Op::Arithmetic(_) | Op::Scaled { .. } | Op::Concat | Op::Flatten => {
                continue;
            }
            Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool | Op::Dropout { .. } | Op::MeanNorm { .. } => continue,
        };
        if Formula::open(alone, &layer.name, tensors)?.states().any(|state| state.is_kept) {
            names.push(layer.name.as_str());
        }
    }
    Ok(names)
}
